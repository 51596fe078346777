import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toTimestamp } from '../control/schedule.ts'
import { life, scaleOf } from './life.ts'
import type { Ending } from './view.ts'

const instant = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000)
const row = fc
  .record({ a: instant, b: instant, c: fc.option(instant, { nil: undefined }) })
  .map(({ a, b, c }): Ending => ({
    ...{ namespace: 'data', name: 'x', isReady: true, message: '' },
    notBefore: toTimestamp(Math.min(a, b)),
    notAfter: toTimestamp(Math.max(a, b)),
    renewAt: c === undefined ? undefined : toTimestamp(c),
  }))

describe('the bar of a life', () => {
  it('stays within its scale, whatever the times are', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), instant, (rows, now) => {
        const scale = scaleOf(rows, now)
        expect(scale.from).toBeLessThan(now)
        expect(scale.to).toBeGreaterThan(now)
        for (const one of rows)
          for (const [, x, width] of life(one, scale, now).text.matchAll(/x="(\d+)"\s+y="\d+"\s+width="(\d+)"/g))
            expect(Number(x) + Number(width)).toBeLessThanOrEqual(1000)
      }),
    )
  })

  it('shows what has passed and what is left', () => {
    const day = 86_400_000
    const one: Ending = {
      ...{ namespace: 'data', name: 'x', isReady: true, message: '' },
      notBefore: toTimestamp(0),
      ...{ notAfter: toTimestamp(100 * day), renewAt: toTimestamp(75 * day) },
    }
    const bars = [
      ...life(one, { from: 0, to: 200 * day }, 50 * day).text.matchAll(
        /class="(\w+)"\s+x="(\d+)"\s+y="\d+"\s+width="(\d+)"/g,
      ),
    ]
    expect(bars.map(([, name, x, width]) => `${name} ${x} ${width}`)).toEqual([
      'past 0 250',
      'left 250 250',
      'renewal 375 4',
      'now 250 4',
    ])
  })
})
