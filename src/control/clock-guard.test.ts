import { describe, expect, it } from 'vitest'
import { ManualClock } from '../runtime/manual-clock.ts'
import { ClockGuard, ClockSkew, probeIntervalMs, toleratedSkewMs } from './clock-guard.ts'

const guarded = () => {
  const clock = new ManualClock(Date.UTC(2026, 10, 21))
  const guard = new ClockGuard(clock)
  /** `ahead`: of this process's clock before the server's, ms. */
  const judge = (ahead: number): void => guard.judge(new Date(clock.now() - ahead).toISOString())
  return { clock, guard, judge }
}

describe('the guard of the clock', () => {
  it.each([0, toleratedSkewMs, -toleratedSkewMs])('lets %i ms pass', (ahead) => {
    const { guard, judge } = guarded()
    judge(ahead)
    expect(guard.hold()).toBeUndefined()
  })

  it.each([
    { ahead: toleratedSkewMs + 1, says: 'ahead of' },
    { ahead: -toleratedSkewMs - 1, says: 'behind' },
    { ahead: 10 * 365 * 86_400_000, says: 'ahead of' },
  ])('refuses $ahead ms', ({ ahead, says }) => {
    const { guard, judge } = guarded()
    expect(() => judge(ahead)).toThrow(ClockSkew)
    expect(() => judge(ahead)).toThrow(says)
    expect(guard.hold()).toBe(probeIntervalMs)
  })

  it('lets one try after each interval while the others wait', async () => {
    const { clock, guard, judge } = guarded()
    expect(() => judge(-3_600_000)).toThrow(ClockSkew)
    await clock.advance(probeIntervalMs)
    expect([guard.hold(), guard.hold(), guard.hold()]).toEqual([undefined, 2 * probeIntervalMs, 2 * probeIntervalMs])
  })

  it('tells those who try nothing how long to wait, and leaves the turn to others', async () => {
    const { clock, guard, judge } = guarded()
    expect(guard.heldFor).toBeUndefined()
    expect(() => judge(3_600_000)).toThrow(ClockSkew)
    await clock.advance(probeIntervalMs)
    expect(guard.heldFor).toBe(probeIntervalMs)
    expect(guard.hold()).toBeUndefined()
    judge(0)
    expect(guard.heldFor).toBeUndefined()
  })

  it('tries ever more rarely, though every ten minutes at least', async () => {
    const { clock, guard, judge } = guarded()
    const waits: (number | undefined)[] = []
    for (let probe = 0; probe < 7; probe += 1) {
      expect(() => judge(-3_600_000)).toThrow(ClockSkew)
      waits.push(guard.hold())
      await clock.advance(waits.at(-1) ?? 0)
      expect(guard.hold()).toBeUndefined()
    }
    expect(waits.map((ms) => (ms ?? 0) / 60_000)).toEqual([1, 2, 4, 8, 10, 10, 10])
  })

  it('measures the interval on a clock that does not jump', () => {
    const { clock, guard, judge } = guarded()
    expect(() => judge(3_600_000)).toThrow(ClockSkew)
    clock.setNow(clock.now() + 86_400_000)
    expect(guard.hold()).toBe(probeIntervalMs)
  })

  it('is open again as soon as the clocks agree', () => {
    const { guard, judge } = guarded()
    expect(() => judge(3_600_000)).toThrow(ClockSkew)
    judge(0)
    expect(guard.hold()).toBeUndefined()
  })

  it.each([undefined, '', 'junk'])('judges nothing by %j', (text) => {
    const { guard } = guarded()
    guard.judge(text)
    expect(guard.hold()).toBeUndefined()
  })
})
