import { execFileSync } from 'node:child_process'
import { createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openBackup, sealBackup } from './format.ts'

const passphrase = 'correct horse battery'
const seal = (contents: unknown, under = passphrase) => sealBackup(contents, under, '2027-01-01T00:00:00Z', randomBytes)

describe('the file of a backup', () => {
  const sealed = seal({ objects: ['ä', 1, { __proto__x: null }] })

  it('gives back what was put in, and shows nothing of it', async () => {
    const contents = { secret: 'xyzzy'.repeat(20) }
    const file = await seal(contents)
    expect(await openBackup(file, passphrase)).toEqual(contents)
    expect(Buffer.from(file).includes('xyzzy')).toBe(false)
  })
  it('never comes out the same twice', async () => {
    const [a, b] = [await seal(1), await seal(1)]
    expect(Buffer.from(a).equals(b)).toBe(false)
  })
  it('opens by what its two lines and RFC 7914 say, without this program', async () => {
    const file = Buffer.from(await seal({ a: 1 }))
    const [, line = ''] = file.toString('latin1').split('\n', 2)
    const { kdf, nonce } = JSON.parse(line) as {
      kdf: { N: number; r: number; p: number; salt: string }
      nonce: string
    }
    const salt = Buffer.from(kdf.salt, 'base64')
    const key = scryptSync(passphrase, salt, 64, { ...kdf, maxmem: 2 ** 28 })
    const head = file.subarray(0, 'dbtls-backup 1\n'.length + line.length + 1)
    const decipher = createDecipheriv('aes-256-gcm', key.subarray(0, 32), Buffer.from(nonce, 'base64')).setAAD(head)
    decipher.setAuthTag(file.subarray(-16))
    const packed = Buffer.concat([decipher.update(file.subarray(head.length, -16)), decipher.final()])
    expect(JSON.parse(gunzipSync(packed).toString())).toEqual({ a: 1 })
    // An implementation of scrypt that is not ours: openssl's.
    const hex = execFileSync('openssl', [
      ...['kdf', '-keylen', '64', '-kdfopt', `pass:${passphrase}`, '-kdfopt', `hexsalt:${salt.toString('hex')}`],
      ...['-kdfopt', `n:${kdf.N}`, '-kdfopt', `r:${kdf.r}`, '-kdfopt', `p:${kdf.p}`],
      ...['-kdfopt', 'maxmem_bytes:268435456', 'SCRYPT'],
    ])
    expect(hex.toString().trim().replaceAll(':', '').toLowerCase()).toBe(key.toString('hex'))
  })
  it('tells a wrong passphrase from a damaged file', async () => {
    const file = Buffer.from(await sealed)
    await expect(openBackup(file, 'wrong')).rejects.toThrow('the passphrase does not open it')
    const damaged = Buffer.from(file)
    damaged[file.length - 20] = (damaged[file.length - 20] ?? 0) ^ 1
    await expect(openBackup(damaged, passphrase)).rejects.toThrow('it is damaged')
  })
  it('takes the two forms of an accented letter for the same', async () => {
    expect(await openBackup(await seal(1, 'caf\u00e9 noir'), 'cafe\u0301 noir')).toBe(1)
  })
  it.each([
    ['something else', 'hello', 'not a backup'],
    ['nothing', '', 'not a backup'],
    ['a later format', 'dbtls-backup 2\n{}\n', 'format 2, and this version of dbtls reads 1'],
    ['its first line alone', 'dbtls-backup 1\n', 'ends too soon'],
    ['no header', `dbtls-backup 1\nhello\n${'x'.repeat(40)}`, 'second line'],
    ['an empty header', `dbtls-backup 1\n{}\n${'x'.repeat(40)}`, 'second line'],
  ])('refuses %s with a sentence', async (_, text, sentence) => {
    await expect(openBackup(Buffer.from(text), passphrase)).rejects.toThrow(sentence)
  })
  it('does not give a hostile header all the memory', async () => {
    const text = Buffer.from(await sealed)
      .toString('latin1')
      .replace('"N":131072,"r":8', '"N":1048576,"r":32')
    await expect(openBackup(Buffer.from(text, 'latin1'), passphrase)).rejects.toThrow('second line')
  })
  it('refuses costs that scrypt knows no way to bear', async () => {
    const text = Buffer.from(await sealed)
      .toString('latin1')
      .replace('"N":131072', '"N":131073')
    await expect(openBackup(Buffer.from(text, 'latin1'), passphrase)).rejects.toThrow('second line')
  })
  it('accepts no change of any octet, and no end cut off', async () => {
    const file = Buffer.from(await sealed)
    const anyChange = fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(anyChange, async ([at, bits]) => {
        const changed = Buffer.from(file)
        changed[at] = (changed[at] ?? 0) ^ bits
        await expect(openBackup(changed, passphrase)).rejects.toThrow(/it|passphrase/)
        await expect(openBackup(file.subarray(0, at), passphrase)).rejects.toThrow(/it/)
      }),
      { numRuns: 4 },
    )
  })
})
