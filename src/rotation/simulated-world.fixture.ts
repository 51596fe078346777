/** The world of simulation.fixture.ts as plain values: what is where, what an observer sees of it, and when two worlds are alike. */
import type { Stage } from '../authority/stage.ts'
import type { State, Step, Waiting, Wish, World } from './state.ts'

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

export const violated = (sentence: string): never => {
  throw new Violation(sentence)
}

export const free: Operator = { at: 'free' }

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

export const newConsumer = (kind: Kind, signer: string, trust: string): Consumer => {
  const files = { leaf: kind === 'target' ? '' : signer, trust }
  return { kind, delivered: files, loaded: files, lag: 0 }
}

export const key = (fingerprint = ''): string => fingerprint.slice(0, 1)

export const trustOf = ({ stage, signer, other }: Simulation['secret']): string =>
  stage === 'Both' || stage === 'Switched' ? [key(signer), key(other)].toSorted().join('') : key(signer)

export const isLoaded = ({ delivered, loaded }: Consumer): boolean =>
  delivered.leaf === loaded.leaf && delivered.trust === loaded.trust

export const isSilent = ({ kind }: Consumer): boolean => kind === 'silent' || kind === 'target'

export const fromTo = ({ secret: { stage, signer, other } }: Simulation): { from: string; to: string } =>
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
export const stateHash = (state: State, now: number): string => {
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
