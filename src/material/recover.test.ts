import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import type { Ingredients, OutputItem } from './contents.ts'
import { encodeContents } from './contents.ts'
import type { Recovered } from './recover.ts'
import { recoverMaterial } from './recover.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const settings = { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' } as const
const password = 'changeit'

let root: Identity
let intermediate: Identity
let leaf: Identity
let stranger: Identity
let all: Ingredients
beforeAll(async () => {
  root = await makeRoot('root')
  intermediate = await makeIntermediate('intermediate', root)
  leaf = await makeLeaf('orders', intermediate)
  stranger = await makeLeaf('stranger', intermediate)
  all = {
    certificate: leaf.certificate,
    chain: [intermediate.certificate],
    authority: intermediate.certificate,
    trust: [root.certificate],
    privateKey: leaf.key.pkcs8,
    password,
    authorityPrivateKey: intermediate.key.pkcs8,
  }
})

const secret = async (items: readonly OutputItem[], from: Ingredients = all): Promise<Map<string, Uint8Array>> =>
  new Map(await encodeContents(items, from, settings, random))

const summary = ({ certificate, privateKey, password: found }: Recovered): string => {
  const named = (der: Uint8Array | undefined): string =>
    der === undefined
      ? 'none'
      : (Object.entries({ root, intermediate, leaf, stranger }).find(
          ([, identity]) =>
            Buffer.compare(identity.certificate, der) === 0 || Buffer.compare(identity.key.pkcs8, der) === 0,
        )?.[0] ?? 'other')
  return `certificate ${named(certificate)}, key ${named(privateKey)}, password ${found ?? 'none'}`
}

const tls: readonly OutputItem[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
]
const forms: [string, OutputItem[]][] = [
  ['PEM', [...tls]],
  [
    'SEC1',
    [
      { key: 'c', content: 'Certificate' },
      { key: 'k', content: 'PrivateKey', encoding: 'SEC1' },
    ],
  ],
  [
    'DER',
    [
      { key: 'c', content: 'CertificateDER' },
      { key: 'k', content: 'PrivateKeyDER', encoding: 'SEC1' },
    ],
  ],
  ['one file, key first', [{ key: 'pem', content: 'KeyThenChain' }]],
  ['one file, key last', [{ key: 'pem', content: 'ChainThenKey' }]],
  [
    'an encrypted key',
    [
      { key: 'c', content: 'CertificateChain' },
      { key: 'k', content: 'EncryptedPrivateKey' },
    ],
  ],
  ['PKCS#12', [{ key: 'k', content: 'PKCS12Keystore' }]],
  ['PKCS#12 of the old kind', [{ key: 'k', content: 'PKCS12Keystore', pkcs12Profile: 'LegacyDES' }]],
  ['JKS', [{ key: 'k', content: 'JKSKeystore' }]],
  [
    'the CA beside it',
    [{ key: 'a', content: 'AuthorityCertificate' }, { key: 'b', content: 'AuthorityPrivateKey' }, ...tls],
  ],
]

describe('leaf and key come back', () => {
  test.each(forms)('from %s, by its items and a given password', async (_, items) => {
    const found = await recoverMaterial(items, await secret(items), password)
    expect(summary(found)).toMatch(/^certificate leaf, key leaf/)
  })

  test.each(forms)(
    'from %s and a password stored beside it, although every item has another name now',
    async (_, items) => {
      const data = await secret([...items, { key: 'pw', content: 'Password' }])
      // The CA's own key and certificate are a pair, too: without items only basicConstraints tell it from the leaf.
      const found = await recoverMaterial([{ key: 'new', content: 'Certificate' }], data)
      expect(summary(found)).toMatch(/^certificate leaf, key leaf/)
    },
  )
})

