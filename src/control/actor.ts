/**
 * One look at one object: gather, decide, act on the strongest cure, report. What is the same for every kind that signs is
 * here: how a decision becomes a condition, when signing waits, and what becomes of a failure. A controller is the table of
 * its acts.
 */

import type { Informer } from '../cluster/cache/informer.ts'
import type { KubeObject, Resource } from '../cluster/port.ts'
import { isReady } from '../resources/conditions.ts'
import type { Reason } from '../resources/reasons.ts'
import type { Instant } from '../runtime/clock.ts'
import { longestRequeueMs, type Result } from '../runtime/controller.ts'
import { ReconcileError, Terminal } from '../runtime/errors.ts'
import { ClockSkew, clocksDisagree, probeIntervalMs } from './clock-guard.ts'
import type { Context } from './context.ts'
import { type Decision, sentences } from './decision.ts'
import { failed, type FailureStatus, isRefused, untilNextAttempt } from './failure.ts'
import { type CommonStatus, type Outcome, report, waitingMs } from './report.ts'

interface Reported extends KubeObject {
  readonly status?: (CommonStatus & FailureStatus) | undefined
}

type Facts<T extends Reported> = Partial<NonNullable<T['status']>>

/** What one look is about: the object as the cache had it, and what was gathered for it. */
export interface Look<T, Seen> {
  readonly object: T
  readonly seen: Seen
  readonly signal: AbortSignal
}

/** What is special to one kind. `why`: the findings that act, in sentences. */
export interface Acts<T extends Reported, Seen> {
  readonly gather: (object: T, signal: AbortSignal) => Promise<Seen>
  readonly decide: (seen: Seen, now: Instant) => Decision
  /** Signs anew, through `Actor.attempt`. */
  readonly issue: (look: Look<T, Seen>, why: string) => Promise<Result>
  /** Writes once more what was signed before. */
  readonly encode: (look: Look<T, Seen>, why: string) => Promise<Result>
  /** Nothing has to be done. */
  readonly settle: (look: Look<T, Seen>) => Promise<Result>
  /** Whether a failure to issue waits as status says, longer each time; what does not is left to the queue. */
  readonly isCounted: (error: unknown) => boolean
  /** An act has thrown; called before anything is told of it. */
  readonly onError?: (object: T) => void
}

export class Actor<T extends Reported, Seen> {
  readonly #context: Context
  readonly #resource: Resource<T>
  readonly #cache: Informer<T>
  readonly #acts: Acts<T, Seen>

  constructor(context: Context, resource: Resource<T>, cache: Informer<T>, acts: Acts<T, Seen>) {
    this.#context = context
    this.#resource = resource
    this.#cache = cache
    this.#acts = acts
  }

  async look(object: T, signal: AbortSignal): Promise<Result> {
    const seen = await this.#acts.gather(object, signal)
    const decision = this.#acts.decide(seen, this.#context.clock.now())
    try {
      return await this.#act({ object, seen, signal }, decision)
    } catch (error) {
      this.#acts.onError?.(object)
      if (!(error instanceof ReconcileError)) throw error
      const [reason, message] = [error.reason as Reason, error.message]
      if (error instanceof Terminal) return this.#tell(object, { state: 'Stalled', reason, message }, signal)
      // Tried again with growing delays; meanwhile a person should see why nothing comes.
      if (isRefused(error)) await this.#tell(object, { state: 'Reconciling', reason, message }, signal)
      throw error
    }
  }

  async #act(look: Look<T, Seen>, { cure, acting }: Decision): Promise<Result> {
    const reason = acting[0]?.reason
    const message = sentences(acting)
    switch (cure) {
      case 'Stall':
        return this.#sooner(
          await this.#tell(look.object, { state: 'Stalled', reason: reason ?? 'RequestInvalid', message }, look.signal),
          acting,
        )
      case 'Wait':
        return this.#tell(
          look.object,
          { state: 'Reconciling', reason: reason ?? 'AuthorityNotReady', message },
          look.signal,
        )
      case 'Issue':
        return this.#acts.issue(look, message)
      case 'Encode':
        return this.#acts.encode(look, message)
      case 'None':
        return this.#acts.settle(look)
    }
  }

  #sooner({ requeueAfterMs = longestRequeueMs }: Result, acting: Decision['acting']): Result {
    const left = acting.map(({ until }) => Math.max((until ?? Infinity) - this.#context.clock.now(), 0))
    return { requeueAfterMs: Math.min(requeueAfterMs, ...left) }
  }

  /**
   * Issues, unless an earlier failure or the clocks want it to wait. `make` signs, records and delivers; what it answers
   * is done afterwards, outside of what counts as a failure to issue.
   */
  async attempt({ object, signal }: Look<T, Seen>, make: () => Promise<() => Promise<Result>>): Promise<Result> {
    const { clock, clockGuard } = this.#context
    const held = untilNextAttempt(object, clock.now())
    if (held !== undefined) return { requeueAfterMs: held }
    const skewed = clockGuard.hold()
    if (skewed !== undefined) return this.#hold(object, clocksDisagree, skewed, signal)
    let finish: () => Promise<Result>
    try {
      finish = await make()
    } catch (error) {
      if (error instanceof ClockSkew) {
        this.#warn(object, 'IssuanceFailed', error.message)
        return this.#hold(object, error.message, probeIntervalMs, signal)
      }
      if (!this.#acts.isCounted(error)) throw error
      const { facts, waitMs, message } = failed(object.status, error, clock.now())
      const outcome = { state: 'Reconciling', reason: 'IssuanceFailed', message } as const
      await this.#tell(object, outcome, signal, facts)
      return { requeueAfterMs: waitMs }
    }
    return finish()
  }

  /** What is Ready stays so, untouched: a clock gone wrong must not write to every object there is. */
  async #hold(object: T, message: string, waitMs: number, signal: AbortSignal): Promise<Result> {
    if (!isReady(object)) await this.#tell(object, { state: 'Reconciling', reason: 'IssuanceFailed', message }, signal)
    return { requeueAfterMs: waitMs }
  }

  /** Says Ready with what is known now, and looks again when the certificate is due. */
  async ready(
    { object, signal }: Look<T, Seen>,
    facts: Facts<T>,
    finding: { readonly reason: Reason; readonly message: string },
    renewAt: Instant,
  ): Promise<Result> {
    await report(this.#context, this.#resource, this.#cache, object, facts, { state: 'Ready', ...finding }, signal)
    return { requeueAfterMs: Math.max(renewAt - this.#context.clock.now(), 0) }
  }

  async #tell(object: T, outcome: Outcome, signal: AbortSignal, facts: Facts<T> = {}): Promise<Result> {
    const wrote = await report(this.#context, this.#resource, this.#cache, object, facts, outcome, signal)
    const stalled = outcome.state === 'Stalled'
    if (wrote && stalled) this.#warn(object, outcome.reason, outcome.message)
    return { requeueAfterMs: stalled ? longestRequeueMs : waitingMs }
  }

  announce(regarding: T, reason: string, action: 'Issue' | 'Encode', note: string): void {
    this.#context.events.record({ regarding, type: 'Normal', reason, action, note })
  }

  #warn(regarding: T, reason: string, note: string): void {
    this.#context.events.record({ regarding, type: 'Warning', reason, action: 'Reconcile', note })
  }
}
