/**
 * Our own judgement of names under name constraints (RFC 5280 §4.2.1.10 and §6.1.4), stricter than the text where
 * verifiers differ: a common name that could pass for a host counts as one, a wildcard must lie inside as a whole, and
 * what cannot be judged is refused.
 */

import { attributeTexts, hostLike } from '../names/host-names.ts'
import { ipToBytes } from '../names/general-names.ts'
import { ipRangeToBytes, permitsNames } from './name-constraints.ts'
import { formatDistinguishedName, readName } from '../names/names.ts'
import type { GeneralName, NameConstraints, NameSubtrees } from '../plan.ts'

export interface JudgedNames {
  /** DER Name. */
  readonly subject: Uint8Array
  readonly names: readonly GeneralName[]
  /** How many alternative names are of other types (otherName, directoryName …). */
  readonly otherNames?: number
}

export interface ConstraintOptions {
  /**
   * Refuses too what RFC 5280 §4.2.1.10 leaves open: names of a type of which nothing is permitted, where names of other
   * types are. For what is to be signed, whoever wrote the constraints; not for what exists, which clients would accept.
   */
  readonly closed?: boolean
}

/**
 * One sentence for each name that the constraints of some CA above do not allow; none means that all are allowed. For
 * leaves and for intermediates; without constraints nothing is refused.
 */
export const constraintViolations = (
  chain: readonly NameConstraints[],
  { subject, names, otherNames = 0 }: JudgedNames,
  { closed = false }: ConstraintOptions = {},
): string[] => {
  if (chain.length === 0) return []
  const claims = [...names.map(claimOfName), ...claimsOfSubject(subject)]
  const violations = chain.flatMap((constraints) => [
    ...claims.map((claim) => judge(claim, constraints, closed)).filter((sentence) => sentence !== undefined),
    ...judgeSubject(subject, constraints),
  ])
  if (otherNames > 0)
    violations.push(
      'The certificate has alternative names of other types than DNS, IP, URI and email, which name constraints cannot be checked against.',
    )
  return [...new Set(violations)]
}

interface Claim {
  readonly type: GeneralName['type']
  /** As it is named in sentences. */
  readonly title: string
  /** undefined: it cannot be judged. */
  readonly value: string | undefined
}

const titles = { DNS: 'DNS name', IP: 'IP address', URI: 'URI', Email: 'email address' } as const

const claimOfName = ({ type, value }: GeneralName): Claim => ({
  type,
  title: `${titles[type]} ${JSON.stringify(value)}`,
  value: type === 'URI' ? uriHost(value) : type === 'DNS' ? withoutDot(value.toLowerCase()) : value,
})

const claimsOfSubject = (subject: Uint8Array): Claim[] => [
  ...attributeTexts(subject, 'CN').flatMap((text) => {
    if (text === undefined) return [{ type: 'DNS' as const, title: 'common name', value: undefined }]
    const host = hostLike(text)
    const title = `common name ${JSON.stringify(text)}`
    if (host === undefined) return []
    return [host === 'unclear' ? { type: 'DNS' as const, title, value: undefined } : { ...host, title }]
  }),
  ...attributeTexts(subject, 'EMAILADDRESS').map((text) => ({
    type: 'Email' as const,
    title: `emailAddress ${JSON.stringify(text ?? '')} of the subject`,
    value: text?.includes('@') ? text : undefined,
  })),
]

const withoutDot = (host: string): string => (host.endsWith('.') ? host.slice(0, -1) : host)

/** The host of `scheme://user@host:port/…`; undefined where there is none that is a name (RFC 5280 §4.2.1.10). */
const uriHost = (uri: string): string | undefined => {
  const [, host] = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/?#@:[\]%\\]+)(?::[0-9]*)?(?:[/?#]|$)/.exec(uri) ?? []
  if (host === undefined) return undefined
  const name = withoutDot(host.toLowerCase())
  return /^[0-9.]+$/.test(name) ? undefined : name
}

const fields = {
  DNS: 'dnsDomains',
  IP: 'ipRanges',
  URI: 'uriDomains',
  Email: 'emailAddresses',
} as const satisfies Record<GeneralName['type'], keyof NameSubtrees>

const judge = (claim: Claim, constraints: NameConstraints, closed: boolean): string | undefined => {
  const field = fields[claim.type]
  const { [field]: permitted } = constraints.permitted
  const { [field]: excluded } = constraints.excluded
  const unmentioned =
    closed && permitted.length === 0 && permitsNames(constraints)
      ? `The ${claim.title} is of a type of which the name constraints of the CA permit nothing; they permit only ${permittedTypes(constraints)}, and that closes every other type. Leave it out, or use a CA that permits it.`
      : undefined
  if (permitted.length === 0 && excluded.length === 0) return unmentioned
  const { value } = claim
  if (value === undefined) return `The ${claim.title} cannot be checked against the name constraints of the CA.`
  const { inside, touches } = matchers[claim.type]
  if (permitted.length > 0 && !permitted.some((base) => inside(base, value)))
    return `The ${claim.title} is outside what the name constraints of the CA permit: ${listed(permitted)}.`
  const hit = excluded.find((base) => touches(base, value))
  return hit === undefined
    ? unmentioned
    : `The ${claim.title} is excluded by the name constraints of the CA: ${hit === '' ? 'every DNS name' : hit}.`
}

