/**
 * What a CA signs, judged on the finished certificate: the distinguished name with the words of the policy section of
 * `openssl ca`, names, lifetime and key.
 */

import { normaliseDnsName, normaliseEmail, normaliseUri } from '../names/general-names.ts'
import { attributeTexts, hostLike } from '../names/host-names.ts'
import { algorithmOfSpki } from '../keys/keys.ts'
import { rangeHolds } from '../constraints/check.ts'
import { DerError } from '../encoding/der.ts'
import { NameError } from '../names/names.ts'
import type { ParsedCertificate } from '../certificates/parse.ts'
import type { GeneralName, KeyAlgorithm } from '../plan.ts'
import { type SubjectPolicy, subjectViolations } from './subject.ts'

export type { SubjectPolicy } from './subject.ts'

/** Absent members allow everything; an empty list allows nothing of its type. */
export interface SigningPolicy {
  readonly subject?: SubjectPolicy | undefined
  /** Names, or `*.domain` for exactly one label more; a wildcard name needs the pattern that is written like it. */
  readonly allowedDNSNames?: readonly string[] | undefined
  /** `10.0.0.0/8`. */
  readonly allowedIPRanges?: readonly string[] | undefined
  /** URIs; `*` at the end stands for anything. */
  readonly allowedURIs?: readonly string[] | undefined
  readonly allowedEmailAddresses?: readonly string[] | undefined
  /** Default: true. */
  readonly allowWildcards?: boolean | undefined
  /** ms, from notBefore to notAfter. */
  readonly maxDuration?: number | undefined
  readonly privateKey?:
    | {
        readonly algorithms?: readonly KeyAlgorithm['algorithm'][] | undefined
        /** Bits. */
        readonly minRSASize?: number | undefined
      }
    | undefined
  /** Each common name belongs to one certificate. Who bears which name is told elsewhere; here, that it is one. */
  readonly uniqueCommonName?: boolean | undefined
}

export type Judged = Pick<
  ParsedCertificate,
  'subject' | 'subjectAlternativeNames' | 'otherAlternativeNames' | 'notBefore' | 'notAfter' | 'spki'
>

/** What is going to be signed, before there is a key. */
export interface Intended {
  /** DER Name. */
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
  /** ms */
  readonly duration: number
  readonly keyAlgorithm: KeyAlgorithm
}

/**
 * One sentence for each rule that the finished certificate breaks, with the field of the policy and the offender.
 * `caSubject` is the DER Name of the CA, for `Match`.
 */
export const policyViolations = (policy: SigningPolicy, caSubject: Uint8Array, finished: Judged): string[] =>
  violations(policy, caSubject, {
    subject: finished.subject,
    names: finished.subjectAlternativeNames,
    otherNames: finished.otherAlternativeNames,
    duration: finished.notAfter - finished.notBefore,
    keyAlgorithm: algorithmOrNone(finished.spki),
  })

/** The same of a certificate that is still to be made, so that no key is spent on one that the policy refuses. */
export const intentViolations = (policy: SigningPolicy, caSubject: Uint8Array, intended: Intended): string[] =>
  violations(policy, caSubject, { ...intended, otherNames: 0 })

interface Facts extends Omit<Intended, 'keyAlgorithm'> {
  /** undefined: none that this program knows. */
  readonly keyAlgorithm: KeyAlgorithm | undefined
  readonly otherNames: number
}

const violations = (policy: SigningPolicy, caSubject: Uint8Array, facts: Facts): string[] => [
  ...new Set([
    ...(policy.subject === undefined ? [] : subjectViolations(policy.subject, caSubject, facts.subject)),
    ...(policy.uniqueCommonName === true ? commonNameViolations(facts) : []),
    ...nameViolations(policy, facts),
    ...durationViolations(policy, facts),
    ...keyViolations(policy, facts),
  ]),
]

/** Go and Java take the last common name, X509_NAME_get_text_by_NID of OpenSSL the first, whatever its string type. */
const commonNameViolations = ({ subject }: Facts): string[] => {
  const names = attributeTexts(subject, 'CN')
  if (names.length > 1)
    return [
      `policy.uniqueCommonName gives each common name to one certificate, and the subject has ${names.length} of them, of which clients take one or another; leave one.`,
    ]
  return names.includes(undefined)
    ? ['policy.uniqueCommonName gives each common name to one certificate, and that of the subject cannot be read.']
    : []
}

