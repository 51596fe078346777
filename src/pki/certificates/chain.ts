/** Path validation for the chains this program makes (RFC 5280 §6.1), stricter in one point: nothing outlives its issuer. */

import { extensionIds } from './extensions.ts'
import { constraintViolations } from '../constraints/check.ts'
import { formatDistinguishedName } from '../names/names.ts'
import { equal, type ParsedCertificate, signatureVerifies } from './parse.ts'

const maxLength = 8
/** Certificates with the same name and bad signatures could otherwise make the search long. */
const maxSignatureChecks = 64

interface Search {
  readonly intermediates: readonly ParsedCertificate[]
  readonly roots: readonly ParsedCertificate[]
  signatureChecks: number
}

/**
 * One sentence for each reason why `leaf` does not verify at `now` (ms) through `chain` (any order) up to one of `roots`;
 * none means that it does. Where several paths exist, the one with the fewest problems speaks. Names, signatures,
 * validity, CA flag, keyCertSign, path length, name constraints and critical extensions are checked; not revocation, names
 * or usages.
 */
export const chainProblems = (
  leaf: ParsedCertificate,
  chain: readonly ParsedCertificate[],
  roots: readonly ParsedCertificate[],
  now: number,
): string[] => {
  const search: Search = { intermediates: chain, roots, signatureChecks: 0 }
  const paths = pathsFrom([leaf], search)
  if (paths.length === 0) return [missingIssuer(leaf, search)]
  return paths
    .map((path) => pathProblems(path, now))
    .reduce((best, other) => (other.length < best.length ? other : best))
}

/** Whether signatures lead from `leaf` through `chain` (any order) to one of `roots`, which need not be self-signed; at whatever time. */
export const leadsTo = (
  leaf: ParsedCertificate,
  chain: readonly ParsedCertificate[],
  roots: readonly ParsedCertificate[],
): boolean => pathsFrom([leaf], { intermediates: chain, roots, signatureChecks: 0 }).length > 0

type Path = readonly [ParsedCertificate, ...ParsedCertificate[]]

/** Every path from the end of `path` to a root, leaf first. */
const pathsFrom = (path: Path, search: Search): Path[] => {
  const last = path.at(-1) ?? path[0]
  if (search.roots.some((root) => equal(root.der, last.der))) return [path]
  if (path.length >= maxLength) return []
  return issuersOf(last, search)
    .filter((issuer) => !path.some((member) => equal(member.der, issuer.der)))
    .flatMap((issuer) => pathsFrom([...path, issuer], search))
}

const issuersOf = (certificate: ParsedCertificate, search: Search): ParsedCertificate[] =>
  [...search.roots, ...search.intermediates].filter((candidate) => {
    if (!namesMatch(certificate, candidate) || search.signatureChecks >= maxSignatureChecks) return false
    search.signatureChecks += 1
    return signatureVerifies(certificate, candidate.subject, candidate.spki)
  })

const namesMatch = (certificate: ParsedCertificate, issuer: ParsedCertificate): boolean =>
  equal(certificate.issuer, issuer.subject) &&
  (certificate.authorityKeyId === undefined ||
    issuer.subjectKeyId === undefined ||
    equal(certificate.authorityKeyId, issuer.subjectKeyId))

const missingIssuer = (leaf: ParsedCertificate, { intermediates, roots }: Search): string => {
  const named = [...roots, ...intermediates].filter((candidate) => equal(candidate.subject, leaf.issuer))
  const issuer = formatDistinguishedName(leaf.issuer)
  return named.length === 0
    ? `No certificate of the issuer "${issuer}" is at hand.`
    : `No chain of valid signatures leads from the certificate over its issuer "${issuer}" to a trusted root.`
}

const pathProblems = (path: Path, now: number): string[] => [
  ...path.flatMap((certificate) => ownProblems(certificate, now)),
  ...path.flatMap((issuer, index) => (index === 0 ? [] : issuerProblems(issuer, path.slice(0, index)))),
]

const handled = new Set<string>(Object.values(extensionIds))

const ownProblems = (certificate: ParsedCertificate, now: number): string[] => {
  const name = quoted(certificate)
  const problems: string[] = []
  if (now < certificate.notBefore) problems.push(`${name} is not valid before ${date(certificate.notBefore)}.`)
  if (now > certificate.notAfter) problems.push(`${name} expired at ${date(certificate.notAfter)}.`)
  for (const { oid, critical } of certificate.extensions)
    if (critical && !handled.has(oid))
      problems.push(`${name} has the critical extension ${oid}, which is not understood.`)
  return problems
}

/** `below` is the path from the leaf to what `issuer` signed. */
const issuerProblems = (issuer: ParsedCertificate, below: readonly ParsedCertificate[]): string[] => {
  const name = quoted(issuer)
  const problems: string[] = []
  if (!issuer.isCa) problems.push(`${name} is not a CA.`)
  if (issuer.keyUsage.length > 0 && !issuer.keyUsage.includes('keyCertSign'))
    problems.push(`${name} may not sign certificates (keyCertSign is missing).`)
  // Self-issued certificates do not count (RFC 5280 §6.1.4 l).
  const intermediates = below.slice(1).filter((certificate) => !equal(certificate.subject, certificate.issuer)).length
  if (issuer.pathLength !== undefined && intermediates > issuer.pathLength)
    problems.push(`${name} allows ${issuer.pathLength} CAs below it, and there are ${intermediates}.`)
  const signed = below.at(-1)
  // Only the end: a CA that was renewed with its key begins later than the certificates it signed before, which stay good.
  if (signed !== undefined && signed.notAfter > issuer.notAfter)
    problems.push(`${quoted(signed)} outlives its issuer ${name}.`)
  return [...problems, ...constraintProblems(issuer, below)]
}

/** Self-issued intermediates are passed over (RFC 5280 §6.1.4 b). */
const constraintProblems = ({ nameConstraints }: ParsedCertificate, below: readonly ParsedCertificate[]): string[] =>
  nameConstraints === undefined
    ? []
    : below
        .filter(({ subject, issuer }, index) => index === 0 || !equal(subject, issuer))
        .flatMap(({ subject, subjectAlternativeNames: names, otherAlternativeNames: otherNames }) =>
          constraintViolations([nameConstraints], { subject, names, otherNames }),
        )

const quoted = ({ subject, serialNumber }: ParsedCertificate): string =>
  `"${formatDistinguishedName(subject) || `serial ${serialNumber}`}"`

const date = (instant: number): string => new Date(instant).toISOString()
