/**
 * A small world in which the real decider rotates a CA: the CA's Secret and its status, consumers that lag behind it,
 * operators that read, write the Secret, then write status, and may die or be overtaken in between. States are plain
 * values that are never changed, so that a search can keep them.
 */
import { decide } from './decide.ts'
import { rules as standing, type Rules } from './phases.ts'
import type { Stage, State, Step, Waiting, Wish, World } from './state.ts'

/** How a consumer can be seen: by proof and what it serves; by what it reports of its reload; not at all (it reads its files within a soak). */
export type Kind = 'probed' | 'told' | 'silent' | 'target'

export interface Files {
  /** CA of the certificate, one letter; empty for a trust target. */
  readonly leaf: string
  /** CAs that are trusted, letters in order. */
  readonly trust: string
}

export interface Consumer {
  readonly kind: Kind
  readonly delivered: Files
  readonly loaded: Files
  /** Ticks for which it has not read what was delivered. */
  readonly lag: number
}

export type Operator =
  | { readonly at: 'free' }
  | { readonly at: 'decided'; readonly step: Step; readonly secretFresh: boolean; readonly statusFresh: boolean }
  | { readonly at: 'written'; readonly state: State; readonly statusFresh: boolean }

export interface Simulation {
  readonly now: number
  /** CAs made so far. */
  readonly made: number
  /** Fingerprints: a letter for the key, and a stroke for each renewal with it. */
  readonly secret: { readonly stage: Stage; readonly signer: string; readonly other?: string }
  /** Letters of CAs that have ended. */
  readonly ended: string
  readonly status?: State
  readonly wish: Wish
  readonly consumers: readonly Consumer[]
  readonly operators: readonly Operator[]
  /** Events of each name that may still come. */
  readonly left: Readonly<Record<string, number>>
  /** When all that the phase waits for was first so. */
  readonly seenAt?: number
  /** An overlap was cut short by rule, or files were put back from elsewhere: handshakes may be refused. */
  readonly relaxed: boolean
}

export const soak = 2

export class Violation extends Error {
  override readonly name = 'Violation'
}

const violated = (sentence: string): never => {
  throw new Violation(sentence)
}

const free: Operator = { at: 'free' }

export interface Setting {
  readonly kinds: readonly Kind[]
  readonly operators: number
  readonly wish?: Partial<Wish>
  /** Events that are bounded, and how often each may come. The others come at any time. */
  readonly left: Readonly<Record<string, number>>
}

export const simulation = ({ kinds, operators, wish, left }: Setting): Simulation => ({
  now: 0,
  made: 1,
  secret: { stage: 'Plain', signer: 'A' },
  ended: '',
  status: { phase: 'Idle', trigger: '', abort: '' },
  wish: {
    trigger: '',
    abort: '',
    onTrigger: 'NewKey',
    onExpiry: 'NewKey',
    holdAt: '',
    compromised: false,
    dropNow: false,
    trustSoakMs: soak,
    dropSoakMs: soak,
    replaced: false,
    open: true,
    opensAt: 1_000_000,
    ...wish,
  },
  consumers: kinds.map((kind) => newConsumer(kind, 'A', 'A')),
  operators: Array.from({ length: operators }, () => free),
  left,
  relaxed: false,
})

const newConsumer = (kind: Kind, signer: string, trust: string): Consumer => {
  const files = { leaf: kind === 'target' ? '' : signer, trust }
  return { kind, delivered: files, loaded: files, lag: 0 }
}

const key = (fingerprint = ''): string => fingerprint.slice(0, 1)

const trustOf = ({ stage, signer, other }: Simulation['secret']): string =>
  stage === 'Both' || stage === 'Switched' ? [key(signer), key(other)].toSorted().join('') : key(signer)

const isLoaded = ({ delivered, loaded }: Consumer): boolean =>
  delivered.leaf === loaded.leaf && delivered.trust === loaded.trust

const isSilent = ({ kind }: Consumer): boolean => kind === 'silent' || kind === 'target'

const fromTo = ({ secret: { stage, signer, other } }: Simulation): { from: string; to: string } =>
  stage === 'Switched' || stage === 'Dropped'
    ? { from: key(other), to: key(signer) }
    : { from: key(signer), to: key(other) }

const farAway = 1_000_000_000

