import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bitString,
  bmpString,
  boolean,
  children,
  contextConstructed,
  contextPrimitive,
  DerError,
  ia5String,
  integer,
  nullValue,
  octetString,
  oid,
  printableString,
  readBitString,
  readBoolean,
  readElement,
  readOid,
  readOnly,
  readSmallInteger,
  readTime,
  readUnsignedInteger,
  sequence,
  setOf,
  Tag,
  time,
  tlv,
  unsignedInteger,
  utf8String,
} from './der.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('the encoder', () => {
  test.each([
    ['NULL', nullValue, '0500'],
    ['TRUE', boolean(true), '0101ff'],
    ['FALSE', boolean(false), '010100'],
    ['zero', integer(0), '020100'],
    ['127', integer(127), '02017f'],
    ['128 with a sign octet', integer(128), '02020080'],
    ['65537', integer(65537), '0203010001'],
    ['2^53 - 1', integer(Number.MAX_SAFE_INTEGER), '02071fffffffffffff'],
    ['an integer with leading zeros', unsignedInteger(bytes('0000ff')), '020200ff'],
    ['no bytes at all as zero', unsignedInteger(new Uint8Array()), '020100'],
    ['an octet string', octetString(bytes('0102')), '04020102'],
    ['a bit string', bitString(bytes('a0'), 5), '030205a0'],
    ['rsadsi', oid('1.2.840.113549'), '06062a864886f70d'],
    ['an OID under 2 with a large second arc', oid('2.999.3'), '0603883703'],
    ['UTF-8', utf8String('ü'), '0c02c3bc'],
    ['UTF-16', bmpString('ü'), '1e0200fc'],
    ['printable', printableString('DE'), '13024445'],
    ['IA5', ia5String('a@b'), '1603614062'],
    ['a set in the order of its encodings', setOf(integer(2), integer(1)), '3106020101020102'],
    ['[0] constructed', contextConstructed(0, integer(2)), 'a003020102'],
    ['[2] primitive', contextPrimitive(2, bytes('61')), '820161'],
    ['127 bytes with a short length', octetString(new Uint8Array(127)).subarray(0, 2), '047f'],
    ['128 bytes with a long length', octetString(new Uint8Array(128)).subarray(0, 3), '048180'],
    ['65,536 bytes', octetString(new Uint8Array(65536)).subarray(0, 5), '0483010000'],
  ])('writes %s', (_, encoded, expected) => expect(hex(encoded)).toBe(expected))

  test.each([
    ['1949, before UTCTime', Date.UTC(1949, 11, 31, 23, 59, 59), Tag.generalizedTime, '19491231235959Z'],
    ['1950', Date.UTC(1950, 0, 1), Tag.utcTime, '500101000000Z'],
    ['2049, the last of UTCTime', Date.UTC(2049, 11, 31, 23, 59, 59), Tag.utcTime, '491231235959Z'],
    ['2050', Date.UTC(2050, 0, 1), Tag.generalizedTime, '20500101000000Z'],
    ['9999', Date.UTC(9999, 11, 31, 23, 59, 59), Tag.generalizedTime, '99991231235959Z'],
    ['a fraction of a second, dropped', Date.UTC(2026, 0, 1) + 999, Tag.utcTime, '260101000000Z'],
  ])('writes the time of %s', (_, instant, tag, text) => {
    const { tag: found, contents } = readOnly(time(instant))
    expect([found, Buffer.from(contents).toString()]).toEqual([tag, text])
  })

  test.each<[string, () => unknown]>([
    ['a negative number', () => integer(-1)],
    ['a fraction', () => integer(1.5)],
    ['an OID with an empty arc', () => oid('1..2')],
    ['an OID with one arc', () => oid('1')],
    ['an OID with a leading zero', () => oid('1.02')],
    ['an OID with a second arc of 40 under 1', () => oid('1.40')],
    ['an OID under 3', () => oid('3.1')],
    ['an OID with an arc beyond exact numbers', () => oid('1.2.99999999999999999999')],
    ['letters that IA5 does not have', () => ia5String('ü')],
    ['letters that PrintableString does not have', () => printableString('ü')],
    ['the year 10000', () => time(Date.UTC(10000, 0, 1))],
    ['not a time', () => time(Number.NaN)],
  ])('refuses %s', (_, encode) => expect(encode).toThrow(DerError))
})

