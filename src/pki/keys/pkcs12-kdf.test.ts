import { describe, expect, test } from 'vitest'
import { derivePkcs12, KdfPurpose } from './pkcs12-kdf.ts'

const { key, iv, mac } = KdfPurpose

describe('key derivation of PKCS#12', () => {
  // The vectors that OpenSSL and Bouncy Castle test with.
  test.each([
    ['smeg', key, '0a58cf64530d823f', 1, 24, '8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3'],
    ['smeg', iv, '0a58cf64530d823f', 1, 8, '79993dfe048d3b76'],
    ['smeg', mac, '3d83c0e4546ac140', 1, 20, '8d967d88f6caa9d714800ab3d48051d63f73a312'],
    ['queeg', key, '05dec959acff72f7', 1000, 24, 'ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4'],
    ['queeg', iv, '05dec959acff72f7', 1000, 8, '11dedad7758d4860'],
    ['queeg', mac, '263216fcc2fab31c', 1000, 20, '5ec4c7a80df652294c3925b6489a7ab857c83476'],
  ] as const)(
    '%s, purpose %d, salt %s, %d iterations, %d octets',
    async (password, purpose, salt, iterations, size, wanted) => {
      const derived = await derivePkcs12({
        hash: 'sha1',
        purpose,
        password,
        salt: Buffer.from(salt, 'hex'),
        iterations,
        size,
      })
      expect(Buffer.from(derived).toString('hex')).toBe(wanted)
    },
  )

  test('lets other work run between slices', async () => {
    let turns = 0
    let done = false
    const count = (): void => {
      turns += 1
      if (!done) setImmediate(count)
    }
    setImmediate(count)
    const salt = new Uint8Array(8)
    await derivePkcs12({ hash: 'sha256', purpose: mac, password: 'changeit', salt, iterations: 10_000, size: 32 })
    done = true
    expect(turns).toBeGreaterThanOrEqual(9)
  })
})
