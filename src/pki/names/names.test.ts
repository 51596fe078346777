import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { octetString, oid, sequence, setOf, tlv, utf8String } from '../encoding/der.ts'
import {
  commonNameOf,
  distinguishedName,
  emptyName,
  formatDistinguishedName,
  NameError,
  parseDistinguishedName,
} from './names.ts'
import { openssl, opensslVersion, pemFolder, generate } from '../testing.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('a name made of fields', () => {
  test('has its parts in the order of openssl, and leaves empty ones out', () => {
    const der = distinguishedName({
      commonName: 'Orders CA',
      organizations: ['Acme', 'Holding'],
      organizationalUnits: ['Data'],
      countries: ['DE'],
      stateOrProvinces: ['Bavaria'],
      localities: ['Munich'],
      emailAddress: '',
    })
    expect(formatDistinguishedName(der)).toBe('CN=Orders CA,OU=Data,O=Holding,O=Acme,L=Munich,ST=Bavaria,C=DE')
  })

  test('is the empty sequence without fields', () => expect(hex(distinguishedName({}))).toBe('3000'))

  test('writes PrintableString where it can, UTF8String where it must', () => {
    expect(hex(distinguishedName({ commonName: 'a' }))).toContain('130161')
    expect(hex(distinguishedName({ commonName: 'a_b' }))).toContain('0c03615f62')
    expect(hex(distinguishedName({ commonName: 'ü' }))).toContain('0c02c3bc')
    expect(hex(distinguishedName({ emailAddress: 'a@b.c' }))).toContain('1605')
  })

  test.each([
    ['a CN of 64 characters outside the basic plane', { commonName: '𝔘'.repeat(64) }],
    ['an O of 64', { organizations: ['x'.repeat(64)] }],
    ['an L of 128', { localities: ['x'.repeat(128)] }],
  ])('accepts %s', (_, fields) => expect(() => distinguishedName(fields)).not.toThrow())

  test.each([
    ['a CN of 65 characters', { commonName: 'x'.repeat(65) }, '65 characters; at most 64'],
    ['an O of 65', { organizations: ['x'.repeat(65)] }, 'at most 64'],
    ['an OU of 65', { organizationalUnits: ['x'.repeat(65)] }, 'at most 64'],
    ['an L of 129', { localities: ['x'.repeat(129)] }, 'at most 128'],
    ['an ST of 129', { stateOrProvinces: ['x'.repeat(129)] }, 'at most 128'],
    ['a country in words', { countries: ['Germany'] }, 'at most 2'],
    ['a country of digits', { countries: ['49'] }, 'not two letters'],
    ['an email that is not ASCII', { emailAddress: 'ü@example.com' }, 'ASCII'],
    ['a NUL', { commonName: 'orders\u0000.evil' }, 'control character'],
    ['a line break', { commonName: 'orders\nDNS:evil' }, 'control character'],
    ['a C1 control character', { commonName: 'orders\u0085' }, 'control character'],
    ['half of a surrogate pair', { commonName: 'orders\ud800' }, 'surrogate'],
  ])('refuses %s', (_, fields, message) => {
    expect(() => distinguishedName(fields)).toThrow(NameError)
    expect(() => distinguishedName(fields)).toThrow(message)
  })
})

