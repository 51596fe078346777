/**
 * The rotation of a CA as a table: for each phase what it waits for and what comes next. Pure; `decide.ts` reads it.
 *
 *     Idle ─Prepare─▶ Prepared ─Publish─▶ TrustBoth ─Switch─▶ Signing ─▶ DropSoak ─Drop─▶ Dropped ─Finish─▶ Idle
 *
 * A phase is left when all of its gates are open, then its soak is over, nobody holds it, and a maintenance window is open.
 */

import type { Stage } from '../authority/stage.ts'
import { type Gate, type GateName, gates } from './gates.ts'
import type { Phase, RunningPhase, World, Write } from './state.ts'

export interface PhaseRule {
  /** What the Secret holds in this phase. */
  readonly stages: readonly Stage[]
  /** What it may hold when a crash came between its write and that of status, and the phase that it then is. */
  readonly written: Readonly<Partial<Record<Stage, Phase>>>
  readonly gates: readonly GateName[]
  readonly soakMs?: (world: World) => number
  /** Whether spec.rotation.holdAt may name it. */
  readonly holds: boolean
  /** Whether it is left only in a maintenance window. */
  readonly windowed: boolean
  readonly abort: 'Abandon' | 'SwitchBack' | 'TooLate'
  /** What an expired signer, or a former CA that nobody may trust any more, leads to at once. */
  readonly urgent?: 'Switch' | 'Drop'
  readonly next: { readonly act: Write | 'Report'; readonly phase: Phase }
}

/** Every server in sight has proved its trust: with a compromised key, time adds nothing to that. */
const isProved = ({ wish, proved, unproved, notProvable }: World): boolean =>
  wish.compromised && proved > 0 && unproved.length === 0 && notProvable.length === 0

/** Nobody has to learn a new trust where an intermediate is replaced under its root. */
const needsNoSoak = (world: World): boolean => !world.changesTrust || isProved(world)

const phases: Readonly<Record<RunningPhase, PhaseRule>> = {
  Prepared: {
    stages: ['Next'],
    written: { Plain: 'Idle', Both: 'TrustBoth', Switched: 'Signing', Dropped: 'Signing' },
    gates: ['usable'],
    holds: false,
    windowed: true,
    abort: 'Abandon',
    urgent: 'Switch',
    next: { act: 'Publish', phase: 'TrustBoth' },
  },
  TrustBoth: {
    stages: ['Both'],
    written: { Plain: 'Idle', Switched: 'Signing', Dropped: 'Signing' },
    gates: ['usable', 'delivered', 'loaded', 'proved'],
    soakMs: (world) => (needsNoSoak(world) ? 0 : world.wish.trustSoakMs),
    holds: true,
    windowed: true,
    abort: 'Abandon',
    urgent: 'Switch',
    next: { act: 'Switch', phase: 'Signing' },
  },
  Signing: {
    // Dropped: spec.rotation.dropOld was Now.
    stages: ['Switched', 'Dropped'],
    written: {},
    gates: ['replaced', 'delivered', 'loaded', 'served'],
    holds: true,
    windowed: false,
    abort: 'SwitchBack',
    urgent: 'Drop',
    next: { act: 'Report', phase: 'DropSoak' },
  },
  DropSoak: {
    stages: ['Switched'],
    written: { Dropped: 'Dropped' },
    gates: ['replaced', 'delivered', 'loaded', 'served'],
    soakMs: (world) => (needsNoSoak(world) ? 0 : world.wish.dropSoakMs),
    holds: true,
    windowed: true,
    abort: 'SwitchBack',
    urgent: 'Drop',
    next: { act: 'Drop', phase: 'Dropped' },
  },
  Dropped: {
    stages: ['Dropped'],
    written: { Plain: 'Idle' },
    gates: ['replaced', 'delivered', 'loaded'],
    holds: false,
    windowed: false,
    abort: 'TooLate',
    next: { act: 'Finish', phase: 'Idle' },
  },
}

/** The phase that a Secret stands for where there is no status: the one that still has to see everything. */
export const phaseFor: Readonly<Record<Stage, Phase>> = {
  Plain: 'Idle',
  Next: 'Prepared',
  Both: 'TrustBoth',
  Switched: 'Signing',
  Dropped: 'Signing',
}

export interface Rules {
  readonly phases: Readonly<Record<RunningPhase, PhaseRule>>
  readonly gates: Readonly<Record<GateName, Gate>>
}

export const rules: Rules = { phases, gates }
