/**
 * What a rotation needs next: `(what status remembers, what is wished and seen) → one step`. Nothing else moves a rotation,
 * and no two irreversible steps are taken without the first one being seen in the Secret. Pure.
 */

import { toTimestamp } from '../control/schedule.ts'
import { named, shutGates } from './gates.ts'
import { idle, soakSpan, windowFor } from './idle.ts'
import { begun, ended, entered, exchanged, soakingSince, withoutSoak } from './moves.ts'
import { phaseFor, type PhaseRule, rules as standing, type Rules } from './phases.ts'
import type { Pending, RunningPhase, State, Step, World } from './state.ts'

export const decide = (state: State | undefined, world: World, rules: Rules = standing): Step => {
  if (state === undefined) return firstLook(world)
  const mended = mend(state, world, rules)
  if (mended !== undefined) return mended
  const { phase } = state
  if (phase === 'Idle') return world.stage === 'Plain' ? idle(state, world) : puzzled(state, world)
  const rule = rules.phases[phase]
  const current = { ...state, ...fingerprints(world) }
  return rule.stages.includes(world.stage) ? running({ ...current, phase }, rule, world, rules) : puzzled(state, world)
}

type Running = State & { readonly phase: RunningPhase }

/** There is no status: of a CA that is new, or older than rotations, or whose status somebody took away. */
const firstLook = (world: World): Step => {
  const { stage, newborn, wish, now, handled } = world
  if (stage === 'Plain') {
    const seen = { phase: 'Idle', trigger: newborn ? wish.trigger : (handled ?? ''), abort: wish.abort } as const
    const step = idle(seen, world)
    return step.act === 'Stay' ? { act: 'Report', state: step.state, message: step.message } : step
  }
  const phase = phaseFor[stage]
  const { abort } = wish
  const trigger = handled ?? wish.trigger
  return {
    act: 'Report',
    state: begun({ phase, mode: 'NewKey', trigger, abort, ...fingerprints(world) }, now),
    message: `A rotation goes on at ${phase}: its Secret says so, and there was no status of it.`,
  }
}

/** Who is given up and who takes its place, by the Secret; a CA renewed with its key has another fingerprint. */
const fingerprints = ({ stage, signer, other }: World): { from?: string; to?: string } => {
  if (other === undefined) return {}
  return stage === 'Next' || stage === 'Both'
    ? { from: signer.fingerprint, to: other.fingerprint }
    : { from: other.fingerprint, to: signer.fingerprint }
}

/** Where the Secret was written and status was not. */
const mend = (state: State, world: World, rules: Rules): Step | undefined => {
  const { stage, wish, now } = world
  if (state.phase === 'Idle') return stage === 'Next' ? prepared(state, world) : undefined
  if (isSwitchedBack(state, world))
    return { act: 'Report', state: switchedBack(state, world), message: 'The former CA signs again.' }
  const phase = rules.phases[state.phase].written[stage]
  if (phase === undefined) return undefined
  if (phase !== 'Idle') return { act: 'Report', state: entering(phase, state, world), message: `${phase} has begun.` }
  const given = state.phase === 'Dropped' ? {} : { cause: 'Abort' as const, abort: wish.abort }
  const message =
    state.phase === 'Dropped' ? doneWith(state) : 'The next CA is gone; no rotation is under way any more.'
  return { act: 'Report', state: { ...ended(state, now), ...given }, message }
}

/** A Secret that was prepared for a wish that status does not know yet. */
const prepared = (state: State, world: World): Step => {
  const { wish, now } = world
  const asked = wish.trigger !== '' && wish.trigger !== state.trigger
  const cause = asked ? 'Trigger' : wish.replaced ? 'Replaced' : 'Expiry'
  const { trigger } = asked ? wish : state
  return {
    act: 'Report',
    state: begun(
      { ...fingerprints(world), phase: 'Prepared', mode: 'NewKey', cause, trigger, abort: state.abort },
      now,
    ),
    message: 'The next CA is prepared.',
  }
}

/** By either of the two: the one that signs may have been renewed with its key since. */
const isSwitchedBack = ({ phase, from, to }: State, { stage, signer, other }: World): boolean =>
  stage === 'Switched' &&
  (phase === 'Signing' || phase === 'DropSoak') &&
  (from === signer.fingerprint || (to !== undefined && to === other?.fingerprint))

/** Taken back once more it leads to the new CA after all, as before: what the first one has signed is to be replaced. */
const switchedBack = (state: State, world: World): State => ({
  ...entering('Signing', state, world),
  cause: state.cause === 'Abort' ? 'Trigger' : 'Abort',
  abort: world.wish.abort,
})

