import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contextConstructed, contextPrimitive, DerError, octetString, sequence } from '../encoding/der.ts'
import {
  encodeGeneralNames,
  ipToBytes,
  normaliseDnsName,
  normaliseEmail,
  normaliseGeneralName,
  normaliseIpAddress,
  normaliseUri,
  readGeneralNames,
  uniqueNames,
} from './general-names.ts'
import { bytesToAddress } from './ip-address.ts'
import { NameError } from './names.ts'
import type { GeneralName } from '../plan.ts'

const refuses = (normalise: (text: string) => string, text: string, message: string): void => {
  expect(() => normalise(text)).toThrow(NameError)
  expect(() => normalise(text)).toThrow(message)
}

describe('a DNS name', () => {
  test.each([
    ['Orders.Data.SVC', 'orders.data.svc'],
    ['orders.data.svc.', 'orders.data.svc'],
    ['localhost', 'localhost'],
    ['*.orders.data.svc', '*.orders.data.svc'],
    ['_mongodb._tcp.orders.svc', '_mongodb._tcp.orders.svc'],
    ['orders_1.svc', 'orders_1.svc'],
    ['0-1.svc', '0-1.svc'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example.', 'xn--bcher-kva.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    // Cyrillic а: looks like apple, and must not become it.
    ['аpple.example', 'xn--pple-43d.example'],
    [`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`, undefined],
  ])('%j is brought into normal form', (text, expected) => expect(normaliseDnsName(text)).toBe(expected ?? text))

  test.each([
    ['', 'empty'],
    [' orders', 'space'],
    ['orders\u0000.evil', 'control character'],
    ['orders\nDNS:evil', 'control character'],
    ['orders,IP:192.0.2.7', 'comma'],
    ['orders/evil', '"/"'],
    ['orders:3306', '":"'],
    ['192.0.2.7', 'ipAddresses'],
    ['a..b', 'empty label'],
    ['.a', 'empty label'],
    ['a..', 'empty label'],
    ['*', '"*"'],
    ['*.', 'empty label'],
    ['db*.example', '"*"'],
    ['a.*.example', '"*"'],
    ['*.*.example', '"*"'],
    ['-a.example', '"-"'],
    ['a-.example', '"-"'],
    [`${'a'.repeat(64)}.example`, '64 characters; at most 63'],
    [`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`, '254 characters; at most 253'],
    ['a\u200d.example', 'internationalised'],
    ['１９２.0.2.7', 'ipAddresses'],
    ['a\ud800.example', 'Unicode'],
    ['a'.repeat(100_000), 'longer'],
  ])('%j is refused', (text, message) => refuses(normaliseDnsName, text, message))

  test('is not changed when it is normal already', () => {
    fc.assert(
      fc.property(fc.domain(), (domain) => {
        const once = normaliseDnsName(domain)
        expect(normaliseDnsName(once)).toBe(once)
      }),
    )
  })

  test('is normalised or refused with a NameError, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        try {
          expect(normaliseDnsName(text)).toMatch(/^(\*\.)?[a-z0-9_.-]+$/)
        } catch (error) {
          expect(error).toBeInstanceOf(NameError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('an IP address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', 'c0000207'],
    ['::1', '::1', `${'00'.repeat(15)}01`],
    ['::', '::', '00'.repeat(16)],
    ['2001:DB8:0:0:0:0:0:7', '2001:db8::7', '20010db8000000000000000000000007'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', '20010000000000010000000000000001'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', '00010002000300040005000600070000'],
    ['::ffff:192.0.2.7', '::ffff:192.0.2.7', '00000000000000000000ffffc0000207'],
    ['::FFFF:C000:0207', '::ffff:192.0.2.7', '00000000000000000000ffffc0000207'],
    ['64:ff9b::192.0.2.7', '64:ff9b::c000:207', '0064ff9b0000000000000000c0000207'],
  ])('%s is %s', (text, canonical, octets) => {
    expect(normaliseIpAddress(text)).toBe(canonical)
    expect(Buffer.from(ipToBytes(text)).toString('hex')).toBe(octets)
  })

  test.each([
    ['orders.data.svc', 'not an IP address'],
    ['192.0.2', 'not an IP address'],
    ['192.0.2.256', 'not an IP address'],
    ['192.0.02.7', 'not an IP address'],
    ['192.0.2.0/24', 'range'],
    ['fe80::1%eth0', 'zone'],
    ['1::2::3', 'not an IP address'],
    [':::', 'not an IP address'],
    [':1', 'not an IP address'],
    ['1:2:3:4:5:6:7', 'not an IP address'],
    ['1:2:3:4:5:6:7:8:9', 'not an IP address'],
    ['1:2:3:4::5:6:7:8', 'not an IP address'],
    ['::192.0.2.7:1', 'not an IP address'],
    ['[::1]', 'not an IP address'],
    ['12345::', 'not an IP address'],
    ['', 'empty'],
    ['::1\n', 'control character'],
  ])('%j is refused', (text, message) => refuses(normaliseIpAddress, text, message))

  test('keeps its octets through the canonical text', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    )
    const sparse = fc
      .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((all) => Uint8Array.from(all))
    fc.assert(
      fc.property(fc.oneof(octets, sparse), (bytes) => {
        expect([...ipToBytes(bytesToAddress(bytes))]).toEqual([...bytes])
      }),
    )
  })

  test('in IPv6 reads as the URL parser of the platform writes it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = normaliseIpAddress(text)
        fc.pre(!canonical.startsWith('::ffff:'))
        expect(`[${canonical}]`).toBe(new URL(`http://[${text}]/`).hostname)
      }),
    )
  })
})

