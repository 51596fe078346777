import { Crypto } from '@peculiar/webcrypto'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { integer, nullValue, octetString, oid, readOnly, sequence } from '../pki/encoding/der.ts'
import { KeystoreError } from './keystore.ts'
import { decrypt, profiles } from './pkcs12-encryption.ts'
import { derivePkcs12, KdfPurpose } from '../pki/keys/pkcs12-kdf.ts'

const { subtle } = new Crypto()
const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const iterations = 3

/** pbeWithSHAAnd3-KeyTripleDES-CBC of another implementation of WebCrypto, which has DES-EDE3-CBC. */
const tripleDes = async (direction: 'encrypt' | 'decrypt', data: Uint8Array, password: string, salt: Uint8Array) => {
  const common = { hash: 'sha1', password, salt, iterations } as const
  const bytes = await derivePkcs12({ ...common, purpose: KdfPurpose.key, size: 24 })
  const iv = await derivePkcs12({ ...common, purpose: KdfPurpose.iv, size: 8 })
  const algorithm = { name: 'DES-EDE3-CBC', length: 192, iv }
  const key = await subtle.importKey('raw', Buffer.from(bytes), algorithm, false, [direction])
  return new Uint8Array(await subtle[direction](algorithm, key, Buffer.from(data)))
}

describe('3DES of the profile LegacyDES', () => {
  const plaintexts = fc.uint8Array({ maxLength: 50 })
  const passwords = fc.string({ minLength: 6, maxLength: 20, unit: 'grapheme-ascii' })
  const salts = fc.uint8Array({ minLength: 8, maxLength: 8 })

  test('is opened by @peculiar/webcrypto', async () => {
    await fc.assert(
      fc.asyncProperty(plaintexts, passwords, salts, async (plaintext, password, salt) => {
        const { ciphertext } = await profiles.LegacyDES.encrypt(plaintext, password, iterations, () => salt)
        expect(Buffer.from(await tripleDes('decrypt', ciphertext, password, salt))).toEqual(Buffer.from(plaintext))
      }),
      { numRuns: 50 },
    )
  })

  test('opens what @peculiar/webcrypto encrypted', async () => {
    await fc.assert(
      fc.asyncProperty(plaintexts, passwords, salts, async (plaintext, password, salt) => {
        const ciphertext = await tripleDes('encrypt', plaintext, password, salt)
        const parameters = sequence(octetString(salt), integer(iterations))
        const algorithm = readOnly(sequence(oid('1.2.840.113549.1.12.1.3'), parameters))
        const opened = await decrypt(algorithm, ciphertext, password, { left: iterations })
        expect(Buffer.from(opened)).toEqual(Buffer.from(plaintext))
      }),
      { numRuns: 50 },
    )
  })
})

describe.each(['Modern2023', 'LegacyDES'] as const)('a bag encrypted by the profile %s', (profile) => {
  const encrypted = (): ReturnType<typeof profiles.Modern2023.encrypt> =>
    profiles[profile].encrypt(new Uint8Array(40), 'changeit', iterations, random)

  test('spends its iterations, and is refused when they are more than are left', async () => {
    const { algorithm, ciphertext } = await encrypted()
    const budget = { left: 2 * iterations - 1 }
    await decrypt(readOnly(algorithm), ciphertext, 'changeit', budget)
    expect(budget.left).toBe(iterations - 1)
    const refusal = decrypt(readOnly(algorithm), ciphertext, 'changeit', budget)
    await expect(refusal).rejects.toMatchObject({ name: 'KeystoreError', reason: 'Malformed' })
  })

  test('that is cut is not opened', async () => {
    const { algorithm, ciphertext } = await encrypted()
    const refusal = decrypt(readOnly(algorithm), ciphertext.subarray(1), 'changeit', { left: iterations })
    await expect(refusal).rejects.toMatchObject({ name: 'KeystoreError', reason: 'WrongPassword' })
  })
})

describe('a bag encrypted in another way', () => {
  const pbes2 = oid('1.2.840.113549.1.5.13')
  const other = sequence(oid('1.2.3'), sequence(octetString(new Uint8Array(8)), integer(16_384)))
  const aes = sequence(oid('2.16.840.1.101.3.4.1.42'), octetString(new Uint8Array(16)))

  test.each([
    ['RC2', sequence(oid('1.2.840.113549.1.12.1.6'), nullValue), 'the scheme 1.2.840.113549.1.12.1.6'],
    ['another key derivation', sequence(pbes2, sequence(other, aes)), 'the key derivation 1.2.3'],
  ])('is refused by name: %s', async (_, algorithm, what) => {
    const refusal = decrypt(readOnly(algorithm), new Uint8Array(16), 'changeit', { left: 1 })
    await expect(refusal).rejects.toThrow(KeystoreError)
    await expect(refusal).rejects.toThrow(`encrypted with ${what}, which is not supported`)
  })
})
