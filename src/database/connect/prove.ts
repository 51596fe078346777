/** Asks a server until it is known whether it trusts the next CA; see trust.ts for the rules. */

import { probe } from './probe.ts'
import type { ClientCertificate, ProbeOptions, Sight, Target } from './sight.ts'
import { type Judgement, nextStep, type Offer, type Rules, type Seen, usualRules } from './trust.ts'
import { usualTotalMs } from './visit.ts'

/** Of one template: subject, key type, usages and validity alike, backdated a little. */
export type Offers = Readonly<Record<Offer, ClientCertificate>>

export interface ProofOptions extends Omit<ProbeOptions, 'certificate'> {
  readonly rules?: Partial<Rules> | undefined
  /** For all offers together, ms; a server that is almost too late with each would else keep us for minutes. Default: five times `totalMs`. */
  readonly mostMs?: number | undefined
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
  const { clock, totalMs = usualTotalMs } = options
  const { rules: changes, mostMs = 5 * totalMs, ...rest } = options
  const rules = { ...usualRules, ...changes }
  const end = clock.monotonic() + mostMs
  const history: Seen[] = []
  for (;;) {
    const last = history.at(-1)
    if (last !== undefined && last.at >= end) return proofOf(tooSlow(mostMs), history, lastWhole(history) ?? last.sight)
    const step = nextStep(history, rules)
    if ('verdict' in step && last !== undefined) return proofOf(step, history, last.sight)
    if ('verdict' in step) throw new Error('a judgement needs at least one offer')
    if (step.afterMs > 0) await clock.sleep(step.afterMs, options.signal)
    const left = Math.max(0, end - clock.monotonic())
    const sight = await probe(target, { ...rest, totalMs: Math.min(totalMs, left), certificate: offers[step.offer] })
    history.push({ offer: step.offer, sight, at: clock.monotonic() })
  }
}

/** What was cut short by us says nothing of the server, and what became of a stranger nothing of ours. */
const lastWhole = (history: readonly Seen[]): Sight | undefined =>
  history.findLast(({ offer, sight }) => offer !== 'Stranger' && sight.fault === undefined)?.sight

const tooSlow = (mostMs: number): Judgement => ({
  ...{ verdict: 'NotProvable', reason: 'TooSlow' },
  message: `the server answers so late that ${mostMs / 1000} s were not enough for all offers`,
})

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
