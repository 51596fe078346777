/**
 * The encodings of private keys, turned into one another on the DER itself: PKCS#8 (RFC 5208), PKCS#1 (RFC 8017 A.1.2),
 * SEC1 (RFC 5915). Messages never hold a byte of a key.
 */

import { createPrivateKey, createPublicKey } from 'node:crypto'
import {
  bitString,
  children,
  concat,
  contextConstructed,
  DerError,
  type Element,
  expectTag,
  integer,
  nullValue,
  octetString,
  oid,
  readBitString,
  readElement,
  readOid,
  readOnly,
  readSmallInteger,
  sequence,
  Tag,
} from '../encoding/der.ts'
import { decodePem } from '../encoding/pem.ts'

/** Says in a sentence why a private key cannot be used. */
export class KeyError extends Error {
  override readonly name: string = 'KeyError'
}

export type PrivateKeyEncoding = 'PKCS8' | 'PKCS1' | 'SEC1'

export const publicKeyTypes = { rsa: '1.2.840.113549.1.1.1', ec: '1.2.840.10045.2.1', ed25519: '1.3.101.112' } as const

/** Named curves; `octets` is the length of a coordinate and of a private key. */
export const curves: ReadonlyMap<string, { readonly size: 256 | 384 | 521; readonly octets: number }> = new Map([
  ['1.2.840.10045.3.1.7', { size: 256, octets: 32 }],
  ['1.3.132.0.34', { size: 384, octets: 48 }],
  ['1.3.132.0.35', { size: 521, octets: 66 }],
])

interface PrivateKeyInfo {
  readonly type: string
  /** Present for EC keys. */
  readonly curve: string | undefined
  /** Contents of the OCTET STRING: RSAPrivateKey, ECPrivateKey or, for Ed25519, an OCTET STRING. */
  readonly inner: Uint8Array
}

/** DER and PEM label of a private key. PKCS1 needs an RSA key, SEC1 an EC key; otherwise KeyError. */
export const encodePrivateKey = (
  pkcs8: Uint8Array,
  encoding: PrivateKeyEncoding,
): { readonly der: Uint8Array; readonly label: string } => {
  if (encoding === 'PKCS8') return { der: pkcs8, label: 'PRIVATE KEY' }
  const key = guarded(() => readPrivateKeyInfo(pkcs8))
  if (encoding === 'PKCS1') {
    if (key.type !== publicKeyTypes.rsa)
      throw new KeyError('PKCS1 is an encoding of RSA keys only; use PKCS8 for this key.')
    return { der: key.inner, label: 'RSA PRIVATE KEY' }
  }
  if (key.curve === undefined) throw new KeyError('SEC1 is an encoding of EC keys only; use PKCS8 for this key.')
  const publicKey = guarded(() => readEcPrivateKey(key.inner).publicKey) ?? publicBits(pkcs8)
  return { der: ecPrivateKey(key.inner, key.curve, publicKey), label: 'EC PRIVATE KEY' }
}

/**
 * PKCS#8 DER, in one normal form, from PEM text or DER in PKCS#8, PKCS#1 or SEC1. Throws KeyError for encrypted keys (see
 * decryptPrivateKey), explicit curve parameters and everything else that is not a plain RSA, EC or Ed25519 key.
 */
export const decodePrivateKey = (key: string | Uint8Array): Uint8Array =>
  guarded(() => normalForm(typeof key === 'string' ? privateKeyBlock(key) : key))

const privateKeyBlock = (text: string): Uint8Array => {
  const blocks = decodePem(text).filter(({ label }) => label.endsWith('PRIVATE KEY'))
  const [block] = blocks
  if (block === undefined) throw new KeyError('The text holds no PEM private key.')
  if (blocks.length > 1) throw new KeyError('The text holds more than one private key; keep one.')
  return block.der
}

const normalForm = (der: Uint8Array): Uint8Array => {
  const [first, second] = children(readOnly(der, Tag.sequence))
  if (first?.tag === Tag.sequence && second?.tag === Tag.octetString)
    throw new KeyError('The private key is encrypted; its passphrase is needed.')
  if (second?.tag === Tag.integer) return rsaPrivateKeyInfo(der)
  if (second?.tag === Tag.octetString) return ecPrivateKeyInfo(der, undefined)
  const key = readPrivateKeyInfo(der)
  if (key.type === publicKeyTypes.rsa) return rsaPrivateKeyInfo(key.inner)
  if (key.curve !== undefined) return ecPrivateKeyInfo(key.inner, key.curve)
  if (readOnly(key.inner, Tag.octetString).contents.length !== 32)
    throw new DerError('the Ed25519 key has not 32 octets')
  return sequence(integer(0), sequence(oid(key.type)), octetString(key.inner))
}

const readPrivateKeyInfo = (der: Uint8Array): PrivateKeyInfo => {
  const [version, identifier, privateKey] = children(readOnly(der, Tag.sequence))
  if (version === undefined || identifier === undefined || privateKey === undefined)
    throw new DerError('a part is missing')
  // Version 1 (RFC 5958) adds the public key, which is not needed.
  if (readSmallInteger(version) > 1) throw new DerError('the version is unknown')
  const [type, parameters] = children(expectTag(identifier, Tag.sequence))
  if (type === undefined) throw new DerError('the algorithm is missing')
  const inner = expectTag(privateKey, Tag.octetString).contents
  const dotted = readOid(type)
  switch (dotted) {
    case publicKeyTypes.ec:
      return { type: dotted, curve: namedCurve(parameters), inner }
    case publicKeyTypes.rsa:
    case publicKeyTypes.ed25519:
      return { type: dotted, curve: undefined, inner }
    default:
      throw new KeyError(`The private key is of the type ${dotted}; RSA, EC and Ed25519 keys are supported.`)
  }
}

