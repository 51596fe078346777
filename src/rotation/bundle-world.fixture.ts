/**
 * A small world in which the real decider takes roots out of a bundle: its owner, the Secret in which it is remembered and its
 * status, clients that are given it late, managed servers that are seen late, and operators that may die or be overtaken
 * between look, Secret and status. States are plain values, so that a search can keep them.
 */
import {
  type BundleChange,
  bundleMoves,
  type BundleRecord,
  changeOf,
  hashOfRoots,
  publishedRoots,
  type Root,
} from '../authority/bundle-record.ts'
import { bundleRules, bundlesWorld, bundleStep } from './bundle.ts'
import { decide } from './decide.ts'
import type { Rules } from './phases.ts'
import { world } from './rotation.fixture.ts'
import type { State, Step, Waiting, Wish, World } from './state.ts'

/** A root is a letter. */
const rootOf = (letter: string): Root => {
  const der = Buffer.from(letter)
  return { der, fingerprint: letter, subject: der, spki: der, subjectKeyId: der, notAfter: Number.POSITIVE_INFINITY }
}
const known = new Map(['A', 'B', 'C'].map((letter) => [letter, rootOf(letter)]))
const rootsOf = (letters: string): Root[] => letters.split('').flatMap((letter) => known.get(letter) ?? [])
const lettersOf = (roots: readonly Root[]): string => roots.map(({ fingerprint }) => fingerprint).join('')

interface Remembered {
  readonly stage: BundleRecord['stage']
  readonly bundle: string
  readonly former?: string
}
const recordOf = ({ stage, bundle, former }: Remembered): BundleRecord => ({
  ...{ stage, bundle: rootsOf(bundle) },
  ...(former === undefined ? {} : { former: rootsOf(former) }),
})
const remembered = ({ stage, bundle, former }: BundleRecord): Remembered => ({
  ...{ stage, bundle: lettersOf(bundle) },
  ...(former === undefined ? {} : { former: lettersOf(former) }),
})

type Operator =
  | { readonly at: 'free' }
  | {
      readonly at: 'decided'
      readonly step: Exclude<Step, { act: 'Stay' }>
      readonly fresh: boolean
      readonly statusFresh: boolean
    }
  | { readonly at: 'written'; readonly state: State; readonly statusFresh: boolean }

export interface BundleSim {
  readonly now: number
  /** What its owner gives. */
  readonly given: string
  readonly secret: Remembered
  readonly status: State
  /** What clients have. */
  readonly delivered: string
  /** The root that the server's certificate hangs on, and that it was seen to hang on. */
  readonly serves: string
  readonly seen: string
  readonly wish: Pick<Wish, 'holdAt' | 'open' | 'compromised' | 'dropNow'>
  readonly operators: readonly Operator[]
  readonly left: Readonly<Record<string, number>>
}

export class Refused extends Error {
  override readonly name = 'Refused'
}

export const dropSoak = 2
const free: Operator = { at: 'free' }

export const bundleSim = (left: BundleSim['left'], operators = 1): BundleSim => ({
  now: 0,
  given: 'AB',
  secret: { stage: 'Plain', bundle: 'AB' },
  status: { phase: 'Idle', trigger: '', abort: '' },
  ...{ delivered: 'AB', serves: 'A', seen: 'A' },
  wish: { holdAt: '', open: true, compromised: false, dropNow: false },
  operators: Array.from({ length: operators }, () => free),
  left,
})

const published = ({ secret }: BundleSim): string => lettersOf(publishedRoots(recordOf(secret), 0))

const observed = (sim: BundleSim, change: BundleChange): World => {
  const { stage, bundle, former } = sim.secret
  const [signer, other] = stage === 'Next' || stage === 'Both' ? [former, bundle] : [bundle, former]
  const hash = (letters: string): string => hashOfRoots(rootsOf(letters))
  const those = (shut: boolean): Waiting[] => (shut ? [{ name: 'one', why: 'waits' }] : [])
  const { wish, ...base } = world()
  const seen: World = {
    ...base,
    now: sim.now,
    wish: { ...wish, ...sim.wish, dropSoakMs: dropSoak, opensAt: 1_000_000 },
    stage,
    signer: { ...base.signer, fingerprint: hash(signer ?? bundle), notAfter: Number.POSITIVE_INFINITY },
    ...(other === undefined ? {} : { other: { fingerprint: hash(other), usable: true } }),
    behind: those(sim.delivered !== published(sim)),
    notServing: those(stage !== 'Plain' && !bundle.includes(sim.seen)),
    proved: 0,
  }
  return bundlesWorld(seen, sim.status, { change, stage, staged: true })
}

