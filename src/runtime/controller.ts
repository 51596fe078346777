import type { Clock, Timer } from './clock.ts'
import { NotReady, Retryable, Terminal } from './errors.ts'
import type { Logger } from './log.ts'
import type { AddOptions, QueueMetrics, QueueOptions } from './queue.ts'
import { WorkQueue } from './queue.ts'

export interface ReconcileContext {
  /** Aborts when the reconcile overruns its time or the controller stops. */
  readonly signal: AbortSignal
  /** Carries the controller's name, the key (`object`) and the reconcileID. */
  readonly log: Logger
  readonly reconcileId: string
}

/**
 * What follows a success. `requeueAfterMs`: look again after so long, capped at 12 h (the reconcile then computes the rest
 * anew); 0 or less means soon, under backoff, so that a wrong sum cannot spin. Absent: wait for the next event.
 */
export interface Result {
  readonly requeueAfterMs?: number | undefined
}

/** Level-triggered: a key names an object, and says nothing of what happened to it. */
export type Reconcile = (key: string, context: ReconcileContext) => Promise<Result | void>

export type ReconcileOutcome = 'success' | 'error' | 'requeue' | 'requeue_after'

/** Hooks for controller-runtime's metrics; durations in ms. */
export interface ControllerMetrics {
  readonly queue: QueueMetrics
  maxWorkers(workers: number): void
  /** +1 or −1. */
  activeWorkers(change: number): void
  finished(outcome: ReconcileOutcome, tookMs: number): void
  terminalError(): void
  timedOut(): void
  /** +1 when a reconcile ignores its abort and its worker moves on, −1 when it settles after all. */
  stuck(change: number): void
}

export interface ControllerOptions extends Pick<QueueOptions, 'clock' | 'random' | 'retry' | 'retryBudget'> {
  readonly name: string
  readonly reconcile: Reconcile
  readonly workers: number
  readonly log: Logger
  readonly metrics?: ControllerMetrics | undefined
  /** A reconcile may take so long, ms. Default 2 min. */
  readonly timeoutMs?: number
  /** An aborted reconcile gets so long to settle before its worker goes on without it, ms. Default 10 s. */
  readonly graceMs?: number
  /** `stop` waits so long for reconciles under way, ms. Default 10 s. */
  readonly drainMs?: number
  readonly onTerminal?: (key: string, error: Terminal) => void
}

export const longestRequeueMs = 12 * 60 * 60 * 1000
const defaultNotReadyMs = 10 * 60 * 1000
const longestTurnMs = 10

interface Run {
  readonly key: string
  readonly log: () => Logger
  readonly abort: AbortController
  readonly since: number
  overran: boolean
}

type Settled = { readonly result: Result | void } | { readonly error: unknown }

/** How long a server asked to be left alone, on the error or on what caused it. */
const retryAfterOf = (error: unknown): number => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1)
    if ('retryAfterMs' in at && typeof at.retryAfterMs === 'number') return at.retryAfterMs
  return 0
}

/** Takes keys off a queue and reconciles them, never one key twice at a time. Nothing a reconcile throws leaves here. */
export class Controller {
  readonly #options: ControllerOptions
  readonly #clock: Clock
  readonly #queue: WorkQueue
  readonly #metrics: ControllerMetrics | undefined
  readonly #timeoutMs: number
  readonly #graceMs: number
  readonly #runs = new Set<Run>()
  readonly #idPrefix: string
  #runCount = 0
  #lastTurn = 0
  #workers: Promise<void>[] | undefined
  #stopped: Promise<void> | undefined

  constructor(options: ControllerOptions) {
    if (!(options.workers >= 1)) throw new RangeError(`controller ${options.name} needs at least one worker`)
    this.#options = options
    this.#clock = options.clock
    this.#metrics = options.metrics
    this.#timeoutMs = options.timeoutMs ?? 120_000
    this.#graceMs = options.graceMs ?? 10_000
    this.#queue = new WorkQueue({ ...options, metrics: options.metrics?.queue })
    this.#idPrefix = Math.floor(options.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
    this.#metrics?.maxWorkers(options.workers)
  }

  get name(): string {
    return this.#options.name
  }

