/** What must be so in the world of simulation.fixture.ts, in truth and not as anybody sees it. Each throws Violation. */
import type { Stage } from '../authority/stage.ts'
import { fromTo, isLoaded, isSilent, key, type Simulation, soak, trustOf, violated } from './simulated-world.fixture.ts'
import type { State, Step } from './state.ts'

export const isUrgent = ({ wish, ended, secret }: Simulation): boolean =>
  (wish.compromised && wish.dropNow) || ended.includes(key(secret.signer))

/** What must be so, in truth, when a step is decided on. */
export const judge = (sim: Simulation, step: Step): void => {
  const { consumers, wish, status, secret, ended, now, seenAt } = sim
  if (step.message.startsWith('status says')) violated(`puzzled: ${step.message}`)
  if (step.act === 'Stay' && step.state.phase !== 'Idle' && step.message === '')
    violated(`${step.state.phase} waits, and nobody knows for what`)
  const { from, to } = fromTo(sim)
  const urgent = isUrgent(sim)
  const leaves = wish.holdAt !== '' && status?.phase === wish.holdAt && step.state.phase !== wish.holdAt
  if (
    leaves &&
    !urgent &&
    step.act !== 'Abandon' &&
    step.act !== 'SwitchBack' &&
    secret.stage !== 'Plain' &&
    !isMended(sim)
  )
    violated(`${wish.holdAt} is held, and ${step.act} leaves it`)
  if (['Prepare', 'Publish', 'Switch', 'Drop'].includes(step.act) && !wish.open && !wish.compromised && !urgent)
    violated(`${step.act} outside of every window`)
  if (step.act === 'Stay' && step.state.soakStartedAt !== undefined && isInterrupted(sim) && fits(sim))
    violated(`the soak of ${step.state.phase} runs, and somebody has only begun to have what it is for`)
  const sinceSeen = seenAt === undefined ? -1 : now - seenAt
  if (step.act === 'Publish' && ended.includes(to)) violated(`${to} has ended, and is to be published`)
  if (step.act === 'Switch' || step.act === 'SwitchBack') {
    const signs = step.act === 'Switch' ? to : from
    if (ended.includes(signs)) violated(`${signs} has ended, and is to sign`)
    if (!urgent && !sim.relaxed && !wish.compromised && consumers.some(({ loaded }) => !loaded.trust.includes(signs)))
      violated(`${signs} is to sign, and somebody does not trust it`)
    if (step.act === 'Switch' && !urgent && consumers.some((one) => !isSilent(one) && !one.loaded.trust.includes(to)))
      violated(`${to} is to sign, and somebody who can be seen does not trust it`)
    if (step.act === 'Switch' && !urgent && sinceSeen < soak && !wish.compromised) violated('trustSoak was cut short')
  }
  if (step.act === 'Drop' && !(wish.compromised && wish.dropNow)) {
    if (consumers.some(({ delivered }) => delivered.leaf === from && !ended.includes(from)))
      violated(`${from} is to be dropped, and a certificate of it is not replaced`)
    if (consumers.some((one) => !isSilent(one) && one.loaded.leaf === from && !ended.includes(from)))
      violated(`${from} is to be dropped, and a certificate of it is served`)
    if (consumers.some(({ delivered }) => !delivered.trust.includes(to)))
      violated(`${from} is to be dropped, and somebody was not given ${to}`)
    if (consumers.some((one) => one.kind === 'told' && !isLoaded(one)))
      violated(`${from} is to be dropped before a reload`)
    if (sinceSeen < soak && !wish.compromised) violated('dropSoak was cut short')
  }
  if (step.act === 'Abandon' && consumers.some(({ delivered, loaded }) => [delivered.leaf, loaded.leaf].includes(to)))
    violated(`${to} is abandoned, and has signed`)
  if (step.act === 'Finish') {
    const present = trustOf(secret)
    if (consumers.some(({ delivered }) => delivered.trust !== present)) violated('finished, and somebody is behind')
    if (consumers.some((one) => one.kind === 'told' && one.loaded.trust !== present))
      violated('finished before a reload')
    if (consumers.some(({ delivered }) => delivered.leaf === from && !ended.includes(from)))
      violated('finished, and a certificate of the former CA is not replaced')
  }
}

/** Somebody who is waited for in this stage has not got what he is to have, or says that he does not trust it. */
export const isInterrupted = (sim: Simulation): boolean => {
  const { secret, consumers, ended } = sim
  const { from, to } = fromTo(sim)
  const trust = trustOf(secret)
  const isBehind = consumers.some(({ delivered }) => delivered.trust !== trust)
  if (secret.stage === 'Both')
    return isBehind || consumers.some(({ kind, loaded }) => kind === 'probed' && !loaded.trust.includes(to))
  if (secret.stage !== 'Switched') return false
  return isBehind || consumers.some(({ delivered }) => delivered.leaf === from && !ended.includes(from))
}

const fits = ({ status, secret }: Simulation): boolean =>
  (status?.phase === 'TrustBoth' && secret.stage === 'Both') ||
  (status?.phase === 'DropSoak' && secret.stage === 'Switched')

const fitting: Readonly<Record<State['phase'], readonly Stage[]>> = {
  Idle: ['Plain'],
  Prepared: ['Next'],
  TrustBoth: ['Both'],
  Signing: ['Switched', 'Dropped'],
  DropSoak: ['Switched'],
  Dropped: ['Dropped'],
}

/** The Secret is ahead of status: the step only catches up. */
const isMended = ({ status, secret }: Simulation): boolean =>
  status === undefined ||
  !fitting[status.phase].includes(secret.stage) ||
  (secret.stage === 'Switched' && (status.from === secret.signer || status.to === secret.other))

const edges: Readonly<Record<State['phase'], readonly State['phase'][]>> = {
  Idle: ['Prepared'],
  Prepared: ['TrustBoth', 'Idle'],
  TrustBoth: ['Signing', 'Idle'],
  Signing: ['DropSoak'],
  DropSoak: ['Dropped', 'Signing'],
  Dropped: ['Idle'],
}

/** Only by the rules of an expired CA and of `dropOld: Now`. */
const shortcuts: Readonly<Partial<Record<State['phase'], State['phase']>>> = { Prepared: 'Signing', Signing: 'Dropped' }
export const judgePhase = (sim: Simulation, after: State['phase']): void => {
  const before = sim.status?.phase ?? 'Idle'
  const cut = before === 'Signing' ? sim.secret.stage === 'Dropped' : sim.relaxed
  const skips = sim.status === undefined || (shortcuts[before] === after && cut)
  if (before !== after && !edges[before].includes(after) && !skips) violated(`${before} is followed by ${after}`)
}

/** No connection is refused: whatever certificate somebody has or shows, everybody trusts its CA. */
export const checked = (sim: Simulation): Simulation => {
  if (sim.relaxed || sim.ended !== '') return sim
  for (const one of sim.consumers)
    for (const leaf of [one.delivered.leaf, one.loaded.leaf])
      for (const [at, other] of sim.consumers.entries())
        if (leaf !== '' && !other.loaded.trust.includes(leaf))
          violated(`a certificate of ${leaf} is shown to ${other.kind} ${at}, who trusts ${other.loaded.trust} alone`)
  return sim
}
