/**
 * A small world in which the real decider rotates a CA: the CA's Secret and its status, consumers that lag behind it,
 * operators that read, write the Secret, then write status, and may die or be overtaken in between. States are plain
 * values that are never changed, so that a search can keep them.
 */
import type { Stage } from '../authority/stage.ts'
import { decide } from './decide.ts'
import { rules as standing, type Rules } from './phases.ts'
import { checked, isUrgent, judge, judgePhase } from './simulated-verdicts.fixture.ts'
import {
  type Consumer,
  free,
  fromTo,
  hashOf,
  isLoaded,
  isSilent,
  key,
  newConsumer,
  observe,
  type Operator,
  type Simulation,
  soak,
  stateHash,
  trustOf,
  violated,
} from './simulated-world.fixture.ts'
import type { State, Step, Wish } from './state.ts'

/** The writes of the CA's Secret: each only from the stage that it starts from. */
const written = (sim: Simulation, step: Step): Simulation => {
  const { stage, signer, other } = sim.secret
  const only = (...stages: readonly Stage[]): void => {
    if (!stages.includes(stage)) violated(`${step.act} of a Secret at ${stage}`)
  }
  const exchanged = { signer: other ?? '', other: signer }
  switch (step.act) {
    case 'Prepare':
      only('Plain')
      return {
        ...sim,
        made: sim.made + 1,
        secret: { stage: 'Next', signer, other: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[sim.made] ?? '?' },
      }
    case 'Publish':
      only('Next')
      return { ...sim, secret: { ...sim.secret, stage: 'Both' } }
    case 'Switch':
      only('Next', 'Both')
      return { ...sim, secret: { stage: step.dropNow === true ? 'Dropped' : 'Switched', ...exchanged } }
    case 'SwitchBack':
      only('Switched')
      return { ...sim, secret: { stage, ...exchanged } }
    case 'Drop':
      only('Switched')
      return { ...sim, secret: { ...sim.secret, stage: 'Dropped' } }
    case 'Finish':
      only('Dropped')
      return { ...sim, secret: { stage: 'Plain', signer } }
    case 'Abandon':
      only('Next', 'Both')
      return { ...sim, secret: { stage: 'Plain', signer } }
    case 'RenewSameKey':
      only('Plain')
      return { ...sim, secret: { stage, signer: `${signer}'` } }
    default:
      return violated(`${step.act} writes no Secret`)
  }
}
const reported = (sim: Simulation, state: State): Simulation => {
  judgePhase(sim, state.phase)
  const operators = sim.operators.map((one) => (one.at === 'free' ? one : { ...one, statusFresh: false }))
  // Somebody saw it interrupted, and said so: it is to be counted from when all is seen again.
  const restarts = sim.status?.soakStartedAt !== undefined && state.soakStartedAt === undefined
  return { ...(restarts ? withoutSeen(sim) : sim), status: state, operators }
}

const setOperator = (sim: Simulation, at: number, operator: Operator): Simulation => ({
  ...sim,
  operators: sim.operators.with(at, operator),
})

const sameState = (a: State | undefined, b: State): boolean => a !== undefined && stateHash(a, 0) === stateHash(b, 0)

/** One step of one operator: look and decide; then write what was decided on; then report. */
const operates = (sim: Simulation, at: number, rules: Rules): Simulation | undefined => {
  const operator = sim.operators[at] ?? free
  if (operator.at === 'free') {
    const step = decide(sim.status, observe(sim), rules)
    judge(sim, step)
    if (step.act !== 'Stay') return setOperator(sim, at, { at: 'decided', step, secretFresh: true, statusFresh: true })
    if (sameState(sim.status, step.state)) return undefined
    const report: Step = { act: 'Report', state: step.state, message: step.message }
    return setOperator(sim, at, { at: 'decided', step: report, secretFresh: true, statusFresh: true })
  }
  const released = setOperator(sim, at, free)
  if (operator.at === 'written') return operator.statusFresh ? reported(released, operator.state) : released
  const { step, secretFresh, statusFresh } = operator
  if (step.act === 'Report') return statusFresh ? reported(released, step.state) : released
  if (!secretFresh) return released
  const hurried = isUrgent(sim) || sim.wish.compromised
  const relaxed = sim.relaxed || ((step.act === 'Switch' || step.act === 'Drop') && hurried)
  const after = written({ ...sim, relaxed }, step)
  const operators = after.operators.map((one, other): Operator => {
    if (other === at && step.act !== 'Stay') return { at: 'written', state: step.state, statusFresh }
    return one.at === 'decided' ? { ...one, secretFresh: false } : one
  })
  return { ...withoutSeen(after), operators }
}

const withoutSeen = ({ seenAt: _seenAt, ...sim }: Simulation): Simulation => sim

const changeConsumer = (sim: Simulation, at: number, change: Partial<Consumer>): Simulation => {
  const one = sim.consumers[at]
  return one === undefined ? sim : { ...sim, consumers: sim.consumers.with(at, { ...one, ...change }) }
}

