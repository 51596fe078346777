import { describe, expect, it } from 'vitest'
import { encryptPrivateKey } from '../pki/keys/keys.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { type Authority, generate, makeIntermediate, makeRoot } from '../pki/testing.ts'
import { readStoredAuthority, StoredAuthorityError } from './stored.ts'

const pem = (...ders: readonly Uint8Array[]): string => ders.map((der) => encodePem('CERTIFICATE', der)).join('')
const keyPem = (pkcs8: Uint8Array): string => encodePem('PRIVATE KEY', pkcs8)

const root = await makeRoot({ commonName: 'root' })
const stranger = await makeRoot({ commonName: 'stranger' })
const middle = await makeIntermediate(root, 'middle', 1)
const lower = await makeIntermediate(middle, 'lower', 0)

const secretOf = (authority: Authority, chain: string, trust: string): Record<string, string> => ({
  'tls.crt': chain,
  'tls.key': keyPem(authority.key.pkcs8),
  'ca.crt': trust,
})
const rootSecret = secretOf(root, pem(root.certificate), pem(root.certificate))
const lowerSecret = secretOf(lower, pem(lower.certificate, middle.certificate), pem(root.certificate))

const read = (
  data: Readonly<Record<string, string | undefined>>,
  passphrases: Parameters<typeof readStoredAuthority>[1] = {},
) =>
  readStoredAuthority(
    new Map(Object.entries(data).flatMap(([key, text]) => (text === undefined ? [] : [[key, Buffer.from(text)]]))),
    passphrases,
  )
const refusal = async (...args: Parameters<typeof read>): Promise<StoredAuthorityError> => {
  const error: unknown = await read(...args).catch((caught: unknown) => caught)
  if (error instanceof StoredAuthorityError) return error
  throw new Error(`expected a StoredAuthorityError, got ${String(error)}`)
}

const sealed = async (passphrase: string): Promise<string> =>
  encodePem(
    'ENCRYPTED PRIVATE KEY',
    await encryptPrivateKey(root.key.pkcs8, passphrase, {
      salt: Buffer.alloc(16, 1),
      iv: Buffer.alloc(16, 2),
      iterations: 1000,
    }),
  )

describe('what is read from the Secret of a CA', () => {
  it('is a root without a chain, trusting itself', async () => {
    const stored = await read(rootSecret)
    expect(stored.chain).toEqual([])
    expect(stored.trust.map((der) => Buffer.from(der))).toEqual([Buffer.from(root.certificate)])
    expect(stored.encryptedWith).toBe('nothing')
    expect(Buffer.from(stored.pkcs8)).toEqual(Buffer.from(root.key.pkcs8))
  })

  it('is an intermediate with the chain up to its root, itself first', async () => {
    const stored = await read(lowerSecret)
    expect(stored.chain.map((der) => Buffer.from(der))).toEqual(
      [lower.certificate, middle.certificate].map(Buffer.from),
    )
    expect(stored.trust.map((der) => Buffer.from(der))).toEqual([Buffer.from(root.certificate)])
  })

  it.each([
    { name: 'the passphrase', passphrases: { current: 'now' }, written: 'now', with: 'passphrase' },
    {
      name: 'the passphrase before, while the key is still under it',
      passphrases: { current: 'now', previous: 'then' },
      written: 'then',
      with: 'previousPassphrase',
    },
  ])('is a key opened with $name', async ({ passphrases, written, with: encryptedWith }) => {
    const stored = await read({ ...rootSecret, 'tls.key': await sealed(written) }, passphrases)
    expect(stored.encryptedWith).toBe(encryptedWith)
    expect(Buffer.from(stored.pkcs8)).toEqual(Buffer.from(root.key.pkcs8))
  })
})

const cut = (text: string): string => text.slice(0, text.length / 2)
const nested = `-----BEGIN CERTIFICATE-----\n${Buffer.alloc(3000, Buffer.from([0x30, 0x80])).toString('base64')}\n-----END CERTIFICATE-----\n`
const invalid: { name: string; change: Record<string, string | undefined>; from?: Record<string, string> }[] = [
  ...['tls.crt', 'tls.key', 'ca.crt'].flatMap((key) => [
    { name: `${key} is missing`, change: { [key]: undefined } },
    { name: `${key} is empty`, change: { [key]: '' } },
    { name: `${key} is truncated`, change: { [key]: cut(rootSecret[key] ?? '') } },
    { name: `${key} is a megabyte of junk`, change: { [key]: 'junk '.repeat(200_000) } },
    {
      name: `${key} is deeply nested DER`,
      change: { [key]: nested.replaceAll('CERTIFICATE', key === 'tls.key' ? 'PRIVATE KEY' : 'CERTIFICATE') },
    },
  ]),
  { name: 'the key is of another CA', change: { 'tls.key': keyPem(stranger.key.pkcs8) } },
  { name: 'the certificate is of another CA', change: { 'tls.crt': pem(stranger.certificate) } },
  { name: 'the root is of another CA', change: { 'ca.crt': pem(stranger.certificate) } },
  {
    name: 'a stranger has signed the same key under the same name',
    change: { 'tls.crt': pem((await makeRoot({ commonName: 'root', key: stranger.key })).certificate) },
  },
  {
    name: 'the chain is in the wrong order',
    from: lowerSecret,
    change: { 'tls.crt': pem(middle.certificate, lower.certificate) },
  },
  { name: 'the chain has a gap', from: lowerSecret, change: { 'tls.crt': pem(lower.certificate) } },
  {
    name: 'the chain has a stranger in it',
    from: lowerSecret,
    change: { 'tls.crt': pem(lower.certificate, stranger.certificate) },
  },
  { name: 'the roots are not above the chain', from: lowerSecret, change: { 'ca.crt': pem(stranger.certificate) } },
]