const namedCurve = (parameters: Element | undefined): string => {
  // Explicit parameters let a forger choose the generator (CVE-2020-0601).
  if (parameters?.tag !== Tag.oid)
    throw new KeyError('The EC key does not name its curve; explicit parameters are refused.')
  const curve = readOid(parameters)
  if (!curves.has(curve))
    throw new KeyError(`The EC key is on the curve ${curve}; P-256, P-384 and P-521 are supported.`)
  return curve
}

const rsaPrivateKeyInfo = (rsaPrivateKey: Uint8Array): Uint8Array => {
  const parts = children(readOnly(rsaPrivateKey, Tag.sequence))
  if (parts.length !== 9 || parts.some(({ tag }) => tag !== Tag.integer))
    throw new DerError('the RSA key has not its nine integers')
  return sequence(integer(0), sequence(oid(publicKeyTypes.rsa), nullValue), octetString(rsaPrivateKey))
}

interface EcPrivateKey {
  readonly scalar: Uint8Array
  readonly curve: string | undefined
  readonly publicKey: Uint8Array | undefined
}

const readEcPrivateKey = (der: Uint8Array): EcPrivateKey => {
  const [version, scalar, ...optional] = children(readOnly(der, Tag.sequence))
  if (version === undefined || scalar === undefined || readSmallInteger(version) !== 1)
    throw new DerError('the EC key is not of version 1')
  const parameters = optional.find(({ tag }) => tag === 0xa0)
  const publicKey = optional.find(({ tag }) => tag === 0xa1)
  return {
    scalar: expectTag(scalar, Tag.octetString).contents,
    curve: parameters === undefined ? undefined : namedCurve(readElement(parameters.contents)),
    publicKey: publicKey === undefined ? undefined : readBitString(readOnly(publicKey.contents)),
  }
}

/** PrivateKeyInfo of an ECPrivateKey, in which the curve then stands once, outside. */
const ecPrivateKeyInfo = (der: Uint8Array, outerCurve: string | undefined): Uint8Array => {
  const { scalar, curve: innerCurve, publicKey } = readEcPrivateKey(der)
  const curve = outerCurve ?? innerCurve
  if (curve === undefined) throw new KeyError('The EC key does not name its curve.')
  if (innerCurve !== undefined && innerCurve !== curve) throw new KeyError('The EC key names two different curves.')
  const wrap = (bits: Uint8Array | undefined): Uint8Array =>
    sequence(
      integer(0),
      sequence(oid(publicKeyTypes.ec), oid(curve)),
      octetString(
        sequence(
          integer(1),
          octetString(padded(scalar, curve)),
          ...(bits ? [contextConstructed(1, bitString(bits))] : []),
        ),
      ),
    )
  return wrap(publicKey ?? publicBits(wrap(undefined)))
}

/** ECPrivateKey as openssl writes it: with the curve and the public key. */
const ecPrivateKey = (der: Uint8Array, curve: string, publicKey: Uint8Array): Uint8Array =>
  sequence(
    integer(1),
    octetString(padded(readEcPrivateKey(der).scalar, curve)),
    contextConstructed(0, oid(curve)),
    contextConstructed(1, bitString(publicKey)),
  )

/** RFC 5915 §3 fixes the length; some old writers drop leading zeros. */
const padded = (scalar: Uint8Array, curve: string): Uint8Array => {
  const octets = curves.get(curve)?.octets ?? 0
  if (scalar.length > octets) throw new DerError('the EC key is longer than its curve')
  return concat([new Uint8Array(octets - scalar.length), scalar])
}

/**
 * Public keys of private keys in hand. Computing one costs as much as three signatures, and an issuance asks three times of
 * the same array; weak, so that a key is forgotten with its last user.
 */
const publicKeys = new WeakMap<Uint8Array, Uint8Array>()

/** For who made the pair: `spki` belongs to `pkcs8`, and neither array is changed any more. */
export const rememberPublicKey = (pkcs8: Uint8Array, spki: Uint8Array): void => void publicKeys.set(pkcs8, spki)

/** DER SubjectPublicKeyInfo that belongs to a PKCS#8 private key, an array that is not changed afterwards. */
export const spkiOf = (pkcs8: Uint8Array): Uint8Array => {
  const known = publicKeys.get(pkcs8)
  if (known !== undefined) return known
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    const spki = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }))
    publicKeys.set(pkcs8, spki)
    return spki
  } catch {
    throw new KeyError('The private key cannot be read.')
  }
}

/**
 * DER SubjectPublicKeyInfo that an EC key carries along (RFC 5915 §3); undefined for other keys and where it carries none. Only
 * for a key that was made here: of another's it would have to be believed.
 */
export const publicKeyInside = (pkcs8: Uint8Array): Uint8Array | undefined => {
  const [, algorithm, key] = children(readOnly(pkcs8, Tag.sequence))
  const [type] = algorithm === undefined ? [] : children(algorithm)
  if (algorithm === undefined || key === undefined || type === undefined) return undefined
  if (readOid(type) !== publicKeyTypes.ec) return undefined
  const { publicKey } = readEcPrivateKey(key.contents)
  return publicKey === undefined ? undefined : sequence(algorithm.encoded, bitString(publicKey))
}

const publicBits = (pkcs8: Uint8Array): Uint8Array => {
  const bits = children(readOnly(spkiOf(pkcs8), Tag.sequence))[1]
  if (bits === undefined) throw new DerError('the public key has no bits')
  return readBitString(bits)
}

/** DerError and PemError describe a structure; here they become the sentence about the key. */
const guarded = <T>(read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (error instanceof KeyError) throw error
    throw new KeyError(`The private key cannot be read: ${error instanceof Error ? error.message : 'unknown error'}.`)
  }
}
