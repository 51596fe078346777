/**
 * One look at a DatabaseTLSProfile: what it asks for, what stands of it, the writes and deletes between the two, and one status
 * write that also says what its collaborators know of live servers. Issuing is another controller's: the certificates are
 * DatabaseCertificates like any other.
 */

import { keyOf } from '../cluster/port.ts'
import { type Context, existing } from '../control/context.ts'
import { type Outcome, report, waitingMs } from '../control/report.ts'
import type { DatabaseTLSProfileStatus } from '../resources/database-tls-profile-status.ts'
import { type DatabaseTLSProfile, databaseTLSProfiles } from '../resources/database-tls-profile.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import type { Sources } from '../trust/content.ts'
import { carryOut, type Done } from './act.ts'
import { type Endpoints, nothingSeen, noVerdict, type Reloads, type Verdict } from './collaborators.ts'
import { decide } from './decide.ts'
import type { Expansion } from './expansion.ts'
import { gather, ownCertificates } from './gather.ts'
import { type Memory, newMemory } from './memory.ts'
import { certificateFindings, isOnlyFacts, listedCertificates, outcomeOf } from './status.ts'

/** So long status may lag behind where it is only about serial numbers and times, ms. */
const factsMs = 2000

export interface ProfileOptions {
  readonly sources: Sources
  /** Absent: live servers are left alone. */
  readonly endpoints?: Endpoints | undefined
  readonly reloads?: Reloads | undefined
}

export class ProfileReconciler {
  readonly #context: Context
  readonly #options: ProfileOptions
  readonly #memories = new Map<string, Memory>()

  constructor(context: Context, options: ProfileOptions) {
    this.#context = context
    this.#options = options
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const profile = existing(this.#context.caches.profiles, key)
    if (profile === undefined) {
      this.#memories.delete(key)
      this.#options.endpoints?.forget(key)
      this.#options.reloads?.forget(key)
      return {}
    }
    const memory = this.#memories.get(key) ?? newMemory()
    this.#memories.set(key, memory)
    const seen = await gather(this.#context, profile, memory, signal)
    const plan = decide(seen)
    const turn = { context: this.#context, sources: this.#options.sources, profile, memory, signal }
    const done = await carryOut(turn, plan)
    this.#announce(profile, done)
    const expansion = seen.expanded?.expansion
    const certificates = ownCertificates(this.#context, profile)
    const verdicts = this.#verdicts(profile, expansion, certificates)
    const findings = [
      ...plan.findings,
      ...done.findings,
      ...(expansion === undefined ? [] : certificateFindings(expansion, certificates)),
      ...verdicts.flatMap((verdict) => verdict.findings),
    ]
    const outcome = outcomeOf(expansion, findings, verdicts)
    const facts: Partial<DatabaseTLSProfileStatus> = Object.assign(
      expansion === undefined ? {} : { certificates: listedCertificates(expansion, certificates) },
      ...verdicts.map((verdict) => verdict.facts),
    )
    const told = await this.#tell(profile, memory, facts, outcome, signal)
    // Rate limited: what changed under our hands has settled by then.
    if (done.again) return { requeueAfterMs: 0 }
    return {
      requeueAfterMs: Math.min(told, ...verdicts.map(({ requeueAfterMs }) => requeueAfterMs ?? longestRequeueMs)),
    }
  }

  #verdicts(
    profile: DatabaseTLSProfile,
    expansion: Expansion | undefined,
    certificates: ReturnType<typeof ownCertificates>,
  ): readonly Verdict[] {
    if (expansion === undefined) return []
    const { endpoints, reloads } = this.#options
    const view = { key: keyOf(profile), profile, expansion, certificates }
    const served = endpoints?.look(view) ?? nothingSeen
    return [served, reloads?.look(view, served.seen) ?? noVerdict]
  }

  /** ms until the next look. */
  async #tell(
    profile: DatabaseTLSProfile,
    memory: Memory,
    facts: Partial<DatabaseTLSProfileStatus>,
    outcome: Outcome,
    signal: AbortSignal,
  ): Promise<number> {
    const { caches, clock, events } = this.#context
    if (isOnlyFacts(profile, facts, outcome)) {
      memory.behindSince ??= clock.monotonic()
      const left = memory.behindSince + factsMs - clock.monotonic()
      if (left > 0) return left
    }
    memory.behindSince = undefined
    const wrote = await report(this.#context, databaseTLSProfiles, caches.profiles, profile, facts, outcome, signal)
    const { state, reason, message: note } = outcome
    if (state === 'Ready') return longestRequeueMs
    if (state === 'Reconciling') return waitingMs
    if (wrote) events.record({ regarding: profile, type: 'Warning', reason, action: 'Reconcile', note })
    return longestRequeueMs
  }

  #announce(regarding: DatabaseTLSProfile, { wrote, removed }: Done): void {
    const parts = [
      ...(wrote.length === 0 ? [] : [`Wrote ${listed(wrote)}.`]),
      ...(removed.length === 0 ? [] : [`Removed ${listed(removed)}.`]),
    ]
    if (parts.length === 0) return
    const note = parts.join(' ')
    this.#context.events.record({ regarding, type: 'Normal', reason: 'Applied', action: 'Apply', note })
  }
}

const mostListed = 8

const listed = (names: readonly string[]): string =>
  names.length <= mostListed
    ? names.join(', ')
    : `${names.slice(0, mostListed).join(', ')} and ${names.length - mostListed} more`
