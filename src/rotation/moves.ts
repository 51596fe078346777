/**
 * Every way in which what is remembered of a rotation changes, so that each phase is entered and left alike whoever decides it:
 * the table of phases.ts (decide.ts), a wish at rest (idle.ts), the owner of a CA that was brought along or of a bundle (owner.ts, bundle.ts). Pure.
 */

import type { Phase, State } from './state.ts'

type Begun = Omit<State, 'startedAt' | 'phaseStartedAt' | 'soakStartedAt' | 'finishedAt'>

/** Nothing of an earlier rotation stays but what `what` says. */
export const begun = (what: Begun, now: number): State => ({ ...what, startedAt: now, phaseStartedAt: now })

export const withoutSoak = (state: State): State => {
  const { soakStartedAt: _soakStartedAt, ...rest } = state
  return rest
}

export const soakingSince = (state: State, now: number): State => ({ ...state, soakStartedAt: now })

export const entered = (phase: Phase, state: State, now: number): State => ({
  ...withoutSoak(state),
  phase,
  phaseStartedAt: now,
})

export const ended = (state: State, now: number): State => ({ ...entered('Idle', state, now), finishedAt: now })

/** The two CAs change places: who was to be given up stays, and the other one goes through the same phases. */
export const exchanged = ({ from, to, ...state }: State): State => ({
  ...state,
  ...(to === undefined ? {} : { from: to }),
  ...(from === undefined ? {} : { to: from }),
})
