import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { modifiedUtf8, readJks, readModifiedUtf8, writeJks } from './jks.ts'
import { KeystoreError } from './keystore.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const base = { password: 'changeit', random } as const

let leaf: Identity
let roots: Identity[]
let chain: Uint8Array[]
beforeAll(async () => {
  const root = await makeRoot('root')
  const intermediate = await makeIntermediate('intermediate', root)
  leaf = await makeLeaf('orders', intermediate)
  chain = [leaf.certificate, intermediate.certificate]
  roots = [root, await makeRoot('root')]
})

const reasonOf = (work: () => unknown): string => {
  try {
    work()
    return 'nothing thrown'
  } catch (error) {
    return error instanceof KeystoreError ? error.reason : `not a KeystoreError: ${String(error)}`
  }
}

const trusted = () => roots.map(({ certificate }, index) => ({ alias: `ca-${index}`, certificate }))
const key = (alias = 'tls') => ({ alias, pkcs8: leaf.key.pkcs8, chain })
const plain = (entries: readonly Uint8Array[]) => entries.map((bytes) => Buffer.from(bytes))

describe('JKS stores', () => {
  test('give back what was put in, for any alias and password, aliases in lower case', () => {
    const aliases = fc.string({ minLength: 1, maxLength: 128, unit: fc.constantFrom('a', 'Z', '9', '-', '~', '|') })
    const passwords = fc.string({ minLength: 6, maxLength: 60, unit: 'grapheme-ascii' })
    fc.assert(
      fc.property(aliases, passwords, (alias, password) => {
        const store = writeJks({ ...base, password, key: key(alias), trusted: trusted() })
        const read = readJks(store, password)
        expect(read.keys.map((entry) => entry.alias)).toEqual([alias.toLowerCase()])
        expect(Buffer.compare(read.keys[0]?.pkcs8 ?? new Uint8Array(), leaf.key.pkcs8)).toBe(0)
        expect(plain(read.keys[0]?.chain ?? [])).toEqual(plain(chain))
        expect(plain(read.trusted.map(({ certificate }) => certificate))).toEqual(
          plain(roots.map(({ certificate }) => certificate)),
        )
      }),
      { numRuns: 50 },
    )
  })

  test('of trusted certificates are the same bytes each time', () => {
    const input = { ...base, trusted: trusted() }
    expect(Buffer.compare(writeJks(input), writeJks(input))).toBe(0)
  })

  test('date an entry by its certificate, not by the clock', () => {
    const store = Buffer.from(writeJks({ ...base, key: key() }))
    const afterAlias = 12 + 4 + 2 + 'tls'.length
    expect(Number(store.readBigInt64BE(afterAlias))).toBe(parseCertificate(leaf.certificate).notBefore)
  })

  test('end in the check value that OpenJDK computes', () => {
    const store = Buffer.from(writeJks({ ...base, trusted: trusted() }))
    const password = Buffer.from('\0c\0h\0a\0n\0g\0e\0i\0t', 'latin1')
    const digest = createHash('sha1')
      .update(password)
      .update('Mighty Aphrodite')
      .update(store.subarray(0, -20))
      .digest()
    expect(store.subarray(-20)).toEqual(digest)
  })
})

describe('the JKS reader', () => {
  test('says that a password is wrong', () => {
    const store = writeJks({ ...base, key: key() })
    expect(reasonOf(() => readJks(store, 'changeIt'))).toBe('WrongPassword')
  })

  test('says that the password of a key is another one than that of the store', () => {
    const other = writeJks({ ...base, password: 'other-password', key: key() })
    const body = other.subarray(0, -20)
    const password = Buffer.from('changeit', 'utf16le').swap16()
    const digest = createHash('sha1').update(password).update('Mighty Aphrodite').update(body).digest()
    const mixed = Buffer.concat([body, digest])
    expect(() => readJks(mixed, 'changeit')).toThrow(/a key of the JKS store is under another password/)
  })

  test('finds any change of any octet, and throws nothing but KeystoreError', () => {
    const store = writeJks({ ...base, key: key(), trusted: trusted() })
    fc.assert(
      fc.property(fc.nat(store.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(store)
        changed[at] = (changed[at] ?? 0) ^ flip
        expect(reasonOf(() => readJks(changed, 'changeit'))).toMatch(/^(WrongPassword|Malformed)$/)
      }),
    )
  })

  test('bears any body behind a right check value', () => {
    const password = Buffer.from('changeit', 'utf16le').swap16()
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 120 }), (rest) => {
        const body = Buffer.concat([Buffer.from('feedfeed00000002', 'hex'), rest])
        const digest = createHash('sha1').update(password).update('Mighty Aphrodite').update(body).digest()
        const found = reasonOf(() => readJks(Buffer.concat([body, digest]), 'changeit'))
        expect(found).toMatch(/^(nothing thrown|Malformed|WrongPassword)$/)
      }),
    )
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['JCEKS', Buffer.concat([Buffer.from('cececece00000002', 'hex'), Buffer.alloc(40)])],
    ['version 1', Buffer.concat([Buffer.from('feedfeed00000001', 'hex'), Buffer.alloc(40)])],
    ['far too much', Buffer.alloc(9 * 1024 * 1024)],
  ])('refuses %s', (_, bytes) => {
    expect(reasonOf(() => readJks(bytes, 'changeit'))).toBe('Malformed')
  })
})

describe('modified UTF-8', () => {
  test.each([
    ['tls', '746c73'],
    ['\u0000', 'c080'],
    ['é', 'c3a9'],
    ['€', 'e282ac'],
    ['😀', 'eda0bdedb880'],
  ])('writes %j as %s', (text, hex) => {
    expect(Buffer.from(modifiedUtf8(text)).toString('hex')).toBe(hex)
  })
  test('reads back every text, lone surrogates included', () => {
    const units = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes))
    fc.assert(fc.property(units, (text) => readModifiedUtf8(modifiedUtf8(text)) === text))
  })
  test.each(['80', 'c3', 'c341', 'e282', 'f09f9880'])('refuses %s', (hex) => {
    expect(reasonOf(() => readModifiedUtf8(Buffer.from(hex, 'hex')))).toBe('Malformed')
  })
})
