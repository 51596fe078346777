/** Restarts workloads by an annotation of their pod template, as `kubectl rollout restart` does, and waits for each. */

import { ifFound, isConflict, isForbidden, isInvalid, isNotFound } from '../../cluster/errors.ts'
import { type Context, marks } from '../../control/context.ts'
import { toTimestamp } from '../../control/schedule.ts'
import { type Workload, workloads } from '../../resources/workloads.ts'
import type { Result } from '../../runtime/controller.ts'
import type { ProfileView } from '../collaborators.ts'
import type { PlannedWorkload, ReloadPlan } from './plan.ts'
import { annotationOf, decideRollout, goalOf, type RolloutStep, unansweredMs, type WorkloadSeen } from './rollout.ts'
import type { Told } from './words.ts'

/** Of its own: whoever manages the rest of the workload sees no change of a field that is theirs. */
const fieldManager = 'dbtls.dev/rollout'
/** A rollout under way is looked at so often, and what was refused is tried again so much later, ms. */
const pollMs = 5000
const refusedMs = 60_000

interface Memory {
  /** What all workloads were found to have: nothing is read again before it changes. */
  settled: string | undefined
  step: RolloutStep | undefined
  failure: { readonly wanted: PlannedWorkload; readonly reason: string; readonly message: string } | undefined
}

export interface RestartTurn extends StartedWith {
  readonly view: ProfileView
  readonly plan: ReloadPlan
  readonly signal: AbortSignal
}

/** What is known of that. */
interface StartedWith {
  /** Address → serial number. */
  readonly served: ReadonlyMap<string, string>
  /** Addresses that show it with the chain of a former CA. */
  readonly formerChains: ReadonlySet<string>
  /** Hash of the CAs that were loaded, as far as status knows. */
  readonly recorded: string | undefined
}

export class Restarts {
  readonly #context: Context
  readonly #memories = new Map<string, Memory>()

  constructor(context: Context) {
    this.#context = context
  }

  forget(key: string): void {
    this.#memories.delete(key)
  }

  isDue(key: string, plan: ReloadPlan, known: StartedWith): boolean {
    return this.#memories.get(key)?.settled !== settledBy(plan, known)
  }

  /** Whether every workload has what status is to remember as loaded. */
  hasTrust(key: string, plan: ReloadPlan): boolean {
    const settled = this.#memories.get(key)?.settled
    return settled?.startsWith(`${goalsOf(plan)} `) === true
  }

  told(key: string, plan: ReloadPlan): readonly Told[] {
    const { step, failure, settled } = this.#memories.get(key) ?? {}
    // Whoever waits for a restart must not take it for done between a delivery and the first look at what it means.
    if (settled !== undefined && !settled.startsWith(`${goalsOf(plan)} `))
      return plan.workloads.map(({ kind, name }) => ({
        ...{ name: `${kind}/${name}`, reason: 'Changed', weight: 'Under way' },
        message: 'Its certificate or CAs have changed; it is looked at.',
      }))
    const wanted = failure?.wanted ?? step?.wanted
    if (wanted === undefined) return []
    const name = `${wanted.kind}/${wanted.name}`
    const { since } = wanted
    const told = (reason: string, message: string, weight: Told['weight']): Told => ({
      ...{ name, reason, message, weight },
      ...(since === undefined ? {} : { since: toTimestamp(since) }),
    })
    if (failure !== undefined) return [told(failure.reason, failure.message, 'Refused')]
    if (step?.act !== 'Wait') return [told('Restarting', 'It is restarted.', 'Under way')]
    const weight = step.reason === 'Missing' ? 'Refused' : step.reason === 'KeptOld' ? 'Late' : 'Under way'
    return [told(step.reason, `It ${step.words}.`, weight)]
  }

