import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  children,
  DerError,
  type Element,
  integer,
  nullValue,
  octetString,
  oid,
  readOnly,
  sequence,
} from '../encoding/der.ts'
import { decryptPbes2, encryptPbes2, pbes2, readAlgorithm, readPbes2, UnsupportedEncryption } from './pbes2.ts'
import { openssl, opensslVersion } from '../testing.ts'

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')
const salt = new Uint8Array(16).fill(1)
const iv = new Uint8Array(16).fill(2)

const oids = {
  pbkdf2: oid('1.2.840.113549.1.5.12'),
  scrypt: oid('1.3.6.1.4.1.11591.4.11'),
  hmacWithSha256: oid('1.2.840.113549.2.9'),
  aes256: oid('2.16.840.1.101.3.4.1.42'),
}

interface Parts {
  readonly kdf?: Uint8Array
  readonly count?: Uint8Array
  readonly optional?: readonly Uint8Array[]
  readonly cipher?: Uint8Array
  readonly iv?: Uint8Array
}

/** PBES2-params, with parts replaced. */
const parametersOf = ({ kdf, count, optional = [], cipher, iv: vector }: Parts = {}) =>
  readOnly(
    sequence(
      sequence(kdf ?? oids.pbkdf2, sequence(octetString(salt), count ?? integer(1000), ...optional)),
      sequence(cipher ?? oids.aes256, octetString(vector ?? iv)),
    ),
  )

describe('PBES2', () => {
  test('gives back what it encrypted, whatever the bytes and the password', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        async (plaintext, password) => {
          const { algorithm, ciphertext } = await encryptPbes2(plaintext, password, { salt, iv, iterations: 3 })
          const [kind, parameters] = readAlgorithm(readOnly(algorithm))
          expect(kind).toBe(pbes2)
          expect(hex(await decryptPbes2(readPbes2(parameters), ciphertext, password))).toBe(hex(plaintext))
        },
      ),
      { numRuns: 50 },
    )
  })

  test('never takes a cut ciphertext for a whole one', async () => {
    const { algorithm, ciphertext } = await encryptPbes2(salt, 'secret', { salt, iv, iterations: 3 })
    const parameters = readPbes2(readAlgorithm(readOnly(algorithm))[1])
    for (let size = 0; size < ciphertext.length; size += 1)
      expect(hex(await decryptPbes2(parameters, ciphertext.subarray(0, size), 'secret'))).not.toBe(hex(salt))
    expect(await decryptPbes2(parameters, ciphertext.subarray(1), 'secret')).toBeUndefined()
  })

  test.skipIf(opensslVersion === undefined)('is described by openssl as it is meant', async () => {
    const { algorithm } = await encryptPbes2(salt, 'secret', { salt, iv, iterations: 1000 })
    const text = openssl(['asn1parse', '-inform', 'DER'], algorithm)
    const names = [...text.matchAll(/OBJECT\s*:(.*)/g)].map(([, name]) => name)
    expect(names).toEqual(['PBES2', 'PBKDF2', 'hmacWithSHA256', 'aes-256-cbc'])
  })

  test('takes HMAC-SHA1 where no pseudo-random function is named (RFC 8018 §5.2)', () => {
    expect(readPbes2(parametersOf())).toMatchObject({ digest: 'sha1', iterations: 1000, cipher: { keyOctets: 32 } })
  })

  test('reads a key length, with or without a pseudo-random function behind it', () => {
    const prf = sequence(oids.hmacWithSha256, nullValue)
    expect(readPbes2(parametersOf({ optional: [integer(32)] })).digest).toBe('sha1')
    expect(readPbes2(parametersOf({ optional: [integer(32), prf] })).digest).toBe('sha256')
    expect(readPbes2(parametersOf({ optional: [prf] })).digest).toBe('sha256')
  })

  test.each<[string, Parts, string]>([
    ['another key derivation', { kdf: oid('1.2.3') }, 'the key derivation 1.2.3'],
    ['another cipher', { cipher: oid('1.2.840.113549.3.2') }, 'the cipher 1.2.840.113549.3.2'],
    ['another PRF', { optional: [sequence(oid('1.2.4'), nullValue)] }, 'the pseudo-random function 1.2.4'],
  ])('names what it does not open: %s', (_, parts, what) => {
    let thrown: unknown
    try {
      readPbes2(parametersOf(parts))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(UnsupportedEncryption)
    expect((thrown as UnsupportedEncryption).what).toBe(what)
  })

  test.each<[string, Parts, string]>([
    ['an IV of a wrong length', { iv: iv.subarray(1) }, 'IV'],
    ['a key length that is not the cipher’s', { optional: [integer(16)] }, 'key length'],
    ['no iterations', { count: integer(0) }, 'zero'],
    ['a count that is none', { count: octetString(salt) }, 'tag'],
  ])('refuses %s', (_, parts, message) => {
    expect(() => readPbes2(parametersOf(parts))).toThrow(DerError)
    expect(() => readPbes2(parametersOf(parts))).toThrow(message)
  })

  const scryptParameters = (...numbers: number[]): Element => {
    const kdf = sequence(oids.scrypt, sequence(octetString(salt), ...numbers.map((number) => integer(number))))
    return readOnly(sequence(kdf, sequence(oids.aes256, octetString(iv))))
  }

  test('reads scrypt with or without a key length, and counts its blocks as iterations', () => {
    const wanted = { scrypt: { cost: 16_384, blockSize: 8, parallelization: 1 }, iterations: 131_072 }
    expect(readPbes2(scryptParameters(16_384, 8, 1))).toMatchObject(wanted)
    expect(readPbes2(scryptParameters(16_384, 8, 1, 32))).toMatchObject(wanted)
  })

  test.each([
    ['a cost that is no power of two', [16_383, 8, 1], DerError],
    ['a cost of one', [1, 8, 1], DerError],
    ['no blocks', [16_384, 0, 1], DerError],
    ['a missing number', [16_384, 8], DerError],
    ['a key length that is not the cipher’s', [16_384, 8, 1, 16], DerError],
    ['more memory than a key is worth', [2 ** 20, 8, 1], UnsupportedEncryption],
    ['more memory than 32 bits can count', [2 ** 40, 8, 1], UnsupportedEncryption],
    ['more rounds than a key is worth', [16_384, 8, 17], UnsupportedEncryption],
  ])('refuses scrypt with %s', (_, numbers, error) => {
    expect(() => readPbes2(scryptParameters(...numbers))).toThrow(error)
  })

  test('refuses parameters with any part taken out', () => {
    const [kdf, scheme] = children(parametersOf())
    if (kdf === undefined || scheme === undefined) throw new Error('the test is broken')
    for (const broken of [sequence(), sequence(kdf.encoded), sequence(scheme.encoded), nullValue])
      expect(() => readPbes2(readOnly(broken))).toThrow(DerError)
  })
})