describe('RFC 4514 text', () => {
  test.each([
    ['CN=Orders CA,O=Acme', 'CN=Orders CA,O=Acme'],
    ['cn=a, o=b , c = DE', 'CN=a,O=b,C=DE'],
    ['CN=a+OU=b,O=c', 'CN=a+OU=b,O=c'],
    ['2.5.4.3=a', 'CN=a'],
    ['CN=\\#a', 'CN=\\#a'],
    ['CN=\\ a\\ ', 'CN=\\ a\\ '],
    ['CN=\\ ', 'CN=\\ '],
    ['CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h', 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h'],
    ['CN=Lu\\C4\\8Di\\C4\\87', 'CN=Lučić'],
    ['CN=a=b', 'CN=a=b'],
    ['CN=#0c0161', 'CN=a'],
    ['1.3.6.1.4.1.99999.1=#0c0161', '1.3.6.1.4.1.99999.1=#0c0161'],
    ['1.3.6.1.4.1.99999.1=a', '1.3.6.1.4.1.99999.1=#130161'],
    ['UID=jsmith,DC=example,DC=net', 'UID=jsmith,DC=example,DC=net'],
    ['STREET=Main 1,SERIALNUMBER=7,emailAddress=a@b.c', 'STREET=Main 1,SERIALNUMBER=7,EMAILADDRESS=a@b.c'],
    ['', ''],
    ['   ', ''],
  ])('%j is read', (text, formatted) => expect(formatDistinguishedName(parseDistinguishedName(text))).toBe(formatted))

  test('begins with the last RDN of the DER', () => {
    expect(hex(parseDistinguishedName('CN=Orders CA,O=Acme'))).toBe(
      hex(distinguishedName({ commonName: 'Orders CA', organizations: ['Acme'] })),
    )
  })

  test('keeps the string type of a value in hex', () => {
    expect(hex(parseDistinguishedName('CN=#0c0161'))).toBe(
      hex(sequence(setOf(sequence(oid('2.5.4.3'), utf8String('a'))))),
    )
  })

  test.each([
    ['a word', 'orders', 'no "="'],
    ['a trailing comma', 'CN=a,', 'no "="'],
    ['an empty value', 'CN=,O=b', 'empty'],
    ['an unknown type', 'XX=a', 'unknown type "XX"'],
    ['a semicolon as separator', 'CN=a;O=b', 'must be escaped'],
    ['an unescaped quote', 'CN="a, b"', 'must be escaped'],
    ['a backslash at the end', 'CN=a\\', 'must be followed'],
    ['a broken escape', 'CN=a\\zz', 'must be followed'],
    ['escapes that are not UTF-8', 'CN=\\ff', 'not UTF-8'],
    ['an escaped NUL', 'CN=a\\00b', 'control character'],
    ['a line break', 'CN=a\nb', 'control character'],
    ['half a pair of hex digits', 'CN=#041', 'pairs of hex digits'],
    ['hex that is not DER', 'CN=#0405', 'not usable DER'],
    ['hex with a value behind it', 'CN=#0c0161x', 'pairs of hex digits'],
    ['hex that goes round the bound', `CN=#0c41${'61'.repeat(65)}`, 'at most 64'],
    ['hex that hides a NUL', 'CN=#0c03610062', 'control character'],
    ['hex of something else than text', 'CN=#020101', 'not a string'],
    ['the same type twice in one RDN', 'CN=a+CN=b', 'joins two values'],
    ['too many characters', `CN=${'a'.repeat(5000)}`, 'at most 4096'],
    ['too many parts', Array.from({ length: 65 }, () => 'DC=a').join(), 'more than 64 parts'],
    ['a CN of 65 characters', `CN=${'a'.repeat(65)}`, 'at most 64'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseDistinguishedName(text)).toThrow(NameError)
    expect(() => parseDistinguishedName(text)).toThrow(message)
  })

  const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 16 }).filter((text) => {
    const length = Array.from(text).length
    return length <= 64 && !/\p{Cc}/u.test(text) && text.isWellFormed()
  })
  const list = fc.array(value, { maxLength: 3 })

  test('gives back the DER it was made from, for any fields', () => {
    fc.assert(
      fc.property(
        fc.record({ commonName: value, organizations: list, organizationalUnits: list, localities: list }),
        (fields) => {
          const der = distinguishedName(fields)
          expect(hex(parseDistinguishedName(formatDistinguishedName(der)))).toBe(hex(der))
          expect(commonNameOf(der)).toBe(fields.commonName)
        },
      ),
    )
  })

  test('is read or refused with a NameError, whatever it is', () => {
    const noise = fc.array(
      fc.constantFrom('CN=', 'O=', ',', '+', '\\', '#', '0c01', '61', 'ü', ' ', '"', '=', '\u0000'),
    )
    fc.assert(
      fc.property(noise, (parts) => {
        try {
          const der = parseDistinguishedName(parts.join(''))
          expect(hex(parseDistinguishedName(formatDistinguishedName(der)))).toMatch(/^30/)
        } catch (error) {
          expect(error).toBeInstanceOf(NameError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a name as DER', () => {
  test('shows strings of unknown types in hex, and control characters escaped', () => {
    const attribute = (value: Uint8Array): Uint8Array => sequence(setOf(sequence(oid('2.5.4.3'), value)))
    expect(formatDistinguishedName(attribute(octetString(Uint8Array.of(1))))).toBe('CN=#040101')
    expect(formatDistinguishedName(attribute(utf8String('a\nb\u0000')))).toBe('CN=a\\0ab\\00')
    expect(formatDistinguishedName(attribute(tlv(0x1e, Buffer.from('00fc', 'hex'))))).toBe('CN=ü')
    expect(formatDistinguishedName(attribute(tlv(0x0c, Buffer.from('ff', 'hex'))))).toBe('CN=#0c01ff')
  })

  test('has the most specific CN as its common name, or none', () => {
    expect(commonNameOf(parseDistinguishedName('CN=leaf,CN=folder'))).toBe('leaf')
    expect(commonNameOf(emptyName)).toBeUndefined()
  })

  test.each(['', '3001', '3003020101', '300331013000', '04020500'])('is refused when it is %j', (encoded) =>
    expect(() => formatDistinguishedName(Buffer.from(encoded, 'hex'))).toThrow(NameError),
  )
})

test.skipIf(opensslVersion === undefined)('openssl makes the same DER from the same fields', async () => {
  using folder = pemFolder()
  const key = folder.write('key.pem', 'PRIVATE KEY', (await generate()).pkcs8)
  const subject = '/C=DE/ST=Bavaria/L=München/O=Acme, Inc./OU=Data/CN=orders+1/emailAddress=dba@example.com'
  const request = openssl([
    'req',
    '-new',
    '-utf8',
    '-key',
    key,
    '-subj',
    subject.replace('+', '\\+'),
    '-outform',
    'PEM',
  ])
  const text = openssl(['req', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8'], request)
  const ours = distinguishedName({
    countries: ['DE'],
    stateOrProvinces: ['Bavaria'],
    localities: ['München'],
    organizations: ['Acme, Inc.'],
    organizationalUnits: ['Data'],
    commonName: 'orders+1',
    emailAddress: 'dba@example.com',
  })
  expect(text.trim().replace('subject=', '').replace('emailAddress', 'EMAILADDRESS')).toBe(
    formatDistinguishedName(ours),
  )
})