describe('a Secret that cannot be used', () => {
  it.each(invalid)('$name', async ({ change, from = rootSecret }) => {
    const error = await refusal({ ...from, ...change })
    expect(error.kind).toBe('Invalid')
    expect(error.message.length).toBeLessThan(200)
  })

  it('holds a certificate that is not of a CA', async () => {
    const { leafPlan, usagesOf } = await import('../pki/certificates/plans.ts')
    const { issueCertificate } = await import('../pki/certificates/certificate.ts')
    const { distinguishedName } = await import('../pki/names/names.ts')
    const { day, now, randomSerial, p256 } = await import('../pki/testing.ts')
    const key = await generate()
    const plan = leafPlan({
      signer: root.signer,
      subject: distinguishedName({ commonName: 'leaf' }),
      names: [{ type: 'DNS', value: 'leaf.example' }],
      ...usagesOf('Server', [], p256),
      spki: key.spki,
      duration: day,
      now,
      serialNumber: randomSerial(),
    })
    const leaf = (await issueCertificate(plan, root.signer)).der
    const error = await refusal({ 'tls.crt': pem(leaf), 'tls.key': keyPem(key.pkcs8), 'ca.crt': pem(root.certificate) })
    expect(error.message).toContain('not one of a CA')
  })

  it.each([
    { name: 'no passphrase is given', passphrases: {} },
    { name: 'the passphrase is another', passphrases: { current: 'wrong' } },
    { name: 'neither passphrase fits', passphrases: { current: 'wrong', previous: 'wrong, too' } },
  ])('is told from a damaged one when $name, without a word of it', async ({ passphrases }) => {
    const error = await refusal({ ...rootSecret, 'tls.key': await sealed('CANARY') }, passphrases)
    expect(error.kind).toBe('PassphraseWrong')
    expect(error.message).not.toMatch(/CANARY|wrong, too/)
  })

  it('never quotes what it holds', async () => {
    for (const key of ['tls.crt', 'tls.key', 'ca.crt']) {
      const error = await refusal({ ...rootSecret, [key]: `-----BEGIN PRIVATE KEY-----\nCANARY\n` })
      expect(error.message).not.toContain('CANARY')
    }
  })
})

const pairOf = (name: string, { key }: Authority, ...chain: readonly Uint8Array[]): Record<string, string> => ({
  [`${name}.crt`]: pem(...chain),
  [`${name}.key`]: keyPem(key.pkcs8),
})
const lowerNext = await makeIntermediate(middle, 'lower', 0)
const inRotation = (
  name: 'next' | 'former',
  other: Authority,
  roots: readonly Authority[],
): Record<string, string> => ({
  ...rootSecret,
  ...pairOf(name, other, other.certificate),
  'ca.crt': pem(...roots.map(({ certificate }) => certificate)),
})

describe('the Secret of a CA in a rotation', () => {
  it.each([
    { stage: 'Next', data: inRotation('next', stranger, [root]) },
    { stage: 'Both', data: inRotation('next', stranger, [root, stranger]) },
    { stage: 'Switched', data: inRotation('former', stranger, [root, stranger]) },
    { stage: 'Dropped', data: inRotation('former', stranger, [root]) },
  ])('is read at $stage, with the other CA and its key', async ({ stage, data }) => {
    const stored = await readStoredAuthority(
      new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)])),
      {},
      stage,
    )
    expect(stored.stage).toBe(stage)
    expect(Buffer.from(stored.certificate.der)).toEqual(Buffer.from(root.certificate))
    expect(Buffer.from(stored.other?.certificate.der ?? [])).toEqual(Buffer.from(stranger.certificate))
    expect(Buffer.from(stored.other?.pkcs8 ?? [])).toEqual(Buffer.from(stranger.key.pkcs8))
    expect(stored.other?.chain).toEqual([])
  })

  it('holds an intermediate with the chain above it', async () => {
    const stored = await read({
      ...lowerSecret,
      ...pairOf('next', lowerNext, lowerNext.certificate, middle.certificate),
    })
    expect(stored.stage).toBe('Next')
    expect(stored.other?.chain.map((der) => Buffer.from(der))).toEqual(
      [lowerNext.certificate, middle.certificate].map(Buffer.from),
    )
  })

  it.each([
    { name: 'a next CA without its key', change: { 'next.key': undefined } },
    { name: 'a next key without its certificate', change: { 'next.crt': undefined } },
    { name: 'the key of another CA', change: { 'next.key': keyPem(root.key.pkcs8) } },
    { name: 'a next and a former CA', change: pairOf('former', stranger, stranger.certificate) },
    { name: 'a chain that leads nowhere', change: { 'next.crt': pem(lowerNext.certificate) }, key: lowerNext },
    { name: 'junk for the next key', change: { 'next.key': 'junk' } },
    { name: 'junk for the next certificate', change: { 'next.crt': 'junk' } },
  ])('cannot be used with $name', async ({ change, key }) => {
    const data: Record<string, string | undefined> = { ...inRotation('next', stranger, [root]), ...change }
    if (key !== undefined) data['next.key'] = keyPem(key.key.pkcs8)
    expect((await refusal(data)).kind).toBe('Invalid')
  })

  it('may hold a former CA whose key is gone', async () => {
    const stored = await read({ ...inRotation('former', stranger, [root, stranger]), 'former.key': undefined })
    expect(stored.stage).toBe('Switched')
    expect(stored.other?.pkcs8).toBeUndefined()
  })
})
