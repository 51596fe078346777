/** Reads certificates (RFC 5280 §4.1) with the strict DER reader. Byte fields are views into the input. */

import { createHash, createPublicKey, X509Certificate } from 'node:crypto'
import {
  children,
  DerError,
  type Element,
  expectTag,
  readBitString,
  readBoolean,
  readOid,
  readOnly,
  readSmallInteger,
  readTime,
  readUnsignedInteger,
  Tag,
} from '../encoding/der.ts'
import { type ExtensionValues, type RawExtension, readExtensionValues } from './extensions.ts'
import { NameError } from '../names/attributes.ts'
import { readName } from '../names/names.ts'

/** Says in a sentence why bytes are not a usable certificate. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

export interface ParsedCertificate extends ExtensionValues {
  readonly der: Uint8Array
  /** Upper-case hex with an even number of digits, as openssl prints it. */
  readonly serialNumber: string
  /** DER Names, byte for byte as they stand. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** Milliseconds since the epoch, both inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
  /** DER AlgorithmIdentifier of the signature. */
  readonly signatureAlgorithm: Uint8Array
  readonly extensions: readonly RawExtension[]
}

/** What a Secret holds in all. */
const maxOctets = 1024 * 1024

/** One certificate is looked at in several places on its way from the signer to the Secret. */
const parsed = new WeakMap<Uint8Array, ParsedCertificate>()

/** Throws CertificateError. `der` is not to be changed afterwards: it is read once. */
export const parseCertificate = (der: Uint8Array): ParsedCertificate => {
  const known = parsed.get(der)
  if (known !== undefined) return known
  if (der.length > maxOctets)
    throw new CertificateError(`The certificate has ${der.length} bytes; at most ${maxOctets} are read.`)
  try {
    const certificate = readCertificate(der)
    parsed.set(der, certificate)
    return certificate
  } catch (error) {
    if (error instanceof DerError || error instanceof NameError)
      throw new CertificateError(`The certificate cannot be read: ${error.message.replace(/\.$/, '')}.`)
    throw error
  }
}

const readCertificate = (der: Uint8Array): ParsedCertificate => {
  const [tbs, signatureAlgorithm, signature] = exactly(readOnly(der, Tag.sequence), 3)
  readBitString(signature)
  const fields = children(expectTag(tbs, Tag.sequence))
  const version = fields[0]?.tag === 0xa0 ? readSmallInteger(readOnly(fields.shift()?.contents ?? new Uint8Array())) : 0
  const [serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = fields
  if (!serial || !innerAlgorithm || !issuer || !validity || !subject || !spki) throw new DerError('a field is missing')
  if (!equal(expectTag(innerAlgorithm, Tag.sequence).encoded, signatureAlgorithm.encoded))
    throw new DerError('the signature algorithms inside and outside differ')
  const [notBefore, notAfter] = exactly(validity, 2)
  const extensions = readExtensions(optional)
  if (version > 2 || (version < 2 && extensions.length > 0)) throw new DerError('the version does not fit')
  readName(issuer.encoded)
  readName(subject.encoded)
  return {
    der,
    serialNumber: Buffer.from(readUnsignedInteger(serial)).toString('hex').toUpperCase(),
    issuer: issuer.encoded,
    subject: subject.encoded,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spki: expectTag(spki, Tag.sequence).encoded,
    ...readExtensionValues(extensions),
    fingerprint: createHash('sha256').update(der).digest('hex'),
    signatureAlgorithm: signatureAlgorithm.encoded,
    extensions,
  }
}

/** The optional tail of the TBSCertificate: unique identifiers [1] [2], which nobody uses, and extensions [3]. */
const readExtensions = (optional: readonly Element[]): RawExtension[] => {
  const found = optional.at(-1)
  if (optional.some(({ tag }, index) => tag !== 0xa3 || index !== optional.length - 1))
    throw new DerError('it has unique identifiers or unknown fields')
  if (found === undefined) return []
  const extensions = children(readOnly(found.contents, Tag.sequence)).map(readExtension)
  if (extensions.length === 0) throw new DerError('its list of extensions is empty')
  if (new Set(extensions.map(({ oid }) => oid)).size !== extensions.length)
    throw new DerError('an extension occurs twice')
  return extensions
}

/** One Extension (RFC 5280 §4.1). Throws DerError. */
export const readExtension = (element: Element): RawExtension => {
  const parts = children(expectTag(element, Tag.sequence))
  const [id, second, third] = parts
  const flag = parts.length === 3 ? second : undefined
  const value = parts.length === 3 ? third : second
  if (id === undefined || value === undefined || parts.length > 3) throw new DerError('an extension is malformed')
  if (flag !== undefined && !readBoolean(flag)) throw new DerError('an extension writes out the default of critical')
  return { oid: readOid(id), critical: flag !== undefined, value: expectTag(value, Tag.octetString).contents }
}

function exactly(element: Element, count: 2): [Element, Element]
function exactly(element: Element, count: 3): [Element, Element, Element]
function exactly(element: Element, count: number): Element[] {
  const found = children(expectTag(element, Tag.sequence))
  if (found.length !== count) throw new DerError('a part is missing or too many')
  return found
}

export const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** True when the issuer name is byte-equal to `issuerSubject` and the signature verifies with `issuerSpki`. */
export const signatureVerifies = (
  { der, issuer }: Pick<ParsedCertificate, 'der' | 'issuer'>,
  issuerSubject: Uint8Array,
  issuerSpki: Uint8Array,
): boolean => {
  if (!equal(issuer, issuerSubject)) return false
  try {
    const key = createPublicKey({ key: Buffer.from(issuerSpki), format: 'der', type: 'spki' })
    return new X509Certificate(der).verify(key)
  } catch {
    // OpenSSL throws where the key is of another type than the signature.
    return false
  }
}
