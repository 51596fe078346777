/**
 * What a CA does not sign: its policy, and the name constraints of it and of the CAs above it. Asked beforehand, so that
 * no key is spent, again of the finished certificate, and of the one in use, which stays. Nothing to do where a CA has
 * neither. Pure.
 */

import { hash } from 'node:crypto'
import { signingPolicyOf } from '../authority/policy.ts'
import { constraintViolations } from '../pki/constraints/check.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { intentViolations, policyViolations, type SigningPolicy } from '../pki/policy/policy.ts'
import type { Signer } from '../pki/certificates/signer.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { UsableAuthority } from './observed.ts'
import type { Wanted } from './wanted.ts'

export interface Violation {
  readonly reason: 'PolicyViolation' | 'NameConstraintViolation'
  readonly message: string
}

/** Of the spec of a CA; undefined where it has none. */
export const policyOf = ({ spec }: Pick<CertificateAuthority, 'spec'>): UsableAuthority['policy'] => {
  const rules = signingPolicyOf({ spec })
  return rules === undefined ? undefined : { rules, hash: hash('sha256', JSON.stringify(spec.policy), 'hex') }
}

/** ms. A lifetime that nobody asked for gives way to the policy; one that was asked for is refused. */
export const lifetimeOf = (
  { duration, durationGiven }: Pick<Wanted, 'duration' | 'durationGiven'>,
  rules: Pick<SigningPolicy, 'maxDuration'> | undefined,
): number => (durationGiven ? duration : Math.min(duration, rules?.maxDuration ?? Infinity))

/** What of an authority its rules are told by. */
type Judge = Pick<UsableAuthority, 'name' | 'policy'> & {
  readonly material: { readonly signer: Pick<Signer, 'subject' | 'nameConstraints'> }
}

export const violationsOfWanted = (authority: Judge, wanted: Wanted): Violation[] => {
  const { policy, material } = authority
  const intended = {
    subject: wanted.subject,
    names: wanted.names,
    keyAlgorithm: wanted.keyAlgorithm,
    duration: lifetimeOf(wanted, policy?.rules),
  }
  return inWords(
    authority,
    policy === undefined ? [] : intentViolations(policy.rules, material.signer.subject, intended),
    constraintViolations(material.signer.nameConstraints ?? [], intended, { closed: true }),
  )
}

export const violationsOfCertificate = (authority: Judge, finished: ParsedCertificate): Violation[] => {
  const { policy, material } = authority
  return inWords(
    authority,
    policy === undefined ? [] : policyViolations(policy.rules, material.signer.subject, finished),
    constraintViolations(
      material.signer.nameConstraints ?? [],
      {
        subject: finished.subject,
        names: finished.subjectAlternativeNames,
        otherNames: finished.otherAlternativeNames,
      },
      { closed: true },
    ),
  )
}

/** A thousand names that are refused are said no better than a few. */
const maxSentences = 8

const inWords = (
  { name }: Pick<Judge, 'name'>,
  ofPolicy: readonly string[],
  ofConstraints: readonly string[],
): Violation[] => {
  const violation = (reason: Violation['reason'], sentences: readonly string[]): Violation[] => {
    if (sentences.length === 0) return []
    const said = sentences.slice(0, maxSentences).join(' ')
    const more = sentences.length > maxSentences ? ` And ${sentences.length - maxSentences} more.` : ''
    return [{ reason, message: `${name} does not sign this. ${said}${more}` }]
  }
  return [...violation('PolicyViolation', ofPolicy), ...violation('NameConstraintViolation', ofConstraints)]
}
