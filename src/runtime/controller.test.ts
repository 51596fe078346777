import { describe, expect, it } from 'vitest'
import type { Reconcile } from './controller.ts'
import { longestRequeueMs } from './controller.ts'
import { count, never, setUp, total } from './controller.fixture.ts'
import { NotReady, Retryable, Terminal } from './errors.ts'

describe('Controller', () => {
  it.each<[string, Reconcile, number | undefined, string]>([
    ['a success waits for the next event', async () => undefined, undefined, 'success'],
    ['a result without requeue waits too', async () => ({}), undefined, 'success'],
    ['a requeue comes back when asked', async () => ({ requeueAfterMs: 5000 }), 5000, 'requeue_after'],
    ['a requeue is capped at 12 h', async () => ({ requeueAfterMs: 1e12 }), longestRequeueMs, 'requeue_after'],
    ['an endless requeue is capped too', async () => ({ requeueAfterMs: Infinity }), longestRequeueMs, 'requeue_after'],
    ['a requeue in the past backs off', async () => ({ requeueAfterMs: -3 }), 5, 'requeue'],
    ['a requeue that is no number backs off', async () => ({ requeueAfterMs: Number.NaN }), 5, 'requeue'],
    [
      'not ready looks again when it says',
      () => Promise.reject(new NotReady('Waiting', 'w', 7000)),
      7000,
      'requeue_after',
    ],
    [
      'not ready looks again after 10 min',
      () => Promise.reject(new NotReady('Waiting', 'w')),
      600_000,
      'requeue_after',
    ],
    ['a retryable error backs off', () => Promise.reject(new Retryable('Busy', 'busy')), 5, 'error'],
    ['an unknown error backs off', () => Promise.reject(new TypeError('oops')), 5, 'error'],
    ['a thrown string backs off', () => Promise.reject('oops'), 5, 'error'],
    ['a terminal error is not tried again', () => Promise.reject(new Terminal('Invalid', 'no')), undefined, 'error'],
  ])('%s', async (_, reconcile, expectedMs, result) => {
    const { clock, controller, metric } = setUp(reconcile)
    controller.enqueue('ns/a')
    controller.start()
    await clock.advance(0)
    expect(controller.load).toEqual({ ready: 0, delayed: expectedMs === undefined ? 0 : 1, processing: 0 })
    expect(clock.untilNextTimer()).toBe(expectedMs)
    expect(await metric(total(result))).toBe(1)
    expect(await metric(count('reconcile_errors_total'))).toBe(result === 'error' ? 1 : 0)
    expect(await metric(count('reconcile_time_seconds_count'))).toBe(1)
    await controller.stop()
  })

  it('a synchronous throw is a failed reconcile like any other', async () => {
    const { clock, controller, entries, metric } = setUp(() => {
      throw new RangeError('thrown before any promise')
    })
    controller.enqueue('ns/a')
    controller.start()
    await clock.advance(0)
    expect(await metric(total('error'))).toBe(1)
    expect(entries).toMatchObject([{ level: 'error', object: 'ns/a', error: { message: 'thrown before any promise' } }])
    await controller.stop()
  })

  it('a failure that repeats backs off further each time, and a success makes the next one small again', async () => {
    const at: number[] = []
    const fails = [true, true, true, false, true]
    const { clock, controller } = setUp(async () => {
      at.push(clock.monotonic())
      if (fails[at.length - 1]) throw new Retryable('Busy', 'busy')
    })
    controller.enqueue('a')
    controller.start()
    await clock.advance(1000)
    controller.enqueue('a')
    await clock.advance(6)
    expect(at).toEqual([0, 5, 15, 35, 1000, 1005])
    await controller.stop()
  })

  it('a delay that a server asked for is kept, also when it is on the cause', async () => {
    const cause = Object.assign(new Error('429'), { retryAfterMs: 30_000 })
    const { clock, controller } = setUp(() => Promise.reject(new Retryable('TooManyRequests', 'later', { cause })))
    controller.enqueue('a')
    controller.start()
    await clock.advance(0)
    expect(clock.untilNextTimer()).toBe(30_000)
    await controller.stop()
  })

  it('a terminal error is told to whoever listens, and a listener that throws frees the key all the same', async () => {
    const told: string[] = []
    const { clock, controller, metric } = setUp(() => Promise.reject(new Terminal('Invalid', 'no')), {
      onTerminal: (key, error) => {
        told.push(`${key} ${error.reason}`)
        throw new Error('listener')
      },
    })
    controller.start()
    for (let round = 0; round < 2; round += 1) {
      controller.enqueue('a')
      await clock.advance(0)
    }
    expect(told).toEqual(['a Invalid', 'a Invalid'])
    expect(await metric(count('terminal_reconcile_errors_total'))).toBe(2)
    await controller.stop()
  })

  it('gives each reconcile a logger that names the controller, the object and the reconcile', async () => {
    const ids: string[] = []
    const { clock, controller, entries } = setUp(async (_, { log, reconcileId }) => {
      ids.push(reconcileId)
      log.info('hello')
    })
    controller.start()
    controller.enqueue('ns/a')
    controller.enqueue('ns/b')
    await clock.advance(0)
    expect(new Set(ids).size).toBe(2)
    expect(entries).toMatchObject([
      { controller: 'test', object: 'ns/a', reconcileID: ids[0], msg: 'hello' },
      { controller: 'test', object: 'ns/b', reconcileID: ids[1], msg: 'hello' },
    ])
    await controller.stop()
  })

  it('works on as many keys at a time as it has workers', async () => {
    const { clock, controller, metric } = setUp(never, { workers: 3 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(key)
    controller.start()
    await clock.advance(50)
    expect(controller.load).toEqual({ ready: 2, delayed: 0, processing: 3 })
    expect(await metric(count('active_workers'))).toBe(3)
    expect(await metric(count('max_concurrent_reconciles'))).toBe(3)
    expect(await metric('workqueue_depth{name="test",priority="normal"}')).toBe(2)
    expect(await metric('workqueue_unfinished_work_seconds{name="test"}')).toBeCloseTo(0.15)
    expect(await metric('workqueue_longest_running_processor_seconds{name="test"}')).toBeCloseTo(0.05)
  })

  it('lets timers run between reconciles that find nothing to do', async () => {
    let turns = 0
    const turnsSeen = new Set<number>()
    const { clock, controller } = setUp(async () => {
      clock.advanceSync(1)
      turnsSeen.add(turns)
    })
    for (let i = 0; i < 100; i += 1) controller.enqueue(`k${i}`)
    let counting = true
    const countTurns = (): void => {
      turns += 1
      if (counting) setImmediate(countTurns)
    }
    setImmediate(countTurns)
    controller.start()
    while (controller.load.ready > 0) await new Promise((resolve) => void setImmediate(resolve))
    counting = false
    expect(turnsSeen.size).toBeGreaterThanOrEqual(10)
    await controller.stop()
  })

  it('refuses to exist without workers', () => {
    expect(() => setUp(never, { workers: 0 })).toThrow(RangeError)
  })
})