type Allowing = 'allowedDNSNames' | 'allowedIPRanges' | 'allowedURIs' | 'allowedEmailAddresses'

interface Rule {
  readonly field: Allowing
  readonly allows: (pattern: string, value: string) => boolean
}

const nameViolations = (policy: SigningPolicy, facts: Facts): string[] => {
  const found = claimsOf(facts).flatMap((claim) => claimViolations(policy, claim))
  if (facts.otherNames > 0 && Object.values(rules).some(({ field }) => policy[field] !== undefined))
    found.push('The certificate has alternative names of a type that no field of the policy allows.')
  return found
}

interface Claim {
  readonly type: keyof typeof rules
  readonly title: string
  /** undefined: it could pass for a name, but is no valid one. */
  readonly value: string | undefined
}

/** The alternative names, and what of the subject verifiers have taken for one. */
const claimsOf = ({ subject, names }: Facts): Claim[] => [
  ...names.map(({ type, value }) => ({
    type,
    value,
    title: `${titles[type]} ${JSON.stringify(value)}`,
  })),
  ...attributeTexts(subject, 'CN').flatMap((text): Claim[] => {
    const title = `common name ${JSON.stringify(text ?? '')}`
    const host = text === undefined ? 'unclear' : hostLike(text)
    if (host === undefined) return []
    return [host === 'unclear' ? { type: 'DNS', title, value: undefined } : { ...host, title }]
  }),
  ...attributeTexts(subject, 'EMAILADDRESS').map((value): Claim => ({
    type: 'Email',
    value,
    title: `emailAddress ${JSON.stringify(value ?? '')} of the subject`,
  })),
]

const titles = { DNS: 'DNS name', IP: 'IP address', URI: 'URI', Email: 'email address' } as const

const claimViolations = (policy: SigningPolicy, { type, title, value }: Claim): string[] => {
  const { field, allows } = rules[type]
  const found: string[] = []
  if (policy.allowWildcards === false && type === 'DNS' && value?.includes('*'))
    found.push(`policy.allowWildcards is false, and the ${title} is a wildcard.`)
  const patterns = policy[field]
  if (patterns === undefined) return found
  if (value === undefined) found.push(`The ${title} cannot be checked against policy.${field}.`)
  else if (!patterns.some((pattern) => allows(pattern, value)))
    found.push(`The ${title} is not in policy.${field} (${listed(patterns)}).`)
  return found
}

const listed = (patterns: readonly string[]): string => {
  if (patterns.length === 0) return 'empty: none is allowed'
  return patterns.length <= 8
    ? patterns.join(', ')
    : `${patterns.slice(0, 8).join(', ')} and ${patterns.length - 8} more`
}

/** A value or pattern that has no normal form equals nothing. */
const normal = (normalise: (text: string) => string, text: string): string | undefined => {
  try {
    return normalise(text)
  } catch (error) {
    if (error instanceof NameError) return undefined
    throw error
  }
}

/** Label by label from the right; `*` at the left of the pattern takes any one label, that of a wildcard name included. */
const dnsAllowed = (pattern: string, name: string): boolean => {
  const host = normal(normaliseDnsName, name)
  if (host === undefined) return false
  if (pattern === '*') return !host.includes('.')
  const allowed = normal(normaliseDnsName, pattern)
  if (allowed === undefined || !allowed.startsWith('*.')) return allowed === host
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === allowed.slice(1)
}

const ipAllowed = (range: string, address: string): boolean => {
  try {
    return rangeHolds(range, address)
  } catch (error) {
    if (error instanceof NameError) return false
    throw error
  }
}

const uriAllowed = (pattern: string, uri: string): boolean => {
  const value = normal(normaliseUri, uri)
  if (value === undefined) return false
  if (!pattern.endsWith('*')) return normal(normaliseUri, pattern) === value
  // What a path or a host really is, is then not what the text begins with.
  const [plain, more] = decoded(value)
  if (more || [value, plain].some((text) => dotSegment.test(text) || userInfo.test(text))) return false
  return value.startsWith(lowerAuthority(pattern.slice(0, -1)))
}

