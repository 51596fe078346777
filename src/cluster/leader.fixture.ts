/** A world for tests of leader election: replicas with clocks of their own and a network that can go wrong. */
import type { Clock, Timer } from '../runtime/clock.ts'
import { sleepWith } from '../runtime/clock.ts'
import { silentLogger } from '../runtime/log.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { EmbeddedCluster } from './embedded/cluster.ts'
import { ApiError } from './errors.ts'
import type { Lease } from './kinds.ts'
import { events, leases } from './kinds.ts'
import type { LeaderElectorOptions } from './leader.ts'
import { LeaderElector } from './leader.ts'
import type { Cluster, KubeObject, Resource, WriteOptions } from './port.ts'

const leaseKey = { namespace: 'dbtls', name: 'leader' }

export const hour = 60 * 60 * 1000

/** The spec of a Lease that somebody else holds. */
export const foreign = (spec: object = {}) => ({
  holderIdentity: 'somebody',
  leaseDurationSeconds: 15,
  acquireTime: '2026-01-01T00:00:00.000000Z',
  renewTime: '2026-01-01T00:00:00.000000Z',
  leaseTransitions: 3,
  ...spec,
})

/** The clock of a process that can be stopped (SIGSTOP): time goes on, but no timer fires until it continues. */
class ProcessClock implements Clock {
  readonly #world: ManualClock
  readonly #skewMs: number
  #awake: PromiseWithResolvers<void> | undefined
  #due: (() => void)[] = []

  constructor(world: ManualClock, skewMs: number) {
    this.#world = world
    this.#skewMs = skewMs
  }

  now(): number {
    return this.#world.now() + this.#skewMs
  }

  monotonic(): number {
    return this.#world.monotonic()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((callback) => this.setTimer(ms, callback), signal)
  }

