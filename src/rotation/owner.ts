/**
 * A CA that was brought along rotates when its owner says so, and in no other way: what is in the owner's Secret is the wish.
 * Pure.
 */

import { keyWanted } from '../authority/brought-record.ts'
import type { BroughtMaterial } from '../authority/rotate-brought.ts'
import { begun, ended, entered, exchanged } from './moves.ts'
import { rules } from './phases.ts'
import type { State, Step, World } from './state.ts'

type Owned = Pick<BroughtMaterial, 'owner' | 'stage' | 'trustsMore' | 'changesTrust'>

/** Whether the key is there that is to be there. */
const isKept = ({ owner, stage }: Pick<Owned, 'owner' | 'stage'>): boolean => owner === keyWanted(stage)

/** What is seen and wished, for the decision that all rotations share. */
export const ownersWorld = (world: World, state: State | undefined, material: Owned): World => {
  const { wish, other, unproved, notProvable, stage } = world
  const replaced = (stage === 'Plain' && !isKept(material)) || stage === 'Next'
  // Whoever could sign a certificate that servers know, to tell a refusal from another one, is gone.
  const keyless = material.owner !== 'Signer'
  return {
    ...world,
    ...(replaced ? {} : { cannotBegin }),
    changesTrust: world.changesTrust && material.changesTrust,
    ...(other === undefined ? {} : { other: { ...other, usable: other.usable && material.owner === 'Other' } }),
    ...(keyless ? { unproved: [], notProvable: [...unproved, ...notProvable] } : {}),
    wish: {
      ...wish,
      ...{ replaced, onTrigger: 'NewKey', onExpiry: 'ReuseKey', abort: state?.abort ?? '' },
      ...(replaced ? { trigger: state?.trigger ?? '' } : {}),
      // Nothing can be signed meanwhile: whoever replaced the key has chosen the time.
      ...(keyless ? { open: true } : {}),
    },
  }
}

const cannotBegin =
  'the key of this CA is that of its owner. Replace key and certificate in the Secret of spec.source.secret, and they are taken over in stages.'

/** The text of `abort` does nothing here; it is answered, once. */
export const abortAnswer = (state: State | undefined, abort: string): Step | undefined => {
  if (state === undefined || abort === state.abort) return undefined
  const message = abort === '' ? '' : noAbort
  return { act: 'Report', state: { ...state, abort }, message }
}

const noAbort =
  'spec.rotation.abort does nothing: the key of this CA is that of its owner. Put the former key and certificate back into the Secret of spec.source.secret, and a rotation under way is taken back.'

/** What its owner has changed while a rotation was under way; undefined: nothing. */
export const ownerStep = (
  state: State | undefined,
  { now, signer, stage }: World,
  material: Owned,
): Step | undefined => {
  if (state === undefined || state.phase === 'Idle' || stage === 'Plain') return undefined
  const { trigger, abort } = state
  const prepared = begun({ phase: 'Prepared', mode: 'NewKey', cause: 'Replaced', trigger, abort }, now)
  const givenUp = { ...state, cause: 'Abort' } as const
  const signsAgain = exchanged(entered('Signing', givenUp, now))
  // A crash came between the two, and nothing else leads there.
  if (stage === 'Next' && state.phase !== 'Prepared') return { act: 'Report', state: prepared, message: begunMessage }
  const isGivenBack = stage === 'Switched' && (state.phase === 'Prepared' || state.phase === 'TrustBoth')
  if (isGivenBack && state.from === signer.fingerprint) return { act: 'Report', state: signsAgain, message: back }
  if (!rules.phases[state.phase].stages.includes(stage) || isKept(material)) return undefined
  if (material.owner === 'Stranger' || stage === 'Dropped') return { act: 'Prepare', state: prepared, message: again }
  if (stage !== 'Switched' && !material.trustsMore) return { act: 'Abandon', state: ended(givenUp, now), message: back }
  return { act: 'SwitchBack', state: signsAgain, message: back }
}

const begunMessage = 'A rotation begins: its owner has replaced the CA.'
const again =
  'Its owner has replaced the CA once more: the rotation begins anew with that one. What was trusted stays trusted until it ends.'
const back = 'Taken back: its owner has brought the CA back that signed before.'
