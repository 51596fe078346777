import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import { integer, sequence, tlv } from '../pki/encoding/der.ts'
import { KeystoreError } from './keystore.ts'
import { readPkcs12 } from './pkcs12-reader.ts'
import type { Pkcs12Input } from './pkcs12.ts'
import { writePkcs12 } from './pkcs12.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const base = { password: 'changeit', profile: 'Modern2023', iterations: 2, random } as const

/** DER of a given size in all, in place of a certificate: the writer does not look into trusted ones. */
const derOf = (contents: number): Uint8Array => tlv(0x30, new Uint8Array(contents).fill(5))

let leaf: Identity
let chains: Uint8Array[][]
beforeAll(async () => {
  const root = await makeRoot('root')
  const top = await makeIntermediate('top', root)
  const middle = await makeIntermediate('middle', top)
  const bottom = await makeIntermediate('bottom', middle)
  leaf = await makeLeaf('orders', bottom)
  const all = [leaf, bottom, middle, top].map(({ certificate }) => certificate)
  chains = all.map((_, last) => all.slice(0, last + 1))
})

const reasonOf = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error instanceof KeystoreError ? error.reason : `not a KeystoreError: ${String(error)}`
}

const printable = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) })
const aliases = printable.filter((text) => text.length >= 1 && text.length <= 128)
const passwords = fc.string({ minLength: 6, maxLength: 60, unit: 'grapheme-ascii' })
const profiles = fc.constantFrom('Modern2023', 'LegacyDES')

describe('PKCS#12 stores', () => {
  test('give back what was put in, for any alias, password, profile and length of chain', async () => {
    await fc.assert(
      fc.asyncProperty(aliases, passwords, profiles, fc.nat(3), async (alias, password, profile, last) => {
        const chain = chains[last] as Uint8Array[]
        const key = { alias, pkcs8: leaf.key.pkcs8, chain }
        const store = await writePkcs12({ ...base, key, password, profile })
        const read = await readPkcs12(store, password)
        expect(read.trusted).toEqual([])
        expect(read.keys.map((entry) => entry.alias)).toEqual([alias])
        expect(Buffer.compare(read.keys[0]?.pkcs8 ?? new Uint8Array(), leaf.key.pkcs8)).toBe(0)
        expect(read.keys[0]?.chain.map((der) => Buffer.from(der))).toEqual(chain.map((der) => Buffer.from(der)))
      }),
      { numRuns: 40 },
    )
  })

  test.each([0, 1, 126, 127, 128, 129, 254, 255, 256, 65_534, 65_535, 65_536, 70_000])(
    'hold a trusted certificate of %d octets and its header',
    async (size) => {
      const certificate = derOf(size)
      const store = await writePkcs12({ ...base, trusted: [{ alias: 'ca', certificate }] })
      const { trusted } = await readPkcs12(store, 'changeit')
      expect(trusted.map((entry) => Buffer.compare(entry.certificate, certificate))).toEqual([0])
    },
  )

  test('write trusted aliases in lower case and the key alias as it is', async () => {
    const key = { alias: 'MySQLClient', pkcs8: leaf.key.pkcs8, chain: chains[0] as Uint8Array[] }
    const store = await writePkcs12({ ...base, key, trusted: [{ alias: 'MySQLCACert', certificate: derOf(9) }] })
    const read = await readPkcs12(store, 'changeit')
    expect(read.keys.map(({ alias }) => alias)).toEqual(['MySQLClient'])
    expect(read.trusted.map(({ alias }) => alias)).toEqual(['mysqlcacert'])
  })

  test('name the pseudo-random function with NULL parameters, for readers that know no default', async () => {
    const store = Buffer.from(await writePkcs12({ ...base, trusted: [{ alias: 'ca', certificate: derOf(9) }] }))
    expect(store.includes(Buffer.from('300c06082a864886f70d02090500', 'hex'))).toBe(true)
  })

  test('differ between two writings of the same input: salts are fresh', async () => {
    const input = { ...base, trusted: [{ alias: 'ca', certificate: derOf(9) }] }
    const [first, second] = [await writePkcs12(input), await writePkcs12(input)]
    expect(Buffer.compare(first, second)).not.toBe(0)
  })

  test('are a function of their input once the salts are fixed', async () => {
    const counting = () => {
      let next = 0
      return (size: number): Uint8Array => Uint8Array.from({ length: size }, () => next++ & 0xff)
    }
    const key = { alias: 'tls', pkcs8: leaf.key.pkcs8, chain: chains[1] as Uint8Array[] }
    const first = await writePkcs12({ ...base, key, random: counting() })
    expect(Buffer.compare(first, await writePkcs12({ ...base, key, random: counting() }))).toBe(0)
  })
})

