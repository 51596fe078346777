/** What is wrong with a public key that somebody else made. */

import { createPublicKey } from 'node:crypto'
import { children, DerError, readBitString, readOid, readOnly, readUnsignedInteger, Tag } from '../encoding/der.ts'
import { curves, publicKeyTypes } from './encodings.ts'
import { algorithmOfSpki } from './keys.ts'

/** A sentence that says why no certificate is made for the key, or undefined. `spki` is DER SubjectPublicKeyInfo. */
export const publicKeyProblem = (spki: Uint8Array): string | undefined => {
  try {
    if (algorithmOfSpki(spki) === undefined) return unsupported(spki)
    // OpenSSL refuses points that are not on the curve.
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    return weakness(spki)
  } catch (error) {
    return error instanceof DerError
      ? `The public key is malformed: ${error.message}.`
      : 'The public key is malformed: it is no point on its curve or no number of its kind.'
  }
}

interface PublicKey {
  readonly type: string
  /** Dotted, or `explicit`. */
  readonly curve: string | undefined
  readonly bits: Uint8Array
}

const readPublicKey = (spki: Uint8Array): PublicKey => {
  const [identifier, key] = children(readOnly(spki, Tag.sequence))
  const [type, parameters] = identifier === undefined ? [] : children(identifier)
  if (type === undefined || key === undefined) throw new DerError('it is not a SubjectPublicKeyInfo')
  const curve = parameters === undefined ? undefined : parameters.tag === Tag.oid ? readOid(parameters) : 'explicit'
  return { type: readOid(type), curve, bits: readBitString(key) }
}

const unsupported = (spki: Uint8Array): string => {
  const { type, curve, bits } = readPublicKey(spki)
  switch (type) {
    case publicKeyTypes.rsa:
      return rsaSizeProblem(bits)
    case publicKeyTypes.ec:
      // Explicit parameters let a forger choose the generator (CVE-2020-0601).
      if (curve === 'explicit') return 'The EC key does not name its curve; explicit parameters are refused.'
      return curve !== undefined && curves.has(curve)
        ? 'The point of the EC key is not in the uncompressed form, or of the wrong length.'
        : `The EC key is on the curve ${curve ?? 'of no name'}; P-256, P-384 and P-521 are supported.`
    default:
      return `The public key is of the type ${type}; RSA, EC and Ed25519 keys are supported.`
  }
}

const rsaSizeProblem = (bits: Uint8Array): string => {
  const { modulus, exponent } = readRsa(bits)
  const size = modulus.toString(2).length
  if (![2048, 3072, 4096].includes(size)) return `The RSA key has ${size} bits; 2048, 3072 and 4096 are supported.`
  const shown = exponent < 1n << 64n ? String(exponent) : 'larger than 64 bits'
  return `The public exponent of the RSA key is ${shown}; only 65537 is supported.`
}

const readRsa = (bits: Uint8Array): { modulus: bigint; exponent: bigint } => {
  const [modulus, exponent] = children(readOnly(bits, Tag.sequence)).map(readUnsignedInteger)
  if (modulus === undefined || exponent === undefined) throw new DerError('it has no modulus or exponent')
  return { modulus: bigintOf(modulus), exponent: bigintOf(exponent) }
}

const bigintOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)

const weakness = (spki: Uint8Array): string | undefined => {
  const { type, bits } = readPublicKey(spki)
  if (type !== publicKeyTypes.rsa) return undefined
  const { modulus } = readRsa(bits)
  if (smallPrimes.some((prime) => modulus % BigInt(prime) === 0n))
    return 'The RSA key is weak: its modulus has a small factor.'
  if (hasRocaFingerprint(modulus))
    return 'The RSA key is weak (ROCA, CVE-2017-15361): it was made by a faulty smart card or TPM.'
  return closePrimes(modulus)
    ? 'The RSA key is weak: its primes are so close together that it can be factored.'
    : undefined
}

const smallPrimes = Array.from({ length: 166 }, (_, index) => index + 2).filter((number) =>
  Array.from({ length: 11 }, (_, index) => index + 2).every((divisor) => divisor >= number || number % divisor !== 0),
)

/**
 * The faulty library took primes of the form k·M + 65537^a mod M, with M the product of the first primes; so the modulus is
 * a power of 65537 to each of them. A random modulus is so with a probability below 2^-27 (Nemec et al., CCS 2017, §3.3).
 */
const hasRocaFingerprint = (modulus: bigint): boolean =>
  smallPrimes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))))

const powersOf65537 = (prime: number): Set<number> => {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power)
  return powers
}

/** Fermat's factorisation, as many rounds as CAB Forum BR §6.1.1.3 asks for. */
const closePrimes = (modulus: bigint): boolean => {
  let a = ceilRoot(modulus)
  for (let round = 0; round < 100; round += 1, a += 1n) {
    const square = a * a - modulus
    const root = ceilRoot(square)
    if (root * root === square) return true
  }
  return false
}

const ceilRoot = (value: bigint): bigint => {
  if (value <= 0n) return 0n
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root * root === value ? root : root + 1n
    root = next
  }
}
