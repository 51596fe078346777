/**
 * What a DatabaseCertificate needs now: an ordered chain of checks over what was seen. The same chain answers "must it be
 * issued?", "must the Secret only be written again?" and "is it Ready?", so that the three cannot disagree. Pure.
 */

import { type Check, type Decision, encode, evaluate, issue, stall, wait } from '../control/decision.ts'
import { renewalTime, renewalWindow } from '../control/schedule.ts'
import { passwordProblem } from '../material/passwords.ts'
import { formatDistinguishedName } from '../pki/names.ts'
import type { GeneralName } from '../pki/plan.ts'
import type { Observed, SecretSeen } from './observed.ts'
import type { Wanted } from './wanted.ts'

type CertificateCheck = Check<Observed>
type Present = Extract<SecretSeen, { state: 'present' }>

const second = 1000

/** Runs a check only where the spec could be resolved and our Secret holds a certificate with its key. */
const onCertificate =
  (
    check: (
      wanted: Wanted,
      secret: Present & { leaf: NonNullable<Present['leaf']> },
      seen: Observed,
      now: number,
    ) => ReturnType<CertificateCheck>,
  ): CertificateCheck =>
  (seen, now) => {
    if (!('wanted' in seen.resolved) || seen.secret.state === 'absent' || !seen.secret.ours) return undefined
    const { leaf } = seen.secret
    return leaf === undefined ? undefined : check(seen.resolved.wanted, { ...seen.secret, leaf }, seen, now)
  }

const notImplemented: CertificateCheck = ({ notImplemented: fields }) =>
  fields.length === 0
    ? undefined
    : stall(
        'NotImplemented',
        `This version does not act on ${fields.join(', ')}; remove ${fields.length > 1 ? 'them' : 'it'}.`,
      )

const requestInvalid: CertificateCheck = ({ resolved }) =>
  'wanted' in resolved ? undefined : stall('RequestInvalid', resolved.problems.join(' '))

const authorityMissing: CertificateCheck = ({ authority }) =>
  authority.state === 'missing' ? stall('AuthorityNotFound', authority.message) : undefined

const authorityRefuses: CertificateCheck = ({ authority }) =>
  authority.state === 'refused' ? stall('AuthorityNotAllowed', authority.message) : undefined

const secretBelongsToOthers: CertificateCheck = ({ secret, resolved }) => {
  if (secret.state === 'absent' || secret.ours || !('wanted' in resolved)) return undefined
  const { name } = resolved.wanted.secret
  return stall(
    'SecretInTheWay',
    secret.owner === undefined
      ? `Secret "${name}" was not made by dbtls and is left alone. Choose another spec.secret.name, delete it, or annotate that Secret with dbtls.dev/adopt: "true".`
      : `Secret "${name}" belongs to ${secret.owner}. Choose another spec.secret.name.`,
  )
}

const secretTypeDiffers: CertificateCheck = ({ secret, resolved }) => {
  if (secret.state === 'absent' || !secret.ours || !('wanted' in resolved)) return undefined
  const { name, type } = resolved.wanted.secret
  return secret.type === type
    ? undefined
    : stall(
        'SecretTypeChanged',
        `Secret "${name}" is of type ${secret.type}, and Kubernetes cannot change that to ${type}. Delete the Secret to have it made anew, or set spec.secret.type back. Until then it is left as it is.`,
      )
}

const secretImmutable: CertificateCheck = ({ secret, resolved }) =>
  secret.state === 'present' && secret.ours && secret.immutable && 'wanted' in resolved
    ? stall(
        'SecretImmutable',
        `Secret "${resolved.wanted.secret.name}" is immutable, so it cannot be renewed. Delete it to have it made anew.`,
      )
    : undefined

const passwordMissing: CertificateCheck = ({ password }) =>
  password?.state === 'missing' ? stall('PasswordSecretNotFound', password.message) : undefined

const passwordUnfit: CertificateCheck = ({ password }) => {
  if (password?.state !== 'found') return undefined
  const problem = passwordProblem(password.value)
  return problem === undefined
    ? undefined
    : stall('PasswordInvalid', `The password of spec.keystore.passwordSecretRef cannot be used: ${problem}`)
}

const certificateMissing: CertificateCheck = ({ secret, resolved }) => {
  if (!('wanted' in resolved)) return undefined
  const { name } = resolved.wanted.secret
  if (secret.state === 'absent') return issue('Issuing', `Secret "${name}" does not exist yet.`)
  if (!secret.ours) return undefined
  return secret.leaf === undefined ? issue('Issuing', `Secret "${name}" holds no readable certificate.`) : undefined
}

const keyNotOurs = onCertificate((wanted, secret) =>
  secret.privateKey === undefined
    ? issue('Issuing', `Secret "${wanted.secret.name}" holds no private key that belongs to its certificate.`)
    : undefined,
)

const keyAlgorithmChanged = onCertificate((wanted, secret) => {
  if (secret.privateKey === undefined) return undefined
  const [is, should] = [describeKey(secret.keyAlgorithm), describeKey(wanted.keyAlgorithm)]
  return is === should ? undefined : issue('Issuing', `The key is ${is} and should be ${should}.`)
})

const signerChanged = onCertificate((_wanted, secret, { authority }) =>
  authority.state === 'usable' && secret.signedByAuthority === false
    ? issue('Issuing', `The certificate was not signed by the present key of the authority.`)
    : undefined,
)

