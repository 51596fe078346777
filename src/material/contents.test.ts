import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import { decodePem } from '../pki/encoding/pem.ts'
import { fingerprintOf } from './aliases.ts'
import type { ContentName, Ingredients, OutputItem } from './contents.ts'
import { ContentError, contentNeedsPassword, contentNeedsPrivateKey, encodeContents } from './contents.ts'
import { contents } from './content-table.ts'
import { readJks } from './jks.ts'
import { readPkcs12 } from './pkcs12-reader.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const settings = { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' } as const
const password = 'changeit'

let root: Identity
let next: Identity
let intermediate: Identity
let leaf: Identity
let all: Ingredients
beforeAll(async () => {
  root = await makeRoot('root')
  next = await makeRoot('root')
  intermediate = await makeIntermediate('intermediate', root)
  leaf = await makeLeaf('orders', intermediate)
  all = {
    certificate: leaf.certificate,
    chain: [intermediate.certificate],
    authority: intermediate.certificate,
    trust: [root.certificate, next.certificate],
    privateKey: leaf.key.pkcs8,
    password,
    revocationList: Uint8Array.of(0x30, 0),
    authorityPrivateKey: intermediate.key.pkcs8,
  }
})

const encode = async (item: Omit<OutputItem, 'key'>, from: Ingredients = all): Promise<Buffer> => {
  const encoded = await encodeContents([{ key: 'it', ...item }], from, settings, random)
  return Buffer.from(encoded.get('it') ?? [])
}
const named = (der: Uint8Array): string =>
  Object.entries({ root, next, intermediate, leaf }).find(
    ([, identity]) => Buffer.compare(identity.certificate, der) === 0 || Buffer.compare(identity.key.pkcs8, der) === 0,
  )?.[0] ?? 'other'
const blocks = (bytes: Buffer): string[] =>
  decodePem(bytes.toString()).map(({ label, der }) => `${label} ${named(der)}`)

describe('PEM contents', () => {
  test.each<[ContentName, string[]]>([
    ['Certificate', ['CERTIFICATE leaf']],
    ['CertificateChain', ['CERTIFICATE leaf', 'CERTIFICATE intermediate']],
    ['PrivateKey', ['PRIVATE KEY leaf']],
    ['KeyThenChain', ['PRIVATE KEY leaf', 'CERTIFICATE leaf', 'CERTIFICATE intermediate']],
    ['ChainThenKey', ['CERTIFICATE leaf', 'CERTIFICATE intermediate', 'PRIVATE KEY leaf']],
    ['TrustBundle', ['CERTIFICATE root', 'CERTIFICATE next']],
    ['AuthorityCertificate', ['CERTIFICATE intermediate']],
    ['AuthorityPrivateKey', ['PRIVATE KEY intermediate']],
    ['RevocationList', ['X509 CRL other']],
  ])('%s', async (content, wanted) => {
    expect(blocks(await encode({ content }))).toEqual(wanted)
  })

  test('a CA that is there twice stands in the bundle once', async () => {
    const trust = [root.certificate, next.certificate, Uint8Array.from(root.certificate)]
    expect(blocks(await encode({ content: 'TrustBundle' }, { ...all, trust }))).toHaveLength(2)
    const store = await encode({ content: 'JKSTruststore' }, { ...all, trust })
    expect(readJks(store, password).trusted).toHaveLength(2)
  })

  test('the encoding of an item goes before that of the certificate', async () => {
    const sec1 = await encode({ content: 'PrivateKey', encoding: 'SEC1' })
    expect(sec1.toString()).toMatch(/^-----BEGIN EC PRIVATE KEY-----/)
    expect(createPrivateKey(sec1).export({ format: 'der', type: 'pkcs8' })).toEqual(Buffer.from(leaf.key.pkcs8))
  })

  test('the encrypted key opens with the password alone', async () => {
    const pem = await encode({ content: 'EncryptedPrivateKey' })
    expect(pem.toString()).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    const key = createPrivateKey({ key: pem, passphrase: password })
    expect(key.export({ format: 'der', type: 'pkcs8' })).toEqual(Buffer.from(leaf.key.pkcs8))
    expect(() => createPrivateKey({ key: pem, passphrase: 'changeIt' })).toThrow()
  })
})

