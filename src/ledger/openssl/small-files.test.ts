import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatAttributes,
  formatConfiguration,
  formatNumberFile,
  parseAttributes,
  parseNumberFile,
} from './small-files.ts'

describe('a number file', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (next) => {
        const text = formatNumberFile(next)
        expect(text).toMatch(/^([0-9A-F]{2})+\n$/)
        expect(parseNumberFile('serial', text)).toBe(next)
        expect(parseNumberFile('serial', `${text.trim().toLowerCase()}\r\n`)).toBe(next)
      }),
    )
  })

  it.each(['', '\n', '0x10', '1 2', '-1', 'F'.repeat(43)])('%j is refused', (text) => {
    expect(() => parseNumberFile('crlnumber', text)).toThrow(/^crlnumber does not hold/)
  })
})

describe('index.txt.attr', () => {
  it.each([
    ['unique_subject = yes\n', true],
    ['unique_subject = no\r\n', false],
    ['unique_subject=1', true],
    [' unique_subject\t= FALSE # was yes', false],
    ['# unique_subject = yes\n', undefined],
    ['', undefined],
    ['unique_subject = perhaps', undefined],
  ])('%j', (text, uniqueSubject) => {
    expect(parseAttributes(text)).toEqual({ uniqueSubject })
  })

  it.each([true, false])('%s comes back as it was written', (uniqueSubject) => {
    expect(parseAttributes(formatAttributes(uniqueSubject))).toEqual({ uniqueSubject })
  })
})

describe('openssl.cnf', () => {
  it('has the policy of the authority, in the order of openssl', () => {
    const policy = { commonName: 'Supplied', countries: 'Match' } as const
    const text = formatConfiguration({ policy, days: 90, crlDays: 31 })
    expect(text).toMatch(/\[ policy \]\ncountryName += match\ncommonName += supplied\n\n/)
    expect(text).toMatch(/^default_days += 90$/m)
    expect(text).toMatch(/^default_crl_days += 31$/m)
  })
})
