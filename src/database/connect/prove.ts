/** Asks a server until it is known whether it trusts the next CA; see trust.ts for the rules. */

import { probe } from './probe.ts'
import type { ClientCertificate, ProbeOptions, Sight, Target } from './sight.ts'
import { type Judgement, nextStep, type Offer, type Rules, type Seen, usualRules } from './trust.ts'

/** Of one template: subject, key type, usages and validity alike, backdated a little. */
export type Offers = Readonly<Record<Offer, ClientCertificate>>

export interface ProofOptions extends Omit<ProbeOptions, 'certificate'> {
  readonly rules?: Partial<Rules> | undefined
}

export interface Proof extends Judgement {
  /** What was offered and how it ended, in order. */
  readonly rounds: readonly { readonly offer: Offer; readonly outcome: Sight['outcome']; readonly alert?: number }[]
  /**
   * How many the server refused. MySQL and MariaDB count these per client address until one login from there is completed:
   * whoever probes them lets a real login follow, and makes no more offers than max_connect_errors (100) without.
   */
  readonly refusals: number
  /** The last look at the server. */
  readonly sight: Sight
}

/** Never throws for what a server does; rejects with the signal's reason only from a wait between two offers. */
export const proveTrust = async (target: Target, offers: Offers, options: ProofOptions): Promise<Proof> => {
  const { rules: changes, ...rest } = options
  const rules = { ...usualRules, ...changes }
  const history: Seen[] = []
  for (;;) {
    const step = nextStep(history, rules)
    const last = history.at(-1)
    if ('verdict' in step && last !== undefined) return proofOf(step, history, last.sight)
    if ('verdict' in step) throw new Error('a judgement needs at least one offer')
    if (step.afterMs > 0) await options.clock.sleep(step.afterMs, options.signal)
    const sight = await probe(target, { ...rest, certificate: offers[step.offer] })
    history.push({ offer: step.offer, sight, at: options.clock.monotonic() })
  }
}

const proofOf = (judgement: Judgement, history: readonly Seen[], sight: Sight): Proof => ({
  ...judgement,
  rounds: history.map(({ offer, sight: { outcome, alert } }) => ({
    offer,
    outcome,
    ...(alert === undefined ? {} : { alert }),
  })),
  refusals: history.filter((seen) => seen.sight.outcome === 'Refused').length,
  sight,
})