const delivers = (sim: Simulation, at: number): Simulation | undefined => {
  const one = sim.consumers[at]
  const trust = trustOf(sim.secret)
  if (one === undefined || one.delivered.trust === trust) return undefined
  return changeConsumer(sim, at, { delivered: { ...one.delivered, trust }, lag: 0 })
}

/** Its turn: certificate and bundle in one write. */
const replaces = (sim: Simulation, at: number): Simulation | undefined => {
  const one = sim.consumers[at]
  const leaf = key(sim.secret.signer)
  if (one === undefined || one.kind === 'target' || one.delivered.leaf === leaf || sim.ended.includes(leaf))
    return undefined
  return changeConsumer(sim, at, { delivered: { leaf, trust: trustOf(sim.secret) }, lag: 0 })
}

/** What signs already is renewed with its key where it would end: the ordinary renewal. */
const renews = (sim: Simulation): Simulation | undefined => {
  const { stage, signer } = sim.secret
  if (!sim.ended.includes(key(signer)) || (stage !== 'Switched' && stage !== 'Dropped')) return undefined
  const operators = sim.operators.map((one) => (one.at === 'decided' ? { ...one, secretFresh: false } : one))
  return {
    ...sim,
    operators,
    secret: { ...sim.secret, signer: `${signer}'` },
    ended: sim.ended.replace(key(signer), ''),
  }
}

const loads = (sim: Simulation, at: number): Simulation | undefined => {
  const one = sim.consumers[at]
  return one === undefined || isLoaded(one) ? undefined : changeConsumer(sim, at, { loaded: one.delivered, lag: 0 })
}

/** Somebody puts back what it had before the rotation, in the file and in the server. */
const relapses = (sim: Simulation, at: number): Simulation | undefined => {
  const one = sim.consumers[at]
  const { from } = fromTo(sim)
  if (one === undefined || one.kind === 'silent' || sim.secret.stage === 'Plain' || sim.secret.stage === 'Next')
    return undefined
  const files = { leaf: one.kind === 'target' ? '' : from, trust: from }
  return { ...changeConsumer(sim, at, { delivered: files, loaded: files, lag: 0 }), relaxed: true }
}

/** Its server goes back to what it was started with, and its files stay. */
const restarts = (sim: Simulation, at: number): Simulation | undefined => {
  const one = sim.consumers[at]
  const { from } = fromTo(sim)
  if (one === undefined || isSilent(one) || sim.secret.stage === 'Plain' || sim.secret.stage === 'Next')
    return undefined
  return { ...changeConsumer(sim, at, { loaded: { leaf: from, trust: from }, lag: 0 }), relaxed: true }
}

/** Whoever cannot be seen has read his files when a soak has passed: that is what a soak is for. */
const ticks = (sim: Simulation): Simulation => ({
  ...sim,
  now: sim.now + 1,
  consumers: sim.consumers.map((one) => {
    if (!isSilent(one) || isLoaded(one)) return one
    return one.lag + 1 >= soak ? { ...one, loaded: one.delivered, lag: 0 } : { ...one, lag: one.lag + 1 }
  }),
})

const wishes = (sim: Simulation, wish: Partial<Wish>): Simulation => ({ ...sim, wish: { ...sim.wish, ...wish } })

const next = (text: string): string => (text === '' ? '1' : `${Number(text) + 1}`)

type Happening = (sim: Simulation, at: number, rules: Rules) => Simulation | undefined

const holds = ['', 'TrustBoth', 'Signing', 'DropSoak'] as const

/** All that can happen; undefined: not now. `at`: to which consumer or operator, or with which value. */
export const happenings: Readonly<
  Record<string, { readonly among: 'consumers' | 'operators' | 'holds' | 'one'; readonly does: Happening }>