describe('other contents', () => {
  test('DER is the bytes themselves', async () => {
    expect(new X509Certificate(await encode({ content: 'CertificateDER' })).subject).toBe('CN=orders')
    expect(named(await encode({ content: 'PrivateKeyDER' }))).toBe('leaf')
  })

  test('the password is written without a newline', async () => {
    expect((await encode({ content: 'Password' })).toString()).toBe(password)
  })

  test('both kinds of keystore hold the same entry', async () => {
    const pkcs12 = await readPkcs12(await encode({ content: 'PKCS12Keystore', alias: 'user' }), password)
    const jks = readJks(await encode({ content: 'JKSKeystore', alias: 'user' }), password)
    for (const { keys, trusted } of [pkcs12, jks]) {
      expect(trusted).toEqual([])
      expect(keys.map(({ alias, pkcs8, chain }) => [alias, named(pkcs8), ...chain.map(named)])).toEqual([
        ['user', 'leaf', 'leaf', 'intermediate'],
      ])
    }
  })

  test('both kinds of truststore name the current CA plainly and the other by its fingerprint', async () => {
    const item = { alias: 'MySQLCACert' }
    const pkcs12 = await readPkcs12(await encode({ content: 'PKCS12Truststore', ...item }), password)
    const jks = readJks(await encode({ content: 'JKSTruststore', ...item }), password)
    const other = `mysqlcacert-${fingerprintOf(next.certificate).slice(0, 8)}`
    for (const { keys, trusted } of [pkcs12, jks]) {
      expect(keys).toEqual([])
      expect(trusted.map(({ alias, certificate }) => [alias, named(certificate)])).toEqual([
        ['mysqlcacert', 'root'],
        [other, 'next'],
      ])
    }
  })

  test('the order in which other CAs come does not change a JKS truststore', async () => {
    const third = await makeRoot('third')
    const [first, ...others] = [root, next, third].map(({ certificate }) => certificate) as [
      Uint8Array,
      ...Uint8Array[],
    ]
    const one = await encode({ content: 'JKSTruststore' }, { ...all, trust: [first, ...others] })
    const two = await encode({ content: 'JKSTruststore' }, { ...all, trust: [first, ...others.toReversed()] })
    expect(one).toEqual(two)
  })

  test('the alias is tls for a key and ca for a CA unless the item says otherwise', async () => {
    const { keys } = await readPkcs12(await encode({ content: 'PKCS12Keystore' }), password)
    const { trusted } = readJks(await encode({ content: 'JKSTruststore' }), password)
    expect([keys[0]?.alias, trusted[0]?.alias]).toEqual(['tls', 'ca'])
  })

  test('the profile of an item goes before that of the certificate', async () => {
    const tripleDes = Buffer.from('060a2a864886f70d010c0103', 'hex')
    expect((await encode({ content: 'PKCS12Keystore' })).includes(tripleDes)).toBe(false)
    const legacy = await encode({ content: 'PKCS12Keystore', pkcs12Profile: 'LegacyDES' })
    expect(legacy.includes(tripleDes)).toBe(true)
  })
})

describe('several items', () => {
  test('come under their keys, in their order, whatever the keys are called', async () => {
    const items: OutputItem[] = [
      { key: '__proto__', content: 'Certificate' },
      { key: 'constructor', content: 'Password' },
    ]
    expect([...(await encodeContents(items, all, settings, random)).keys()]).toEqual(['__proto__', 'constructor'])
  })
})

describe('what a content needs', () => {
  const without = (name: keyof Ingredients): Ingredients =>
    name === 'trust' ? { ...all, trust: [] } : { ...all, [name]: undefined }
  const always: readonly (keyof Ingredients)[] = ['certificate', 'chain', 'authority']
  const needs = Object.entries(contents).flatMap(([name, { uses }]) =>
    uses.filter((use) => !always.includes(use)).map((use) => [name as ContentName, use] as const),
  )

  test.each(needs)('%s is refused without its %s, by a sentence that names the item', async (content, use) => {
    const work = encode({ content }, without(use))
    await expect(work).rejects.toThrow(ContentError)
    await expect(work).rejects.toThrow(new RegExp(`^${content} under "it" cannot be written: .*\\.$`))
  })

  test('stores and the password itself need the password', () => {
    const names = Object.keys(contents) as ContentName[]
    expect(names.filter(contentNeedsPassword).toSorted()).toEqual(
      [
        'EncryptedPrivateKey',
        'JKSKeystore',
        'JKSTruststore',
        'PKCS12Keystore',
        'PKCS12Truststore',
        'Password',
      ].toSorted(),
    )
    expect(names.filter(contentNeedsPrivateKey).toSorted()).toEqual(
      [
        'ChainThenKey',
        'EncryptedPrivateKey',
        'JKSKeystore',
        'KeyThenChain',
        'PKCS12Keystore',
        'PrivateKey',
        'PrivateKeyDER',
      ].toSorted(),
    )
  })

  test('a key of another certificate is never written', async () => {
    const work = encode({ content: 'PrivateKey' }, { ...all, privateKey: next.key.pkcs8 })
    await expect(work).rejects.toThrow('does not belong to the certificate')
  })

  test('an encoding that the key cannot have is refused by a sentence that names the item', async () => {
    await expect(encode({ content: 'PrivateKey', encoding: 'PKCS1' })).rejects.toThrow(/^PrivateKey under "it" .*PKCS1/)
  })

  test('no error holds the password', async () => {
    const work = encode({ content: 'PKCS12Keystore' }, { ...all, password: 'sécret' })
    await expect(work).rejects.toThrow(ContentError)
    await expect(work).rejects.not.toThrow(/sécret/)
  })
})
