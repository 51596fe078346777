/** What a server shows of itself, in words and against what is expected of it. */

import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { chainProblems, leadsTo } from '../../pki/certificates/chain.ts'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import { CertificateError, equal, parseCertificate, type ParsedCertificate } from '../../pki/certificates/parse.ts'

export interface Served {
  /** Upper-case hex. */
  readonly serialNumber: string
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
  /** RFC 4514. */
  readonly subject: string
  readonly issuer: string
  /** As `DNS:orders.data.svc`, `IP:10.0.0.1`. */
  readonly names: readonly string[]
  /** ms since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** DER, the server's own first, as it sent them. */
  readonly chain: readonly Uint8Array[]
}

/**
 * Of the certificates a server sent; undefined where there are none, or the first is no certificate even to OpenSSL. `known` is an
 * earlier answer, taken over where the first certificate is the same.
 */
export const servedFrom = (chain: readonly Uint8Array[], known?: Served): Served | undefined => {
  const [leaf] = chain
  if (leaf === undefined) return undefined
  const [before] = known?.chain ?? []
  if (known !== undefined && before !== undefined && equal(before, leaf))
    return { ...known, chain: [before, ...chain.slice(1)] }
  const parsed = parsedOrNot(leaf)
  return parsed === undefined ? leniently(leaf, chain) : strictly(parsed, chain)
}

const strictly = (leaf: ParsedCertificate, chain: readonly Uint8Array[]): Served => ({
  serialNumber: leaf.serialNumber,
  fingerprint: leaf.fingerprint,
  subject: formatDistinguishedName(leaf.subject),
  issuer: formatDistinguishedName(leaf.issuer),
  names: leaf.subjectAlternativeNames.map(({ type, value }) => `${type}:${value}`),
  notBefore: leaf.notBefore,
  notAfter: leaf.notAfter,
  chain,
})

/** Servers that others gave their certificates need not keep to DER as strictly as this program does. */
const leniently = (der: Uint8Array, chain: readonly Uint8Array[]): Served | undefined => {
  try {
    const leaf = new X509Certificate(der)
    return {
      serialNumber: leaf.serialNumber,
      fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      subject: rfc4514(leaf.subject),
      issuer: rfc4514(leaf.issuer),
      names: (leaf.subjectAltName ?? '').split(', ').filter((name) => name !== ''),
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
      chain,
    }
  } catch {
    return undefined
  }
}

/** Node writes a line each, in the order of the DER. */
const rfc4514 = (lines: string | undefined): string => (lines ?? '').split('\n').toReversed().join(',')

const parsedOrNot = (der: Uint8Array): ParsedCertificate | undefined => {
  try {
    return parseCertificate(der)
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}

export interface Expected {
  /** DER of the CAs to trust. */
  readonly roots: readonly Uint8Array[]
  /** Host name or address that clients verify. Absent: no name is verified. */
  readonly name?: string | undefined
  /** ms since the epoch. */
  readonly now: number
  /** What TLS itself found, where the handshake came that far: a code of OpenSSL, or null for nothing. */
  readonly verdict?: string | null | undefined
}

/** Sentences about a served certificate that clients would refuse; none where they take it. */
export const servedProblems = (served: Served, expected: Expected): string[] => [
  ...trustProblems(served, expected),
  ...(expected.name === undefined ? [] : nameProblems(served, expected.name)),
]

const trustProblems = (served: Served, { roots, now, verdict }: Expected): string[] => {
  if (verdict === null) return []
  if (verdict !== undefined) return [sentenceOf(verdict, served)]
  const [leaf, ...chain] = served.chain.map(parsedOrNot)
  if (leaf === undefined) return ['its certificate is not read strictly, and TLS came to no verdict']
  const known = (certificate: ParsedCertificate | undefined): certificate is ParsedCertificate =>
    certificate !== undefined
  const problems = chainProblems(leaf, chain.filter(known), roots.map(parsedOrNot).filter(known), now)
  const usages = leaf.extendedKeyUsage
  return [
    ...problems.map((problem) => problem.replace(/\.$/, '')),
    ...(usages.length > 0 && !usages.includes('serverAuth') ? [sentenceOf('INVALID_PURPOSE', served)] : []),
  ]
}

/** DER of a CA that is about to be given up and of the one that takes its place. */
export interface Exchange {
  readonly former: Uint8Array
  readonly next: Uint8Array
}

/** Whether what a server shows is good only as long as the former of two CAs is trusted. */
export const hangsOnFormer = ({ chain: [first, ...above] }: Served, { former, next }: Exchange): boolean => {
  const leaf = first && parsedOrNot(first)
  if (leaf === undefined) return false
  const chain = above.flatMap((der) => parsedOrNot(der) ?? [])
  const leads = (to: Uint8Array): boolean => leadsTo(leaf, chain, [parseCertificate(to)])
  return leads(former) && !leads(next)
}

const date = (instant: number): string => new Date(instant).toISOString()

/** Codes of OpenSSL's X509_verify_cert as Node names them. */
const sentenceOf = (code: string, served: Served): string => {
  const missing = `no trusted CA leads to it: it was signed by "${served.issuer}"`
  const sentences: Readonly<Record<string, string>> = {
    CERT_HAS_EXPIRED: `it, or a CA above it, has expired (it ends at ${date(served.notAfter)})`,
    CERT_NOT_YET_VALID: `it, or a CA above it, is not valid yet (it begins at ${date(served.notBefore)})`,
    DEPTH_ZERO_SELF_SIGNED_CERT: 'it signed itself and is not among the trusted CAs',
    SELF_SIGNED_CERT_IN_CHAIN: `the root that the server sends is not among the trusted CAs; ${missing}`,
    UNABLE_TO_GET_ISSUER_CERT: missing,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: missing,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: missing,
    CERT_SIGNATURE_FAILURE: 'its signature is not by the trusted CA of that name',
    INVALID_PURPOSE: 'its extended key usage does not allow it to be a server',
    INVALID_CA: 'a certificate above it is not one of a CA',
  }
  return Object.hasOwn(sentences, code) ? (sentences[code] ?? code) : `it does not verify: ${code}`
}

/** What is known from an earlier look is not opened again. */
const opened = new WeakMap<Uint8Array, X509Certificate>()

const nameProblems = (served: Served, name: string): string[] => {
  const [leaf] = served.chain
  if (leaf === undefined) return []
  const x509 = opened.get(leaf) ?? new X509Certificate(leaf)
  opened.set(leaf, x509)
  // The common name is no host name to today's clients.
  const good = isIP(name) === 0 ? x509.checkHost(name, { subject: 'never' }) : x509.checkIP(name)
  return good === undefined ? [`it is not for ${name} but for ${served.names.join(', ') || 'no name'}`] : []
}