> = {
  operate: { among: 'operators', does: operates },
  crash: {
    among: 'operators',
    does: (sim, at) => ((sim.operators[at] ?? free).at === 'free' ? undefined : setOperator(sim, at, free)),
  },
  deliver: { among: 'consumers', does: delivers },
  replace: { among: 'consumers', does: replaces },
  load: { among: 'consumers', does: loads },
  renew: { among: 'one', does: renews },
  tick: { among: 'one', does: ticks },
  trigger: { among: 'one', does: (sim) => wishes(sim, { trigger: next(sim.wish.trigger) }) },
  abort: { among: 'one', does: (sim) => wishes(sim, { abort: next(sim.wish.abort) }) },
  hold: {
    among: 'holds',
    does: (sim, at) => (sim.wish.holdAt === holds[at] ? undefined : wishes(sim, { holdAt: holds[at] ?? '' })),
  },
  window: { among: 'one', does: (sim) => wishes(sim, { open: !sim.wish.open }) },
  reuse: {
    among: 'one',
    does: (sim) => wishes(sim, { onTrigger: sim.wish.onTrigger === 'NewKey' ? 'ReuseKey' : 'NewKey' }),
  },
  compromise: { among: 'one', does: (sim) => wishes(sim, { compromised: true }) },
  dropNow: { among: 'one', does: (sim) => wishes(sim, { compromised: true, dropNow: true }) },
  end: {
    among: 'one',
    does: (sim) =>
      sim.ended.includes(key(sim.secret.signer)) ? undefined : { ...sim, ended: sim.ended + key(sim.secret.signer) },
  },
  endNext: {
    among: 'one',
    does: (sim) => {
      const other = key(sim.secret.other)
      return other === '' || sim.ended.includes(other) ? undefined : { ...sim, ended: sim.ended + other }
    },
  },
  relapse: { among: 'consumers', does: relapses },
  restart: { among: 'consumers', does: restarts },
  create: {
    among: 'holds',
    does: (sim, at) => {
      const kind = (['probed', 'told', 'silent', 'target'] as const)[at] ?? 'silent'
      if (sim.ended.includes(key(sim.secret.signer))) return undefined
      return { ...sim, consumers: [...sim.consumers, newConsumer(kind, key(sim.secret.signer), trustOf(sim.secret))] }
    },
  },
  remove: {
    among: 'consumers',
    does: (sim, at) => (sim.consumers.length > 1 ? { ...sim, consumers: sim.consumers.toSpliced(at, 1) } : undefined),
  },
  forget: {
    among: 'one',
    does: ({ status: _status, ...sim }) => ({ ...sim, operators: sim.operators.map(() => free) }),
  },
}

const bounded = new Set([
  ...['trigger', 'abort', 'hold', 'window', 'reuse', 'compromise', 'dropNow', 'end', 'endNext'],
  ...['relapse', 'restart', 'create', 'remove', 'forget'],
])

const countOf = (sim: Simulation, among: 'consumers' | 'operators' | 'holds' | 'one'): number =>
  among === 'consumers'
    ? sim.consumers.length
    : among === 'operators'
      ? sim.operators.length
      : among === 'holds'
        ? 4
        : 1

/** What comes of it; undefined where it cannot happen now. Throws Violation. */
export const happens = (
  sim: Simulation,
  name: string,
  pick: number,
  rules: Rules = standing,
): Simulation | undefined => {
  const happening = happenings[name]
  if (happening === undefined) throw new Error(`nothing is called ${name}`)
  const left = sim.left[name] ?? 0
  if (bounded.has(name) && left <= 0) return undefined
  const after = happening.does(sim, pick % countOf(sim, happening.among), rules)
  if (after === undefined) return undefined
  const counted = bounded.has(name) ? { ...after, left: { ...after.left, [name]: left - 1 } } : after
  return checked(withSeen(counted))
}

export const choices = (sim: Simulation): readonly (readonly [string, number])[] =>
  Object.entries(happenings).flatMap(([name, { among }]) => {
    if (bounded.has(name) && (sim.left[name] ?? 0) <= 0) return []
    return Array.from({ length: countOf(sim, among) }, (_, at) => [name, at] as const)
  })

/** Remembers since when all that the stage waits for has been so. */
const withSeen = (sim: Simulation): Simulation => {
  const { stage } = sim.secret
  if (sim.seenAt !== undefined) return sim
  const seen = observe(sim)
  const common = seen.behind.length + seen.reloads.length
  const waited = stage === 'Both' ? common + seen.unproved.length : common + seen.leaves.length + seen.notServing.length
  return waited === 0 && (stage === 'Both' || stage === 'Switched') ? { ...sim, seenAt: sim.now } : sim
}

/** Nobody meddles any more, and everybody does his work: it must end, or say what it waits for. Adds to `known` what is known to do so. */
export const endsOrSaysWhy = (sim: Simulation, known: Set<string>, rules: Rules = standing): void => {
  let at: Simulation = {
    ...sim,
    operators: [free],
    wish: { ...sim.wish, holdAt: '', open: true },
    left: {},
  }
  const passed: string[] = []
  for (let round = 0; round < 80; round += 1) {
    const hash = hashOf(at)
    if (known.has(hash)) break
    passed.push(hash)
    const before = at
    for (let turns = 0; turns < 12; turns += 1) at = happens(at, 'operate', 0, rules) ?? at
    for (const name of ['deliver', 'replace', 'load'])
      for (const who of at.consumers.keys()) at = happens(at, name, who, rules) ?? at
    at = happens(at, 'renew', 0, rules) ?? at
    if (hashOf(before) === hash && isAtRest(at, rules)) break
    if (round === 79) violated(`it goes on without an end: ${hash}`)
    at = ticks(at)
  }
  for (const hash of passed) known.add(hash)
}

const isAtRest = (sim: Simulation, rules: Rules): boolean => {
  if (sim.operators[0]?.at !== 'free') return false
  const step = decide(sim.status, observe(sim), rules)
  if (step.act !== 'Stay') return false
  const { other } = sim.secret
  const cannotSign = other !== undefined && sim.ended.includes(key(other))
  if (step.state.phase !== 'Idle') return cannotSign && step.message !== ''
  return step.state.trigger === sim.wish.trigger && sim.consumers.every((one) => isLoaded(one))
}