describe('the password comes back', () => {
  const items: OutputItem[] = [
    { key: 'k.p12', content: 'PKCS12Keystore' },
    { key: 'pw', content: 'Password' },
  ]
  test('from its item', async () => {
    expect(summary(await recoverMaterial(items, await secret(items)))).toBe(
      'certificate leaf, key leaf, password changeit',
    )
  })
  test('from its item rather than from the one given, which may be newer', async () => {
    const found = await recoverMaterial(items, await secret(items), 'newer-password')
    expect(summary(found)).toBe('certificate leaf, key leaf, password changeit')
  })
  test('from an entry that no item names any more, if it opens the store', async () => {
    const renamed: OutputItem[] = [...tls, { key: 'new-name', content: 'Password' }]
    const data = await secret([...tls, ...items])
    data.set('comment', Buffer.from('some other text'))
    expect(summary(await recoverMaterial(renamed, data))).toBe('certificate leaf, key leaf, password changeit')
  })
  test('not from a text that opens nothing', async () => {
    const data = await secret([...tls])
    data.set('comment', Buffer.from('some other text'))
    expect(summary(await recoverMaterial(tls, data))).toBe('certificate leaf, key leaf, password none')
  })
  test('as the one given, when it opened the store', async () => {
    const store: OutputItem[] = [{ key: 'k.p12', content: 'PKCS12Keystore' }]
    expect(summary(await recoverMaterial(store, await secret(store), password))).toBe(
      'certificate leaf, key leaf, password changeit',
    )
  })
})

describe('what is broken or foreign is passed over', () => {
  test('a key of another certificate', async () => {
    const data = await secret(tls)
    const foreign = await secret(tls, { ...all, certificate: stranger.certificate, privateKey: stranger.key.pkcs8 })
    data.set('tls.key', foreign.get('tls.key') ?? new Uint8Array())
    expect(summary(await recoverMaterial(tls, data))).toBe('certificate leaf, key none, password none')
  })

  test('a certificate without key, when a store holds the whole pair', async () => {
    const items: OutputItem[] = [...tls, { key: 'k.jks', content: 'JKSKeystore' }]
    const data = await secret(items)
    data.set('tls.crt', Buffer.from('damaged'))
    data.delete('tls.key')
    expect(summary(await recoverMaterial(items, data, password))).toMatch(/^certificate leaf, key leaf/)
  })

  test('a damaged intermediate behind the leaf', async () => {
    const data = await secret(tls)
    const chain = Buffer.from(data.get('tls.crt') ?? []).toString()
    data.set('tls.crt', Buffer.from(chain.slice(0, -200)))
    expect(summary(await recoverMaterial(tls, data))).toMatch(/^certificate leaf, key leaf/)
  })

  test('a store under another password', async () => {
    const items: OutputItem[] = [{ key: 'k.p12', content: 'PKCS12Keystore' }]
    expect(await recoverMaterial(items, await secret(items), 'another-one')).toEqual({})
  })

  test('a CA in a bundle that no item names', async () => {
    const data = await secret([{ key: 'old-ca.crt', content: 'TrustBundle' }])
    expect(await recoverMaterial(tls, data)).toEqual({})
  })

  test('a CA is a leaf where an item says that it is the certificate', async () => {
    const own = { ...all, certificate: root.certificate, privateKey: root.key.pkcs8, chain: [] }
    expect(summary(await recoverMaterial(tls, await secret(tls, own)))).toMatch(/^certificate root, key root/)
  })

  test('whatever bytes there are, it never rejects', async () => {
    const items: OutputItem[] = [
      { key: 'c', content: 'Certificate' },
      { key: 'k', content: 'PKCS12Keystore' },
      { key: 'p', content: 'Password' },
    ]
    const good = [...(await secret([...tls, { key: 'j', content: 'JKSKeystore' }])).values()]
    const starts = fc.constantFrom(
      '',
      '30',
      '3003020103',
      'feedfeed00000002',
      Buffer.from('-----BEGIN CERTIFICATE-----\n').toString('hex'),
    )
    const garbage = fc
      .tuple(starts, fc.uint8Array({ maxLength: 80 }))
      .map(([start, rest]) => Buffer.concat([Buffer.from(start, 'hex'), rest]))
    const cut = fc.tuple(fc.constantFrom(...good), fc.nat(2000)).map(([bytes, size]) => bytes.subarray(0, size))
    const values = fc.dictionary(fc.constantFrom('c', 'k', 'p', 'x', '__proto__'), fc.oneof(garbage, cut))
    await fc.assert(
      fc.asyncProperty(values, async (data) => {
        const found = await recoverMaterial(items, new Map(Object.entries(data)), password)
        expect(found.privateKey === undefined || found.certificate !== undefined).toBe(true)
      }),
    )
  })
})
