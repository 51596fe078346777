/** The way from a CA that is brought along up to its root, and what of it keeps the CA from signing. */

import { extensionIds } from '../certificates/extensions.ts'
import { date, isSelfSigned, quoted, shortKey, weakHash } from './certificates.ts'
import { constraintViolations } from '../constraints/check.ts'
import { formatDistinguishedName } from '../names/names.ts'
import { equal, type ParsedCertificate, signatureVerifies } from '../certificates/parse.ts'

/** The CA first, the root last. */
export type Path = readonly [ParsedCertificate, ...ParsedCertificate[]]

/** Why a CA may not sign, most telling first. */
export type RefusalKind = 'NotYetValid' | 'Expired' | 'CannotSign'

export interface Problem {
  readonly kind: RefusalKind
  /** A sentence with what to do. */
  readonly message: string
}

export interface JudgedPath {
  /** Undefined where none ends in a root. */
  readonly path: Path | undefined
  readonly problems: readonly Problem[]
  /** Sentences about what does no harm here, but may elsewhere. */
  readonly warnings: readonly string[]
}

/** The CA and the root among them. */
const maxLength = 8
/** Certificates with the same name and bad signatures could otherwise make the search long. */
const maxSignatureChecks = 64

/** Of all paths through `pool` (in any order, roots among it) the one with the fewest problems, at `now` (ms). */
export const bestPath = (ca: ParsedCertificate, pool: readonly ParsedCertificate[], now: number): JudgedPath => {
  const search = { pool, signatureChecks: 0, highest: ca, isTooLong: false }
  const judged = pathsFrom([ca], search).map((path) => judge(path, now))
  const [first, ...others] = judged
  if (first !== undefined)
    return others.reduce((best, other) => (other.problems.length < best.problems.length ? other : best), first)
  return { path: undefined, problems: [{ kind: 'CannotSign', message: whyNone(ca, search) }], warnings: [] }
}

const whyNone = (ca: ParsedCertificate, { pool, highest, signatureChecks, isTooLong }: Search): string => {
  if (isTooLong)
    return `The way from ${quoted(ca)} up to its root has more than ${maxLength} certificates, itself and the root among them, and no longer one is followed; have the CA signed by one that is nearer to the root.`
  if (signatureChecks >= maxSignatureChecks)
    return `No way from ${quoted(ca)} up to a root was found: many certificates that are given have the same name, and after ${maxSignatureChecks} signatures were checked no more are; give the certificates of its own chain alone.`
  const issuer = JSON.stringify(formatDistinguishedName(highest.issuer))
  return pool.some(({ subject }) => equal(subject, highest.issuer))
    ? `${quoted(highest)} is not signed by the certificate of ${issuer} that is given; bring the one that signed it.`
    : `No certificate of ${issuer}, the issuer of ${quoted(highest)}, is given; add every certificate above the CA, up to the root.`
}

interface Search {
  readonly pool: readonly ParsedCertificate[]
  signatureChecks: number
  /** The end of the longest way found. */
  highest: ParsedCertificate
  /** One goes on above the longest that is followed. */
  isTooLong: boolean
}

const pathsFrom = (path: Path, search: Search): Path[] => {
  const last = path.at(-1) ?? path[0]
  if (isSelfSigned(last)) return [path]
  search.highest = last
  const above = search.pool
    .filter((issuer) => !path.some(({ fingerprint }) => fingerprint === issuer.fingerprint))
    .filter((issuer) => signs(issuer, last, search))
  if (path.length < maxLength) return above.flatMap((issuer) => pathsFrom([...path, issuer], search))
  search.isTooLong ||= above.length > 0
  return []
}

const signs = (issuer: ParsedCertificate, certificate: ParsedCertificate, search: Search): boolean => {
  if (!equal(certificate.issuer, issuer.subject) || search.signatureChecks >= maxSignatureChecks) return false
  const [wanted, found] = [certificate.authorityKeyId, issuer.subjectKeyId]
  // OpenSSL does not take an issuer whose key identifier is another one, even where the signature fits.
  if (wanted !== undefined && found !== undefined && !equal(wanted, found)) return false
  search.signatureChecks += 1
  return signatureVerifies(certificate, issuer.subject, issuer.spki)
}

