import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/log.ts'
import { Controller } from '../../runtime/controller.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { reloadWorkers, Slowness, TooLong } from './slowness.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const { signal } = new AbortController()

/** As work that a signal ends and nothing else. */
const endless = (off: AbortSignal): Promise<never> =>
  new Promise((_, reject) => off.addEventListener('abort', () => reject(off.reason as Error), { once: true }))

describe('servers that do not answer', () => {
  it('keep nobody else waiting, however many they are', async () => {
    const clock = new ManualClock()
    const slowness = new Slowness(clock)
    const [seen, held] = [new Set<string>(), new Set<() => void>()]
    let most = 0
    const controller = new Controller({
      ...{ name: 'x', workers: reloadWorkers, clock, random: () => 0, log: silentLogger() },
      reconcile: async (key) => {
        const done = await slowness.within(key, signal, async () => {
          seen.add(key)
          if (!key.startsWith('tarpit')) return true
          await new Promise<void>((resolve) => {
            held.add(resolve)
            most = Math.max(most, held.size)
          })
          slowness.note(key)
          return true
        })
        return { requeueAfterMs: done === undefined ? slowness.againMs : 5000 }
      },
    })
    const release = async (): Promise<void> => {
      for (const resolve of held) resolve()
      held.clear()
      for (let turn = 0; turn < 20; turn += 1) await settled()
    }
    controller.start()
    for (let index = 0; index < 200; index += 1) controller.enqueue(`tarpit-${index}`)
    // Each is met once before it is known.
    for (let round = 0; seen.size < 200 && round < 100; round += 1) await release()
    await release()
    expect(seen.size).toBe(200)
    await clock.advance(10_000)
    for (let turn = 0; turn < 50; turn += 1) await settled()
    most = held.size
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(reloadWorkers / 2)
    controller.enqueue('alive')
    for (let turn = 0; turn < 20; turn += 1) await settled()
    expect(seen).toContain('alive')
    await release()
    await Promise.all([controller.stop(), release()])
  })
  it('are seen to like all others again once they do', async () => {
    const clock = new ManualClock()
    const slowness = new Slowness(clock)
    slowness.note('a')
    const full = Array.from({ length: reloadWorkers }, (_, index) => `b-${index}`)
    for (const key of full) slowness.note(key)
    const end = Promise.withResolvers<void>()
    const running = full.map((key) => slowness.within(key, signal, () => end.promise.then(() => 1)))
    expect(await slowness.within('a', signal, () => Promise.resolve(1))).toBeUndefined()
    end.resolve()
    expect((await Promise.all(running)).filter((one) => one === 1).length).toBeLessThan(reloadWorkers / 2)
    expect(await slowness.within('a', signal, () => Promise.resolve(1))).toBe(1)
    for (const key of full) slowness.note(key)
    const again = Promise.withResolvers<void>()
    const others = full.map((key) => slowness.within(key, signal, () => again.promise))
    expect(await slowness.within('a', signal, () => Promise.resolve(1)), 'it was quick the last time').toBe(1)
    again.resolve()
    await Promise.all(others)
  })
  it('keep nobody else waiting while they are not known for it either, though none ever ends', async () => {
    const clock = new ManualClock()
    const slowness = new Slowness(clock)
    const [began, ended] = [new Set<string>(), new Set<string>()]
    const end = new AbortController()
    const controller = new Controller({
      ...{ name: 'x', workers: reloadWorkers, clock, random: () => 0, log: silentLogger() },
      reconcile: async (key) => {
        const done = await slowness.within(key, end.signal, async (off) => {
          began.add(key)
          if (key.startsWith('tarpit'))
            await endless(off).catch((error: unknown) => {
              if (!end.signal.aborted) throw error
            })
          ended.add(key)
          return true
        })
        return { requeueAfterMs: done === undefined ? slowness.againMs : 600_000 }
      },
    })
    controller.start()
    for (let index = 0; index < reloadWorkers; index += 1) controller.enqueue(`tarpit-${index}`)
    controller.enqueue('alive')
    for (let turn = 0; turn < 20; turn += 1) await settled()
    expect([began.size, ended.size], 'all places are taken').toEqual([reloadWorkers, 0])
    await clock.advance(5000)
    for (let turn = 0; turn < 20; turn += 1) await settled()
    expect([...ended]).toEqual(['alive'])
    end.abort()
    await controller.stop()
  })
  it('have an end, which says so', async () => {
    const clock = new ManualClock()
    const slowness = new Slowness(clock)
    const ended = slowness.within('a', signal, endless).catch((error: unknown) => error)
    await clock.advance(60_000)
    expect(await ended).toBeInstanceOf(TooLong)
  })
  it('are forgotten with their profile, and no other', async () => {
    const clock = new ManualClock()
    const slowness = new Slowness(clock)
    const isOpen = async (key: string): Promise<boolean> =>
      (await slowness.within(key, signal, () => Promise.resolve(1))) === 1
    for (const key of ['data/a db-0:1', 'data/ab db-0:1']) slowness.note(key)
    const off = new AbortController()
    const full = Array.from({ length: reloadWorkers }, (_, index) => `b-${index}`)
    for (const key of full) slowness.note(key)
    const running = full.map((key) => slowness.within(key, off.signal, endless).catch(() => undefined))
    slowness.forget('data/a')
    expect([await isOpen('data/a db-0:1'), await isOpen('data/ab db-0:1')]).toEqual([true, false])
    off.abort()
    await Promise.all(running)
  })
})
