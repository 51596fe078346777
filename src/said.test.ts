import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Canaries, recordingLogger } from './said.fixture.ts'

const password = 'a-password-of-tests'
const passphrase = 'a-passphrase-of-tests'
const pairs = {
  EC: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: generateKeyPairSync('ed25519'),
}
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
const encryption = { cipher: 'aes-256-cbc', passphrase } as const
const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')
const data = { password: base64(password), passphrase: base64(passphrase) }

describe.each(['EC', 'RSA', 'Ed25519'] as const)('what is said of a key, %s', (name) => {
  const { privateKey: key, publicKey } = pairs[name]
  const plain = key.export(pkcs8).toString()
  const encrypted = key.export({ ...pkcs8, ...encryption }).toString()
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const { d = '' } = key.export({ format: 'jwk' })
  const scalar = Buffer.from(d, 'base64url')

  it.each([
    ['PEM', plain],
    ['PEM without its frame', plain.split('\n').slice(1, -2).join('\n')],
    ['PEM, line ends escaped twice', JSON.stringify(JSON.stringify(plain)).replaceAll('-', '')],
    ['PEM in base64', base64(plain)],
    ['PKCS#8 in base64', der.toString('base64')],
    ['PKCS#8 in base64 for URLs', der.toString('base64url')],
    ['PKCS#8 in hex', der.toString('hex')],
    ['PKCS#8 after other bytes', base64(Buffer.concat([Buffer.from('0123456'), der]))],
    ['the number in base64', scalar.toString('base64')],
    ['the number of a JSON web key', d],
    ['encrypted PEM', encrypted],
    ['a line of encrypted PEM', encrypted.split('\n')[2] ?? ''],
    ['a password', `it is ${password}.`],
    ['a password in base64', base64(password)],
    ['a passphrase after other bytes', base64(`xy${passphrase}`)],
  ])('is found: %s', (_, said) => {
    const canaries = new Canaries()
    canaries.learn({ data: { ...data, 'tls.key': base64(encrypted) } })
    expect(canaries.foundIn([['it', said]])).not.toEqual([])
  })

  it('is let pass where it is public, or of nobody', () => {
    const canaries = new Canaries()
    canaries.learn({ data: { ...data, 'tls.key': base64(plain) } })
    const other = createPrivateKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8))
    const said = [publicKey.export({ type: 'spki', format: 'pem' }), JSON.stringify(other.export({ format: 'jwk' }))]
    expect(canaries.foundIn(said.map((text) => ['it', String(text)] as const))).toEqual([])
  })
})

describe('a recording logger', () => {
  it('keeps fields, also those of its parent, and causes of errors', () => {
    const entries: string[] = []
    const error = new Error('outer', { cause: new Error('inner') })
    recordingLogger(entries, { from: 'a parent' }).child({ of: 'a child' }).warn('words', { error })
    for (const part of ['words', 'a parent', 'a child', 'outer', 'inner']) expect(entries.join()).toContain(part)
  })
})