const judge = (path: Path, now: number): JudgedPath => ({
  path,
  problems: path.flatMap((certificate, index) => [
    ...validityProblems(certificate, now),
    ...[
      ...signingProblems(certificate),
      ...strengthProblems(certificate, index, path),
      ...(index === 0 ? [] : limitProblems(certificate, path.slice(0, index))),
    ].map((message) => ({ kind: 'CannotSign' as const, message })),
  ]),
  warnings: path.flatMap((certificate, index) => warningsOf(certificate, index)),
})

const validityProblems = (certificate: ParsedCertificate, now: number): Problem[] => {
  const name = quoted(certificate)
  if (now > certificate.notAfter)
    return [
      { kind: 'Expired', message: `${name} expired at ${date(certificate.notAfter)}; bring a renewed certificate.` },
    ]
  return now < certificate.notBefore
    ? [{ kind: 'NotYetValid', message: `${name} is not valid before ${date(certificate.notBefore)}.` }]
    : []
}

const handled = new Set<string>(Object.values(extensionIds))

const signingProblems = (certificate: ParsedCertificate): string[] => {
  const name = quoted(certificate)
  const problems: string[] = []
  if (certificate.subject.length <= 2) problems.push(`The CA certificate ${name} has an empty subject.`)
  if (!certificate.isCa) problems.push(`${name} is not a CA: its basic constraints do not say CA:TRUE.`)
  if (!mayUse(certificate, 'keyCertSign'))
    problems.push(`${name} may not sign certificates: its key usage lacks keyCertSign.`)
  for (const { oid, critical } of certificate.extensions)
    if (critical && !handled.has(oid))
      problems.push(`${name} has the critical extension ${oid}, which is not understood here.`)
  return problems
}

/** RFC 5280 §4.2.1.3: a certificate without the extension may use its key for everything. */
const mayUse = ({ keyUsage }: ParsedCertificate, usage: 'keyCertSign' | 'cRLSign'): boolean =>
  keyUsage.length === 0 || keyUsage.includes(usage)

const strengthProblems = (certificate: ParsedCertificate, index: number, path: Path): string[] => {
  const name = quoted(certificate)
  const problems: string[] = []
  // Nobody believes in a root for its signature; one that is to sign should still not be of that age.
  const hash = index === 0 || index < path.length - 1 ? weakHash(certificate) : undefined
  if (hash !== undefined)
    problems.push(`${name} is signed with ${hash}; bring a certificate that is signed with SHA-256.`)
  // The CA's own key was judged with its private half.
  const key = index === 0 ? undefined : shortKey(certificate)
  if (key !== undefined) problems.push(`${name} has ${key}, which verifiers refuse; replace it.`)
  return problems
}

/** `below` is the path from the CA to what `issuer` signed; self-issued certificates do not count (RFC 5280 §6.1.4). */
const limitProblems = (issuer: ParsedCertificate, below: readonly ParsedCertificate[]): string[] => {
  const counted = below.filter(({ subject, issuer: above }) => !equal(subject, above))
  const problems: string[] = []
  if (issuer.pathLength !== undefined && counted.length > issuer.pathLength)
    problems.push(`${quoted(issuer)} allows ${issuer.pathLength} CAs below it, and there are ${counted.length}.`)
  const { nameConstraints } = issuer
  if (nameConstraints === undefined) return problems
  const judged = counted.map(({ subject, subjectAlternativeNames: names, otherAlternativeNames: otherNames }) =>
    constraintViolations([nameConstraints], { subject, names, otherNames }),
  )
  return [...problems, ...judged.flat()]
}

const warningsOf = (certificate: ParsedCertificate, index: number): string[] => {
  const name = quoted(certificate)
  const warnings: string[] = []
  if (certificate.keyUsage.length === 0) warnings.push(`${name} has no key usage, which strict verifiers ask of a CA.`)
  if (index > 0) return warnings
  if (!mayUse(certificate, 'cRLSign'))
    warnings.push(`${name} may not sign revocation lists: its key usage lacks cRLSign.`)
  const usages = certificate.extendedKeyUsage
  const missing = ['serverAuth', 'clientAuth'].filter((usage) => !usages.includes(usage))
  if (usages.length > 0 && missing.length > 0 && !usages.includes(anyUsage))
    warnings.push(`${name} is limited to other purposes than ${missing.join(' and ')}, and so is all that it signs.`)
  return warnings
}

const anyUsage = '2.5.29.37.0'
