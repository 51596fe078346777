import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serialNumberOf } from './issued.ts'

describe('serialNumberOf', () => {
  it.each([
    ['4F0C', '4F0C'],
    ['4f:0c', '4F0C'],
    [' 0x4f0c ', '4F0C'],
    ['4F 0C', '4F0C'],
    ['F0C', '0F0C'],
    ['0000F0C', '0F0C'],
    ['00:8f', '8F'],
    ['0', '00'],
    ['0000', '00'],
  ])('%j → %s', (text, serial) => expect(serialNumberOf(text)).toBe(serial))

  it.each(['', ' ', '0x', 'G', '-1', '1.5', '1/2', '__proto__', 'A'.repeat(65), ' '.repeat(200)])(
    '%j is none',
    (text) => expect(serialNumberOf(text)).toBeUndefined(),
  )

  it('finds the number that a serial number was written from, and never throws', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 159n) - 1n }), (value) => {
        expect(BigInt(`0x${serialNumberOf(value.toString(16))}`)).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(serialNumberOf(text) ?? '00').toMatch(/^(?:[0-9A-F]{2})+$/)
      }),
    )
  })
})