const subjectChanged = onCertificate((wanted, secret) =>
  Buffer.from(wanted.subject).equals(secret.leaf.subject)
    ? undefined
    : issue(
        'Issuing',
        `The subject is "${formatDistinguishedName(secret.leaf.subject)}" and should be "${formatDistinguishedName(wanted.subject)}".`,
      ),
)

const namesChanged = onCertificate((wanted, secret) => {
  const [has, should] = [nameSet(secret.leaf.subjectAlternativeNames), nameSet(wanted.names)]
  const missing = [...should].filter((name) => !has.has(name))
  const extra = [...has].filter((name) => !should.has(name))
  if (missing.length + extra.length === 0) return undefined
  const parts = [
    missing.length > 0 ? `lacks ${listed(missing)}` : '',
    extra.length > 0 ? `has ${listed(extra)} too many` : '',
  ].filter((part) => part !== '')
  return issue('Issuing', `The certificate ${parts.join(' and ')}.`)
})

const usagesChanged = onCertificate((wanted, secret) => {
  const same =
    sameSet(wanted.keyUsage, secret.leaf.keyUsage) && sameSet(wanted.extendedKeyUsage, secret.leaf.extendedKeyUsage)
  return same ? undefined : issue('Issuing', 'The certificate has other usages than spec.role or spec.usages ask for.')
})

const durationChanged = onCertificate((wanted, secret) =>
  secret.requestedDuration === undefined || secret.requestedDuration === wanted.duration
    ? undefined
    : issue('Issuing', 'spec.duration has changed.'),
)

const renewTriggered = onCertificate((wanted, secret) =>
  secret.renewTrigger === undefined || secret.renewTrigger === wanted.renewTrigger
    ? undefined
    : issue('Renewing', `spec.renewTrigger has changed.`),
)

const renewalDue = onCertificate((wanted, secret, seen, now) =>
  now >= renewalTime(wanted.renewal, secret.leaf.notBefore, secret.leaf.notAfter, seen.uid)
    ? issue('Renewing', 'The certificate is due for renewal.')
    : undefined,
)

const outputsDiffer = onCertificate((wanted, secret) => {
  if (secret.privateKey === undefined) return undefined
  if (secret.drift.length > 0)
    return encode('Encoding', `Secret "${wanted.secret.name}" differs in ${listed(secret.drift)}.`)
  return secret.outputsCurrent
    ? undefined
    : encode('Encoding', `Secret "${wanted.secret.name}" does not hold what its items, password and trust ask for.`)
})

/** In the order in which a person would ask. Each says one thing, with one reason. */
export const checks: readonly CertificateCheck[] = [
  notImplemented, // Stall  a field that a later version acts on
  requestInvalid, // Stall  only a change of spec can cure it
  authorityMissing, // Stall  until the CA exists
  authorityRefuses, // Stall  until the CA allows this namespace
  secretBelongsToOthers, // Stall
  secretTypeDiffers, // Stall  a Secret's type is immutable
  secretImmutable, // Stall
  passwordMissing, // Stall  until the Secret exists
  passwordUnfit, // Stall
  certificateMissing, // Issue  first issuance, or the Secret was deleted or emptied
  keyNotOurs, // Issue  swapped, truncated or missing key
  keyAlgorithmChanged, // Issue
  signerChanged, // Issue  the CA has another key
  subjectChanged, // Issue
  namesChanged, // Issue
  usagesChanged, // Issue
  durationChanged, // Issue
  renewTriggered, // Issue
  renewalDue, // Issue
  outputsDiffer, // Encode items, alias, password, profile, labels, trust bundle, tampering
]

/**
 * Asked only when something has to be signed or written: a certificate that needs nothing is not disturbed by the trouble
 * of its authority.
 */
const authorityNotReady: CertificateCheck = ({ authority }) =>
  authority.state === 'notReady' ? wait('AuthorityNotReady', authority.message) : undefined

/** A leaf that would be due as soon as it is issued is not issued. */
const authorityExpiring: CertificateCheck = ({ authority, resolved }, now) => {
  if (authority.state !== 'usable' || !('wanted' in resolved)) return undefined
  const { wanted } = resolved
  const left = authority.material.certificate.notAfter - now
  const least = Math.max(
    wanted.renewal.renewBefore === undefined
      ? 0
      : Math.min(renewalWindow(wanted.renewal, wanted.duration), wanted.duration),
    Math.min(60 * second, wanted.duration / 10),
  )
  return left > least
    ? undefined
    : stall(
        'AuthorityExpiring',
        `The authority ends at ${new Date(authority.material.certificate.notAfter).toISOString()}, so a certificate would be due for renewal as soon as it is issued. Renew the authority first, or lower spec.renewBefore.`,
      )
}

export const decide = (seen: Observed, now: number): Decision => {
  const decision = evaluate(checks, seen, now)
  if (decision.cure === 'Encode') return evaluate([...checks, authorityNotReady], seen, now)
  if (decision.cure === 'Issue') return evaluate([...checks, authorityNotReady, authorityExpiring], seen, now)
  return decision
}

const describeKey = (key: Wanted['keyAlgorithm'] | undefined): string =>
  key === undefined ? 'unknown' : 'size' in key ? `${key.algorithm} ${key.size}` : key.algorithm

const nameSet = (names: readonly GeneralName[]): Set<string> =>
  new Set(names.map(({ type, value }) => `${type} ${value}`))

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((member) => b.includes(member))

/** At most five, so that a thousand names do not make a message of a megabyte. */
const listed = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`