const entering = (phase: State['phase'], state: State, world: World): State =>
  entered(phase, { ...state, ...fingerprints(world) }, world.now)

/** Somebody put another Secret or another status there. Nothing is guessed with a CA's key at stake. */
const puzzled = (state: State, { stage, signer }: World): Step => ({
  act: 'Stay',
  state,
  message:
    `status says ${state.phase}, and the Secret of the CA is at ${stage} (it signs with ${signer.fingerprint}); one of them was put back from elsewhere, and nothing is done. ` +
    'Restore the newer Secret, or remove status.rotation (kubectl patch --subresource=status), and the rotation goes on from what the Secret holds.',
})

const running = (state: Running, rule: PhaseRule, world: World, rules: Rules): Step =>
  aborted(state, rule, world) ?? urgent(state, rule, world) ?? gated(state, rule, world, rules)

const aborted = (state: Running, rule: PhaseRule, world: World): Step | undefined => {
  const { wish, now, stage, other } = world
  if (wish.abort === state.abort) return undefined
  const noted = { ...state, abort: wish.abort }
  if (wish.abort === '') return { act: 'Report', state: noted, message: '' }
  if (rule.abort === 'Abandon')
    return {
      act: 'Abandon',
      state: { ...ended(noted, now), cause: 'Abort' },
      message: 'Taken back (spec.rotation.abort): the next CA is removed from every trust bundle, and its key with it.',
    }
  const late =
    rule.abort === 'TooLate' || stage === 'Dropped'
      ? 'the former CA is trusted no more. Begin another rotation (spec.rotation.trigger)'
      : wish.compromised
        ? 'its key is compromised (spec.rotation.reason). Remove the reason and change spec.rotation.abort again if it is not'
        : other?.usable === true
          ? undefined
          : 'the former CA has ended or cannot sign'
  if (late !== undefined)
    return { act: 'Report', state: noted, message: `Too late to take this rotation back: ${late}.` }
  return {
    act: 'SwitchBack',
    state: exchanged(switchedBack(state, world)),
    message: 'Taken back (spec.rotation.abort): the former CA signs again.',
  }
}

/** An overlap with a CA that has ended, or that nobody may trust any longer, is worth nothing: no gate, soak, hold or window keeps it. */
const urgent = (state: Running, { urgent: act }: PhaseRule, world: World): Step | undefined => {
  const { wish, signer, other, stage } = world
  const dropNow = wish.compromised && wish.dropNow
  if (act === 'Switch' && (signer.expired || dropNow) && other?.usable === true)
    return {
      act,
      state: entering('Signing', state, world),
      message: dropNow
        ? 'The new CA signs, and the former one is trusted no more (spec.rotation.dropOld: Now).'
        : `The CA ended at ${toTimestamp(signer.notAfter)}; the new one signs at once, without a time in which both are trusted.`,
      ...(dropNow ? { dropNow } : {}),
    }
  if (act !== 'Drop' || !dropNow || stage !== 'Switched') return undefined
  const phase = state.phase === 'Signing' ? state : entering('Dropped', state, world)
  return { act, state: phase, message: 'The former CA is trusted no more (spec.rotation.dropOld: Now).' }
}

const gated = (state: Running, rule: PhaseRule, world: World, { gates }: Rules): Step => {
  const shut = rule.gates.flatMap((name) => {
    const waiting = gates[name].waiting(world)
    return waiting.length === 0 ? [] : [[gates[name], waiting] as const]
  })
  const stay = (sentences: readonly string[], until: { wakeAt?: number } = {}, soaking: State = state): Step => ({
    act: 'Stay',
    state: soaking,
    pending: pendingOf(rule, world, shut),
    message: [...sentences, ...asides(state, rule, world)].join(' '),
    ...until,
  })
  if (shut.length > 0)
    return (
      interrupted(state, rule, shut) ??
      stay([...shutGates(shut), ...(isHeld(state, rule, world) ? [heldAt(state)] : [])])
    )
  return soaked(state, rule, world, stay) ?? released(state, rule, world, stay)
}

/** Whoever comes late has the whole soak, too. */
const interrupted = (
  state: Running,
  { soakMs }: PhaseRule,
  shut: Parameters<typeof shutGates>[0],
): Step | undefined => {
  if (soakMs === undefined || state.soakStartedAt === undefined) return undefined
  const late = shut.flatMap(([gate, waiting]) => {
    const those = gate.restarts === true ? waiting.filter(({ passing }) => passing !== true) : []
    return those.length === 0 ? [] : [[gate, those] as const]
  })
  if (late.length === 0) return undefined
  const message = `The soak of ${state.phase} begins anew when all is seen again. ${shutGates(late).join(' ')}`
  return { act: 'Report', state: withoutSoak(state), message }
}

