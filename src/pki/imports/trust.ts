/** A bundle of certificates to trust and not to sign with, as managed databases publish them. */

import { date, isSelfSigned, listed, quoted, readCertificates, weakHash, weakKey } from './certificates.ts'
import type { ParsedCertificate } from '../certificates/parse.ts'
import { PemError } from '../encoding/pem.ts'

export interface ImportedTrust {
  /** DER, in the order of the text, each once. */
  readonly trust: readonly Uint8Array[]
  /** The same, read. */
  readonly certificates: readonly ParsedCertificate[]
  /** When the first of them ends, ms. */
  readonly nextEnd: number
  /** What was left out because it has ended: a sentence, or undefined. */
  readonly expired: string | undefined
  /** One sentence each, about what else was left out or is weak. */
  readonly warnings: readonly string[]
}

export type TrustVerdict =
  | { readonly state: 'usable'; readonly bundle: ImportedTrust }
  | { readonly state: 'refused'; readonly kind: 'Invalid' | 'Expired'; readonly problems: readonly string[] }

/**
 * Everything in `pem` that is a CA, or vouches for itself alone as a server with a self-signed certificate does. Weak roots
 * are kept: a trust anchor is believed because it was handed over, not for its signature.
 */
export const importTrust = (pem: Uint8Array, now: number): TrustVerdict => {
  let read: ReturnType<typeof readCertificates>
  try {
    read = readCertificates(pem)
  } catch (error) {
    if (!(error instanceof PemError)) throw error
    return { state: 'refused', kind: 'Invalid', problems: [`The bundle cannot be read: ${error.message}.`] }
  }
  const { certificates, unreadable } = read
  const fit = certificates.filter((certificate) => certificate.isCa || isSelfSigned(certificate))
  const unfit = certificates.filter((certificate) => !fit.includes(certificate))
  const ended = fit.filter(({ notAfter }) => now > notAfter)
  const kept = fit.filter(({ notAfter }) => now <= notAfter)
  const warnings = [
    ...(unfit.length === 0 ? [] : [`Left out, because they are neither CAs nor self-signed: ${listed(unfit)}.`]),
    ...unreadable,
    ...kept.flatMap((certificate) => weakness(certificate)),
  ]
  const expired =
    ended.length === 0
      ? undefined
      : `Left out, because ${ended.length === 1 ? 'it has' : 'they have'} expired: ${ended.length > 1 ? listed(ended) : endedAt(ended)}.`
  if (kept.length > 0) {
    const nextEnd = Math.min(...kept.map(({ notAfter }) => notAfter))
    return {
      state: 'usable',
      bundle: { trust: kept.map(({ der }) => der), certificates: kept, nextEnd, expired, warnings },
    }
  }
  return {
    state: 'refused',
    kind: ended.length > 0 ? 'Expired' : 'Invalid',
    problems: [
      ...(expired === undefined ? [] : [`Every certificate of the bundle has expired. ${expired}`]),
      ...warnings,
    ],
  }
}

const endedAt = ([only]: readonly ParsedCertificate[]): string =>
  only === undefined ? '' : `${quoted(only)} at ${date(only.notAfter)}`

const weakness = (certificate: ParsedCertificate): string[] => {
  const key = weakKey(certificate)
  // The signature of a root is not looked at by anybody.
  const hash = isSelfSigned(certificate) ? undefined : weakHash(certificate)
  return [
    ...(key === undefined ? [] : [`${quoted(certificate)} has ${key}; it is trusted, but many verifiers refuse it.`]),
    ...(hash === undefined
      ? []
      : [`${quoted(certificate)} is signed with ${hash}; it is trusted, but many verifiers refuse it.`]),
  ]
}
