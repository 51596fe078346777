import { exponentialDelay } from './backoff.ts'
import type { Clock, Timer } from './clock.ts'
import { KeyedHeap } from './heap.ts'
import { TokenBucket } from './token-bucket.ts'

/** From the one that waits least: a person's change, news of something a key depends on, start-up and resync. */
export const priorities = ['user', 'normal', 'resync'] as const
export type Priority = (typeof priorities)[number]

export interface AddOptions {
  /** Default `normal`; a key being retried keeps the priority it is processed with. */
  readonly priority?: Priority | undefined
  /** Not before so many ms; absent, 0 or less: now. */
  readonly afterMs?: number | undefined
}

/** What is being processed at this moment. */
export interface UnfinishedWork {
  readonly totalMs: number
  readonly longestMs: number
}

/** Hooks for client-go's workqueue metrics; durations in ms. */
export interface QueueMetrics {
  depth(priority: Priority, keys: number): void
  added(): void
  taken(waitedMs: number): void
  done(workedMs: number): void
  retried(): void
  /** Called once: `sample` gives the state of the moment to whoever scrapes. */
  observe(sample: () => UnfinishedWork): void
}

export interface QueueOptions {
  readonly clock: Clock
  /** [0, 1). */
  readonly random: () => number
  readonly metrics?: QueueMetrics | undefined
  /** Per-key backoff of `addRateLimited`. Default 5 ms doubling to 1,000 s, a fifth of it jitter. */
  readonly retry?: { readonly initialMs?: number; readonly maxMs?: number; readonly jitter?: number }
  /** All retries together. Default 50 a second after a burst of 200. */
  readonly retryBudget?: { readonly perSecond: number; readonly burst: number }
}

interface Entry {
  readonly key: string
  /** Index into `priorities`. */
  readonly rank: number
  /** Order of arrival, which keeps equals first in, first out. */
  readonly order: number
  /** Monotonic ms: when it may be taken. */
  readonly readyAt: number
}

interface Processing {
  readonly rank: number
  readonly since: number
}

const rankOf = (priority: Priority): number => priorities.indexOf(priority)

/**
 * A work queue with the promises of client-go's and controller-runtime's: a key is queued at most once, never handed to
 * two workers at a time, and runs again if it was added while being processed. A second add of a queued key takes the
 * higher of the priorities and the earlier of the times.
 */
export class WorkQueue {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #metrics: QueueMetrics | undefined
  readonly #retry: { initialMs: number; maxMs: number; factor: number; jitter: number }
  readonly #budget: TokenBucket