/** What a truthful observer reports. */
export const observe = (sim: Simulation): World => {
  const { secret, consumers, ended, wish, now } = sim
  const { from, to } = fromTo(sim)
  const present = trustOf(secret)
  const those = (keep: (one: Consumer) => boolean): Waiting[] =>
    consumers.flatMap((one, at) => (keep(one) ? [{ name: `${one.kind} ${at}`, why: 'waits' }] : []))
  const hasEnded = ended.includes(key(secret.signer))
  return {
    now,
    wish,
    newborn: false,
    stage: secret.stage,
    signer: {
      fingerprint: secret.signer,
      notAfter: hasEnded ? now - 1 : farAway,
      expired: hasEnded,
      expiring: hasEnded,
    },
    ...(secret.other === undefined
      ? {}
      : { other: { fingerprint: secret.other, usable: !ended.includes(key(secret.other)) } }),
    changesTrust: true,
    behind: those(({ delivered }) => delivered.trust !== present),
    reloads: those((one) => one.kind === 'told' && !isLoaded(one)),
    unproved: those(({ kind, loaded }) => kind === 'probed' && !loaded.trust.includes(to)),
    notProvable: [],
    proved: consumers.filter(({ kind, loaded }) => kind === 'probed' && loaded.trust.includes(to)).length,
    // A leaf ends with its CA.
    leaves: those(({ delivered }) => delivered.leaf === from && !ended.includes(from)),
    notServing: those(({ kind, delivered, loaded }) => kind === 'probed' && delivered.leaf !== loaded.leaf),
  }
}

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

const isUrgent = ({ wish, ended, secret }: Simulation): boolean =>
  (wish.compromised && wish.dropNow) || ended.includes(key(secret.signer))

/** What must be so, in truth, when a step is decided on. */
const judge = (sim: Simulation, step: Step): void => {
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

const reported = (sim: Simulation, state: State): Simulation => {
  const before = sim.status?.phase ?? 'Idle'
  const after = state.phase
  const cut = before === 'Signing' ? sim.secret.stage === 'Dropped' : sim.relaxed
  const skips = sim.status === undefined || (shortcuts[before] === after && cut)
  if (before !== after && !edges[before].includes(after) && !skips) violated(`${before} is followed by ${after}`)
  const operators = sim.operators.map((one) => (one.at === 'free' ? one : { ...one, statusFresh: false }))
  return { ...sim, status: state, operators }
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

/** No connection is refused: whatever certificate somebody has or shows, everybody trusts its CA. */
const checked = (sim: Simulation): Simulation => {
  if (sim.relaxed || sim.ended !== '') return sim
  for (const one of sim.consumers)
    for (const leaf of [one.delivered.leaf, one.loaded.leaf])
      for (const [at, other] of sim.consumers.entries())
        if (leaf !== '' && !other.loaded.trust.includes(leaf))
          violated(`a certificate of ${leaf} is shown to ${other.kind} ${at}, who trusts ${other.loaded.trust} alone`)
  return sim
}

const stateHash = (state: State, now: number): string => {
  const { phase, mode, cause, soakStartedAt, trigger, abort, from, to, startedAt, finishedAt } = state
  const soaked = soakStartedAt === undefined ? '-' : Math.min(soak, now - soakStartedAt)
  // The instants count only where something follows from them.
  const intent = phase === 'Idle' && mode === 'ReuseKey' ? `${startedAt === undefined}${finishedAt === undefined}` : ''
  return `${phase},${mode},${cause},${soaked},${trigger},${abort},${from},${to},${intent}`
}

const operatorHash = (one: Operator, now: number): string => {
  if (one.at === 'free') return '-'
  if (one.at === 'written') return `w${one.statusFresh}${one.statusFresh ? stateHash(one.state, now) : ''}`
  const { step, secretFresh, statusFresh } = one
  return `d${step.act}${secretFresh}${statusFresh}${stateHash(step.state, now)}`
}

/** Two worlds with the same text go on in the same ways. */
export const hashOf = ({ now, ...sim }: Simulation): string =>
  [
    ...[sim.secret.stage, sim.secret.signer, sim.secret.other, sim.ended, sim.made, sim.relaxed],
    sim.status === undefined ? '' : stateHash(sim.status, now),
    ...[sim.wish.trigger, sim.wish.abort, sim.wish.holdAt, sim.wish.open, sim.wish.onTrigger],
    ...[sim.wish.compromised, sim.wish.dropNow],
    sim.seenAt === undefined ? '-' : Math.min(soak, now - sim.seenAt),
    // Operators are alike.
    ...sim.operators.map((one) => operatorHash(one, now)).toSorted(),
    ...sim.consumers.map(
      ({ kind, delivered: d, loaded: l, lag }) => `${kind}${d.leaf}/${d.trust}/${l.leaf}/${l.trust}/${lag}`,
    ),
    JSON.stringify(sim.left),
  ].join('|')

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
