/** Whether a rotation begins, and when: no rotation is under way. Pure. */

import { toTimestamp } from '../control/schedule.ts'
import { begun } from './moves.ts'
import type { Cause, Mode, State, Step, World } from './state.ts'

export const idle = (state: State, world: World): Step => {
  const noted = noting(state, world)
  if (noted !== undefined) return noted
  const reusing = renewing(state, world)
  if (reusing !== undefined) return reusing
  const begins = reasonToBegin(state, world)
  if (begins === undefined) return { act: 'Stay', state, ...keptBack(state, world) }
  if (world.cannotBegin !== undefined && begins.mode === 'NewKey')
    return { act: 'Stay', state, message: `${notBegun} ${world.cannotBegin}` }
  const window = windowFor(world, world.wish.trustSoakMs)
  if (window !== undefined)
    return { act: 'Stay', state, message: `A rotation is to begin. ${window.message}`, ...window.until }
  return begins.mode === 'NewKey' ? prepare(state, world, begins) : intend(state, world)
}

/** How the message begins where somebody has to cure something first. */
export const notBegun = 'No rotation is begun:'

/** Texts that ask for nothing here are acted on by being noted. */
const noting = (state: State, { wish }: World): Step | undefined => {
  const emptied = wish.trigger === '' && state.trigger !== ''
  if (wish.abort === state.abort && !emptied) return undefined
  const trigger = emptied ? '' : state.trigger
  const late = wish.abort !== state.abort && wish.abort !== ''
  const message = late ? 'No rotation is under way that spec.rotation.abort could take back.' : ''
  return { act: 'Report', state: { ...state, trigger, abort: wish.abort }, message }
}

interface Beginning {
  readonly cause: Cause
  readonly mode: Mode
}

const isTriggered = (state: State, { wish }: World): boolean => wish.trigger !== '' && wish.trigger !== state.trigger

/** The same key again would be no answer to its being known. */
const triggeredMode = ({ wish }: World): Mode => (wish.compromised ? 'NewKey' : wish.onTrigger)

const reasonToBegin = (state: State, world: World): Beginning | undefined => {
  const { wish } = world
  if (wish.replaced) return { cause: 'Replaced', mode: 'NewKey' }
  if (isTriggered(state, world)) return { cause: 'Trigger', mode: triggeredMode(world) }
  // With the same key the ordinary renewal does it.
  return endsSoon(world) && !isKeptBack(state, world) ? { cause: 'Expiry', mode: 'NewKey' } : undefined
}

const endsSoon = ({ wish, signer }: World): boolean => wish.onExpiry === 'NewKey' && (signer.expiring || signer.expired)

/** A rotation that the end of the CA began and somebody took back does not begin again, for as long as that can be borne. */
const isKeptBack = (state: State, world: World): boolean =>
  state.cause === 'Abort' && state.abort !== '' && world.now < lastCall(world)

const lastCall = ({ signer, wish }: World): number => signer.notAfter - 2 * (wish.trustSoakMs + wish.dropSoakMs)

const keptBack = (state: State, world: World): { message: string; wakeAt?: number } => {
  if (!endsSoon(world)) return { message: '' }
  const at = lastCall(world)
  return {
    message: `The CA ends at ${toTimestamp(world.signer.notAfter)}, and the rotation because of that was taken back. It begins when spec.rotation.abort is emptied or trigger changed, at the latest at ${toTimestamp(at)}.`,
    wakeAt: at,
  }
}

const prepare = (state: State, { now, wish }: World, { cause, mode }: Beginning): Step => ({
  act: 'Prepare',
  state: begun(
    {
      ...{ phase: 'Prepared', mode, cause },
      trigger: cause === 'Trigger' ? wish.trigger : state.trigger,
      abort: state.abort,
    },
    now,
  ),
  message: 'A rotation begins: the next CA is prepared.',
})

/**
 * The renewal with the same key leaves no mark in the Secret by which to tell that it was done for this trigger. So the
 * certificate that it is to replace is noted first.
 */
const intend = (state: State, { now, signer }: World): Step => ({
  act: 'Report',
  state: begun(
    {
      ...{ phase: 'Idle', mode: 'ReuseKey', cause: 'Trigger' },
      ...{ from: signer.fingerprint, trigger: state.trigger, abort: state.abort },
    },
    now,
  ),
  message: '',
})

const renewing = (state: State, world: World): Step | undefined => {
  const { mode, cause, startedAt, finishedAt, from } = state
  if (mode !== 'ReuseKey' || cause !== 'Trigger' || startedAt === undefined || finishedAt !== undefined)
    return undefined
  const done = { ...state, finishedAt: world.now }
  if (from !== world.signer.fingerprint) {
    const renewed = { ...done, trigger: world.wish.trigger, to: world.signer.fingerprint }
    return { act: 'Report', state: renewed, message: 'The CA was renewed with the same key.' }
  }
  const wanted = isTriggered(state, world) && triggeredMode(world) === 'ReuseKey'
  if (!wanted) return { act: 'Report', state: done, message: '' }
  const renewed = { ...done, trigger: world.wish.trigger }
  return { act: 'RenewSameKey', state: renewed, message: 'The CA is renewed with the same key.' }
}

/** Why a step waits for a maintenance window; undefined: it does not. `leadMs`: what has to fit between the step and the CA's end. */
export const windowFor = (
  { wish, signer, now }: World,
  leadMs: number,
): { message: string; until: { wakeAt?: number } } | undefined => {
  const { open, opensAt, compromised } = wish
  if (open || compromised || signer.expired) return undefined
  if (opensAt === undefined)
    return signer.expiring
      ? undefined
      : { message: 'None of the maintenance windows (spec.rotation.windows) opens again; correct them.', until: {} }
  if (opensAt + leadMs >= signer.notAfter || opensAt <= now) return undefined
  return {
    message: `It goes on when a maintenance window opens, at ${toTimestamp(opensAt)}.`,
    until: { wakeAt: opensAt },
  }
}

export const soakSpan = ({ phase }: State, ms: number): string =>
  phase === 'TrustBoth'
    ? `trustSoak of ${seconds(ms)} runs before the new CA signs`
    : `dropSoak of ${seconds(ms)} runs before the former CA is dropped`

const seconds = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${Math.round(ms / 1000)} s`)
