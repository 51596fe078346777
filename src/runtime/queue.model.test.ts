import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { priorities, type Priority, WorkQueue } from './queue.ts'

interface Entry {
  rank: number
  order: number
  readyAt: number
}

/** The queue's promises, written down as slowly and plainly as possible: one entry a key, a linear search to take one. */
class Model {
  readonly entries = new Map<string, Entry>()
  readonly processing = new Map<string, number>()
  readonly failures = new Map<string, number>()
  /** Keys in the order in which they are handed out. */
  readonly taken: string[] = []
  workers = 0
  now = 0
  #order = 0

  add(key: string, rank: number, afterMs: number): void {
    const old = this.entries.get(key)
    const readyAt = this.now + afterMs
    this.entries.set(key, {
      rank: Math.min(rank, old?.rank ?? rank),
      order: old?.order ?? (this.#order += 1),
      readyAt: Math.min(readyAt, old?.readyAt ?? readyAt),
    })
    this.handOut()
  }

  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const due = [...this.entries.values()].map((entry) => entry.readyAt).filter((at) => at > this.now && at <= end)
      if (due.length === 0) break
      this.now = Math.min(...due)
      this.handOut()
    }
    this.now = end
  }

  handOut(): void {
    while (this.workers > 0) {
      const [next] = [...this.entries]
        .filter(([key, entry]) => entry.readyAt <= this.now && !this.processing.has(key))
        .toSorted(([, a], [, b]) => a.rank - b.rank || a.order - b.order)
      if (!next) return
      const [key, entry] = next
      this.entries.delete(key)
      this.processing.set(key, entry.rank)
      this.taken.push(key)
      this.workers -= 1
    }
  }
}

class Real {
  readonly clock = new ManualClock()
  readonly queue = new WorkQueue({
    clock: this.clock,
    random: () => 0,
    retry: { initialMs: 4, maxMs: 64 },
    retryBudget: { perSecond: 1_000_000, burst: 1_000_000 },
  })
  readonly held = new Set<string>()
  readonly taken: string[] = []
  readonly violations: string[] = []

  async work(): Promise<void> {
    const key = await this.queue.get()
    if (key === undefined) return
    if (this.held.has(key)) this.violations.push(key)
    this.held.add(key)
    this.taken.push(key)
  }
}

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

type Command = fc.AsyncCommand<Model, Real>

const command = (text: string, act: (model: Model, real: Real) => void | Promise<void>): Command => ({
  check: () => true,
  async run(model, real) {
    await act(model, real)
    await settle()
    expect(real.taken).toEqual(model.taken)
    expect(real.violations).toEqual([])
    expect(new Set(real.held)).toEqual(new Set(model.processing.keys()))
    expect(real.queue.processing).toBe(model.processing.size)
    for (const key of keys) expect(real.queue.has(key)).toBe(model.entries.has(key) || model.processing.has(key))
  },
  toString: () => text,
})

const keys = ['a', 'b', 'c', 'd', 'e', '__proto__']
const key = fc.constantFrom(...keys)
const priority = fc.constantFrom<Priority>(...priorities)

const add = fc.tuple(key, priority, fc.oneof(fc.constant(0), fc.nat(100))).map(([k, p, afterMs]) =>
  command(`add(${k}, ${p}, ${afterMs})`, (model, real) => {
    model.add(k, priorities.indexOf(p), afterMs)
    real.queue.add(k, { priority: p, afterMs })
  }),
)
const retry = key.map((k) =>
  command(`addRateLimited(${k})`, (model, real) => {
    const failures = model.failures.get(k) ?? 0
    model.failures.set(k, failures + 1)
    model.add(k, model.processing.get(k) ?? 1, Math.min(64, 4 * 2 ** failures))
    real.queue.addRateLimited(k)
  }),
)
const forget = key.map((k) =>
  command(`forget(${k})`, (model, real) => {
    model.failures.delete(k)
    real.queue.forget(k)
  }),
)
const get = fc.constant(
  command('get', (model, real) => {
    model.workers += 1
    model.handOut()
    void real.work()
  }),
)
const done = key.map((k) =>
  command(`done(${k})`, (model, real) => {
    model.processing.delete(k)
    real.held.delete(k)
    real.queue.done(k)
    model.handOut()
  }),
)
const advance = fc.nat(60).map((ms) =>
  command(`advance(${ms})`, async (model, real) => {
    model.advance(ms)
    await real.clock.advance(ms)
  }),
)

const finish = async (model: Model, real: Real): Promise<void> => {
  for (let round = 0; round < 100 && model.entries.size + model.processing.size > 0; round += 1) {
    for (const k of model.processing.keys())
      await command('done', () => {
        model.processing.delete(k)
        real.held.delete(k)
        real.queue.done(k)
        model.handOut()
      }).run(model, real)
    model.workers += 1
    model.handOut()
    void real.work()
    model.advance(100)
    await real.clock.advance(100)
  }
}

describe('WorkQueue, against a plain model', () => {
  it('hands out the same keys in the same order, never one to two workers, and loses none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.commands([add, add, retry, forget, get, get, done, done, advance], { maxCommands: 80 }),
        async (cmds) => {
          const model = new Model()
          const real = new Real()
          await fc.asyncModelRun(() => ({ model, real }), cmds)
          await finish(model, real)
          expect(model.entries.size).toBe(0)
          expect(real.taken).toEqual(model.taken)
          expect([real.queue.depth, real.queue.waiting, real.queue.processing]).toEqual([0, 0, 0])
          expect(real.clock.timers).toBe(0)
        },
      ),
      { numRuns: 500 },
    )
  })
})
