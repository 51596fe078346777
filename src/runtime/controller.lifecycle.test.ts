import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reconcile } from './controller.ts'
import { count, never, setUp, total, untilAborted } from './controller.fixture.ts'
import { NotReady, Terminal } from './errors.ts'

describe('Controller', () => {
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