/** A segment that goes nowhere or up, with parameters too (`..;a=b`), which servers in Java drop first. */
const dotSegment = /[:/\\]\.{1,2}([/?#;\\]|$)/
const userInfo = /^[^:]*:\/\/[^/?#]*@/

/**
 * Without percent-encoding, as the servers read it that decode before they split into segments, or decode twice; `true`
 * where there would still be something to decode.
 */
const decoded = (uri: string): readonly [string, boolean] => {
  let text = uri
  for (let times = 0; times < 4; times += 1) {
    const next = text.replace(/%(?:25)*([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    if (next === text) return [text, false]
    text = next
  }
  return [text, /%[0-9a-f]{2}/i.test(text)]
}

/** Scheme and host in lower case, as normaliseUri leaves them; a pattern may end inside of either. */
const lowerAuthority = (prefix: string): string => {
  const [head = ''] = /^[^:]*(:\/\/[^/?#]*)?/.exec(prefix) ?? []
  return head.toLowerCase() + prefix.slice(head.length)
}

const emailAllowed = (pattern: string, address: string): boolean => {
  const value = normal(normaliseEmail, address)
  return value !== undefined && normal(normaliseEmail, pattern) === value
}

const rules = {
  DNS: { field: 'allowedDNSNames', allows: dnsAllowed },
  IP: { field: 'allowedIPRanges', allows: ipAllowed },
  URI: { field: 'allowedURIs', allows: uriAllowed },
  Email: { field: 'allowedEmailAddresses', allows: emailAllowed },
} as const satisfies Record<string, Rule>

const durationViolations = ({ maxDuration }: SigningPolicy, { duration }: Facts): string[] =>
  maxDuration === undefined || duration <= maxDuration
    ? []
    : [`The lifetime of ${inWords(duration)} is longer than policy.maxDuration, ${inWords(maxDuration)}.`]

const inWords = (ms: number): string => {
  const days = ms / (24 * 3600 * 1000)
  return Number.isInteger(days) ? `${days} days` : `${ms / 1000} seconds`
}

const keyViolations = ({ privateKey = {} }: SigningPolicy, { keyAlgorithm: key }: Facts): string[] => {
  const { algorithms, minRSASize } = privateKey
  if (algorithms === undefined && minRSASize === undefined) return []
  if (key === undefined) return ['The key is of none of the algorithms that policy.privateKey can allow.']
  const found: string[] = []
  if (algorithms !== undefined && !algorithms.includes(key.algorithm))
    found.push(`The key is ${key.algorithm}; policy.privateKey.algorithms allows ${algorithms.join(', ') || 'none'}.`)
  if (key.algorithm === 'RSA' && minRSASize !== undefined && key.size < minRSASize)
    found.push(`The RSA key has ${key.size} bits; policy.privateKey.minRSASize is ${minRSASize}.`)
  return found
}

const algorithmOrNone = (spki: Uint8Array): KeyAlgorithm | undefined => {
  try {
    return algorithmOfSpki(spki)
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

/** One sentence for each pattern that can never match anything, for whoever writes the policy. */
export const policyProblems = (policy: SigningPolicy): string[] => [
  ...(policy.allowedDNSNames ?? [])
    .filter((pattern) => pattern !== '*' && normal(normaliseDnsName, pattern) === undefined)
    .map(
      (pattern) =>
        `policy.allowedDNSNames: ${JSON.stringify(pattern)} matches nothing; write a DNS name, or "*." before one.`,
    ),
  ...(policy.allowedURIs ?? [])
    .filter((pattern) => !pattern.endsWith('*') && normal(normaliseUri, pattern) === undefined)
    .map(
      (pattern) => `policy.allowedURIs: ${JSON.stringify(pattern)} matches nothing; write a URI, or "*" at its end.`,
    ),
  ...(policy.allowedEmailAddresses ?? [])
    .filter((pattern) => normal(normaliseEmail, pattern) === undefined)
    .map((pattern) => `policy.allowedEmailAddresses: ${JSON.stringify(pattern)} matches nothing; write name@domain.`),
]
