import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failureBackoff, fromTimestamp, renewalTime, spread, toTimestamp } from './schedule.ts'

const hour = 3_600_000
const day = 24 * hour
const start = Date.parse('2026-11-21T00:00:00Z')

describe('renewalTime', () => {
  const cases = [
    { name: 'a third of the life is left by default', rule: {}, life: 90 * day, window: 30 * day },
    { name: 'an explicit renewBefore is kept to', rule: { renewBefore: 10 * day }, life: 90 * day, window: 10 * day },
    {
      name: 'a percentage counts what is left',
      rule: { renewBeforePercentage: 20 },
      life: 100 * day,
      window: 20 * day,
    },
  ]
  it.each(cases)('$name, at most a tenth of the window earlier', ({ rule, life, window }) => {
    for (const uid of ['a', 'b', 'c', '6f9619ff-8b86-d011-b42d-00cf4fc964ff']) {
      const ahead = start + life - renewalTime(rule, start, start + life, uid)
      expect(ahead).toBeGreaterThanOrEqual(window)
      expect(ahead).toBeLessThanOrEqual(window * 1.1 + 1000)
    }
  })

  it('is the same for one uid every time and differs over uids', () => {
    const at = (uid: string): number => renewalTime({}, start, start + 90 * day, uid)
    expect(at('one')).toBe(at('one'))
    const times = Array.from({ length: 1000 }, (_, i) => at(`uid-${i}`))
    const days = new Set(times.map((time) => Math.floor(time / (3 * hour))))
    expect(days.size).toBeGreaterThan(20)
  })

  it('lies inside the life, past its first fifth, whatever is asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000, max: 4000 * day }),
        fc.option(fc.integer({ min: 1000, max: 5000 * day }), { nil: undefined }),
        fc.option(fc.integer({ min: 1, max: 99 }), { nil: undefined }),
        fc.uuid(),
        (life, renewBefore, renewBeforePercentage, uid) => {
          const at = renewalTime({ renewBefore, renewBeforePercentage }, start, start + life, uid)
          expect(at).toBeLessThan(start + life)
          expect(at).toBeGreaterThanOrEqual(start + life * 0.2 - 1000)
          expect(at % 1000).toBe(0)
        },
      ),
    )
  })
})

describe('spread', () => {
  it('spreads uids over the whole range', () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 10_000; i += 1) {
      const tenth = Math.floor(spread(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(count).toBeGreaterThan(700)
  })
})

describe('failureBackoff', () => {
  it('doubles from ten seconds to an hour', () => {
    expect([1, 2, 3, 9, 10, 1000].map(failureBackoff)).toEqual([10_000, 20_000, 40_000, 2_560_000, hour, hour])
  })
})

describe('timestamps', () => {
  it('are whole seconds and come back the same', () => {
    expect(toTimestamp(start + 999)).toBe('2026-11-21T00:00:00Z')
    expect(fromTimestamp(toTimestamp(start))).toBe(start)
  })
  it.each([undefined, '', 'soon'])('%s is no time', (text) => {
    expect(fromTimestamp(text)).toBeUndefined()
  })
})
