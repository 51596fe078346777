/**
 * Leader election on a Lease, by the rules of client-go (tools/leaderelection). Only changes that this process saw itself,
 * timed by its own monotonic clock, decide: two machines' clocks are never compared. Stricter than client-go in one thing:
 * a Lease that was deleted and made anew does not let a second replica begin before the first one must have ended.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { ApiError, isAlreadyExists, isConflict, isNotFound } from './errors.ts'
import type { Lease } from './kinds.ts'
import { leases, microTime } from './kinds.ts'
import type { Cluster } from './port.ts'

export interface LeaderElectorOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  /** Unique among all that may lead, in every life of a process. */
  readonly identity: string
  readonly namespace: string
  readonly name: string
  /** Others wait this long after the last renewal they saw. ms, whole seconds. */
  readonly leaseDurationMs?: number
  /** Who has not renewed for this long has lost. ms. */
  readonly renewDeadlineMs?: number
  /** Between attempts. ms. */
  readonly retryPeriodMs?: number
}

export interface LeaderCallbacks {
  readonly onStarted: () => void
  /** Leadership was lost against our will: somebody else may act by now, so the process must end. Not after `stop`. */
  readonly onLost: () => void
}

interface Observed {
  readonly lease: Lease
  /** Monotonic time at which this version was first seen. */
  readonly at: number
}

const fieldManager = 'dbtls.dev/leader'
/** client-go spreads the attempts of candidates by up to 1.2 periods. */
const jitterFactor = 1.2
/** A Lease may claim any duration; one that claims more is taken for damaged, or nobody would lead for years. */
const longestDurationMs = 60 * 60 * 1000
const maxInt32 = 2 ** 31 - 1

export class LeaderElector {
  readonly #options: LeaderElectorOptions
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  readonly #stopping = new AbortController()
  #observed: Observed | undefined
  /** Monotonic time at which a Lease of another uid was seen in place of the one seen before. */
  #replacedAt: number | undefined
  /** A write was sent, answered or not: the Lease may be ours. */
  #mayHold = false
  #leading = false
  /** Monotonic time at which the last successful renewal was sent: others start to count later. */
  #lastRenew = 0
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined

