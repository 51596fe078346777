import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, test } from 'vitest'
import { bitString, integer, nullValue, oid, sequence, unsignedInteger } from '../encoding/der.ts'
import { algorithms, generate, nameOf, openssl, opensslBytes, opensslVersion } from '../testing.ts'
import { publicKeyProblem } from './weak-keys.ts'

const numberOf = (value: bigint): Uint8Array => {
  const hex = value.toString(16)
  return unsignedInteger(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

const rsa = (modulus: bigint, exponent = 65537n): Uint8Array =>
  sequence(sequence(oid('1.2.840.113549.1.1.1'), nullValue), bitString(sequence(numberOf(modulus), numberOf(exponent))))

const ec = (curve: Uint8Array, point: Uint8Array): Uint8Array =>
  sequence(sequence(oid('1.2.840.10045.2.1'), curve), bitString(point))

const p256 = oid('1.2.840.10045.3.1.7')

/** An odd number of 2048 bits without small factors and without anything known to be weak. */
const strong = (1n << 2048n) - 1942289n

const primesBelow168 = Array.from({ length: 166 }, (_, index) => BigInt(index + 2)).filter((n) => {
  for (let d = 2n; d * d <= n; d += 1n) if (n % d === 0n) return false
  return true
})

/** Numbers as the faulty library of CVE-2017-15361 made them: powers of 65537 modulo the product of small primes. */
const roca = (exponent: bigint): bigint => {
  const product = primesBelow168.reduce((all, prime) => all * prime, 1n)
  let residue = 1n
  for (let i = 0n; i < exponent; i += 1n) residue = (residue * 65537n) % product
  const high = (1n << 2048n) - product
  return high - (high % product) + residue
}

/** The next prime by Fermat's test to one base, which is enough here. */
const primeAfter = (from: bigint): bigint => {
  for (let n = from | 1n; ; n += 2n)
    if (primesBelow168.every((p) => n % p !== 0n) && power(2n, n - 1n, n) === 1n) return n
}

const power = (base: bigint, exponent: bigint, modulus: bigint): bigint => {
  let result = 1n
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus)
    if (e & 1n) result = (result * b) % modulus
  return result
}

describe('a public key', () => {
  test.each(algorithms.map((algorithm) => [nameOf(algorithm), algorithm] as const))(
    'of %s is without problem',
    async (_, algorithm) => expect(publicKeyProblem((await generate(algorithm)).spki)).toBeUndefined(),
    30_000,
  )

  test.each<[string, () => Uint8Array, string]>([
    ['RSA of 1024 bits', () => rsa(strong >> 1024n), 'has 1024 bits'],
    ['RSA of 2047 bits', () => rsa(strong >> 1n), 'has 2047 bits'],
    ['RSA with e = 1', () => rsa(strong, 1n), 'exponent of the RSA key is 1;'],
    ['RSA with e = 3', () => rsa(strong, 3n), 'exponent of the RSA key is 3;'],
    ['RSA with an enormous e', () => rsa(strong, strong - 2n), 'larger than 64 bits'],
    ['RSA with an even modulus', () => rsa(strong - 1n), 'small factor'],
    ['RSA with the factor 167', () => rsa(strong - (strong % 334n) + 167n), 'small factor'],
    ['RSA of a faulty smart card', () => rsa(roca(1234n)), 'ROCA'],
    ['EC on no curve', () => ec(nullValue, new Uint8Array(65)), 'explicit parameters'],
    ['EC with explicit parameters', () => ec(sequence(integer(1)), new Uint8Array(65)), 'explicit parameters'],
    ['EC on secp256k1', () => ec(oid('1.3.132.0.10'), new Uint8Array(65)), 'on the curve 1.3.132.0.10'],
    ['EC in the compressed form', () => ec(p256, new Uint8Array(33).fill(2)), 'uncompressed'],
    ['EC with a point off the curve', () => ec(p256, new Uint8Array(65).fill(4)), 'no point on its curve'],
    ['X25519', () => sequence(sequence(oid('1.3.101.110')), bitString(new Uint8Array(32))), '1.3.101.110'],
    ['nothing', () => sequence(), 'malformed'],
    ['no algorithm', () => sequence(sequence(), bitString(new Uint8Array())), 'malformed'],
    [
      'RSA without an exponent',
      () => sequence(sequence(oid('1.2.840.113549.1.1.1'), nullValue), bitString(sequence(integer(9)))),
      'malformed',
    ],
  ])('of %s is refused', (_, make, message) => expect(publicKeyProblem(make())).toContain(message))

  test('of RSA with close primes is refused', () => {
    const p = primeAfter((3n << 1022n) + 12345n)
    const q = primeAfter(p + 2n)
    expect(publicKeyProblem(rsa(p * q))).toContain('close together')
  }, 30_000)

  describe.skipIf(opensslVersion === undefined)('made by openssl', () => {
    let explicit: Uint8Array
    beforeAll(() => {
      const pem = execFileSync('openssl', [
        'ecparam',
        '-name',
        'prime256v1',
        '-genkey',
        '-param_enc',
        'explicit',
        '-noout',
      ])
      explicit = opensslBytes(['pkey', '-pubout', '-outform', 'DER', '-ec_param_enc', 'explicit'], pem)
    })

    test('with explicit curve parameters is refused', () => expect(publicKeyProblem(explicit)).toContain('explicit'))

    test('of RSA with e = 3 is refused', () => {
      const pem = openssl([
        'genpkey',
        '-algorithm',
        'RSA',
        '-pkeyopt',
        'rsa_keygen_bits:2048',
        '-pkeyopt',
        'rsa_keygen_pubexp:3',
        '-quiet',
      ])
      expect(publicKeyProblem(opensslBytes(['pkey', '-pubout', '-outform', 'DER'], Buffer.from(pem)))).toContain(
        'is 3;',
      )
    }, 60_000)
  })
})