const changeIn = (sim: BundleSim): BundleChange => changeOf(recordOf(sim.secret), rootsOf(sim.given), 0)

const decided = (sim: BundleSim, rules: Rules): Step => {
  const change = changeIn(sim)
  const seen = observed(sim, change)
  return (
    bundleStep(sim.status, seen, { change, stage: sim.secret.stage, staged: true }) ?? decide(sim.status, seen, rules)
  )
}

/** As rotate-bundle.ts has it; undefined where the step is refused because its source has changed. */
const written = (sim: BundleSim, step: Step): Remembered | undefined => {
  const record = recordOf(sim.secret)
  const given = rootsOf(sim.given)
  const change = changeIn(sim)
  const from = (...stages: readonly string[]): boolean => stages.includes(record.stage) && change !== 'Less'
  switch (step.act) {
    case 'Prepare':
      return change === 'Less' ? remembered(bundleMoves.prepare(record, given, 0)) : sim.secret
    case 'Publish':
      return from('Next') ? remembered(bundleMoves.publish(record, given)) : undefined
    case 'Switch':
      if (!from('Next', 'Both')) return undefined
      return remembered(step.dropNow === true ? bundleMoves.drop(given) : bundleMoves.switchOver(record, given))
    case 'Drop':
      return from('Switched') ? remembered(bundleMoves.drop(given)) : undefined
    case 'Finish':
      return from('Dropped') ? remembered(bundleMoves.settle(given)) : undefined
    case 'Abandon':
      return change === 'All' ? remembered(bundleMoves.settle(given)) : undefined
    default:
      throw new Refused(`${step.act} of a bundle`)
  }
}

const withOperator = (sim: BundleSim, at: number, operator: Operator): BundleSim => ({
  ...sim,
  operators: sim.operators.with(at, operator),
})

const operates = (sim: BundleSim, at: number, rules: Rules): BundleSim | undefined => {
  const operator = sim.operators[at]
  if (operator === undefined) return undefined
  const released = withOperator(sim, at, free)
  if (operator.at === 'free') {
    const step = decided(sim, rules)
    return step.act === 'Stay'
      ? undefined
      : withOperator(sim, at, { at: 'decided', step, fresh: true, statusFresh: true })
  }
  const report = (state: State): BundleSim => ({
    ...released,
    status: state,
    operators: released.operators.map((one) => (one.at === 'free' ? one : { ...one, statusFresh: false })),
  })
  if (operator.at === 'written') return operator.statusFresh ? report(operator.state) : released
  const { step, fresh, statusFresh } = operator
  if (step.act === 'Report') return statusFresh ? report(step.state) : released
  const secret = fresh ? written(sim, step) : undefined
  if (secret === undefined) return released
  const operators = sim.operators.map((one, other): Operator => {
    if (other === at) return { at: 'written', state: step.state, statusFresh }
    return one.at === 'decided' ? { ...one, fresh: false } : one
  })
  return { ...sim, secret, operators }
}

/** Of the controller that follows what is only added (reconcile-bundle.ts). */
const follows = (sim: BundleSim): BundleSim | undefined => {
  if (changeIn(sim) !== 'Same' || sim.secret.bundle === sim.given) return undefined
  const operators = sim.operators.map((one): Operator => (one.at === 'decided' ? { ...one, fresh: false } : one))
  return { ...sim, operators, secret: { ...sim.secret, bundle: sim.given } }
}

const toggled = { TrustBoth: '', Signing: '', DropSoak: '' } as const

/** What can happen; undefined: not now. */
const happenings: Readonly<Record<string, (sim: BundleSim, at: number, rules: Rules) => BundleSim | undefined>> = {
  operate: operates,
  follow: follows,
  crash: (sim, at) => ((sim.operators[at]?.at ?? 'free') === 'free' ? undefined : withOperator(sim, at, free)),
  deliver: (sim) => (sim.delivered === published(sim) ? undefined : { ...sim, delivered: published(sim) }),
  // Whoever runs the server gives it a certificate of a CA that its clients are given.
  exchange: (sim, at) => {
    const root = sim.given[at]
    if (root === undefined || root === sim.serves) return undefined
    // Who puts one back waits until that was noticed before a server shows it.
    const trusted = [sim.delivered, published(sim), sim.secret.bundle]
    return trusted.every((roots) => roots.includes(root)) ? { ...sim, serves: root } : undefined
  },
  look: (sim) => (sim.seen === sim.serves ? undefined : { ...sim, seen: sim.serves }),
  // Servers are looked at more often than a soak is long.
  tick: (sim) => {
    const { soakStartedAt } = sim.status
    const isOver = soakStartedAt === undefined || sim.now - soakStartedAt > dropSoak
    return isOver || sim.seen !== sim.serves ? undefined : { ...sim, now: sim.now + 1 }
  },
  give: (sim, at) => {
    const given = ['A', 'B', 'AB', 'BC', 'C'][at]
    return given === undefined || given === sim.given ? undefined : { ...sim, given }
  },
  hold: (sim, at) => {
    const phase = (Object.keys(toggled) as (keyof typeof toggled)[])[at]
    if (phase === undefined) return undefined
    return { ...sim, wish: { ...sim.wish, holdAt: sim.wish.holdAt === phase ? '' : phase } }
  },
  window: (sim, at) => (at > 0 ? undefined : { ...sim, wish: { ...sim.wish, open: !sim.wish.open } }),
  dropNow: (sim, at) =>
    at > 0 || sim.wish.dropNow ? undefined : { ...sim, wish: { ...sim.wish, compromised: true, dropNow: true } },
}
const bounded: ReadonlySet<string> = new Set(['give', 'hold', 'window', 'dropNow', 'crash'])
const mostAt = 5

