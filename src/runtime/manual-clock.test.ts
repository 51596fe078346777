import { describe, expect, it } from 'vitest'
import { ManualClock } from './manual-clock.ts'

describe('ManualClock', () => {
  it('fires timers in the order of their due times, at their due times', async () => {
    const clock = new ManualClock(1000)
    const seen: [string, number, number][] = []
    const note = (name: string) => () => void seen.push([name, clock.monotonic(), clock.now()])
    clock.setTimer(20, note('late'))
    clock.setTimer(10, note('early'))
    clock.setTimer(10, note('early too'))
    await clock.advance(9)
    expect(seen).toEqual([])
    await clock.advance(100)
    expect(seen).toEqual([
      ['early', 10, 1010],
      ['early too', 10, 1010],
      ['late', 20, 1020],
    ])
    expect(clock.monotonic()).toBe(109)
  })

  it('a loop of sleeps makes as many rounds as time allows in one advance', async () => {
    const clock = new ManualClock()
    let rounds = 0
    const loop = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(10)
        rounds += 1
      }
    }
    void loop()
    await clock.advance(55)
    expect(rounds).toBe(5)
  })

  it('a jump of the wall clock fires nothing and leaves monotonic time alone', () => {
    const clock = new ManualClock(0)
    let fired = false
    clock.setTimer(10, () => (fired = true))
    clock.setNow(1e12)
    clock.advanceSync(9)
    expect([fired, clock.monotonic(), clock.now(), clock.untilNextTimer()]).toEqual([false, 9, 1e12 + 9, 1])
    clock.advanceSync(1)
    expect([fired, clock.timers, clock.untilNextTimer()]).toEqual([true, 0, undefined])
  })

  it('a sleep ends with its signal and leaves no timer behind', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const sleep = clock.sleep(1e12, controller.signal)
    controller.abort(new Error('over'))
    await expect(sleep).rejects.toThrow('over')
    expect(clock.timers).toBe(0)
  })
})