describe('a URI', () => {
  test.each([
    ['SPIFFE://Cluster.Local/ns/Data', 'spiffe://cluster.local/ns/Data'],
    ['urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66', undefined],
    ['https://user@Example.com:8443/a%20b?c#d', 'https://user@example.com:8443/a%20b?c#d'],
    ['https://[2001:DB8::7]/', 'https://[2001:db8::7]/'],
  ])('%j is brought into normal form', (text, expected) => expect(normaliseUri(text)).toBe(expected ?? text))

  test.each([
    ['orders', 'no scheme'],
    ['//orders/a', 'no scheme'],
    ['file:///a', 'no host'],
    ['https://:8443/', 'no host'],
    ['https://a b/', 'space'],
    ['https://ü.example/', 'percent-encoded'],
    ['https://a/%zz', 'percent-encoded'],
    ['https://a/\u0000', 'control character'],
    [`https://a/${'b'.repeat(2048)}`, 'at most 2048'],
    ['https://a[b/', 'neither a name nor an address'],
  ])('%j is refused', (text, message) => refuses(normaliseUri, text, message))
})

describe('an email address', () => {
  test.each([
    ['DBA@Example.COM', 'DBA@example.com'],
    ['a.b+c@bücher.example', 'a.b+c@xn--bcher-kva.example'],
  ])('%j is brought into normal form', (text, expected) => expect(normaliseEmail(text)).toBe(expected))

  test.each([
    ['dba', 'name@domain'],
    ['@example.com', 'name@domain'],
    ['dba@', 'name@domain'],
    ['a@b@c', 'plain ASCII'],
    ['"a b"@example.com', 'space'],
    ['ü@example.com', 'plain ASCII'],
    ['.a@example.com', 'plain ASCII'],
    ['a@*.example.com', 'wildcard'],
    [`${'a'.repeat(65)}@example.com`, '64 characters'],
    ['a@b\n', 'control character'],
  ])('%j is refused', (text, message) => refuses(normaliseEmail, text, message))
})

describe('GeneralNames', () => {
  const names: GeneralName[] = [
    { type: 'DNS', value: 'orders.data.svc' },
    { type: 'IP', value: '::ffff:192.0.2.7' },
    { type: 'IP', value: '192.0.2.7' },
    { type: 'URI', value: 'spiffe://cluster.local/a' },
    { type: 'Email', value: 'dba@example.com' },
  ]

  test('are read back as they were written', () =>
    expect(readGeneralNames(encodeGeneralNames(names))).toEqual({ names, others: 0 }))

  test('are already normal once normalised', () => expect(names.map(normaliseGeneralName)).toEqual(names))

  test('lose repetitions, not order', () => expect(uniqueNames([...names, ...names.toReversed()])).toEqual(names))

  test('count what they have no words for instead of dropping it', () => {
    const der = sequence(contextConstructed(0, octetString(new Uint8Array(1))), contextPrimitive(2, Buffer.from('a')))
    expect(readGeneralNames(der)).toEqual({ names: [{ type: 'DNS', value: 'a' }], others: 1 })
  })

  test.each([
    ['a NUL in a DNS name', sequence(contextPrimitive(2, Buffer.from('a\u0000b')))],
    ['an address of five octets', sequence(contextPrimitive(7, new Uint8Array(5)))],
    ['something that is no GeneralName', sequence(octetString(new Uint8Array(1)))],
  ])('are refused with %s', (_, der) => expect(() => readGeneralNames(der)).toThrow(DerError))
})
