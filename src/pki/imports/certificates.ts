/** Certificates that somebody brings along, as PEM text with whatever stands around them; and how weak each is. */

import { createPublicKey } from 'node:crypto'
import { children, readOid, readOnly, Tag } from '../encoding/der.ts'
import { formatDistinguishedName } from '../names/names.ts'
import {
  CertificateError,
  equal,
  parseCertificate,
  type ParsedCertificate,
  signatureVerifies,
} from '../certificates/parse.ts'
import { certificatesOf, PemError } from '../encoding/pem.ts'

export interface CertificatesRead {
  /** In the order of the text, each once. */
  readonly certificates: readonly ParsedCertificate[]
  /** One sentence for each block that is no certificate this program reads. */
  readonly unreadable: readonly string[]
}

/** Reads every certificate of a PEM text. Throws PemError where the text itself is broken; its message is a clause. */
export const readCertificates = (pem: Uint8Array): CertificatesRead => {
  const ders = certificatesOf(Buffer.from(pem).toString('utf8'))
  if (ders.length === 0)
    throw new PemError(
      pem[0] === 0x30
        ? 'it is DER and not PEM; convert it with "openssl x509 -inform DER -in FILE"'
        : 'it holds no PEM certificate',
    )
  const certificates: ParsedCertificate[] = []
  const unreadable: string[] = []
  for (const [index, der] of ders.entries()) {
    try {
      const certificate = parseCertificate(der)
      if (!certificates.some(({ fingerprint }) => fingerprint === certificate.fingerprint))
        certificates.push(certificate)
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      unreadable.push(`Certificate ${index + 1} of the text: ${error.message}`)
    }
  }
  return { certificates, unreadable }
}

export const quoted = ({ subject, serialNumber }: ParsedCertificate): string =>
  JSON.stringify(formatDistinguishedName(subject) || `serial ${serialNumber}`)

export const date = (instant: number): string => new Date(instant).toISOString().replace('.000Z', 'Z')

/** At most five, so that a bundle of hundreds does not make a message of a page. */
export const listed = (certificates: readonly ParsedCertificate[]): string =>
  `${certificates.slice(0, 5).map(quoted).join(', ')}${certificates.length > 5 ? ` and ${certificates.length - 5} more` : ''}`

export const isSelfSigned = (certificate: ParsedCertificate): boolean =>
  equal(certificate.issuer, certificate.subject) &&
  signatureVerifies(certificate, certificate.subject, certificate.spki)

const weakSignatures: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.2', 'MD2'],
  ['1.2.840.113549.1.1.3', 'MD4'],
  ['1.2.840.113549.1.1.4', 'MD5'],
  ['1.2.840.113549.1.1.5', 'SHA-1'],
  ['1.3.14.3.2.29', 'SHA-1'],
  ['1.2.840.10045.4.1', 'SHA-1'],
  ['1.2.840.10040.4.3', 'SHA-1'],
])

const rsaPss = '1.2.840.113549.1.1.10'
const sha1 = '1.3.14.3.2.26'

/** The hash under the signature, where collisions of it can be made: what it signed could be another certificate. */
export const weakHash = ({ signatureAlgorithm }: ParsedCertificate): string | undefined => {
  const [identifier, parameters] = children(readOnly(signatureAlgorithm, Tag.sequence))
  const oid = identifier === undefined ? '' : readOid(identifier)
  if (oid !== rsaPss) return weakSignatures.get(oid)
  // RFC 4055 §3.1: SHA-1 is the default.
  const hash = parameters?.tag === Tag.sequence ? children(parameters).find(({ tag }) => tag === 0xa0) : undefined
  if (hash === undefined) return 'SHA-1'
  const [name] = children(readOnly(hash.contents, Tag.sequence))
  return name !== undefined && readOid(name) === sha1 ? 'SHA-1' : undefined
}

interface KeyStrength {
  /** Of an RSA key. */
  readonly bits?: number | undefined
  readonly exponent?: bigint | undefined
}

/** What can be said of an RSA key; nothing of other kinds, and of keys that OpenSSL does not read. */
const keyStrength = ({ spki }: ParsedCertificate): KeyStrength => {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    return { bits: key.asymmetricKeyDetails?.modulusLength, exponent: key.asymmetricKeyDetails?.publicExponent }
  } catch {
    return {}
  }
}

/** `an RSA key of 1024 bits`, where a key is so short that verifiers refuse whatever hangs under it. */
export const shortKey = (certificate: ParsedCertificate): string | undefined => {
  const { bits } = keyStrength(certificate)
  return bits !== undefined && bits < 2048 ? `an RSA key of ${bits} bits` : undefined
}

/** What makes a key weak that is to be trusted and not to sign. */
export const weakKey = (certificate: ParsedCertificate): string | undefined => {
  const { exponent } = keyStrength(certificate)
  const small = exponent !== undefined && exponent < 65537n ? `an RSA key with the exponent ${exponent}` : undefined
  return shortKey(certificate) ?? small
}