  /** Keys by where they are; `delayed` includes those that only look again in some hours. */
  get load(): { readonly ready: number; readonly delayed: number; readonly processing: number } {
    return { ready: this.#queue.depth, delayed: this.#queue.waiting, processing: this.#queue.processing }
  }

  /** Queues the key; allowed before `start`, ignored after `stop`. */
  enqueue(key: string, options: AddOptions = {}): void {
    this.#queue.add(key, options)
  }

  /** Starts the workers, once. When the signal aborts, the controller stops as if by `stop`. */
  start(signal?: AbortSignal): void {
    if (this.#workers || this.#stopped) return
    this.#workers = Array.from({ length: this.#options.workers }, () => this.#work())
    if (signal?.aborted) void this.stop()
    signal?.addEventListener('abort', () => void this.stop(), { once: true })
  }

  /** Takes up nothing more, waits for the reconciles under way, and aborts those that take longer than `drainMs`. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drain()
    return this.#stopped
  }

  async #drain(): Promise<void> {
    // Not this promise, but the workers': a reconcile that is stuck for ever does not hold up the exit.
    void this.#queue.shutDown({ drain: false })
    const drainMs = this.#options.drainMs ?? 10_000
    const workers = Promise.all(this.#workers ?? [])
    if (await this.#within(drainMs * 0.9, workers)) return
    for (const run of this.#runs) run.abort.abort(new Retryable('Stopping', 'the controller stops'))
    if (await this.#within(drainMs * 0.1, workers)) return
    this.#options.log.warn('stopped while reconciles were under way', {
      controller: this.name,
      objects: [...this.#runs].map(({ key }) => key),
    })
  }

  async #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const timer = Promise.withResolvers<false>()
    const timeout = this.#clock.setTimer(ms, () => timer.resolve(false))
    const inTime = await Promise.race([work.then(() => true), timer.promise])
    timeout.cancel()
    return inTime
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.get(); key !== undefined; key = await this.#queue.get()) {
      this.#metrics?.activeWorkers(1)
      await this.#process(key)
      this.#metrics?.activeWorkers(-1)
      if (this.#clock.monotonic() - this.#lastTurn >= longestTurnMs) await this.#yieldTurn()
    }
  }

  /** Reconciles that find nothing to do never leave the microtask queue: ten thousand of them would starve every timer. */
  async #yieldTurn(): Promise<void> {
    await new Promise((resolve) => void setImmediate(resolve))
    this.#lastTurn = this.#clock.monotonic()
  }

  /** Resolves when the worker is free again: when the reconcile has settled, or when it ignores that it was aborted. */
  async #process(key: string): Promise<void> {
    this.#runCount += 1
    const reconcileId = `${this.#idPrefix}-${this.#runCount}`
    const run: Run = {
      key,
      log: this.#loggerOf(key, reconcileId),
      abort: new AbortController(),
      since: this.#clock.monotonic(),
      overran: false,
    }
    this.#runs.add(run)
    const settled = this.#reconcile(run, reconcileId)
    const stuck = Promise.withResolvers<'stuck'>()
    let timer: Timer = this.#clock.setTimer(this.#timeoutMs, () => {
      this.#overrun(run)
      timer = this.#clock.setTimer(this.#graceMs, () => stuck.resolve('stuck'))
    })
    const finished = this.#finishWhen(settled, run)
    const first = await Promise.race([finished, stuck.promise])
    timer.cancel()
    if (first !== 'stuck') return
    run.log().error('the reconcile ignores that it was aborted; its object waits for it, the worker does not', {
      afterMs: this.#timeoutMs + this.#graceMs,
    })
    this.#metrics?.stuck(1)
    void finished.then(() => this.#metrics?.stuck(-1))
  }

  /** Most reconciles have nothing to say, and a logger of one's own costs more than many of them do. */
  #loggerOf(key: string, reconcileId: string): () => Logger {
    let log: Logger | undefined
    return () => (log ??= this.#options.log.child({ controller: this.name, object: key, reconcileID: reconcileId }))
  }

  async #reconcile(run: Run, reconcileId: string): Promise<Settled> {
    try {
      const { key, abort, log } = run
      const about: ReconcileContext = {
        signal: abort.signal,
        get log() {
          return log()
        },
        reconcileId,
      }
      return { result: await this.#options.reconcile(key, about) }
    } catch (error) {
      return { error }
    }
  }

  #overrun(run: Run): void {
    run.overran = true
    this.#metrics?.timedOut()
    const message = `the reconcile took longer than ${this.#timeoutMs} ms`
    run.log().warn(message)
    run.abort.abort(new Retryable('ReconcileTimeout', message))
  }

  async #finishWhen(settled: Promise<Settled>, run: Run): Promise<void> {
    const how = await settled
    this.#runs.delete(run)
    try {
      const outcome = this.#conclude(run, how)
      this.#metrics?.finished(outcome, this.#clock.monotonic() - run.since)
    } catch (error) {
      run.log().error('a hook of the controller failed', { error })
    } finally {
      this.#queue.done(run.key)
    }
  }

  /** Decides what the queue does next. A reconcile that overran is run again whatever it said in the end. */
  #conclude(run: Run, how: Settled): ReconcileOutcome {
    if (run.overran) return this.#retry(run, 0)
    if ('result' in how)
      return how.result?.requeueAfterMs === undefined
        ? this.#succeed(run)
        : this.#requeue(run, how.result.requeueAfterMs)
    const { error } = how
    if (error instanceof NotReady) {
      run.log().debug(error.message, { reason: error.reason })
      return this.#requeue(run, error.afterMs ?? defaultNotReadyMs)
    }
    if (error instanceof Terminal) return this.#giveUp(run, error)
    if (this.#stopped && run.abort.signal.aborted) return 'error'
    if (error instanceof Retryable) run.log().warn(error.message, { reason: error.reason, cause: error.cause })
    else run.log().error('the reconcile failed', { error })
    return this.#retry(run, retryAfterOf(error))
  }

  #succeed({ key }: Run): ReconcileOutcome {
    this.#queue.forget(key)
    return 'success'
  }

  #requeue({ key }: Run, afterMs: number): ReconcileOutcome {
    if (!(afterMs > 0)) {
      this.#queue.addRateLimited(key)
      return 'requeue'
    }
    this.#queue.forget(key)
    // Spread, or all that a restart found would come back together 12 h later.
    const cap = longestRequeueMs * (1 - 0.1 * this.#options.random())
    this.#queue.add(key, { afterMs: Math.min(afterMs, cap) })
    return 'requeue_after'
  }

  #retry({ key }: Run, afterMs: number): ReconcileOutcome {
    this.#queue.addRateLimited(key, { afterMs })
    return 'error'
  }

  #giveUp({ key, log }: Run, error: Terminal): ReconcileOutcome {
    this.#queue.forget(key)
    log().warn(error.message, { reason: error.reason, cause: error.cause })
    this.#metrics?.terminalError()
    this.#options.onTerminal?.(key, error)
    return 'error'
  }
}
