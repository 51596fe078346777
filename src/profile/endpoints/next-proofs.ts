/**
 * Which endpoints have proved that they trust the next CA, and when each is asked again. One that has not is asked soon, and ever
 * less often; one that has is offered the next CA alone from time to time, so that what is said of it stays true.
 */

import type { DialectName } from '../../database/connect/dialects/table.ts'
import type { Offers, ProofOptions } from '../../database/connect/prove.ts'
import { doubledDelay } from '../../runtime/backoff.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Look, TrustSeen } from './seen.ts'
import type { Asking } from './look.ts'
import type { PlannedProof } from './plan.ts'
import { hopeless, proveAll, type Proved, takesAll } from './proof.ts'

export interface ProofWatchOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Makes what is offered, modelled on this certificate. Rejects with a sentence where that cannot be done. */
  readonly offers: (proof: PlannedProof, template: string | undefined, signal: AbortSignal) => Promise<Offers>
  /** Default: those of trust.ts. */
  readonly rules?: ProofOptions['rules'] | undefined
}

interface Kept {
  readonly to: string
  trust: TrustSeen
  /** Of which bundle it was proved that it is loaded. */
  loaded: string | undefined
  /** Rounds since it was last hopeful. */
  tries: number
  /** What a server that counts them has refused since a login from here; it is the server's count that matters, so it outlives a rotation. */
  refusals: number
  refusedAt: number
  /** Which of the templates is next. */
  template: number
}

/** MySQL and MariaDB block an address after 100 failures in a row (max_connect_errors); the rest is left to others behind the same address. */
const mostRefusals = 50
const counting: ReadonlySet<DialectName> = new Set<DialectName>(['mysql'])
const whenSpentMs = 24 * 60 * 60_000
const shortestMs = 5000

interface Question {
  readonly asking: Asking
  readonly proof: PlannedProof
  readonly look: Look
}

export class NextProofs {
  readonly #options: ProofWatchOptions
  readonly #kept = new Map<string, Kept>()

  constructor(options: ProofWatchOptions) {
    this.#options = options
  }

  /** Asks, unless it was refused too often, and answers what is known then. Rejects only with the reason of the signal. */
  async ask(key: string, question: Question, signal: AbortSignal): Promise<TrustSeen> {
    const kept = this.#keptOf(key, question.proof.to)
    if (!this.#mayAsk(kept, question)) return kept.trust
    const proved = await this.#ask(kept, question, signal)
    kept.trust = proved.trust
    kept.loaded = proved.trust.state === 'Trusted' ? (kept.loaded ?? question.proof.trustBundleHash) : undefined
    kept.tries = isSettled(kept.trust) ? 0 : kept.tries + 1
    if (proved.isIdentityRefused) kept.template += 1
    if (counting.has(question.asking.dialect) && proved.refusals > 0) {
      kept.refusals += proved.refusals
      kept.refusedAt = this.#options.clock.monotonic()
    }
    return kept.trust
  }

  /** The bundle that this endpoint has proved to have loaded. */
  loaded(key: string): string | undefined {
    return this.#kept.get(key)?.loaded
  }

  /** ms until one that has not proved it is asked again; no bound for the others. */
  untilNext(key: string): number {
    const kept = this.#kept.get(key)
    if (kept === undefined) return shortestMs
    return isSettled(kept.trust) ? Infinity : doubledDelay(shortestMs, Infinity, kept.tries)
  }

  /** Somebody has logged in from here, and the server may have changed its mind. Whether it is to be asked for that. */
  toldAnew(key: string): boolean {
    const kept = this.#kept.get(key)
    if (kept === undefined) return true
    kept.refusals = 0
    kept.tries = 0
    return !isSettled(kept.trust)
  }

  forget(key: string): void {
    this.#kept.delete(key)
  }

  #keptOf(key: string, to: string): Kept {
    const before = this.#kept.get(key)
    if (before?.to === to) return before
    const { refusals, refusedAt } = before ?? { refusals: 0, refusedAt: -Infinity }
    const trust: TrustSeen = { state: 'Unknown' }
    const kept: Kept = { ...{ to, trust, loaded: undefined, tries: 0, refusals, refusedAt, template: 0 } }
    this.#kept.set(key, kept)
    return kept
  }

  #mayAsk({ refusals, refusedAt }: Kept, { asking }: Question): boolean {
    if (!counting.has(asking.dialect) || refusals < mostRefusals) return true
    return this.#options.clock.monotonic() - refusedAt >= whenSpentMs
  }

  async #ask(kept: Kept, { asking, proof, look }: Question, signal: AbortSignal): Promise<Proved> {
    const settled = hopeless(look)
    if (settled !== undefined) return settled
    const { clock, log, offers: make, rules } = this.#options
    const { templates } = proof
    const options = { clock, signal, rules }
    let offers: Offers
    try {
      offers = await make(proof, templates[kept.template % Math.max(1, templates.length)], signal)
    } catch (error) {
      signal.throwIfAborted()
      log.debug('nothing can be made to ask servers about the next CA', {
        authority: proof.authority,
        error: String(error),
      })
      const message = 'Whether it trusts the next CA is not known: no certificate can be signed to ask it with.'
      return { isIdentityRefused: false, refusals: 0, trust: { state: 'Unknown', message } }
    }
    if (kept.trust.state === 'Trusted' && (await takesAll(asking, look, offers.Next, options)))
      return { isIdentityRefused: false, refusals: 0, trust: kept.trust }
    return proveAll(asking, look, offers, proof, options)
  }
}

/** Nothing that it could show any more. */
const isSettled = ({ state }: TrustSeen): boolean =>
  state === 'Trusted' || state === 'NotRequested' || state === 'Anybody'
