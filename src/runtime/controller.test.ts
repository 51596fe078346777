import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ControllerOptions, Reconcile, ReconcileContext } from './controller.ts'
import { Controller, longestRequeueMs } from './controller.ts'
import { NotReady, Retryable, Terminal } from './errors.ts'
import { createLogger } from './log.ts'
import { ManualClock } from './manual-clock.ts'
import { createMetrics } from './metrics.ts'

interface Entry {
  readonly level: string
  readonly msg: string
  readonly object?: string
  readonly reason?: string
}

const setUp = (reconcile: Reconcile, options: Partial<ControllerOptions> = {}) => {
  const clock = new ManualClock()
  const entries: Entry[] = []
  const metrics = createMetrics()
  const log = createLogger({ level: 'debug', destination: { write: (line) => entries.push(JSON.parse(line)) }, clock })
  const controller = new Controller({
    name: 'test',
    reconcile,
    workers: 1,
    clock,
    random: () => 0,
    log,
    metrics: metrics.controller('test'),
    ...options,
  })
  /** The value of one sample line, such as `workqueue_depth{name="test",priority="user"}`. */
  const metric = async (sample: string): Promise<number> => {
    const line = (await metrics.registry.metrics()).split('\n').find((candidate) => candidate.startsWith(`${sample} `))
    return Number(line?.slice(sample.length + 1))
  }
  return { clock, controller, entries, metric }
}