  /** Throws RangeError unless lease duration > renew deadline > 1.2 × retry period. */
  constructor(options: LeaderElectorOptions) {
    this.#options = options
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000
    const [lease, deadline, retry] = [this.#leaseDurationMs, this.#renewDeadlineMs, this.#retryPeriodMs]
    if (!(lease > deadline && deadline > jitterFactor * retry && retry > 0))
      throw new RangeError('lease duration > renew deadline > 1.2 × retry period must hold')
  }

  get isLeading(): boolean {
    return this.#leading
  }

  /** Leading, and so freshly renewed that nobody else can have taken over. */
  mayWrite(): boolean {
    return this.#leading && this.#sinceRenew() < this.#renewDeadlineMs
  }

  /** The present holder, as last seen. */
  get holder(): string | undefined {
    return this.#observed?.lease.spec?.holderIdentity
  }

  start(callbacks: LeaderCallbacks): void {
    this.#running ??= this.#run(callbacks)
  }

  /** Stops, and hands the Lease back if it is ours. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  async #shutDown(): Promise<void> {
    this.#leading = false
    this.#stopping.abort()
    await this.#running
    if (!this.#mayHold) return
    await this.#within(this.#renewDeadlineMs / 2, undefined, (signal) => this.#release(signal)).catch(
      (error: unknown) =>
        this.#problem('the Lease could not be released; the next replica waits until it runs out', error),
    )
  }

  async #run(callbacks: LeaderCallbacks): Promise<void> {
    const { signal } = this.#stopping
    const { clock, log, identity } = this.#options
    while (!signal.aborted) {
      if (await this.#attempt(this.#renewDeadlineMs)) break
      if (signal.aborted) return
      const pause = this.#retryPeriodMs * (1 + jitterFactor * this.#options.random())
      await clock.sleep(pause, signal).catch(() => undefined)
    }
    if (signal.aborted) return
    this.#leading = true
    log.info('leading', { identity, lease: this.#key })
    callbacks.onStarted()
    await this.#keep()
    if (signal.aborted) return
    this.#leading = false
    callbacks.onLost()
  }

  /** Resolves when the Lease is lost or the stop has begun. */
  async #keep(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // Never so short that the clock does not move, or a refusing server would be asked in a tight loop.
      const pause = Math.max(1, Math.min(this.#retryPeriodMs, this.#renewDeadlineMs - this.#sinceRenew()))
      await this.#options.clock.sleep(pause, signal).catch(() => undefined)
      if (signal.aborted) return
      // First the clock: a process that was stopped for a while must not renew what another one may hold.
      const left = this.#renewDeadlineMs - this.#sinceRenew()
      if (left <= 0) return this.#options.log.error('the Lease was not renewed in time', { lease: this.#key })
      if (await this.#attempt(left)) continue
      if (this.holder !== undefined && this.holder !== '' && this.holder !== this.#options.identity)
        return this.#options.log.error('the Lease is held by another', { lease: this.#key, holder: this.holder })
    }
  }

  /** One try to acquire or renew, within `limitMs`. */
  async #attempt(limitMs: number): Promise<boolean> {
    const { clock } = this.#options
    const { signal } = this.#stopping
    const sentAt = clock.monotonic()
    try {
      // Half of the deadline, as in client-go: one stalled request must leave time for a second.
      const ms = Math.min(limitMs, this.#renewDeadlineMs / 2)
      if (!(await this.#within(ms, signal, (limit) => this.#acquireOrRenew(limit)))) return false
      this.#lastRenew = sentAt
      return true
    } catch (error) {
      if (!signal.aborted) this.#problem('the Lease could not be taken or renewed', error)
      return false
    }
  }

  /** Aborts `work` after `ms`, or when `outer` aborts, and rejects then even if it does not listen (credentials may hang). */
  async #within<T>(ms: number, outer: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const { promise: over, reject } = Promise.withResolvers<never>()
    const end = (): void => {
      limit.abort()
      reject(new Error('no answer in time'))
    }
    const timer = this.#options.clock.setTimer(ms, end)
    outer?.addEventListener('abort', end, { once: true })
    try {
      return await Promise.race([work(limit.signal), over])
    } finally {
      timer.cancel()
      outer?.removeEventListener('abort', end)
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    if (this.#leading && this.#observed && this.holder === this.#options.identity) {
      const renewed = await this.#write(this.#observed.lease, signal).catch((error: unknown) => error)
      if (renewed === undefined) return true
      if (!(isConflict(renewed) || isNotFound(renewed))) throw renewed
    }
    const present = await this.#read(signal)
    if (present && this.#isHeldByAnother(present)) return false
    await this.#write(present, signal)
    return this.#leading || this.#isProven()
  }

  /**
   * Who held the Lease that was here before may not know yet that it is gone. Holding the new one for its whole duration
   * proves that nobody renewed meanwhile. Not asked of a replica that never saw another one, because every first start
   * would be slow; so a Lease deleted in the very seconds in which a new process starts is the one gap left.
   */
  #isProven(): boolean {
    if (this.#replacedAt === undefined) return true
    return this.#options.clock.monotonic() - this.#replacedAt >= this.#leaseDurationMs
  }

  /** The Lease as it is now; a change of it starts the count anew. */
  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { cluster, namespace, name } = this.#options
    try {
      const lease = await cluster.get(leases, { namespace, name }, { signal })
      if (lease.metadata.resourceVersion !== this.#observed?.lease.metadata.resourceVersion)
        this.#observe(lease, signal)
      return lease
    } catch (error) {
      if (!isNotFound(error)) throw error
      return undefined
    }
  }

  #isHeldByAnother({ spec }: Lease): boolean {
    const { identity, clock } = this.#options
    const holder = spec?.holderIdentity ?? ''
    if (holder === '' || holder === identity) return false
    const claimed = Math.min(Number(spec?.leaseDurationSeconds) * 1000, longestDurationMs)
    // Not believed when it is shorter than ours: waiting longer is always safe. NaN compares as false.
    const validMs = claimed > this.#leaseDurationMs ? claimed : this.#leaseDurationMs
    return clock.monotonic() - (this.#observed?.at ?? 0) < validMs
  }

  async #write(present: Lease | undefined, signal: AbortSignal): Promise<void> {
    // An attempt that was given up may still wake when its read is answered.
    signal.throwIfAborted()
    const { cluster, identity, namespace, name, clock } = this.#options
    const now = microTime(clock.now())
    const ours = present?.spec?.holderIdentity === identity
    const before = present?.spec?.leaseTransitions ?? 0
    const transitions = Number.isInteger(before) && before >= 0 && before < maxInt32 ? before : 0
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: present?.metadata ?? { namespace, name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
        acquireTime: (ours ? present?.spec?.acquireTime : undefined) ?? now,
        renewTime: now,
        leaseTransitions: ours || present === undefined ? transitions : transitions + 1,
      },
    }
    const options = { fieldManager, signal }
    this.#mayHold = true
    const written =
      present === undefined
        ? await cluster.create(leases, lease, options)
        : await cluster.update(leases, lease, options)
    this.#observe(written, signal)
  }

  /** Free at once for the next one: no holder, and a duration of one second for who looks only at that. */
  async #release(signal: AbortSignal): Promise<void> {
    const { cluster, clock, identity } = this.#options
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const known = attempt === 0 && this.holder === identity ? this.#observed?.lease : undefined
      const present = known ?? (await this.#read(signal))
      if (present?.spec?.holderIdentity !== identity) return
      const spec = { ...present.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(clock.now()) }
      try {
        await cluster.update(leases, { ...present, spec }, { fieldManager, signal })
        return
      } catch (error) {
        if (!(isConflict(error) || isNotFound(error))) throw error
      }
    }
  }

  #observe(lease: Lease, signal: AbortSignal): void {
    // An answer that comes after its time belongs to an attempt that was given up.
    signal.throwIfAborted()
    const at = this.#options.clock.monotonic()
    if (this.#observed && lease.metadata.uid !== this.#observed.lease.metadata.uid) this.#replacedAt = at
    if (lease.spec?.holderIdentity !== this.holder)
      this.#options.log.info('the Lease has a holder', { lease: this.#key, holder: lease.spec?.holderIdentity ?? '' })
    this.#observed = { lease, at }
  }

  #sinceRenew(): number {
    return this.#options.clock.monotonic() - this.#lastRenew
  }

  get #key(): string {
    return `${this.#options.namespace}/${this.#options.name}`
  }

  #problem(message: string, error: unknown): void {
    // Two candidates that write at the same moment are no trouble: one of them is told so.
    if (isConflict(error) || isAlreadyExists(error)) return this.#options.log.debug(message, { lease: this.#key })
    const { reason, message: problem } =
      error instanceof ApiError ? error : { reason: 'Unknown', message: error instanceof Error ? error.message : '' }
    this.#options.log.warn(message, { lease: this.#key, reason, problem })
  }
}
