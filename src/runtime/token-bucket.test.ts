import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenBucket } from './token-bucket.ts'

describe('TokenBucket', () => {
  it('lends its burst at once and the rest at its rate', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 })
    expect(Array.from({ length: 6 }, () => bucket.reserve(0, Infinity))).toEqual([0, 0, 0, 100, 200, 300])
    expect(bucket.reserve(10_000, Infinity)).toBe(0)
  })

  it('never answers more than the longest wait, and a flood is over as soon as its last wait is', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 1 })
    const waits = Array.from({ length: 100_000 }, () => bucket.reserve(0, 1000))
    expect(Math.max(...waits)).toBe(1000)
    expect(bucket.reserve(1100, 1000)).toBeLessThanOrEqual(100)
  })

  it('grants no more than the burst and the rate allow in any window', () => {
    const steps = fc.array(fc.nat(300), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        (pauses, perSecond, burst) => {
          const bucket = new TokenBucket({ perSecond, burst })
          let now = 0
          const granted: number[] = []
          for (const pause of pauses) {
            now += pause
            granted.push(now + bucket.reserve(now, Infinity))
          }
          granted.sort((a, b) => a - b)
          return granted.every((from, i) =>
            granted.slice(i).every((to, j) => j + 1 <= burst + ((to - from) / 1000) * perSecond + 1e-6),
          )
        },
      ),
    )
  })

  it.each([
    [0, 1],
    [1, 0],
    [Number.NaN, 1],
  ])('refuses a rate of %d with a burst of %d', (perSecond, burst) => {
    expect(() => new TokenBucket({ perSecond, burst })).toThrow(RangeError)
  })
})
