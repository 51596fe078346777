/**
 * One look at the trust bundle of an authority: which ConfigMaps and Secrets it belongs into, what stands there, and the
 * writes and deletes between the two. The authority itself is another controller's; here only `status.trustTargets` is written.
 */

import { keyOf } from '../cluster/port.ts'
import { type Context, existing } from '../control/context.ts'
import { writeStatus } from '../control/report.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import { storeOf, take, type TrustRun } from './act.ts'
import type { Sources } from './content.ts'
import { type Cached, type Known, nameOf, plan, type Step } from './decide.ts'
import { idOf } from './names.ts'
import { scopeOf } from './scope.ts'
import { observedOf, type Reported, statusOf, type TrustTargetsStatus } from './status.ts'
import { nothing, resolve, type Scope, type TargetKind, type Wanted } from './wanted.ts'

/** Objects worked on in one turn: thousands of namespaces must not hold back the other authorities. */
const turnSize = 200
/** At the same time. */
const width = 4
/** What a quota, a policy or a missing right refuses is tried again so much later, ms. */
const refusedMs = 5 * 60 * 1000

export interface TrustOptions extends Sources {
  /** The namespaces the operator was started for; undefined for all. */
  readonly namespaces: readonly string[] | undefined
}

interface Failure {
  readonly note: string
  /** Monotonic ms; nothing is tried before. */
  readonly until: number
  readonly namespace: string | undefined
}

/** What is remembered of an authority between two looks. */
interface Memory {
  /** By id: what was verified, so that a look at rest reads nothing. */
  readonly known: Map<string, Known>
  readonly failed: Map<string, Failure>
  /** Of the authority, when the failures happened. */
  epoch: string
}

export class TrustReconciler {
  readonly #context: Context
  readonly #options: TrustOptions
  readonly #memories = new Map<string, Memory>()

