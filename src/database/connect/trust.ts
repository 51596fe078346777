/**
 * Does a live server trust the next CA? One accepted offer proves nothing: the server may accept strangers, may never have been
 * sent the certificate, may be in the middle of a reload. So three kinds of client certificate are offered, all made from one
 * template: of the current CA (must be taken), of a stranger with the next CA's name (must be refused), of the next CA (the
 * question), the last several times in a row. Pure: what was seen goes in, what to offer next or the judgement comes out.
 */

import type { FaultReason } from './fault.ts'
import type { Sight } from './sight.ts'

export type Offer = 'Current' | 'Stranger' | 'Next'

export interface Seen {
  readonly offer: Offer
  readonly sight: Sight
  /** When it ended, ms on a clock that never jumps. */
  readonly at: number
}

export type Verdict = 'Trusted' | 'NotTrusted' | 'NotProvable' | 'Unreachable'

export type TrustReason =
  | 'Proved'
  /** The next CA is refused as the stranger is. */
  | 'Refused'
  /** Taken and refused in turns: a reload is under way, or several processes answer. */
  | 'Wavering'
  /** The server asks for no certificate: it verifies no client here. */
  | 'NotRequested'
  | 'StrangerAccepted'
  | 'CurrentRefused'
  /** The next CA's certificate is refused for another reason than its issuer. */
  | 'OtherFault'
  /** The certificate was not sent, for want of a common signature algorithm. */
  | 'NotOffered'
  | 'Resumed'
  /** The served certificate does not verify: who knows who answered. */
  | 'ServerNotVerified'
  | 'ServersDiffer'
  | 'Undecided'
  /** It answered every offer so late that there was no time for the rest. */
  | 'TooSlow'
  /** More refused offers would have MySQL block this address (max_connect_errors). */
  | 'TooManyRefusals'
  | FaultReason

export interface Judgement {
  readonly verdict: Verdict
  readonly reason: TrustReason
  /** A sentence without a full stop. */
  readonly message: string
}

export interface Step {
  readonly offer: Offer
  /** ms to wait before it. */
  readonly afterMs: number
}

export interface Rules {
  /** How often in a row the next CA must be taken, and over how long at least, ms. */
  readonly inARow: number
  readonly overMs: number
  /** How many unclear answers, and how many changes of mind, are borne. */
  readonly patience: number
  /** No offer is made when the server has refused this many. */
  readonly mostRefusals: number
}

/**
 * Kafka answers both ways for 0.3 s while it reloads. MySQL blocks an address after max_connect_errors (100) refusals in a row, so
 * one round stays far below.
 */
export const usualRules: Rules = { inARow: 10, overMs: 2000, patience: 3, mostRefusals: 20 }

const repeatMs = 200
/** RFC 8446 §6.2. The one alert that names the issuer; 46 and 80 stand for any fault. */
const unknownCa = 48

export const nextStep = (history: readonly Seen[], rules: Rules): Step | Judgement =>
  hopeless(history) ?? unclear(history, rules) ?? withinLimit(history, rules, compare(history, rules))

const judge = (verdict: Verdict, reason: TrustReason, message: string): Judgement => ({ verdict, reason, message })

/** What no further offer could cure. */
const hopeless = (history: readonly Seen[]): Judgement | undefined => {
  const last = history.at(-1)?.sight
  if (last === undefined) return undefined
  const { fault, problems = [] } = last
  if (fault !== undefined) return judge('Unreachable', fault.reason, fault.message)
  if (problems.length > 0)
    return judge('NotProvable', 'ServerNotVerified', `the served certificate does not verify: ${problems.join('; ')}`)
  const served = new Set(history.map(({ sight }) => sight.served?.fingerprint))
  if (served.size > 1)
    return judge('NotProvable', 'ServersDiffer', 'different certificates were served: several servers, or a reload')
  if (last.resumed) return judge('NotProvable', 'Resumed', 'the session was resumed, so nothing was verified')
  if (last.requested === false)
    return judge('NotProvable', 'NotRequested', 'the server asks for no client certificate, so it verifies none here')
  if (last.requested === true && !last.offered)
    return judge('NotProvable', 'NotOffered', 'the client certificate was not sent: no signature algorithm in common')
  return undefined
}

