import { describe, expect, it } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import type { AddOptions, Priority, QueueMetrics, QueueOptions, UnfinishedWork } from './queue.ts'
import { WorkQueue } from './queue.ts'

const setUp = (options: Partial<QueueOptions> = {}): { clock: ManualClock; queue: WorkQueue } => {
  const clock = new ManualClock()
  return { clock, queue: new WorkQueue({ clock, random: () => 0, ...options }) }
}

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending')
  return (await Promise.race([promise, new Promise((resolve) => void setImmediate(resolve, pending))])) !== pending
}

const takeAll = async (queue: WorkQueue): Promise<string[]> => {
  const keys: string[] = []
  while (queue.depth > 0) {
    const key = await queue.get()
    if (key !== undefined) {
      keys.push(key)
      queue.done(key)
    }
  }
  return keys
}

describe('WorkQueue', () => {
  it('a key added many times is handed out once', async () => {
    const { queue } = setUp()
    for (let i = 0; i < 5; i += 1) queue.add('a')
    expect(await takeAll(queue)).toEqual(['a'])
  })

  it('a key added while it is processed runs again afterwards, and not before', async () => {
    const { queue } = setUp()
    queue.add('a')
    await queue.get()
    queue.add('a')
    queue.add('a')
    const second = queue.get()
    expect(await settled(second)).toBe(false)
    queue.done('a')
    expect(await second).toBe('a')
    queue.done('a')
    expect(await settled(queue.get())).toBe(false)
  })

  it('hands out a user change before normal work before a resync, each first in, first out', async () => {
    const { queue } = setUp()
    const adds: [string, Priority][] = [
      ['r1', 'resync'],
      ['n1', 'normal'],
      ['r2', 'resync'],
      ['u1', 'user'],
      ['n2', 'normal'],
      ['u2', 'user'],
    ]
    for (const [key, priority] of adds) queue.add(key, { priority })
    expect(await takeAll(queue)).toEqual(['u1', 'u2', 'n1', 'n2', 'r1', 'r2'])
  })

  it.each<[string, AddOptions, AddOptions, number]>([
    ['the earlier time of two', { afterMs: 100 }, { afterMs: 40 }, 40],
    ['the earlier time of two, also the first', { afterMs: 40 }, { afterMs: 100 }, 40],
    ['now, after a delayed one', { afterMs: 100 }, {}, 0],
    ['now, before a delayed one', {}, { afterMs: 100 }, 0],
    ['a negative delay as now', { afterMs: -1 }, { afterMs: 100 }, 0],
  ])('takes %s', async (_, first, second, expected) => {
    const { clock, queue } = setUp()
    queue.add('a', first)
    queue.add('a', second)
    if (expected > 0) {
      clock.advanceSync(expected - 1)
      expect(queue.depth).toBe(0)
      clock.advanceSync(1)
    }
    expect(queue.depth).toBe(1)
    expect(await takeAll(queue)).toEqual(['a'])
    clock.advanceSync(1000)
    expect(queue.depth).toBe(0)
  })

  it('a delayed key raised by a user change goes first when its time comes', async () => {
    const { clock, queue } = setUp()
    queue.add('x', { afterMs: 10 })
    queue.add('a', { afterMs: 20, priority: 'resync' })
    queue.add('a', { afterMs: 90, priority: 'user' })
    clock.advanceSync(20)
    expect(await takeAll(queue)).toEqual(['a', 'x'])
  })

  it('of keys that fall due together, an idle worker gets the one of highest priority', async () => {
    const { clock, queue } = setUp()
    queue.add('low', { afterMs: 10, priority: 'resync' })
    queue.add('high', { afterMs: 10, priority: 'user' })
    const first = queue.get()
    clock.advanceSync(10)
    expect(await first).toBe('high')
  })

  it('a retry backs off from 5 ms to 1,000 s, and starts small again when forgotten', async () => {
    const { clock, queue } = setUp()
    const delays: number[] = []
    for (let i = 0; i < 20; i += 1) {
      queue.addRateLimited('a')
      delays.push(clock.untilNextTimer() ?? -1)
      clock.advanceSync(1_000_000)
      await takeAll(queue)
    }
    expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40])
    expect(delays.slice(-2)).toEqual([1_000_000, 1_000_000])
    expect(queue.failures('a')).toBe(20)
    queue.forget('a')
    queue.addRateLimited('a')
    expect(clock.untilNextTimer()).toBe(5)
  })

  it('jitter only shortens a delay', () => {
    const { clock, queue } = setUp({ random: () => 0.5, retry: { initialMs: 100, jitter: 0.2 } })
    queue.addRateLimited('a')
    expect(clock.untilNextTimer()).toBe(90)
  })

  it('all retries together keep to their budget, while new work does not wait', async () => {
    const { clock, queue } = setUp({ retry: { initialMs: 1, maxMs: 60_000 }, retryBudget: { perSecond: 10, burst: 5 } })
    for (let i = 0; i < 50; i += 1) queue.addRateLimited(`k${i}`)
    queue.add('fresh')
    expect(await queue.get()).toBe('fresh')
    clock.advanceSync(1)
    expect(queue.depth).toBe(5)
    clock.advanceSync(1000)
    expect(queue.depth).toBe(15)
    clock.advanceSync(60_000)
    expect(queue.depth).toBe(50)
  })

  it('a retry keeps the priority its key is processed with', async () => {
    const { clock, queue } = setUp()
    queue.add('u', { priority: 'user' })
    await queue.get()
    queue.addRateLimited('u')
    queue.done('u')
    queue.add('n')
    clock.advanceSync(5)
    expect(await takeAll(queue)).toEqual(['u', 'n'])
  })

  it('a worker that stops waiting loses no key', async () => {
    const { queue } = setUp()
    const controller = new AbortController()
    const given = queue.get(controller.signal)
    controller.abort()
    expect(await given).toBeUndefined()
    queue.add('a')
    expect(await queue.get(controller.signal)).toBeUndefined()
    expect(await queue.get()).toBe('a')
  })

  it('done of a key that nobody processes changes nothing', () => {
    const { queue } = setUp()
    queue.add('a')
    queue.done('a')
    queue.done('b')
    expect([queue.depth, queue.processing]).toEqual([1, 0])
  })

  it('takes 100,000 keys, half of them delayed, and gives each back once', async () => {
    const { clock, queue } = setUp()
    const count = 100_000
    for (let i = 0; i < count; i += 1)
      queue.add(`k${i}`, { priority: 'resync', afterMs: i % 2 ? (i * 7919) % 10_007 : 0 })
    queue.add('k99998', { priority: 'user' })
    expect(await queue.get()).toBe('k99998')
    queue.done('k99998')
    clock.advanceSync(10_007)
    const rest = await takeAll(queue)
    expect(rest).toHaveLength(count - 1)
    expect(new Set(rest).size).toBe(count - 1)
  })

  describe('shut down', () => {
    it('without draining hands out nothing more, and waits for what is processed', async () => {
      const { clock, queue } = setUp()
      queue.add('a')
      queue.add('b')
      queue.add('later', { afterMs: 10 })
      await queue.get()
      const down = queue.shutDown({ drain: false })
      expect(await queue.get()).toBeUndefined()
      expect(await settled(down)).toBe(false)
      queue.add('c')
      queue.addRateLimited('a')
      queue.done('a')
      await down
      clock.advanceSync(1e9)
      expect([queue.depth, queue.waiting, clock.timers]).toEqual([0, 0, 0])
    })

    it('with draining still hands out what is ready or was added while processed, but nothing delayed', async () => {
      const { queue } = setUp()
      queue.add('a')
      queue.add('later', { afterMs: 10 })
      await queue.get()
      queue.add('a')
      queue.add('b')
      const down = queue.shutDown({ drain: true })
      expect(await queue.get()).toBe('b')
      queue.done('b')
      const again = queue.get()
      expect(await settled(again)).toBe(false)
      queue.done('a')
      expect(await again).toBe('a')
      expect(await settled(down)).toBe(false)
      queue.done('a')
      await down
      expect(await queue.get()).toBeUndefined()
    })

    it('frees every waiting worker', async () => {
      const { queue } = setUp()
      const workers = [queue.get(), queue.get()]
      await queue.shutDown({ drain: true })
      expect(await Promise.all(workers)).toEqual([undefined, undefined])
    })

    it('may be hardened from draining to not draining', async () => {
      const { queue } = setUp()
      queue.add('a')
      const soft = queue.shutDown({ drain: true })
      expect(await settled(soft)).toBe(false)
      await queue.shutDown({ drain: false })
      await soft
      expect(await queue.get()).toBeUndefined()
    })
  })

  it('tells its metrics what client-go counts', async () => {
    const log: unknown[] = []
    let sample: (() => UnfinishedWork) | undefined
    const metrics: QueueMetrics = {
      depth: (priority, keys) => log.push(['depth', priority, keys]),
      added: () => log.push('added'),
      taken: (waitedMs) => log.push(['taken', waitedMs]),
      done: (workedMs) => log.push(['done', workedMs]),
      retried: () => log.push('retried'),
      observe: (given) => (sample = given),
    }
    const { clock, queue } = setUp({ metrics })
    queue.add('a')
    queue.add('a', { priority: 'user' })
    clock.advanceSync(30)
    await queue.get()
    clock.advanceSync(70)
    queue.add('b')
    await queue.get()
    clock.advanceSync(10)
    expect(sample?.()).toEqual({ totalMs: 90, longestMs: 80 })
    queue.addRateLimited('a')
    queue.done('a')
    expect(log).toEqual([
      'added',
      ['depth', 'normal', 1],
      ['depth', 'normal', 0],
      ['depth', 'user', 1],
      ['depth', 'user', 0],
      ['taken', 30],
      'added',
      ['depth', 'normal', 1],
      ['depth', 'normal', 0],
      ['taken', 0],
      'retried',
      ['done', 80],
    ])
  })
})
