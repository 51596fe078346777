import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backoff, exponentialDelay } from './backoff.ts'
import { ManualClock } from './manual-clock.ts'

const delays = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next())

describe('Backoff', () => {
  it('doubles from 0.8 s to 30 s and stays there', () => {
    const backoff = new Backoff({ clock: new ManualClock(), random: () => 0 })
    expect(delays(backoff, 8)).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  })

  it('starts small again after two quiet minutes, not before', () => {
    const clock = new ManualClock()
    const backoff = new Backoff({ clock, random: () => 0 })
    delays(backoff, 3)
    clock.advanceSync(3200 + 119_999)
    expect(backoff.next()).toBe(6400)
    clock.advanceSync(6400 + 120_000)
    expect(backoff.next()).toBe(800)
  })

  it('starts small again when told to', () => {
    const backoff = new Backoff({ clock: new ManualClock(), random: () => 0 })
    delays(backoff, 5)
    backoff.reset()
    expect(backoff.next()).toBe(800)
  })

  it('waits at least as long as a server asks, and such a wait is not quiet time', () => {
    const clock = new ManualClock()
    const backoff = new Backoff({ clock, random: () => 0 })
    expect(backoff.next(300_000)).toBe(300_000)
    clock.advanceSync(300_000)
    expect(backoff.next()).toBe(1600)
  })

  it('wait sleeps for the delay and ends with its signal', async () => {
    const clock = new ManualClock()
    const backoff = new Backoff({ clock, random: () => 0 })
    let woke = false
    const wait = backoff.wait().then(() => (woke = true))
    await clock.advance(799)
    expect(woke).toBe(false)
    await clock.advance(1)
    await wait
    expect(woke).toBe(true)
    await expect(backoff.wait(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
  })

  it('a delay is never above the maximum and never below its jittered floor', () => {
    const shape = fc.record({
      initialMs: fc.integer({ min: 1, max: 1000 }),
      maxMs: fc.integer({ min: 1000, max: 1_000_000 }),
      factor: fc.constantFrom(1.5, 2, 3),
      jitter: fc.constantFrom(0, 0.1, 0.5, 1),
    })
    fc.assert(
      fc.property(shape, fc.nat(5000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (s, n, r) => {
        const delay = exponentialDelay(s, n, () => r)
        const whole = Math.min(s.maxMs, s.initialMs * s.factor ** n)
        return delay <= whole && delay >= whole * (1 - s.jitter)
      }),
    )
  })
})
