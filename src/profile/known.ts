/** What a profile has to know of its CAs before it can be expanded. Pure. */

import { signingPolicyOf } from '../authority/policy.ts'
import { NameError, parseDistinguishedName, readName } from '../pki/names/names.ts'
import { attributeTypes } from '../pki/names/attributes.ts'
import { intentViolations, type SigningPolicy } from '../pki/policy/policy.ts'
import type { GeneralName } from '../pki/plan.ts'
import { distinguishedName, type SubjectFields } from '../pki/names/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Names } from './topology.ts'

export interface KnownAuthority {
  /** DER Name; absent while it has no certificate. */
  readonly subject?: Uint8Array | undefined
  /** undefined where it is not known, as for a CA that was brought along. */
  readonly selfSigned?: boolean | undefined
  readonly policy?: SigningPolicy | undefined
}

export const knownAuthority = (authority: CertificateAuthority): KnownAuthority => {
  const { source } = authority.spec
  const selfSigned = source.selfSigned !== undefined ? true : source.intermediate !== undefined ? false : undefined
  return { subject: subjectOf(authority), selfSigned, policy: signingPolicyOf(authority) }
}

const subjectOf = ({ status }: CertificateAuthority): Uint8Array | undefined => {
  if (status?.certificate === undefined) return undefined
  try {
    return parseDistinguishedName(status.certificate.subject)
  } catch (error) {
    if (error instanceof NameError) return undefined
    throw error
  }
}

const copied = {
  countries: attributeTypes.C.oid,
  stateOrProvinces: attributeTypes.ST.oid,
  localities: attributeTypes.L.oid,
  organizations: attributeTypes.O.oid,
  organizationalUnits: attributeTypes.OU.oid,
} as const

/** The attributes that the policy wants to be those of the CA (`Match`). */
export const matchingSubject = ({ policy, subject }: KnownAuthority): SubjectFields => {
  if (subject === undefined) return {}
  const attributes = readName(subject).flat()
  const fields = Object.entries(copied).flatMap(([field, oid]) => {
    if (policy?.subject?.[field as keyof typeof copied] !== 'Match') return []
    const values = attributes.flatMap((attribute) => (attribute.oid === oid ? (attribute.text ?? []) : []))
    return values.length === 0 ? [] : [[field, values] as const]
  })
  return Object.fromEntries(fields)
}

export interface Permitted {
  readonly names: Names
  readonly leftOut: readonly string[]
}

/**
 * Without the names that the policy of the CA does not allow. A profile derives more names than most clients use, and one that is
 * not allowed would cost the whole certificate. `asked` were written by a person, and stay.
 */
export const permittedNames = (names: Names, { policy }: KnownAuthority, asked: ReadonlySet<string>): Permitted => {
  if (policy === undefined) return { names, leftOut: [] }
  const { allowedDNSNames, allowedIPRanges, allowWildcards } = policy
  const leftOut: string[] = []
  const permits = (type: GeneralName['type']) => (value: string) => {
    if (asked.has(value)) return true
    const intended = { subject: nobody, names: [{ type, value }], duration: 0, keyAlgorithm }
    if (intentViolations({ allowedDNSNames, allowedIPRanges, allowWildcards }, nobody, intended).length === 0)
      return true
    leftOut.push(value)
    return false
  }
  const dnsNames = names.dnsNames.filter(permits('DNS'))
  const ipAddresses = names.ipAddresses.filter(permits('IP'))
  return { names: { dnsNames, ipAddresses }, leftOut }
}

const nobody = distinguishedName({})
const keyAlgorithm = { algorithm: 'Ed25519' } as const
