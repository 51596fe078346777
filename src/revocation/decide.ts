/** Whether a CA needs a new revocation list, and whether it can have one. Pure. */

import type { ParsedRevocationList } from '../pki/revocation/revocation-list.ts'
import { toTimestamp } from '../control/schedule.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { Reason } from '../resources/reasons.ts'
import { outdated } from './entries.ts'
import { lastEnd } from './former.ts'
import type { Observed, OtherSeen } from './observed.ts'
import { dueAt } from './wanted.ts'

export type Verdict =
  /** The list is right until `until`. */
  | { readonly verdict: 'Keep'; readonly until: number }
  /** `why`: a sentence. */
  | { readonly verdict: 'Issue'; readonly why: string }
  | { readonly verdict: 'Wait' | 'Stall'; readonly reason: Reason; readonly message: string }

/** Clocks of clients may be so far behind ours, ms; certificates are backdated by as much. */
export const backdatedMs = 5 * 60_000
/** A list from further in the future was made by a clock gone wrong, ms. */
const toleratedMs = 10 * 60_000

export const decide = (seen: Observed, now: number): Verdict => {
  const { stored, signer, listName, key, mayAct } = seen
  if (!mayAct) return { verdict: 'Wait', reason: 'Held', message: 'The CA is held, and signs nothing.' }
  if (key === undefined)
    return { verdict: 'Wait', reason: 'AuthorityNotReady', message: 'The CA has no certificate yet.' }
  if (stored.state === 'present' && !stored.ours) return inTheWay(listName, stored.owner)
  const why = reasonToIssue(seen, now)
  if (why === undefined) return { verdict: 'Keep', until: untilOf(seen) }
  const problem = signingProblem(signer, now)
  return problem === undefined
    ? { verdict: 'Issue', why }
    : { verdict: 'Stall', reason: 'RevocationListNotSigned', message: `${why} ${problem} ${remains(seen, now)}` }
}

const inTheWay = (listName: string, owner: string | undefined): Verdict => ({
  verdict: 'Stall',
  reason: 'ConfigMapInTheWay',
  message:
    owner === undefined
      ? `ConfigMap "${listName}" was not made by dbtls and is left alone. Delete it, or annotate it with dbtls.dev/adopt: "true".`
      : `ConfigMap "${listName}" belongs to ${owner} and is left alone. Delete it, or annotate it with dbtls.dev/adopt: "true".`,
})

const reasonToIssue = (
  { stored, status, policy, ledger, key, uid, listName, other }: Observed,
  now: number,
): string | undefined => {
  if (stored.state === 'absent' || key === undefined)
    return status?.contentHash === undefined ? 'There is no list yet.' : `ConfigMap "${listName}" was deleted.`
  const { list, drift } = stored
  if (list?.nextUpdate === undefined || list.number === undefined)
    return `ConfigMap "${listName}" holds no list that the CA's present key signed.`
  // A list of ours, but an old one: somebody brought back a former state of the ConfigMap.
  if (list.number < (listNumberOf(status) ?? 0n)) return `ConfigMap "${listName}" holds a list older than the last one.`
  if (drift.length > 0) return `ConfigMap "${listName}" differs in ${drift.join(', ')}.`
  const change = outdated(list, ledger, key)
  if (change !== undefined) return `Since the last list ${change}.`
  if (list.thisUpdate > now + toleratedMs) return 'The last list is from the future: a clock was wrong.'
  if (list.nextUpdate > now + policy.durationMs + toleratedMs)
    return 'spec.crl.duration is shorter than the last list lasts.'
  if (dueAt(policy, list.nextUpdate, uid) <= now) return 'The last list is due for renewal.'
  return other === undefined ? undefined : reasonOfOther(other, stored.other, ledger, now)
}

const reasonOfOther = (
  { name, key }: OtherSeen,
  list: ParsedRevocationList | undefined,
  ledger: Observed['ledger'],
  now: number,
): string | undefined => {
  if (list?.nextUpdate === undefined) return `There is no list of the ${name} CA yet.`
  const change = outdated(list, ledger, key)
  if (change !== undefined) return `Since the last list of the ${name} CA ${change}.`
  return list.nextUpdate < (lastEnd(ledger, key, now) ?? 0)
    ? `The last list of the ${name} CA ends before its last certificate does.`
    : undefined
}

const untilOf = ({ stored, policy, uid }: Observed): number =>
  stored.state === 'present' && stored.list?.nextUpdate !== undefined
    ? dueAt(policy, stored.list.nextUpdate, uid)
    : Number.POSITIVE_INFINITY

const signingProblem = (signer: Observed['signer'], now: number): string | undefined => {
  if (signer.state === 'unusable') return `The CA cannot sign another one: ${signer.message}.`
  if (!signer.mayIssue)
    return 'The CA certificate does not have the key usage cRLSign, so no list of it would be believed; remove spec.crl, or use another CA.'
  if (signer.notAfter < now)
    return `The CA certificate ended at ${toTimestamp(signer.notAfter)}, so no list of it would be believed; renew the CA.`
  return signer.notBefore > now
    ? `The CA certificate is not valid before ${toTimestamp(signer.notBefore)}, so no list of it would be believed.`
    : undefined
}

const remains = ({ stored }: Observed, now: number): string => {
  const nextUpdate = stored.state === 'present' ? stored.list?.nextUpdate : undefined
  if (nextUpdate === undefined) return 'There is no valid list.'
  return nextUpdate > now
    ? `The last list stays, and is valid until ${toTimestamp(nextUpdate)}.`
    : `The last list stays, and ended at ${toTimestamp(nextUpdate)}.`
}