describe('the PKCS#12 writer refuses', () => {
  const certificate = derOf(9)
  const key = () => ({ alias: 'tls', pkcs8: leaf.key.pkcs8, chain: [leaf.certificate] })
  test.each<[string, () => Partial<Pkcs12Input>, RegExp]>([
    ['a store of nothing', () => ({}), /at least one trusted/],
    ['a key without certificate', () => ({ key: { ...key(), chain: [] } }), /needs its certificate/],
    ['a key that is not PKCS#8', () => ({ key: { ...key(), pkcs8: sequence(integer(1), derOf(3)) } }), /PKCS#8/],
    ['a key that is no DER', () => ({ key: { ...key(), pkcs8: Uint8Array.of(1, 2, 3) } }), /PKCS#8/],
    ['a short password', () => ({ key: key(), password: 'short' }), /at least 6/],
    ['a password outside of ASCII', () => ({ key: key(), password: 'pässwort' }), /printable ASCII/],
    ['an alias outside of ASCII', () => ({ key: { ...key(), alias: 'schlüssel' } }), /printable ASCII/],
    [
      'two aliases that differ only in case',
      () => ({
        trusted: [
          { alias: 'Ca', certificate },
          { alias: 'cA', certificate },
        ],
      }),
      /two entries/,
    ],
    ['one alias for key and CA', () => ({ key: key(), trusted: [{ alias: 'TLS', certificate }] }), /two entries/],
  ])('%s', async (_, change, message) => {
    const work = writePkcs12({ ...base, ...change() })
    await expect(work).rejects.toThrow(message)
    expect(await reasonOf(work)).toBe('Unwritable')
  })
})

describe('the PKCS#12 reader', () => {
  const storeOf = (input: Partial<Pkcs12Input> = {}) =>
    writePkcs12({ ...base, trusted: [{ alias: 'ca', certificate: derOf(40) }], ...input })

  test.each(['Modern2023', 'LegacyDES'] as const)('says that a password is wrong (%s)', async (profile) => {
    expect(await reasonOf(readPkcs12(await storeOf({ profile }), 'changeIt'))).toBe('WrongPassword')
  })

  test('does no more work than a store may ask for', async () => {
    const cheap = Buffer.from(await storeOf({ iterations: 0x010203 }))
    const count = Buffer.from([0x02, 0x03, 0x01, 0x02, 0x03])
    const at = cheap.lastIndexOf(count)
    expect(at).toBeGreaterThan(0)
    cheap.fill(0x7f, at + 2, at + 5)
    expect(await reasonOf(readPkcs12(cheap, 'changeit'))).toBe('Malformed')
  })

  test('refuses what is far too large before it reads it', async () => {
    expect(await reasonOf(readPkcs12(new Uint8Array(9 * 1024 * 1024), 'changeit'))).toBe('Malformed')
  })

  test('finds any change of any octet, and throws nothing but KeystoreError', async () => {
    const key = { alias: 'tls', pkcs8: leaf.key.pkcs8, chain: [leaf.certificate] }
    const store = await storeOf({ key })
    await fc.assert(
      fc.asyncProperty(fc.nat(store.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Uint8Array.from(store)
        changed[at] = (changed[at] ?? 0) ^ flip
        const read = await readPkcs12(changed, 'changeit').catch((error: unknown) => error)
        if (read instanceof KeystoreError) return
        // The hash algorithm's parameters are read by nobody; everything else is.
        expect(read).toEqual(await readPkcs12(store, 'changeit'))
      }),
      { numRuns: 300 },
    )
  })

  test('refuses every shorter part of a store, and garbage', async () => {
    const store = await storeOf()
    for (let size = 0; size < store.length; size += 7)
      expect(await reasonOf(readPkcs12(store.subarray(0, size), 'changeit'))).toBe('Malformed')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await reasonOf(readPkcs12(bytes, 'changeit'))).toBe('Malformed')
      }),
    )
  })
})
