import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import type { Ingredients, OutputItem } from './content-table.ts'
import { dataHash, inputsHash } from './hash.ts'

const settings = { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' } as const
const items: readonly OutputItem[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'keystore.p12', content: 'PKCS12Keystore' },
  { key: 'truststore.jks', content: 'JKSTruststore' },
]
const plain: readonly OutputItem[] = [{ key: 'tls.crt', content: 'Certificate' }]

let root: Identity
let other: Identity
let intermediate: Identity
let leaf: Identity
let all: Ingredients
beforeAll(async () => {
  root = await makeRoot('root')
  other = await makeRoot('other')
  intermediate = await makeIntermediate('intermediate', root)
  leaf = await makeLeaf('orders', intermediate)
  all = {
    certificate: leaf.certificate,
    chain: [intermediate.certificate],
    authority: intermediate.certificate,
    trust: [root.certificate],
    privateKey: leaf.key.pkcs8,
    password: 'changeit',
  }
})

describe('the hash of the inputs changes with', () => {
  test.each<[string, () => { items?: readonly OutputItem[]; from?: Partial<Ingredients>; settings?: object }]>([
    ['the leaf', () => ({ from: { certificate: other.certificate } })],
    ['the chain', () => ({ from: { chain: [] } })],
    ['one more CA to trust', () => ({ from: { trust: [root.certificate, other.certificate] } })],
    ['the password', () => ({ from: { password: 'changeit2' } })],
    ['a password that is gone', () => ({ from: { password: undefined } })],
    [
      'an alias',
      () => ({ items: items.map((item) => (item.key === 'keystore.p12' ? { ...item, alias: 'user' } : item)) }),
    ],
    [
      'the profile of an item',
      () => ({ items: items.map((item) => ({ ...item, pkcs12Profile: 'LegacyDES' as const })) }),
    ],
    ['the default profile', () => ({ settings: { pkcs12Profile: 'LegacyDES' } })],
    ['the default encoding', () => ({ settings: { encoding: 'SEC1' } })],
    [
      'a content',
      () => ({
        items: items.map((item) => (item.key === 'tls.crt' ? { ...item, content: 'Certificate' as const } : item)),
      }),
    ],
    [
      'the name of a key',
      () => ({ items: items.map((item) => (item.key === 'tls.crt' ? { ...item, key: 'cert' } : item)) }),
    ],
    ['one item less', () => ({ items: items.slice(1) })],
  ])('%s', (_, change) => {
    const changed = change()
    const before = inputsHash(items, all, settings)
    expect(before).toMatch(/^[0-9a-f]{64}$/)
    expect(
      inputsHash(changed.items ?? items, { ...all, ...changed.from }, { ...settings, ...changed.settings }),
    ).not.toBe(before)
  })

  test('the order of the CAs, because a bundle is read from its top', () => {
    const hash = (...trust: Uint8Array[]) =>
      inputsHash([{ key: 'ca.crt', content: 'TrustBundle' }], { ...all, trust }, settings)
    expect(hash(root.certificate, other.certificate)).not.toBe(hash(other.certificate, root.certificate))
  })
})

describe('the hash of the inputs stays with', () => {
  const same = (change: Partial<Ingredients>, changedSettings: object = {}): void => {
    const changed = inputsHash(plain, { ...all, ...change }, { ...settings, ...changedSettings })
    expect(changed).toBe(inputsHash(plain, all, settings))
  }
  test('a password, CA or chain that no item holds', () => {
    same({ password: 'another-one' })
    same({ trust: [other.certificate], authority: other.certificate })
    same({ chain: [] })
  })
  test('a default profile or encoding that no item follows', () => {
    same({}, { pkcs12Profile: 'LegacyDES', encoding: 'SEC1' })
  })
  test('another order of the items, and defaults that are written out', () => {
    const spelled = items
      .toReversed()
      .map((item) =>
        item.content === 'PKCS12Keystore' ? { ...item, alias: 'tls', pkcs12Profile: 'Modern2023' as const } : item,
      )
    expect(inputsHash(spelled, all, settings)).toBe(inputsHash(items, all, settings))
  })
  test('an alias on a content that has none', () => {
    const [item] = plain as [OutputItem]
    expect(inputsHash([{ ...item, alias: 'x' }], all, settings)).toBe(inputsHash(plain, all, settings))
  })
})

test('without a private key the password still counts', () => {
  const trustOnly: OutputItem[] = [{ key: 'truststore.p12', content: 'PKCS12Truststore' }]
  const hash = (password: string) => inputsHash(trustOnly, { ...all, privateKey: undefined, password }, settings)
  expect(hash('changeit')).toBe(hash('changeit'))
  expect(hash('changeit')).not.toBe(hash('changeit2'))
})

describe('the hash of the data', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 6 }), fc.uint8Array({ maxLength: 12 })), {
    maxLength: 5,
    selector: ([key]) => key,
  })
  const plainly = (data: readonly (readonly [string, Uint8Array])[]): string =>
    JSON.stringify(
      data
        .map(([key, value]) => [key, Buffer.from(value).toString('hex')])
        .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    )

  test('is equal exactly when keys and bytes are', () => {
    fc.assert(
      fc.property(entries, entries, (one, two) => {
        expect(dataHash(new Map(one)) === dataHash(new Map(two))).toBe(plainly(one) === plainly(two))
        expect(dataHash(new Map(one.toReversed()))).toBe(dataHash(new Map(one)))
      }),
    )
  })
  test('notices bytes that moved from one key to another', () => {
    const of = (...data: [string, string][]) => dataHash(new Map(data.map(([key, value]) => [key, Buffer.from(value)])))
    expect(of(['a', 'bc'], ['d', ''])).not.toBe(of(['a', 'b'], ['d', 'c']))
    expect(of(['a', 'bc'])).not.toBe(of(['ab', 'c']))
  })
  test('cannot be made equal by lengths that stand in keys or values', () => {
    const of = (...data: [string, string][]) =>
      dataHash(new Map(data.map(([key, value]) => [key, Buffer.from(value, 'latin1')])))
    const lengths = ['', '\0\0\0\0', '\0\0\0\x01']
    const imitations = lengths.flatMap((first) =>
      lengths.flatMap((second) => [
        of(['a', `x${first}b${second}y`]),
        of([`a${first}xb`, second]),
        of([`a${first}xb`, 'y']),
      ]),
    )
    expect(imitations).not.toContain(of(['a', 'x'], ['b', 'y']))
  })
  test('notices one changed octet of many', () => {
    const value = new Uint8Array(randomBytes(4000))
    const changed = Uint8Array.from(value)
    changed[3999] = (changed[3999] ?? 0) ^ 1
    expect(dataHash(new Map([['k', value]]))).not.toBe(dataHash(new Map([['k', changed]])))
  })
})