/** An answer that was none is asked for again. */
const unclear = (history: readonly Seen[], { patience }: Rules): Step | Judgement | undefined => {
  const last = history.at(-1)
  if (last?.sight.outcome !== 'Unclear') return undefined
  if (history.filter(({ sight }) => sight.outcome === 'Unclear').length <= patience)
    return { offer: last.offer, afterMs: repeatMs }
  return judge('NotProvable', 'Undecided', 'the server neither took nor refused the certificate in time')
}

const withinLimit = (history: readonly Seen[], rules: Rules, step: Step | Judgement): Step | Judgement => {
  const refusals = history.filter(({ sight }) => sight.outcome === 'Refused').length
  if ('verdict' in step || refusals < rules.mostRefusals) return step
  return judge(
    'NotProvable',
    'TooManyRefusals',
    `the server refused ${refusals} offers, and more could have it block us`,
  )
}

const compare = (history: readonly Seen[], rules: Rules): Step | Judgement => {
  const of = (offer: Offer): Sight | undefined =>
    history.find((seen) => seen.offer === offer && seen.sight.outcome !== 'Unclear')?.sight
  const [next, current, stranger] = [of('Next'), of('Current'), of('Stranger')]
  if (next === undefined) return { offer: 'Next', afterMs: 0 }
  if (current === undefined) return { offer: 'Current', afterMs: 0 }
  if (current.outcome === 'Refused') return currentRefused(current, next)
  if (next.outcome === 'Refused') return refusedAs(history, rules, next, stranger)
  if (stranger === undefined) return { offer: 'Stranger', afterMs: 0 }
  if (stranger.outcome === 'Accepted') return strangerAccepted
  return again(history, rules)
}

const alertText = ({ alert }: Sight): string => (alert === undefined ? 'without an alert' : `with alert ${alert}`)

const strangerAccepted = judge(
  'NotProvable',
  'StrangerAccepted',
  'the server takes the certificate of a CA that nobody trusts: it does not verify its clients',
)

const currentRefused = (current: Sight, next: Sight): Judgement =>
  judge(
    'NotProvable',
    'CurrentRefused',
    next.outcome === 'Accepted'
      ? `the server takes the next CA and refuses the current one ${alertText(current)}: clients of today are refused`
      : `the server refuses the current CA as well ${alertText(current)}: it has no CA of ours, or a rule of its own forbids the name`,
  )

const refusedAs = (
  history: readonly Seen[],
  rules: Rules,
  next: Sight,
  stranger: Sight | undefined,
): Step | Judgement => {
  const refused = judge('NotTrusted', 'Refused', `the server refuses a certificate of the next CA ${alertText(next)}`)
  if (next.alert === unknownCa) return refused
  if (stranger === undefined) return { offer: 'Stranger', afterMs: 0 }
  if (stranger.outcome === 'Accepted') return strangerAccepted
  if (stranger.alert === next.alert) return refused
  // An alert may be lost on the way: the one that came without is asked for again.
  const later = history.filter(({ offer, sight }) => offer === 'Next' && sight.outcome === 'Refused')
  if (later.some(({ sight }) => sight.alert === stranger.alert)) return refused
  if (next.alert === undefined && later.length <= rules.patience) return { offer: 'Next', afterMs: repeatMs }
  return judge(
    'NotProvable',
    'OtherFault',
    `the server refuses the next CA ${alertText(next)} and a stranger ${alertText(stranger)}: not for its issuer`,
  )
}

/** The next CA was taken once; now as often and as long as the rules want. */
const again = (history: readonly Seen[], rules: Rules): Step | Judgement => {
  const asked = history.filter(({ offer, sight }) => offer === 'Next' && sight.outcome !== 'Unclear')
  const refusals = asked.filter(({ sight }) => sight.outcome === 'Refused').length
  if (refusals > rules.patience)
    return judge('NotTrusted', 'Wavering', 'the server takes the next CA and refuses it in turns')
  const row = asked.slice(asked.findLastIndex(({ sight }) => sight.outcome === 'Refused') + 1)
  const [first, last] = [row[0], row.at(-1)]
  const over = first === undefined || last === undefined ? 0 : last.at - first.at
  if (row.length >= rules.inARow && over >= rules.overMs)
    return judge('Trusted', 'Proved', `the server took the next CA ${row.length} times in a row and refused a stranger`)
  return { offer: 'Next', afterMs: Math.ceil(rules.overMs / Math.max(1, rules.inARow - 1)) }
}
