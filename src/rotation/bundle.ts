/**
 * A bundle that is only trusted goes through the phases of a rotation when its owner takes something out of it, and in no other way:
 * what is in the owner's object is the wish (docs/adr/0023). Nothing is signed here, so nobody is asked whether he trusts a
 * next CA; waited for are the servers that show what hangs on what was taken out. Pure.
 */

import type { BundleMaterial } from '../authority/rotate-bundle.ts'
import { begun, ended } from './moves.ts'
import { type PhaseRule, rules as standing, type Rules } from './phases.ts'
import type { State, Step, World } from './state.ts'

type Bundle = Pick<BundleMaterial, 'change' | 'stage' | 'staged'>

/** What is seen and wished, for the decision that all rotations share. */
export const bundlesWorld = (world: World, state: State | undefined, { change, stage, staged }: Bundle): World => {
  const { wish } = world
  const replaced = (stage === 'Plain' && staged && change === 'Less') || stage === 'Next'
  // What is added is trusted at once; a window is waited for by what is dropped.
  const isGrowing = stage === 'Plain' || stage === 'Next' || stage === 'Both'
  return {
    ...world,
    ...(replaced ? {} : { cannotBegin }),
    wish: {
      ...wish,
      ...{ replaced, onTrigger: 'NewKey', onExpiry: 'ReuseKey', abort: state?.abort ?? '', trustSoakMs: 0 },
      ...(replaced || stage !== 'Plain' ? { trigger: state?.trigger ?? '' } : {}),
      ...(isGrowing ? { open: true } : {}),
    },
  }
}

const cannotBegin =
  'nothing is signed here, and there is no key to replace. Put other certificates into its source; what is taken out there leaves in stages.'

/** What its owner has changed while a rotation was under way; undefined: nothing. */
export const bundleStep = (
  state: State | undefined,
  { now, stage }: World,
  { change }: Bundle,
  rules: Rules = standing,
): Step | undefined => {
  if (state === undefined || state.phase === 'Idle') return undefined
  // A crash came between the two.
  if (stage === 'Plain') return { act: 'Report', state: endedAs(state, now), message: endOf(state) }
  const anew = prepared(state, now)
  if (stage === 'Next' && state.phase !== 'Prepared') return { act: 'Report', state: anew, message: begunMessage }
  if (!rules.phases[state.phase].stages.includes(stage)) return undefined
  if (change === 'Less') return { act: 'Prepare', state: anew, message: again }
  if (change === 'All' && stage !== 'Dropped') return { act: 'Abandon', state: endedAs(state, now), message: back }
  return undefined
}

const begunMessage = 'Something was taken out of the bundle: it stays trusted until nothing needs it.'
const again = 'More was taken out of the bundle: it begins anew, and whatever was trusted stays so until that ends.'
const back = 'Taken back: nothing is on its way out of the bundle any more.'
const done = 'What was taken out of the bundle is trusted no more.'

const endOf = ({ phase }: State): string => (phase === 'Dropped' ? done : back)

const prepared = ({ trigger, abort }: State, now: number): State =>
  begun({ phase: 'Prepared', mode: 'NewKey', cause: 'Replaced', trigger, abort }, now)

const endedAs = (state: State, now: number): State =>
  ended(state.phase === 'Dropped' ? state : { ...state, cause: 'Abort' }, now)

/** Of servers nothing is proved and of CAs nothing is used: that is left out of the table. */
export const bundleRules = (base: Rules = standing): Rules => {
  const lean = ({ gates: names, ...rule }: PhaseRule): PhaseRule => ({
    ...rule,
    gates: names.filter((name) => name !== 'proved' && name !== 'usable'),
  })
  const { Prepared, TrustBoth, Signing, DropSoak, Dropped } = base.phases
  return {
    phases: { Prepared: lean(Prepared), TrustBoth: lean(TrustBoth), Signing, DropSoak, Dropped },
    gates: { ...base.gates, served: { ...base.gates.served, says: needing } },
  }
}

const needing = (count: number): string =>
  `${count} ${count === 1 ? 'server has' : 'servers have'} not shown that nothing of what was taken out is needed`

/** The same steps, of a bundle. */
export const inBundlesWords = (step: Step): Step => {
  if (step.act === 'Stay') return step
  const message = said(step)
  return message === undefined ? step : { ...step, message }
}

const said = (step: Exclude<Step, { act: 'Stay' }>): string | undefined => {
  const { phase, soakStartedAt, phaseStartedAt } = step.state
  switch (step.act) {
    case 'Prepare':
      return step.message === again ? again : begunMessage
    case 'Publish':
      return 'What was taken out of the bundle and what was added to it are both trusted.'
    case 'Switch':
      return step.dropNow === true ? atOnce : 'Servers that show what hangs on what was taken out are waited for.'
    case 'Drop':
      return step.state.phase === 'Signing' || step.message.includes('dropOld') ? atOnce : done
    case 'Finish':
      return done
    case 'Report':
      return phase === 'DropSoak' && soakStartedAt === phaseStartedAt
        ? 'No server in sight needs what was taken out of the bundle; it stays trusted for dropSoak.'
        : undefined
    default:
      return undefined
  }
}

const atOnce = `${done.slice(0, -1)} (spec.rotation.dropOld: Now).`
