import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { largestListNumber, listNumberFields, listNumberOf } from './crl-number.ts'

describe('the number of a revocation list in a status', () => {
  it('comes back whole through JSON, up to 20 octets', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: largestListNumber }), (number) => {
        const fields = JSON.parse(JSON.stringify(listNumberFields(number))) as { number: number; largeNumber?: string }
        expect(Number.isSafeInteger(fields.number)).toBe(true)
        expect(listNumberOf(fields)).toBe(number)
      }),
    )
  })

  it.each([
    { name: 'none', crl: undefined, number: undefined },
    { name: 'one that JSON keeps', crl: { number: 7 }, number: 7n },
    { name: '2^53 - 1', crl: listNumberFields(2n ** 53n - 1n), number: 2n ** 53n - 1n },
    { name: '2^53', crl: listNumberFields(2n ** 53n), number: 2n ** 53n },
    { name: 'a smaller one beside it', crl: { number: 9, largeNumber: '8' }, number: 9n },
    { name: 'text that is no number', crl: { number: 9, largeNumber: '0x10' }, number: 9n },
    { name: 'more digits than there can be', crl: { number: 9, largeNumber: '1'.repeat(60) }, number: 9n },
  ])('reads $name', ({ crl, number }) => {
    expect(listNumberOf(crl)).toBe(number)
  })
})
