import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renewalTime } from '../control/schedule.ts'
import { isOpen } from '../control/windows.ts'
import { renewalOf } from './renewal.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const start = Date.parse('2026-11-01T00:00:00Z')
const uid = '6f9619ff'

/** Due 30 days before its end, but for the jitter. */
const life = { notBefore: start, notAfter: start + 90 * day }
const renewal = { renewBefore: 30 * day }
const due = renewalTime(renewal, life.notBefore, life.notAfter, uid)

const window = (cron: string, duration = '2h') => ({ cron, duration, timeZone: 'UTC' })
const of = (now: number, ...windows: ReturnType<typeof window>[]) => renewalOf({ renewal, windows }, life, uid, now)
const saturday = window('0 2 * * 6')
const firstOpening = isOpen([saturday], due).opensAt ?? 0
const week = 7 * day

describe('renewalOf', () => {
  it('is the time of renewal where there are no windows', () => {
    expect(renewalOf({ renewal }, life, uid, start)).toEqual({ due, at: due, outside: false })
    expect(of(start)).toEqual({ due, at: due, outside: false })
  })

  it('is not moved where a window is open at that time', () => {
    expect(of(start, window('* * * * *', '1h'))).toEqual({ due, at: due, outside: false })
  })

  it('waits for the next window, in the first half of it', () => {
    const { at, outside } = of(start, saturday)
    expect(outside).toBe(false)
    expect(at).toBeGreaterThanOrEqual(firstOpening)
    expect(at).toBeLessThanOrEqual(firstOpening + hour)
  })

  it('says the same before it is due and while it waits', () => {
    const at = (now: number) => of(now, saturday).at
    expect([at(due - 1), at(due), at(due + 1), at(firstOpening)]).toEqual(Array(4).fill(at(start)))
  })

  it('is not asked for any more once it may begin, as long as the window is open', () => {
    const { at } = of(start, saturday)
    expect(of(firstOpening + 2 * hour - 1, saturday).at).toBe(at)
  })

  it('takes the next window when one has passed unused', () => {
    const { at, outside } = of(firstOpening + 2 * hour, saturday)
    expect(outside).toBe(false)
    expect(at).toBeGreaterThanOrEqual(firstOpening + week)
    expect(at).toBeLessThanOrEqual(firstOpening + week + hour)
    expect(of(firstOpening + week + 90 * minute, saturday).at).toBeLessThanOrEqual(firstOpening + week + 90 * minute)
  })

  it.each([
    ['none opens before the end', [window('0 2 1 7 *')]],
    ['none opens ever', [window('0 0 31 2 *')]],
    ['none can be read', [{ ...window('0 2 * * 6'), timeZone: 'Europe/Atlantis' }]],
    ['the next one opens within the last hour', [window(`30 23 ${new Date(life.notAfter - hour).getUTCDate()} 1 *`)]],
  ])('is when it is due where %s', (_, windows) => {
    expect(of(start, ...windows)).toEqual({ due, at: due, outside: true })
    expect(of(due + day, ...windows)).toEqual({ due, at: due, outside: true })
  })

  it('is at once where the last window before the end has passed unused', () => {
    const last = firstOpening + Math.floor((life.notAfter - hour - firstOpening) / week) * week
    const now = last + 2 * hour
    const { at, outside } = of(now, saturday)
    expect(outside).toBe(true)
    expect(at).toBeLessThanOrEqual(now)
  })

  it('spreads what waits for one window', () => {
    const times = Array.from(
      { length: 100 },
      (_, n) => renewalOf({ renewal, windows: [saturday] }, life, `u${n}`, start).at,
    )
    expect(new Set(times).size).toBeGreaterThan(60)
  })

  it('is never before it is due, never so late that its users have no time, and in a window unless it says so', () => {
    const cron = fc
      .tuple(
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 0, max: 23 }),
        fc.constantFrom('*', '1', '15', '29'),
        fc.constantFrom('*', '2', '*/3'),
      )
      .map(([m, h, d, mon]) => `${m} ${h} ${d} ${mon} *`)
    const windows = fc.array(
      fc.record({
        cron,
        duration: fc.constantFrom('1m', '1h', '30h'),
        timeZone: fc.constantFrom('UTC', 'Europe/Berlin'),
      }),
      { minLength: 1, maxLength: 2 },
    )
    const times = fc.tuple(fc.integer({ min: 10, max: 400 * 24 }), fc.double({ min: 0, max: 1, noNaN: true }))
    fc.assert(
      fc.property(windows, times, fc.string(), (some, [hours, share], id) => {
        const lifetime = { notBefore: start, notAfter: start + hours * hour }
        const now = start + Math.floor(share * hours * hour)
        const found = renewalOf({ renewal: {}, windows: some }, lifetime, id, now)
        expect(found.at).toBeGreaterThanOrEqual(found.due)
        expect(found.at).toBeLessThan(lifetime.notAfter)
        if (!found.outside) {
          expect(isOpen(some, found.at).open).toBe(true)
          // It is never left waiting for a window that is open.
          if (now >= found.at) expect(isOpen(some, now).open).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})
