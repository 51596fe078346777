import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { longestTimerMs, systemClock } from './clock.ts'

const days = 24 * 60 * 60 * 1000
const realTurn = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

describe('systemClock', () => {
  afterEach(() => vi.restoreAllMocks())

  it.each([30 * days, 400 * days, Infinity])('a real timer of %d ms does not fire at once', async (ms) => {
    const fired = vi.fn<() => void>()
    const timer = systemClock().setTimer(ms, fired)
    const controller = new AbortController()
    const slept = vi.fn<() => void>()
    const sleep = systemClock()
      .sleep(ms, controller.signal)
      .then(slept, () => undefined)
    await realTurn(30)
    expect(fired).not.toHaveBeenCalled()
    expect(slept).not.toHaveBeenCalled()
    timer.cancel()
    controller.abort()
    await sleep
    expect(slept).not.toHaveBeenCalled()
  })

  it('asks the platform for no piece longer than the longest one', () => {
    const spy = vi.spyOn(globalThis, 'setTimeout')
    systemClock()
      .setTimer(30 * days, () => undefined)
      .cancel()
    expect(spy.mock.calls.map((call) => call[1])).toEqual([longestTimerMs])
  })

  it('chains the pieces until the whole duration has passed', () => {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const pieces: { callback: () => void; ms: number }[] = []
    const idle = setTimeout(() => undefined, 1)
    vi.spyOn(globalThis, 'setTimeout').mockImplementation((callback: () => void, ms = 0) => {
      pieces.push({ callback, ms })
      return idle
    })
    const fired = vi.fn<() => void>()
    systemClock().setTimer(30 * days, fired)
    while (fired.mock.calls.length === 0) {
      const piece = pieces.at(-1)
      if (!piece || pieces.length > 100) break
      now += piece.ms
      piece.callback()
    }
    expect(fired).toHaveBeenCalledOnce()
    expect(now).toBe(30 * days)
    expect(pieces).toHaveLength(60)
  })

  it.each([0, -5, Number.NaN])('a timer of %d ms fires in the next turn', async (ms) => {
    const fired = vi.fn<() => void>()
    systemClock().setTimer(ms, fired)
    expect(fired).not.toHaveBeenCalled()
    await realTurn(20)
    expect(fired).toHaveBeenCalledOnce()
  })

  it('a cancelled timer never fires', async () => {
    const fired = vi.fn<() => void>()
    systemClock().setTimer(1, fired).cancel()
    await realTurn(20)
    expect(fired).not.toHaveBeenCalled()
  })

  it('a sleep rejects with the reason of its signal, before or while it sleeps', async () => {
    const clock = systemClock()
    const reason = new Error('enough')
    await expect(clock.sleep(1000, AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    const sleep = clock.sleep(1000, controller.signal)
    controller.abort(reason)
    await expect(sleep).rejects.toBe(reason)
  })

  it('monotonic time never runs backwards', () => {
    const clock = systemClock()
    const first = clock.monotonic()
    expect(clock.monotonic()).toBeGreaterThanOrEqual(first)
  })
})

describe('keepAlive', () => {
  const program = (keeps: boolean): string => `
    import { keepAlive, systemClock } from ${JSON.stringify(new URL('clock.ts', import.meta.url).href)}
    const alive = ${keeps ? 'keepAlive()' : '{ release() {} }'}
    await new Promise((resolve) => systemClock().setTimer(50, resolve))
    alive.release()
    console.log('waited')`
  const runs = (keeps: boolean): string =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', program(keeps)], { encoding: 'utf8' }).stdout

  it('lets a program wait for a timer that would not hold it, and end when it is released', () => {
    expect(runs(true)).toBe('waited\n')
    expect(runs(false)).toBe('')
  })
})
