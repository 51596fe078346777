/**
 * Leader election on a Lease, by the rules of client-go (tools/leaderelection): the clock of another replica is never
 * believed; a Lease is up for taking when this replica has watched it unchanged for its whole duration.
 */

import { type Lease, leases } from './kinds.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts'
import type { Cluster } from './port.ts'

export interface LeaderElectorOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  /** Unique to this process. */
  readonly identity: string
  readonly namespace: string
  readonly name: string
  /** 0 ≤ x < 1. */
  readonly random: () => number
  /** ms; leaseDuration > renewDeadline > 1.2 × retryPeriod. Defaults 15 s, 10 s, 2 s. */
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

export interface LeaderCallbacks {
  /** Called once, when this replica begins to lead. */
  onStarted(): void
  /** Called once, when it led and could not renew in time or was replaced. It must stop at once: end the process. */
  onLost(): void
}

const fieldManager = 'dbtls.dev/leader-election'

export class LeaderElector {
  readonly #options: LeaderElectorOptions
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** The Lease as last seen, and when (monotonic) it was last seen to change. */
  #observed: Lease | undefined
  #observedAt = 0
  /** Monotonic time at which the last successful renewal was sent; undefined while not leading. */
  #renewedAt: number | undefined

  constructor(options: LeaderElectorOptions) {
    this.#options = options
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000
    if (!(this.#leaseDurationMs > this.#renewDeadlineMs && this.#renewDeadlineMs > 1.2 * this.#retryPeriodMs))
      throw new RangeError('leader election needs leaseDuration > renewDeadline > 1.2 × retryPeriod')
  }

  get isLeading(): boolean {
    return this.#renewedAt !== undefined
  }

  /** Leading, and renewed so recently that nobody else can have taken over yet. */
  mayWrite(): boolean {
    return this.#renewedAt !== undefined && this.#options.clock.monotonic() - this.#renewedAt <= this.#renewDeadlineMs
  }

  start(callbacks: LeaderCallbacks): void {
    this.#running ??= this.#run(callbacks)
  }

  /** Stops trying, and gives the Lease back, so that the next replica need not wait for it to run out. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    if (!this.isLeading) return
    await this.#release()
    this.#renewedAt = undefined
  }

  async #run({ onStarted, onLost }: LeaderCallbacks): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted && !(await this.#attempt()))
      await this.#pause(this.#retryPeriodMs * (1 + 0.2 * this.#options.random()))
    if (signal.aborted) return
    this.#options.log.info('leading', { lease: `${this.#options.namespace}/${this.#options.name}` })
    onStarted()
    while (!signal.aborted) {
      await this.#pause(this.#retryPeriodMs)
      if (signal.aborted) return
      const renewed = await this.#attempt()
      if (renewed || this.mayWrite()) continue
      this.#renewedAt = undefined
      onLost()
      return
    }
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, this.#stop.signal)
    } catch {
      // Aborted: the loop looks at the signal itself.
    }
  }

  /** One try to acquire or renew. The renewal counts from when it was sent: the server may have taken its time. */
  async #attempt(): Promise<boolean> {
    const { clock, log } = this.#options
    const sentAt = clock.monotonic()
    try {
      const held = this.#renewedAt !== undefined && this.#observed !== undefined
      const won = held ? await this.#renewOptimistically() : await this.#acquire()
      if (won) this.#renewedAt = sentAt
      return won
    } catch (error) {
      log.warn('could not reach the Lease', { error })
      return false
    }
  }

  /** What was written last is most likely still there: one request instead of two. */
  async #renewOptimistically(): Promise<boolean> {
    try {
      return await this.#write(this.#observed as Lease)
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
      return this.#acquire()
    }
  }

  async #acquire(): Promise<boolean> {
    const { cluster, clock, namespace, name, identity } = this.#options
    const timeout = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#renewDeadlineMs)])
    let lease: Lease
    try {
      lease = await cluster.get(leases, { namespace, name }, { signal: timeout })
    } catch (error) {
      if (!isNotFound(error)) throw error
      return this.#create()
    }
    if (lease.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) this.#observe(lease)
    const holder = lease.spec.holderIdentity ?? ''
    const duration = (lease.spec.leaseDurationSeconds ?? this.#leaseDurationMs / 1000) * 1000
    const expired = clock.monotonic() - this.#observedAt >= duration
    if (holder !== '' && holder !== identity && !expired) {
      this.#options.log.debug('another replica leads', { holder })
      return false
    }
    try {
      return await this.#write(lease)
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
  }

  #observe(lease: Lease): void {
    this.#observed = lease
    this.#observedAt = this.#options.clock.monotonic()
  }

  async #create(): Promise<boolean> {
    const { cluster, namespace, name } = this.#options
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace, name },
      spec: this.#spec(undefined),
    }
    try {
      this.#observe(await cluster.create(leases, lease, { fieldManager, signal: this.#deadline() }))
      return true
    } catch (error) {
      if (isAlreadyExists(error)) return false
      throw error
    }
  }

  async #write(lease: Lease): Promise<boolean> {
    const update = { ...lease, spec: this.#spec(lease.spec) }
    this.#observe(await this.#options.cluster.update(leases, update, { fieldManager, signal: this.#deadline() }))
    return true
  }

  #spec(before: Lease['spec'] | undefined): Lease['spec'] {
    const { clock, identity } = this.#options
    const now = microTime(clock.now())
    const mine = before?.holderIdentity === identity
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: mine ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (mine || before === undefined ? 0 : 1),
    }
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#renewDeadlineMs)
  }

  async #release(): Promise<void> {
    const { cluster, clock, namespace, name, identity, log } = this.#options
    for (let tries = 0; tries < 3; tries += 1) {
      try {
        const lease = await cluster.get(leases, { namespace, name }, { signal: this.#deadline() })
        if (lease.spec.holderIdentity !== identity) return
        const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(clock.now()) }
        await cluster.update(leases, { ...lease, spec }, { fieldManager, signal: this.#deadline() })
        return
      } catch (error) {
        if (isNotFound(error)) return
        if (isConflict(error)) continue
        log.warn('could not give the Lease back; the next replica waits until it runs out', { error })
        return
      }
    }
  }
}

/** metav1.MicroTime. */
const microTime = (instant: number): string => new Date(instant).toISOString().replace('Z', '000Z')