  constructor(context: Context, options: TrustOptions) {
    this.#context = context
    this.#options = options
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const authority = this.#authority(key)
    const scope = scopeOf(this.#context.caches, this.#options.namespaces)
    const wanted = authority === undefined ? nothing : resolve(authority, scope)
    const present = this.#present(key)
    if (authority?.spec.trustBundle === undefined && present.length === 0) {
      this.#memories.delete(key)
      await this.#report(key, undefined, false, signal)
      return {}
    }
    const memory = this.#memory(key, authority, wanted, present)
    const { known, failed } = memory
    const cached = (id: string): Cached | undefined => this.#cached(id)
    const terminating = (namespace: string): boolean => scope.seen?.get(namespace)?.terminating === true
    const steps = plan({ wanted, cached, present, known, terminating })
    const turn = steps.filter(({ id }) => this.#isDue(failed.get(id), scope)).slice(0, turnSize)
    const run: TrustRun = {
      context: this.#context,
      sources: this.#options,
      key,
      authority,
      known,
      contents: new Map(),
      signal,
    }
    const { again, wrote } = await this.#work(run, turn, failed)
    const left = new Set([...wanted.placements.keys(), ...this.#present(key)])
    for (const map of [known, failed]) for (const id of map.keys()) if (!left.has(id)) map.delete(id)
    if (turn.length === turnSize) return { requeueAfterMs: 1 }
    const notes = [...wanted.problems, ...[...failed.values()].map(({ note }) => note)]
    await this.#report(key, { wanted, known, cached, notes }, wrote, signal)
    return again ? { requeueAfterMs: 0 } : this.#untilNextTry(failed)
  }

  #authority(key: string): CertificateAuthority | undefined {
    return existing(this.#context.caches.authorities, key)
  }

  /** Ids of what carries the authority's mark. */
  #present(key: string): string[] {
    const { configMaps, secrets } = this.#context.caches
    return [configMaps, secrets].flatMap(({ store }) => store.by('trust', key).map(idOf))
  }

  #cached(id: string): Cached | undefined {
    const { kind, namespace, name } = nameOf(id)
    const found = storeOf(this.#context, kind as TargetKind).cache.store.get(`${namespace}/${name}`)
    if (found === undefined) return undefined
    const { uid = '', resourceVersion = '' } = found.metadata
    return { uid, resourceVersion }
  }

  #memory(
    key: string,
    authority: CertificateAuthority | undefined,
    wanted: Wanted,
    present: readonly string[],
  ): Memory {
    const epoch = epochOf(authority)
    const remembered = this.#memories.get(key)
    const memory = remembered ?? { known: this.#recall(authority, wanted, present), failed: new Map(), epoch }
    this.#memories.set(key, memory)
    // Another spec, or another state of the authority: what failed may pass now.
    if (memory.epoch !== epoch) memory.failed.clear()
    memory.epoch = epoch
    return memory
  }

  /** After a start: where the caches hold the very versions that the last look verified, nothing has to be read. */
  #recall(authority: CertificateAuthority | undefined, wanted: Wanted, present: readonly string[]): Map<string, Known> {
    const ids = present.filter((id) => wanted.placements.has(id))
    const observed = authority?.status?.trustTargets?.observed
    if (observed === undefined || observedOf(wanted, ids, (id) => this.#cached(id)) !== observed) return new Map()
    return new Map(
      ids.flatMap((id) => {
        const cached = this.#cached(id)
        const hash = wanted.placements.get(id)?.target.hash
        return cached === undefined ? [] : [[id, { ...cached, ours: true, hash }] as const]
      }),
    )
  }

  #isDue(failure: Failure | undefined, { seen }: Scope): boolean {
    if (failure === undefined) return true
    if (failure.namespace !== undefined && seen !== undefined) return seen.has(failure.namespace)
    return failure.until <= this.#context.clock.monotonic()
  }

  #untilNextTry(failed: ReadonlyMap<string, Failure>): Result {
    // A namespace that comes tells by itself.
    const times = [...failed.values()].flatMap(({ until, namespace }) =>
      namespace === undefined || this.#context.caches.namespaces === undefined ? until : [],
    )
    if (times.length === 0) return {}
    return { requeueAfterMs: Math.max(1000, Math.min(...times) - this.#context.clock.monotonic()) }
  }

  /** Some at a time. `again`: one of them has to be looked at again at once. A server in trouble ends the turn. */
  async #work(run: TrustRun, steps: readonly Step[], failed: Map<string, Failure>) {
    const queue = steps.values()
    let again = false
    let wrote = false
    const worker = async (): Promise<void> => {
      for (const step of queue) {
        const outcome = await take(run, step)
        failed.delete(step.id)
        if (outcome.state === 'again') again = true
        if (outcome.state === 'done' && outcome.wrote) wrote = true
        if (outcome.state !== 'failed') continue
        const until = this.#context.clock.monotonic() + refusedMs
        failed.set(step.id, { note: outcome.note, until, namespace: outcome.namespace })
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: Math.min(width, steps.length) }, worker))
    for (const one of ended) if (one.status === 'rejected') throw one.reason
    return { again, wrote }
  }

  async #report(key: string, reported: Reported | undefined, changed: boolean, signal: AbortSignal): Promise<void> {
    const authority = this.#authority(key)
    // The authority's own controller goes first: it is at work on what it has not answered yet, and would lose its status write.
    if (authority === undefined || authority.status?.observedGeneration !== authority.metadata.generation) return
    const before: TrustTargetsStatus | undefined = authority.status?.trustTargets
    const trustTargets = reported === undefined ? undefined : statusOf(reported, before, changed)
    const { authorities } = this.#context.caches
    const status = { ...authority.status, trustTargets }
    const wrote = await writeStatus(this.#context, certificateAuthorities, authorities, authority, status, signal)
    if (!wrote || trustTargets?.message === undefined || trustTargets.message === before?.message) return
    this.#context.events.record({
      regarding: authority,
      type: 'Warning',
      reason: 'TrustTargetsIncomplete',
      action: 'Distribute',
      note: trustTargets.message,
    })
  }
}

const epochOf = (authority: CertificateAuthority | undefined): string => {
  if (authority === undefined) return 'gone'
  const { metadata, status } = authority
  const { uid, generation } = metadata
  const signs = [
    status?.trustBundleHash,
    status?.certificate?.fingerprint,
    String(listNumberOf(status?.crl)),
    isReady(authority),
  ]
  return JSON.stringify([keyOf(authority), uid, generation, ...signs])
}