  async step(turn: RestartTurn): Promise<Result> {
    const { view, plan, signal } = turn
    const memory: Memory = { settled: undefined, step: undefined, failure: undefined }
    let seen: readonly WorkloadSeen[]
    try {
      seen = await this.#see(turn)
    } catch (error) {
      return this.#refused(memory, plan.workloads[0], 'read', error)
    } finally {
      // What is told meanwhile is what was found before.
      this.#memories.set(view.key, memory)
    }
    const { clock } = this.#context
    const step = decideRollout(seen, clock.now())
    memory.step = step
    if (step === undefined) {
      memory.settled = settledBy(plan, turn)
      return this.#later(seen)
    }
    if (step.act === 'Wait') return { requeueAfterMs: step.reason === 'Rolling' ? pollMs : refusedMs }
    try {
      await this.#restart(step.wanted, step.live, signal)
    } catch (error) {
      if (isConflict(error)) return { requeueAfterMs: 0 }
      return this.#refused(memory, step.wanted, 'restart', error)
    }
    const { kind, name } = step.wanted
    this.#context.events.record({
      ...{ regarding: view.profile, type: 'Normal', reason: 'Reloaded', action: 'Restart' },
      note: `${kind} ${name} is restarted for its new certificate or CAs.`,
    })
    return { requeueAfterMs: pollMs }
  }

  /** Servers that nobody could ask are judged by the age of their workload, a little later. */
  #later(seen: readonly WorkloadSeen[]): Result {
    const now = this.#context.clock.now()
    const times = seen.flatMap(({ wanted: { since }, shows }) =>
      since !== undefined && shows === undefined && since + unansweredMs >= now
        ? [since + unansweredMs - now + 1000]
        : [],
    )
    return times.length === 0 ? {} : { requeueAfterMs: Math.min(...times) }
  }

  #refused(memory: Memory, wanted: PlannedWorkload | undefined, verb: string, error: unknown): Result {
    if (wanted === undefined || !(isForbidden(error) || isInvalid(error))) throw error
    const named = `${wanted.kind} "${wanted.name}"`
    const message = isForbidden(error)
      ? `The operator may not ${verb} ${named}: install the chart with rollout.enabled=true, or choose another spec.reload.strategy.`
      : `The API server refuses to restart ${named}: ${(error as Error).message}`
    memory.failure = { wanted, reason: 'Forbidden', message: message.slice(0, 2000) }
    return { requeueAfterMs: refusedMs }
  }

  #see({ view, plan, signal, ...known }: RestartTurn): Promise<readonly WorkloadSeen[]> {
    const { namespace } = view.profile.metadata
    return Promise.all(
      plan.workloads.map(async (wanted) => {
        const { kind, name } = wanted
        const live = await ifFound(this.#context.cluster.get(workloads[kind], { namespace, name }, { signal }))
        const annotations = live?.spec.template?.metadata?.annotations
        return {
          ...{ wanted, live, goal: goalOf(annotations?.[marks.restartedFor]) },
          ...{ shows: showsOf(wanted, known), trust: known.recorded?.slice(0, 16) },
        }
      }),
    )
  }

  async #restart(wanted: PlannedWorkload, live: Workload, signal: AbortSignal): Promise<void> {
    const { kind, apiVersion, metadata } = live
    const annotations = { [marks.restartedFor]: annotationOf(wanted.goal) }
    const { name, namespace, uid, resourceVersion } = metadata
    const object = {
      ...{ apiVersion, kind, spec: { template: { metadata: { annotations } } } },
      metadata: { name, namespace, uid, resourceVersion },
    } as Workload
    try {
      await this.#context.cluster.apply(workloads[kind], object, {
        fieldManager,
        force: true,
        metadataOnly: true,
        signal,
      })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

const showsOf = ({ servers }: PlannedWorkload, { served, formerChains }: StartedWith): boolean | undefined => {
  const shown = servers.map(({ address, delivered }) => {
    const serial = served.get(address)
    if (serial === undefined) return undefined
    return delivered.some((one) => one.serial === serial) && !formerChains.has(address)
  })
  if (shown.includes(false)) return false
  return shown.length === 0 || shown.includes(undefined) ? undefined : true
}

const goalsOf = ({ workloads: all }: ReloadPlan): string =>
  JSON.stringify(all.map(({ kind, name, goal }) => [kind, name, annotationOf(goal)]))

const settledBy = (plan: ReloadPlan, known: StartedWith): string =>
  `${goalsOf(plan)} ${JSON.stringify([plan.workloads.map((one) => showsOf(one, known)), known.recorded === plan.trustHash])}`