const listed = (bases: readonly string[]): string =>
  bases.length <= 8 ? bases.join(', ') : `${bases.slice(0, 8).join(', ')} and ${bases.length - 8} more`

const permittedTypes = ({ permitted }: NameConstraints): string =>
  (Object.keys(fields) as GeneralName['type'][]).filter((type) => permitted[fields[type]].length > 0).join(', ')

interface Matcher {
  /** The name lies as a whole in the permitted subtree. */
  readonly inside: (base: string, value: string) => boolean
  /** The name lies at least in part in the excluded subtree. */
  readonly touches: (base: string, value: string) => boolean
}

const below = (domain: string, host: string): boolean => host.endsWith(`.${domain}`)

/** A leading dot is not of RFC 5280, but found in the field: sub-domains only where permitted, the domain too where excluded. */
const domainInside = (base: string, host: string): boolean => {
  if (base === '') return true
  if (base.startsWith('.')) return below(base.slice(1), host)
  return host === base || below(base, host)
}

const domainTouches = (base: string, host: string): boolean => {
  const domain = base.startsWith('.') ? base.slice(1) : base
  if (domainInside(domain, host)) return true
  if (!host.startsWith('*.')) return false
  const parent = host.slice(2)
  // A wildcard stands for one label (RFC 6125 §6.4.3), so it reaches the domains one label below its parent.
  return domain.includes('.') && domain.slice(domain.indexOf('.') + 1) === parent
}

const hostMatches = (base: string, host: string): boolean =>
  base.startsWith('.') ? below(base.slice(1), host) : host === base

const emailMatches = (base: string, mailbox: string, sameLocal: (a: string, b: string) => boolean): boolean => {
  const at = mailbox.lastIndexOf('@')
  const host = withoutDot(mailbox.slice(at + 1).toLowerCase())
  const baseAt = base.lastIndexOf('@')
  if (baseAt < 0) return hostMatches(base, host)
  return base.slice(baseAt + 1) === host && sameLocal(base.slice(0, baseAt), mailbox.slice(0, at))
}

const inRange = (range: string, address: Uint8Array): boolean => {
  const bytes = ipRangeToBytes(range)
  if (bytes.length !== 2 * address.length) return false
  return address.every((byte, index) => (byte & (bytes[address.length + index] ?? 0)) === bytes[index])
}

/** The IPv4 address inside an IPv4-mapped IPv6 address, which a dual-stack socket reaches. */
const mapped = (address: Uint8Array): Uint8Array | undefined =>
  address.length === 16 && address.subarray(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff))
    ? address.subarray(12)
    : undefined

/** Whether `range` (`10.0.0.0/8`) holds the address; an IPv4-mapped address counts as both of its forms if `either`. */
export const rangeHolds = (range: string, address: string, either = false): boolean => {
  const bytes = ipToBytes(address)
  const inner = either ? mapped(bytes) : undefined
  return inRange(range, bytes) || (inner !== undefined && inRange(range, inner))
}

const matchers: Record<GeneralName['type'], Matcher> = {
  DNS: { inside: domainInside, touches: domainTouches },
  IP: {
    inside: (base, value) => rangeHolds(base, value),
    touches: (base, value) => rangeHolds(base, value, true),
  },
  URI: { inside: hostMatches, touches: hostMatches },
  // Local parts are told apart by case (RFC 5321 §2.4), but hardly any server does so.
  Email: {
    inside: (base, value) => emailMatches(base, value, (a, b) => a === b),
    touches: (base, value) => emailMatches(base, value, (a, b) => a.toLowerCase() === b.toLowerCase()),
  },
}

const judgeSubject = (subject: Uint8Array, { permitted, excluded }: NameConstraints): string[] => {
  if (subject.length <= 2) return []
  const text = JSON.stringify(formatDistinguishedName(subject))
  const violations: string[] = []
  const allowed = permitted.directoryNames
  if (allowed.length > 0 && !allowed.some((base) => beginsWith(base, subject)))
    violations.push(`The subject ${text} is outside the directory names that the CA permits.`)
  if (excluded.directoryNames.some((base) => beginsWith(base, subject)))
    violations.push(`The subject ${text} is within a directory name that the CA excludes.`)
  return violations
}

/** Whether the RDNs of `base` are the first of `name` (RFC 5280 §7.1: strings without regard to case and runs of spaces). */
const beginsWith = (base: Uint8Array, name: Uint8Array): boolean => {
  const relatives = readName(name).map(comparable)
  const prefix = readName(base).map(comparable)
  return prefix.length <= relatives.length && prefix.every((relative, index) => relative === relatives[index])
}

const comparable = (relative: ReturnType<typeof readName>[number]): string =>
  relative
    .map(({ oid, value, text }) => {
      const folded = text?.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
      return `${oid}=${folded === undefined ? `#${Buffer.from(value).toString('hex')}` : JSON.stringify(folded)}`
    })
    .toSorted()
    .join('+')