type Stay = (sentences: readonly string[], until?: { wakeAt?: number }) => Step

/** All gates are open: now time counts. One that seems to have begun in the future begins anew, or it would take as long as a clock was wrong. */
const soaked = (state: Running, rule: PhaseRule, world: World, stay: Stay): Step | undefined => {
  const { now } = world
  const span = rule.soakMs?.(world) ?? 0
  if (span <= 0) return undefined
  const since = state.soakStartedAt
  if (since === undefined || since > now)
    return { act: 'Report', state: soakingSince(state, now), message: `All is seen; ${soakSpan(state, span)}.` }
  if (since + span <= now) return undefined
  return stay([`All is seen; ${soakSpan(state, span)}, until ${toTimestamp(since + span)}.`], { wakeAt: since + span })
}

const isHeld = ({ phase }: State, { holds }: PhaseRule, { wish }: World): boolean => holds && wish.holdAt === phase

const heldAt = ({ phase }: State): string => `Held at ${phase}; it goes on when spec.rotation.holdAt names it no more.`

const released = (state: Running, rule: PhaseRule, world: World, stay: Stay): Step => {
  if (isHeld(state, rule, world)) return stay([`All is seen. ${heldAt(state)}`])
  const { next: after } = rule
  if (rule.windowed) {
    const window = windowFor(world, after.act === 'Publish' ? world.wish.trustSoakMs : 0)
    if (window !== undefined) return stay([`All is seen. ${window.message}`], window.until)
  }
  // What was dropped at once has nothing left to soak.
  const phase = after.phase === 'DropSoak' && world.stage === 'Dropped' ? 'Dropped' : after.phase
  if (phase === 'Idle') return { act: after.act, state: ended(state, world.now), message: doneWith(state) }
  const next = entering(phase, state, world)
  return {
    act: after.act,
    state: phase === 'DropSoak' ? soakingSince(next, world.now) : next,
    message: beginning[phase],
  }
}

const doneWith = ({ cause }: State): string =>
  cause === 'Abort'
    ? 'The rotation is taken back; the CA that was given up is trusted no more, and its key is destroyed.'
    : 'The rotation has ended: the former CA is trusted no more, and its key is destroyed.'

const beginning: Readonly<Record<RunningPhase, string>> = {
  Prepared: 'The next CA is prepared.',
  TrustBoth: 'Both CAs are published; the former one signs until everybody trusts the next.',
  Signing: 'The new CA signs; the certificates of the former one are replaced.',
  DropSoak: 'Every certificate is of the new CA; the former one stays trusted for dropSoak.',
  Dropped: 'The former CA is taken out of every trust bundle.',
}

const pendingOf = (rule: PhaseRule, { notProvable }: World, shut: Parameters<typeof shutGates>[0]): Pending => {
  const counts: { -readonly [Key in keyof Pending]: Pending[Key] } = { consumers: 0, certificates: 0 }
  for (const [{ counts: key }, waiting] of shut)
    if (key !== undefined) counts[key] = (counts[key] ?? 0) + waiting.length
  return rule.gates.includes('proved') && notProvable.length > 0
    ? { ...counts, notProvable: notProvable.length }
    : counts
}

/** What a person should know besides. */
const asides = ({ phase, trigger }: State, rule: PhaseRule, world: World): string[] => {
  const { wish, notProvable, proved, unproved, alone = [] } = world
  const said: string[] = []
  if (rule.gates.includes('proved')) {
    const silent = notProvable.length
    if (silent > 0)
      said.push(
        `${silent} ${silent === 1 ? 'server asks' : 'servers ask'} for no client certificate or cannot be asked, so that nobody sees whom they trust: ${named(notProvable)}.`,
      )
    else if (proved === 0 && unproved.length === 0)
      said.push('No server is probed: that the bundle is delivered, and trustSoak, decide alone.')
  }
  if (phase === 'TrustBoth' && alone.length > 0)
    said.push(
      `${alone.length} ${alone.length === 1 ? 'holds' : 'hold'} one CA alone, and the other one from the switch on: ${named(alone)}. Whoever reads nothing else trusts both at no time; spec.rotation.holdAt: TrustBoth keeps the switch until that is seen to.`,
    )
  if (wish.trigger !== trigger && wish.trigger !== '')
    said.push('Another rotation was asked for (spec.rotation.trigger); it begins when this one has ended.')
  return said
}