  setTimer(ms: number, callback: () => void): Timer {
    let cancelled = false
    const fire = (): void => {
      if (cancelled) return
      if (this.#awake === undefined) callback()
      else this.#due.push(fire)
    }
    const timer = this.#world.setTimer(ms, fire)
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      },
    }
  }

  pause(): void {
    this.#awake ??= Promise.withResolvers()
  }

  resume(): void {
    const awake = this.#awake
    this.#awake = undefined
    for (const fire of this.#due.splice(0)) fire()
    awake?.resolve()
  }

  /** Resolves at once, or when the process continues. */
  async awake(): Promise<void> {
    while (this.#awake) await this.#awake.promise
  }
}

/** What happens to each request. `refused` does not reach the server; the answer of a `lost` one never comes back. */
export interface Weather {
  readonly fate: 'fine' | 'refused' | 'lost'
  /** ms to the server; a caller that gives up does not call the request back. */
  readonly thereMs: number
  /** ms from the server. */
  readonly backMs: number
  /** Never looks at the caller's signal, as code that waits for credentials. */
  readonly deaf?: boolean
}

export const fine: Weather = { fate: 'fine', thereMs: 0, backMs: 0 }

const noAnswer = (message: string): ApiError => new ApiError({ status: 0, reason: 'Network', message, ambiguous: true })

/** `inner` as seen through bad weather by one process. Only what leader election uses. */
const through = (
  inner: Cluster,
  world: ManualClock,
  process: ProcessClock,
  weather: () => Weather,
  sent: (verb: string) => void,
): Cluster => {
  const send = async <T>(verb: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    const { fate, thereMs, backMs, deaf = false } = weather()
    sent(verb)
    if (signal?.aborted) throw noAnswer('aborted before it was sent')
    if (fate === 'refused') throw noAnswer('connection refused')
    const answer = (async () => {
      await world.sleep(thereMs)
      const result = await work()
      await world.sleep(backMs)
      if (fate === 'lost') throw noAnswer('connection reset')
      return result
    })()
    const aborted = new Promise<never>((_, reject) => {
      if (!deaf) signal?.addEventListener('abort', () => reject(noAnswer('aborted')), { once: true })
    })
    try {
      return await Promise.race([answer, aborted])
    } finally {
      await process.awake()
    }
  }
  const unused = (): never => {
    throw new Error('leader election does not use this')
  }
  return {
    get: (resource, key, options) => send('get', options?.signal, () => inner.get(resource, key)),
    create: <T extends KubeObject>(resource: Resource<T>, object: T, { fieldManager, signal }: WriteOptions) =>
      send('create', signal, () => inner.create(resource, object, { fieldManager })),
    update: <T extends KubeObject>(resource: Resource<T>, object: T, { fieldManager, signal }: WriteOptions) =>
      send('update', signal, () => inner.update(resource, object, { fieldManager })),
    list: unused,
    watch: unused,
    updateStatus: unused,
    apply: unused,
    delete: unused,
  }
}

export interface Replica {
  readonly identity: string
  readonly elector: LeaderElector
  readonly random: () => number
  readonly clock: ProcessClock
  /** `started`, `lost`: the callbacks in their order. */
  readonly calls: string[]
  /** Verbs of the requests it made. */
  readonly requests: string[]
  weather: Weather
}

export class World {
  readonly clock = new ManualClock()
  readonly cluster = new EmbeddedCluster({
    kinds: [{ resource: leases }, { resource: events }],
    clock: this.clock,
  })
  readonly replicas: Replica[] = []
  /** Identities that may write, wherever there was more than one at a time. */
  readonly splits: string[] = []

  /** A replica that does not run yet. `random` decides the pauses between its attempts. */
  join(options: { skewMs?: number; weather?: Weather } & Partial<LeaderElectorOptions> = {}): Replica {
    const { skewMs = 0, weather = fine, random = () => 0, ...rest } = options
    const clock = new ProcessClock(this.clock, skewMs)
    const identity = options.identity ?? `replica-${this.replicas.length}`
    const requests: string[] = []
    const elector = new LeaderElector({
      cluster: through(
        this.cluster,
        this.clock,
        clock,
        () => replica.weather,
        (verb) => requests.push(verb),
      ),
      clock,
      log: silentLogger(),
      random,
      identity,
      ...leaseKey,
      ...rest,
    })
    const replica: Replica = { identity, elector, random, clock, calls: [], requests, weather }
    this.replicas.push(replica)
    return replica
  }

  /** As `join`, and running. */
  start(options: Parameters<World['join']>[0] = {}): Replica {
    const replica = this.join(options)
    replica.elector.start({
      onStarted: () => {
        replica.calls.push('started')
        this.look()
      },
      onLost: () => void replica.calls.push('lost'),
    })
    return replica
  }

  /** Moves time in small steps and looks at each who may write. */
  async advance(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(stepMs, left))
      this.look()
    }
    await this.clock.advance(0)
  }

  look(): void {
    const writers = this.writers
    if (writers.length > 1) this.splits.push(writers.join(' and '))
  }

  get writers(): string[] {
    return this.replicas.filter(({ elector }) => elector.mayWrite()).map(({ identity }) => identity)
  }

  /** ms until the condition holds, looked at every 100 ms; undefined when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number): Promise<number | undefined> {
    for (let waited = 0; waited <= limitMs; waited += 100) {
      if (condition()) return waited
      await this.advance(100)
    }
    return undefined
  }

  lease(): Promise<Lease> {
    return this.cluster.get(leases, leaseKey)
  }

  /** Writes over whatever is there, as a person with kubectl would. */
  async put(spec: unknown): Promise<void> {
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: leaseKey, spec } as Lease
    await this.cluster.apply(leases, lease, { fieldManager: 'somebody', force: true })
  }

  async deleteLease(): Promise<void> {
    await this.cluster.delete(leases, leaseKey).catch(() => undefined)
  }
}

/** A world in which the first replica leads and the second has seen that. */
export const pair = async () => {
  const world = new World()
  const first = world.start()
  await world.advance(1_000)
  const second = world.start()
  await world.advance(5_000)
  if (world.writers.join() !== first.identity) throw new Error('the first replica should lead')
  return { world, first, second }
}
