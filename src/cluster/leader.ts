/**
 * Leader election on a Lease, by the rules of client-go (tools/leaderelection). Only changes that this process saw itself,
 * timed by its own monotonic clock, decide: two machines' clocks are never compared.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { ApiError, isAlreadyExists, isConflict, isNotFound } from './errors.ts'
import type { Lease } from './lease.ts'
import { leases, microTime } from './lease.ts'
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

export class LeaderElector {
  readonly #options: LeaderElectorOptions
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  readonly #stopping = new AbortController()
  #observed: Observed | undefined
  #leading = false
  /** Monotonic time at which the last successful renewal was sent: others start to count later. */
  #lastRenew = 0
  #running: Promise<void> | undefined

  /** Throws RangeError unless lease duration > renew deadline > 1.2 × retry period. */
  constructor(options: LeaderElectorOptions) {
    this.#options = options
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000
    if (this.#leaseDurationMs <= this.#renewDeadlineMs || this.#renewDeadlineMs <= jitterFactor * this.#retryPeriodMs)
      throw new RangeError('lease duration > renew deadline > 1.2 × retry period must hold')
  }

  get isLeading(): boolean {
    return this.#leading
  }

  /** Leading, and so freshly renewed that nobody else can have taken over. */
  mayWrite(): boolean {
    return this.#leading && this.#sinceRenew() <= this.#renewDeadlineMs
  }

  /** The present holder, as last seen. */
  get holder(): string | undefined {
    return this.#observed?.lease.spec?.holderIdentity
  }

  start(callbacks: LeaderCallbacks): void {
    this.#running ??= this.#run(callbacks)
  }

  /** Stops, and hands the Lease back if it is ours. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    if (!this.#leading) return
    this.#leading = false
    await this.#release().catch((error: unknown) => this.#problem('the Lease could not be released', error))
  }

  async #run(callbacks: LeaderCallbacks): Promise<void> {
    const { signal } = this.#stopping
    const { clock, log, identity } = this.#options
    while (!signal.aborted) {
      if (await this.#attempt(this.#renewDeadlineMs)) break
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
      await this.#options.clock.sleep(this.#retryPeriodMs, signal).catch(() => undefined)
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
    const limit = new AbortController()
    // Half of the deadline, as in client-go: one stalled request must leave time for a second.
    const timer = clock.setTimer(Math.min(limitMs, this.#renewDeadlineMs / 2), () => limit.abort())
    const sentAt = clock.monotonic()
    try {
      if (!(await this.#acquireOrRenew(AbortSignal.any([limit.signal, this.#stopping.signal])))) return false
      this.#lastRenew = sentAt
      return true
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#problem('the Lease could not be taken or renewed', error)
      return false
    } finally {
      timer.cancel()
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { identity } = this.#options
    if (this.#leading && this.#observed && this.holder === identity) {
      const renewed = await this.#write(this.#observed.lease, signal).catch((error: unknown) => error)
      if (renewed === undefined) return true
      if (!(isConflict(renewed) || isNotFound(renewed))) throw renewed
    }
    const present = await this.#read(signal)
    if (present && this.#isHeldByAnother(present)) return false
    await this.#write(present, signal)
    return true
  }

  /** The Lease as it is now; a change of it starts the count anew. */
  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { cluster, namespace, name } = this.#options
    try {
      const lease = await cluster.get(leases, { namespace, name }, { signal })
      if (lease.metadata.resourceVersion !== this.#observed?.lease.metadata.resourceVersion) this.#observe(lease)
      return lease
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#observed = undefined
      return undefined
    }
  }

  #isHeldByAnother({ spec }: Lease): boolean {
    const { identity, clock } = this.#options
    const holder = spec?.holderIdentity ?? ''
    if (holder === '' || holder === identity) return false
    const validMs = (spec?.leaseDurationSeconds ?? this.#leaseDurationMs / 1000) * 1000
    return clock.monotonic() < (this.#observed?.at ?? 0) + validMs
  }

  async #write(present: Lease | undefined, signal: AbortSignal): Promise<void> {
    const { cluster, identity, namespace, name, clock } = this.#options
    const now = microTime(clock.now())
    const ours = present?.spec?.holderIdentity === identity
    const transitions = present?.spec?.leaseTransitions ?? 0
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
    const written =
      present === undefined
        ? await cluster.create(leases, lease, options)
        : await cluster.update(leases, lease, options)
    this.#observe(written)
  }

  /** Free at once for the next one: no holder, and a duration of one second for who looks only at that. */
  async #release(): Promise<void> {
    const { cluster, clock } = this.#options
    const limit = new AbortController()
    const timer = clock.setTimer(this.#renewDeadlineMs / 2, () => limit.abort())
    try {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const present = attempt === 0 ? this.#observed?.lease : await this.#read(limit.signal)
        if (!present || present.spec?.holderIdentity !== this.#options.identity) return
        const spec = { ...present.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(clock.now()) }
        try {
          await cluster.update(leases, { ...present, spec }, { fieldManager, signal: limit.signal })
          return
        } catch (error) {
          if (!isConflict(error)) throw error
        }
      }
    } finally {
      timer.cancel()
    }
  }

  #observe(lease: Lease): void {
    if (lease.spec?.holderIdentity !== this.holder)
      this.#options.log.info('the Lease has a holder', { lease: this.#key, holder: lease.spec?.holderIdentity ?? '' })
    this.#observed = { lease, at: this.#options.clock.monotonic() }
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