describe('the reader', () => {
  test.each([
    ['nothing', ''],
    ['a tag without a length', '04'],
    ['a cut value', '040201'],
    ['a cut length', '0482 01'],
    ['indefinite length', '3080 0000'],
    ['a long length where the short one fits', '0481 01 00'],
    ['a length with a leading zero', `0482 0080 ${'00'.repeat(128)}`],
    ['a length of five bytes', '0485 0000000001 00'],
    ['a tag of several bytes', '1f81 01 00'],
    ['bytes that follow', '0500 00'],
  ])('refuses %s', (_, encoded) => expect(() => readOnly(bytes(encoded))).toThrow(DerError))

  test.each([
    ['an empty integer', '0200', readSmallInteger],
    ['a negative integer', '0201ff', readSmallInteger],
    ['an integer with needless zeros', '02020001', readSmallInteger],
    ['an integer of seven octets', '020701000000000000', readSmallInteger],
    ['a boolean that is not 00 or ff', '010101', readBoolean],
    ['a boolean of two octets', '01020000', readBoolean],
    ['a bit string with unused bits', '030201fe', readBitString],
    ['an empty bit string', '0300', readBitString],
    ['an OID that ends within an arc', '060288', readOid],
    ['an empty OID', '0600', readOid],
    ['an OID with a padded arc', '06032a8001', readOid],
    ['an OID with a huge arc', `060a2a${'ff'.repeat(8)}7f`, readOid],
    ['a UTCTime without seconds', `170b${hex(Buffer.from('2601010000Z'))}`, readTime],
    ['a UTCTime with an offset', `1711${hex(Buffer.from('260101000000+0100'))}`, readTime],
    ['a GeneralizedTime with a fraction', `1811${hex(Buffer.from('20260101000000.5Z'))}`, readTime],
    ['the 30th of February', `170d${hex(Buffer.from('260230000000Z'))}`, readTime],
    ['another tag', '0500', readTime],
  ])('refuses %s', (_, encoded, read) => expect(() => read(readElement(bytes(encoded)))).toThrow(DerError))

  test('never reads a member past the end of what it is in, whatever follows there', () => {
    expect(() => children(readElement(bytes('300204050102030405')))).toThrow(DerError)
    expect(() => children(readElement(bytes('300304820005')))).toThrow(DerError)
    expect(() => children(readElement(bytes('3001040102')))).toThrow(DerError)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (inside, behind) => {
        const read = (input: Uint8Array) => {
          try {
            return children(readElement(input)).map(({ encoded }) => hex(encoded))
          } catch (error) {
            expect(error).toBeInstanceOf(DerError)
            return 'refused'
          }
        }
        const alone = Buffer.concat([Uint8Array.of(0x30, inside.length), inside])
        expect(read(Buffer.concat([alone, behind]))).toEqual(read(alone))
      }),
    )
  })

  test('never reads past the input, whatever the input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          const element = readOnly(input)
          const members = children(element)
          expect(hex(Buffer.concat(members.map(({ encoded }) => encoded)))).toBe(hex(element.contents))
        } catch (error) {
          expect(error).toBeInstanceOf(DerError)
        }
      }),
    )
  })

  test('accepts only what the encoder would write', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 300 }), (input) => {
        try {
          const { tag, contents } = readOnly(input)
          expect(hex(tlv(tag, contents))).toBe(hex(input))
        } catch (error) {
          expect(error).toBeInstanceOf(DerError)
        }
      }),
    )
  })
})

describe('what is written is read back', () => {
  const arc = fc.integer({ min: 0, max: 2 ** 40 })
  const anyOid = fc
    .tuple(fc.constantFrom(0, 1, 2), fc.integer({ min: 0, max: 39 }), fc.array(arc, { maxLength: 8 }))
    .map(([first, second, rest]) => [first, second, ...rest].join('.'))

  test('OIDs', () =>
    fc.assert(
      fc.property(anyOid, (dotted) => {
        expect(readOid(readOnly(oid(dotted)))).toBe(dotted)
      }),
    ))
  test('integers', () =>
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        fc.pre(value < 2 ** 48)
        expect(readSmallInteger(readOnly(integer(value)))).toBe(value)
      }),
    ))
  test('big integers, without their leading zeros', () =>
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (value) => {
        const read = readUnsignedInteger(readOnly(unsignedInteger(value)))
        expect(BigInt(`0x${hex(read)}`)).toBe(BigInt(`0x${hex(value)}`))
      }),
    ))
  test('times, in whole seconds', () =>
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(0, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }), (seconds) => {
        expect(readTime(readOnly(time(seconds * 1000)))).toBe(seconds * 1000)
      }),
    ))
  test('sequences of any members', () =>
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (values) => {
        const read = children(readOnly(sequence(...values.map(octetString)), Tag.sequence))
        expect(read.map(({ contents }) => hex(contents))).toEqual(values.map(hex))
      }),
    ))
})
