/** What is remembered of a profile's servers → what its status says of them, and when that changes by itself. Pure. */

import type { Instant } from '../../runtime/clock.ts'
import type { Verdict } from '../collaborators.ts'
import { arrivalOf, attemptOf, isCurrent, isStale, type ServerState } from './decide.ts'
import { meansOf, passedMs } from './means.ts'
import { type Memory, statesOf } from './memory.ts'
import type { PlannedServer } from './plan.ts'
import { noteMs, trustStatusOf } from './trust-loaded.ts'
import { byHandWords, serverWords, sinceOf, type Told, verdictOf } from './words.ts'

/** `restarting`: what is told of workloads, where these are restarted. */
export const judge = (memory: Memory, restarting: () => readonly Told[], now: Instant): Verdict => {
  const { plan, trust } = memory
  const recorded = trustStatusOf(trust, plan.trust)
  const waits = whenPassed(memory, now)
  if (plan.strategy === 'Rollout') return soon(verdictOf(restarting(), recorded), waits)
  const servers = statesOf(memory).flatMap((state, at): readonly Pair[] => {
    const server = plan.servers[at]
    return server === undefined ? [] : [[server, state]]
  })
  const changed = trust.changes.size + trust.notes.size > 0
  if (plan.strategy === 'None') {
    const stale = servers.filter(([, state]) => isStale(state)).map(([server]) => server)
    return soon(verdictOf([], recorded, byHandWords(plan, stale, changed)), waits)
  }
  const told = servers.flatMap(([server, state]) => {
    // Nobody has seen it: that it lacks something is not known, and whether it runs is another's to say.
    const isUnseen = state.served === undefined && attemptOf(state)?.lost !== true
    return isUnseen ? [] : (serverWords(plan, server, state, now) ?? [])
  })
  const byHand = plan.reload.authority === 'Statement' ? [] : byHandWords(plan, [], changed)
  return soon(verdictOf(told, recorded, byHand), [...waits, ...servers.flatMap((pair) => whenLate(pair, now))])
}

type Pair = readonly [server: PlannedServer, state: ServerState]

const soon = (verdict: Verdict, waits: readonly number[]): Verdict =>
  waits.length === 0 ? verdict : { ...verdict, requeueAfterMs: Math.min(...waits) }

/** ms until what nobody can see is held for done, or a reminder ends. */
const whenPassed = ({ plan, trust, arrivalMs }: Memory, now: Instant): readonly number[] => {
  const means = meansOf(plan)
  if (means === 'Rollout' || means === 'SQL') return []
  return [
    ...[...trust.changes.values()].map(({ since }) => since + passedMs(means, arrivalMs) - now),
    ...[...trust.notes.values()].map((since) => since + noteMs - now),
  ].filter((ms) => ms > 0)
}

/** ms until what is under way is late, and is said to be. */
const whenLate = ([server, state]: Pair, now: Instant): readonly number[] => {
  if (isCurrent(state)) return []
  const since = sinceOf(server, state)
  const late = since === undefined ? now : since + arrivalOf(state)
  return late <= now ? [] : [late - now]
}
