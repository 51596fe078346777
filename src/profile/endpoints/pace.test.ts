import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { untilNextLook } from './pace.ts'

describe('the next look', () => {
  it.each([
    [300_000, undefined, 300_000],
    [300_000, 0, 5000],
    [300_000, 20_000, 5000],
    [300_000, 90_000, 22_500],
    [300_000, 3_600_000, 300_000],
    [2000, 0, 2000],
  ])('every %i ms, %s ms after a new certificate, is in %i ms', (interval, waiting, ms) =>
    expect(untilNextLook(interval, waiting)).toBe(ms),
  )
  it('is never later than the interval, and sooner the fresher the certificate is', () => {
    fc.assert(
      fc.property(fc.nat(1e7), fc.nat(1e7), fc.nat(1e7), (interval, one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)]
        expect(untilNextLook(interval, early)).toBeLessThanOrEqual(untilNextLook(interval, late))
        expect(untilNextLook(interval, late)).toBeLessThanOrEqual(interval)
      }),
    )
  })
})