const judged = (sim: BundleSim): BundleSim => {
  if (sim.wish.dropNow || sim.delivered.includes(sim.serves)) return sim
  throw new Refused(`clients have ${sim.delivered}, and the server shows what hangs on ${sim.serves}`)
}

/** From here and with nobody doing anything but what is to be done, it ends; or somebody holds it. */
const ends = (from: BundleSim, rules: Rules, good: Set<string>): void => {
  let sim: BundleSim = { ...from, wish: { ...from.wish, holdAt: '', open: true } }
  const path: string[] = []
  for (let turn = 0; turn < 200; turn += 1) {
    const key = keyOf(sim)
    if (good.has(key)) break
    path.push(key)
    const next = ['operate', 'follow', 'deliver', 'exchange', 'look', 'tick']
      .flatMap((name) => [0, 1].map((at) => ({ name, at })))
      .map(({ name, at }) =>
        name === 'exchange' && sim.given.includes(sim.serves) ? undefined : happenings[name]?.(sim, at, rules),
      )
      .find((after) => after !== undefined)
    if (next === undefined) {
      if (sim.status.phase !== 'Idle' || sim.secret.stage !== 'Plain' || sim.delivered !== sim.given)
        throw new Refused(`it never ends: ${JSON.stringify(sim)}`)
      break
    }
    sim = next
    if (turn === 199) throw new Refused(`it never ends: ${JSON.stringify(sim)}`)
  }
  for (const key of path) good.add(key)
}

const keyOf = (sim: BundleSim): string => {
  const age = ({ soakStartedAt, phaseStartedAt: _p, startedAt: _s, finishedAt: _f, ...rest }: State) => ({
    ...rest,
    ...(soakStartedAt === undefined ? {} : { soaked: Math.min(sim.now - soakStartedAt, dropSoak + 1) }),
  })
  const operators = sim.operators.map((one) => {
    if (one.at === 'free') return one
    return one.at === 'written'
      ? { ...one, state: age(one.state) }
      : {
          ...one,
          step: {
            act: one.step.act,
            dropNow: one.step.act === 'Switch' && one.step.dropNow,
            state: age(one.step.state),
          },
        }
  })
  const { now: _now, status, ...rest } = sim
  return JSON.stringify([{ ...rest, operators }, age(status)])
}

export const exploreBundle = (
  first: BundleSim,
  rules: Rules = bundleRules(),
): { readonly states: number; readonly violation?: string } => {
  const reached = new Map<string, string>([[keyOf(first), '']])
  const good = new Set<string>()
  for (let frontier = [first]; frontier.length > 0;) {
    const following: BundleSim[] = []
    for (const sim of frontier) {
      const path = reached.get(keyOf(sim)) ?? ''
      let step = 'the end'
      try {
        ends(sim, rules, good)
        for (const name of Object.keys(happenings))
          for (let at = 0; at < mostAt; at += 1) {
            const left = sim.left[name] ?? 0
            if (bounded.has(name) && left === 0) continue
            step = `${name} ${at}`
            const after = happenings[name]?.(sim, at, rules)
            if (after === undefined) continue
            const next = judged(bounded.has(name) ? { ...after, left: { ...after.left, [name]: left - 1 } } : after)
            const key = keyOf(next)
            if (reached.has(key)) continue
            reached.set(key, `${path}, ${step}`)
            following.push(next)
          }
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return { states: reached.size, violation: `${error.message} after${path}, ${step}` }
      }
    }
    if (reached.size > 2_000_000) throw new Error('too many states')
    frontier = following
  }
  return { states: reached.size }
}