const total = (result: string): string => `controller_runtime_reconcile_total{controller="test",result="${result}"}`
const count = (name: string): string => `controller_runtime_${name}{controller="test"}`
const never = (): Promise<never> => new Promise(() => undefined)
const untilAborted = ({ signal }: ReconcileContext): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

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

  describe('a reconcile that overruns its time', () => {
    it('is aborted with a reason and tried again', async () => {
      const reasons: unknown[] = []
      const { clock, controller, entries, metric } = setUp(async (_, context) => {
        await untilAborted(context).catch((error: unknown) => {
          reasons.push(error)
          throw error
        })
      })
      controller.enqueue('a')
      controller.start()
      await clock.advance(119_999)
      expect(reasons).toEqual([])
      await clock.advance(1)
      expect(reasons).toMatchObject([{ name: 'Retryable', reason: 'ReconcileTimeout' }])
      expect(controller.load).toEqual({ ready: 0, delayed: 1, processing: 0 })
      expect(entries.map(({ level }) => level)).toEqual(['warn'])
      await clock.advance(5)
      expect(controller.load.processing).toBe(1)
      expect(await metric(count('reconcile_timeouts_total'))).toBe(1)
      expect(await metric(total('error'))).toBe(1)
    })

    it('is tried again even if it reports success or a terminal error after its abort', async () => {
      const { clock, controller } = setUp(
        async (key, context) => {
          await untilAborted(context).catch(() => undefined)
          if (key === 'b') throw new Terminal('Invalid', 'made up in a hurry')
        },
        { workers: 2 },
      )
      controller.enqueue('a')
      controller.enqueue('b')
      controller.start()
      await clock.advance(120_000)
      expect(controller.load).toEqual({ ready: 0, delayed: 2, processing: 0 })
    })

    it('keeps its key but not its worker when it ignores the abort, and gives the key back when it settles', async () => {
      const late = Promise.withResolvers<void>()
      const runs: string[] = []
      const { clock, controller, entries, metric } = setUp(async (key) => {
        runs.push(key)
        if (key === 'stuck' && runs.length === 1) await late.promise
      })
      controller.enqueue('stuck')
      controller.enqueue('other')
      controller.start()
      await clock.advance(120_000 + 9_999)
      expect(runs).toEqual(['stuck'])
      await clock.advance(1)
      expect(runs).toEqual(['stuck', 'other'])
      expect(await metric('dbtls_stuck_reconciles{controller="test"}')).toBe(1)
      expect(entries.filter(({ level }) => level === 'error')).toMatchObject([{ object: 'stuck' }])

      controller.enqueue('stuck', { priority: 'user' })
      await clock.advance(1_000_000)
      expect(runs).toEqual(['stuck', 'other'])
      late.resolve()
      await clock.advance(0)
      expect(runs).toEqual(['stuck', 'other', 'stuck'])
      expect(await metric('dbtls_stuck_reconciles{controller="test"}')).toBe(0)
      await controller.stop()
    })
  })

  describe('stop', () => {
    it('waits for what is under way and takes up nothing more', async () => {
      const work = Promise.withResolvers<void>()
      const runs: string[] = []
      const { clock, controller } = setUp(async (key) => {
        runs.push(key)
        await work.promise
      })
      controller.enqueue('a')
      controller.enqueue('b')
      controller.start()
      await clock.advance(0)
      let stopped = false
      const stop = controller.stop().then(() => (stopped = true))
      controller.enqueue('c')
      await clock.advance(5000)
      expect(stopped).toBe(false)
      work.resolve()
      await stop
      expect(runs).toEqual(['a'])
      expect(clock.timers).toBe(0)
    })

    it('aborts what takes too long, quietly', async () => {
      const { clock, controller, entries } = setUp((_, context) => untilAborted(context))
      controller.enqueue('a')
      controller.start()
      await clock.advance(0)
      const stop = controller.stop()
      await clock.advance(10_000)
      await stop
      expect(entries).toEqual([])
    })

    it('gives up after ten seconds on what ignores the abort, and says on what', async () => {
      const { clock, controller, entries } = setUp(never)
      controller.enqueue('ns/a')
      controller.start()
      await clock.advance(0)
      const stop = controller.stop()
      await clock.advance(10_000)
      await stop
      expect(entries).toMatchObject([{ level: 'warn', objects: ['ns/a'] }])
    })

    it('follows the signal it was started with, also one that has already aborted', async () => {
      const abort = new AbortController()
      const runs: string[] = []
      const reconcile: Reconcile = async (key) => void runs.push(key)
      const { clock, controller } = setUp(reconcile)
      controller.start(abort.signal)
      abort.abort()
      controller.enqueue('a')
      const other = setUp(reconcile)
      other.controller.enqueue('b')
      other.controller.start(AbortSignal.abort())
      await clock.advance(1000)
      await Promise.all([controller.stop(), other.controller.stop()])
      expect(runs.filter((key) => key === 'a')).toEqual([])
    })

    it('is immediate before start, which then does nothing', async () => {
      const { clock, controller } = setUp(() => Promise.reject(new Error('ran')))
      controller.enqueue('a')
      await controller.stop()
      controller.start()
      await clock.advance(1000)
      expect(controller.load.ready).toBe(0)
    })
  })

  it('refuses to exist without workers', () => {
    expect(() => setUp(never, { workers: 0 })).toThrow(RangeError)
  })

  it('whatever reconciles do, no key runs twice at a time and every key that is enqueued runs afterwards', async () => {
    const ending = fc.constantFrom('success', 'requeue', 'terminal', 'notReady', 'throw', 'hang', 'slow')
    const act = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), ending, pauseMs: fc.nat(300) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        async (acts, workers) => {
          const wanted = new Map<string, string>()
          const running = new Set<string>()
          const lastStart = new Map<string, number>()
          const violations: string[] = []
          const { clock, controller } = setUp(
            async (key, context) => {
              if (running.has(key)) violations.push(key)
              running.add(key)
              lastStart.set(key, clock.monotonic())
              const how = wanted.get(key)
              wanted.set(key, 'success')
              try {
                if (how === 'slow') await clock.sleep(150)
                if (how === 'hang') await untilAborted(context)
                if (how === 'throw') throw new Error('x')
                if (how === 'terminal') throw new Terminal('X', 'x')
                if (how === 'notReady') throw new NotReady('X', 'x', 50)
                return how === 'requeue' ? { requeueAfterMs: 20 } : undefined
              } finally {
                running.delete(key)
              }
            },
            { workers, timeoutMs: 400 },
          )
          controller.start()
          const enqueued = new Map<string, number>()
          for (const { key, ending: how, pauseMs } of acts) {
            wanted.set(key, how)
            enqueued.set(key, clock.monotonic())
            controller.enqueue(key)
            await clock.advance(pauseMs)
          }
          await clock.advance(60_000)
          expect(violations).toEqual([])
          for (const [key, at] of enqueued) expect(lastStart.get(key)).toBeGreaterThanOrEqual(at)
          expect(controller.load).toEqual({ ready: 0, delayed: 0, processing: 0 })
          await controller.stop()
        },
      ),
      { numRuns: 60 },
    )
  })
})
