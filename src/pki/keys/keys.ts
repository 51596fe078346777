/** Key pairs: made on the platform's WebCrypto, and what a public key says about itself. */

import { createHash, type webcrypto } from 'node:crypto'
import { children, DerError, readBitString, readOid, readOnly, readUnsignedInteger, Tag } from '../encoding/der.ts'
import { curves, publicKeyInside, publicKeyTypes, rememberPublicKey } from './encodings.ts'
import type { KeyAlgorithm } from '../plan.ts'

export { decodePrivateKey, encodePrivateKey, KeyError, type PrivateKeyEncoding, spkiOf } from './encodings.ts'
export { decryptPrivateKey, encryptPrivateKey, WrongPassphrase } from './encryption.ts'

/** The platform's WebCrypto: `globalThis.crypto`. */
export type WebCrypto = webcrypto.Crypto

export interface KeyPair {
  readonly algorithm: KeyAlgorithm
  /** DER PrivateKeyInfo (RFC 5208). */
  readonly pkcs8: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
}

/** Generates on the thread pool, never on the event loop; RSA with e = 65537. */
export const generateKeyPair = async (crypto: WebCrypto, algorithm: KeyAlgorithm): Promise<KeyPair> => {
  const { subtle } = crypto
  const pair = (await subtle.generateKey(generation(algorithm), true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const pkcs8 = new Uint8Array(await subtle.exportKey('pkcs8', pair.privateKey))
  const spki = publicKeyInside(pkcs8) ?? new Uint8Array(await subtle.exportKey('spki', pair.publicKey))
  rememberPublicKey(pkcs8, spki)
  return { algorithm, pkcs8, spki }
}

const generation = (algorithm: KeyAlgorithm) => {
  switch (algorithm.algorithm) {
    case 'RSA':
      return {
        name: 'RSASSA-PKCS1-v1_5',
        modulusLength: algorithm.size,
        publicExponent: Uint8Array.of(1, 0, 1),
        hash: 'SHA-256',
      }
    case 'ECDSA':
      return { name: 'ECDSA', namedCurve: `P-${algorithm.size}` }
    default:
      return { name: 'Ed25519' }
  }
}

/**
 * The algorithm of a SubjectPublicKeyInfo, or undefined where it is none that this program signs: other curves and sizes,
 * explicit curve parameters, an RSA exponent other than 65537. Throws DerError where the bytes are no SPKI at all.
 */
export const algorithmOfSpki = (spki: Uint8Array): KeyAlgorithm | undefined => {
  const [identifier, key] = children(readOnly(spki, Tag.sequence))
  if (identifier === undefined || key === undefined) throw new DerError('the public key is not a SubjectPublicKeyInfo')
  const [type, parameters] = children(identifier)
  if (type === undefined) throw new DerError('the public key names no algorithm')
  const bits = readBitString(key)
  switch (readOid(type)) {
    case publicKeyTypes.ed25519:
      return parameters === undefined && bits.length === 32 ? { algorithm: 'Ed25519' } : undefined
    case publicKeyTypes.ec: {
      const curve = parameters?.tag === Tag.oid ? curves.get(readOid(parameters)) : undefined
      return curve !== undefined && bits.length === 1 + 2 * curve.octets && bits[0] === 4
        ? { algorithm: 'ECDSA', size: curve.size }
        : undefined
    }
    case publicKeyTypes.rsa:
      return rsaAlgorithm(bits)
    default:
      return undefined
  }
}

const rsaAlgorithm = (bits: Uint8Array): KeyAlgorithm | undefined => {
  const [modulus, exponent] = children(readOnly(bits, Tag.sequence))
  if (modulus === undefined || exponent === undefined)
    throw new DerError('the RSA public key has no modulus or exponent')
  const magnitude = readUnsignedInteger(modulus)
  const size = magnitude.length * 8 - Math.clz32(magnitude[0] ?? 0) + 24
  const usual = Buffer.from(readUnsignedInteger(exponent)).equals(Uint8Array.of(1, 0, 1))
  return usual && (size === 2048 || size === 3072 || size === 4096) ? { algorithm: 'RSA', size } : undefined
}

/** RFC 5280 §4.2.1.2 method 1: SHA-1 of the public key's BIT STRING contents; 20 octets, an identifier and no proof. */
export const subjectKeyId = (spki: Uint8Array): Uint8Array => {
  const key = children(readOnly(spki, Tag.sequence))[1]
  if (key === undefined) throw new DerError('the public key is not a SubjectPublicKeyInfo')
  return new Uint8Array(createHash('sha1').update(readBitString(key)).digest())
}

/** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: the identity of a key across the certificates it is in. */
export const publicKeyHash = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex')
