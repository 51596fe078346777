import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'

const parsed = (der: Uint8Array): ParsedCertificate | undefined => {
  try {
    return parseCertificate(der)
  } catch {
    return undefined
  }
}

const equal = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0

/** Where both identifiers are there they decide: two CAs may have one subject while one takes over from the other. */
const issued = (issuer: ParsedCertificate, subject: ParsedCertificate): boolean =>
  equal(issuer.subject, subject.issuer) &&
  (issuer.subjectKeyId === undefined ||
    subject.authorityKeyId === undefined ||
    equal(issuer.subjectKeyId, subject.authorityKeyId))

/**
 * The way from `leaf` up through `pool`, leaf first, as far as it goes; a self-issued certificate ends it. A certificate
 * that cannot be parsed is no part of any chain. Names decide, signatures are not verified.
 */
export const chainFrom = (leaf: Uint8Array, pool: readonly Uint8Array[]): Uint8Array[] => {
  const chain = [leaf]
  const candidates = pool.map(parsed).filter((candidate) => candidate !== undefined)
  for (let last = parsed(leaf); last && !equal(last.subject, last.issuer);) {
    const subject = last
    const found = candidates.findIndex((candidate) => issued(candidate, subject))
    last = found < 0 ? undefined : candidates.splice(found, 1)[0]
    if (last) chain.push(last.der)
  }
  return chain
}