  // A key is in at most one of these three; in `#again` only while it is also in `#processing`.
  readonly #delayed = new KeyedHeap<Entry>(
    (a, b) => a.readyAt < b.readyAt || (a.readyAt === b.readyAt && a.order < b.order),
  )
  readonly #ready = new KeyedHeap<Entry>((a, b) => a.rank < b.rank || (a.rank === b.rank && a.order < b.order))
  readonly #again = new Map<string, Entry>()

  readonly #processing = new Map<string, Processing>()
  readonly #failures = new Map<string, number>()
  readonly #waiters = new Set<(key: string | undefined) => void>()
  readonly #depths: number[] = priorities.map(() => 0)
  #order = 0
  #timer: { readonly at: number; readonly timer: Timer } | undefined
  #closed: 'no' | 'draining' | 'yes' = 'no'
  #whenIdle: (() => void)[] = []

  constructor(options: QueueOptions) {
    this.#clock = options.clock
    this.#random = options.random
    this.#metrics = options.metrics
    this.#retry = { initialMs: 5, maxMs: 1_000_000, factor: 2, jitter: 0.2, ...options.retry }
    this.#budget = new TokenBucket(options.retryBudget ?? { perSecond: 50, burst: 200 })
    this.#metrics?.observe(() => this.unfinished())
  }

  /** Keys that could be taken now. */
  get depth(): number {
    return this.#ready.size
  }

  /** Keys whose time has not come. */
  get waiting(): number {
    return this.#delayed.size
  }

  get processing(): number {
    return this.#processing.size
  }

  /** True while the key is queued, delayed or processed. */
  has(key: string): boolean {
    return this.#find(key) !== undefined || this.#processing.has(key)
  }

  add(key: string, options: AddOptions = {}): void {
    if (this.#closed !== 'no') return
    const now = this.#clock.monotonic()
    const afterMs = options.afterMs ?? 0
    this.#merge(key, rankOf(options.priority ?? 'normal'), afterMs > 0 ? now + afterMs : now)
  }

  /**
   * Adds the key after its own backoff, or later where all retries together would exceed their budget, and not before
   * `afterMs`, for a server that named its own delay.
   */
  addRateLimited(key: string, options: AddOptions = {}): void {
    if (this.#closed !== 'no') return
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    const now = this.#clock.monotonic()
    const ownMs = exponentialDelay(this.#retry, failures, this.#random)
    const afterMs = Math.max(ownMs, options.afterMs ?? 0, this.#budget.reserve(now, this.#retry.maxMs))
    const rank = options.priority ? rankOf(options.priority) : (this.#processing.get(key)?.rank ?? rankOf('normal'))
    this.#metrics?.retried()
    this.#merge(key, rank, now + afterMs)
  }

  /** The next backoff of the key starts small again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /** How often the key was retried since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  /**
   * The next key, which the caller must give back with `done`. Resolves with undefined once the queue is shut down or the
   * signal aborts.
   */
  get(signal?: AbortSignal): Promise<string | undefined> {
    if (signal?.aborted) return Promise.resolve(undefined)
    const entry = this.#ready.peek()
    if (entry) return Promise.resolve(this.#take(entry))
    if (this.#closed !== 'no' && !this.#mayRunAgain()) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const onAbort = (): void => settle(undefined)
      const settle = (key: string | undefined): void => {
        this.#waiters.delete(settle)
        signal?.removeEventListener('abort', onAbort)
        resolve(key)
      }
      this.#waiters.add(settle)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** The worker is finished with the key, which may now be handed out again. */
  done(key: string): void {
    const processing = this.#processing.get(key)
    if (!processing) return
    this.#processing.delete(key)
    this.#metrics?.done(this.#clock.monotonic() - processing.since)
    const again = this.#again.get(key)
    if (again) this.#makeReady(again)
    this.#again.delete(key)
    this.#settleShutDown()
  }

  /**
   * Takes no more keys and drops the delayed ones. With `drain`, what is ready (or was added while processed) is still
   * handed out. Resolves when nothing is being processed.
   */
  shutDown(options: { readonly drain: boolean }): Promise<void> {
    if (this.#closed !== 'yes') this.#closed = options.drain ? 'draining' : 'yes'
    this.#timer?.timer.cancel()
    this.#timer = undefined
    this.#delayed.clear()
    if (this.#closed === 'yes') {
      for (let entry = this.#ready.pop(); entry; entry = this.#ready.pop()) this.#countDepth(entry.rank, -1)
      this.#again.clear()
    }
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve)
      this.#settleShutDown()
    })
  }

  unfinished(): UnfinishedWork {
    const now = this.#clock.monotonic()
    let totalMs = 0
    let longestMs = 0
    for (const { since } of this.#processing.values()) {
      totalMs += now - since
      longestMs = Math.max(longestMs, now - since)
    }
    return { totalMs, longestMs }
  }

  #find(key: string): Entry | undefined {
    return this.#ready.get(key) ?? this.#delayed.get(key) ?? this.#again.get(key)
  }

  #merge(key: string, rank: number, readyAt: number): void {
    const now = this.#clock.monotonic()
    const old = this.#find(key)
    const entry: Entry = {
      key,
      rank: Math.min(rank, old?.rank ?? rank),
      order: old?.order ?? (this.#order += 1),
      readyAt: Math.min(readyAt, old?.readyAt ?? readyAt),
    }
    if (entry.readyAt > now) {
      this.#delayed.put(entry)
      return this.#arm()
    }
    if (this.#delayed.delete(key)) this.#arm()
    this.#makeReady(entry)
  }

  #makeReady(entry: Entry): void {
    const old = this.#ready.get(entry.key)
    if (!old && !this.#again.has(entry.key)) this.#metrics?.added()
    if (this.#processing.has(entry.key)) {
      this.#again.set(entry.key, entry)
      return
    }
    if (old) this.#countDepth(old.rank, -1)
    this.#ready.put(entry)
    this.#countDepth(entry.rank, 1)
    const [waiter] = this.#waiters
    if (waiter) waiter(this.#take(entry))
  }

  #take(entry: Entry): string {
    const now = this.#clock.monotonic()
    this.#ready.delete(entry.key)
    this.#countDepth(entry.rank, -1)
    this.#processing.set(entry.key, { rank: entry.rank, since: now })
    this.#metrics?.taken(Math.max(0, now - entry.readyAt))
    return entry.key
  }

  #arm(): void {
    const next = this.#delayed.peek()
    if (next && this.#timer && this.#timer.at <= next.readyAt) return
    this.#timer?.timer.cancel()
    this.#timer = undefined
    if (!next) return
    const timer = this.#clock.setTimer(next.readyAt - this.#clock.monotonic(), () => this.#release())
    this.#timer = { at: next.readyAt, timer }
  }

  #release(): void {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    // First all of them, then the workers: otherwise one of low priority that fell due a little earlier goes first.
    const due: Entry[] = []
    for (let next = this.#delayed.peek(); next && next.readyAt <= now; next = this.#delayed.peek()) {
      this.#delayed.delete(next.key)
      due.push(next)
    }
    for (const entry of due.toSorted((a, b) => a.rank - b.rank)) this.#makeReady(entry)
    this.#arm()
  }

  #countDepth(rank: number, change: number): void {
    const priority = priorities[rank]
    const depth = (this.#depths[rank] ?? 0) + change
    this.#depths[rank] = depth
    if (priority) this.#metrics?.depth(priority, depth)
  }

  #mayRunAgain(): boolean {
    return this.#closed === 'draining' && this.#processing.size > 0
  }

  #settleShutDown(): void {
    if (this.#closed === 'no' || this.#ready.size > 0) return
    if (!this.#mayRunAgain()) for (const waiter of this.#waiters) waiter(undefined)
    if (this.#processing.size > 0) return
    for (const resolve of this.#whenIdle) resolve()
    this.#whenIdle = []
  }
}
