import { afterAll, describe, expect, it } from 'vitest'
import type { BundleMaterial } from '../authority/rotate-bundle.ts'
import { bundleRules, bundlesWorld, bundleStep, inBundlesWords } from './bundle.ts'
import { bundleSim, exploreBundle } from './bundle-world.fixture.ts'
import { decide } from './decide.ts'
import type { GateName } from './gates.ts'
import type { Rules } from './phases.ts'
import { day, material, rotating, someone, start, world } from './rotation.fixture.ts'
import type { RunningPhase, State } from './state.ts'

type Bundle = Pick<BundleMaterial, 'change' | 'stage' | 'staged'>
const bundle = (stage: Bundle['stage'], change: Bundle['change'] = 'Same', staged = true): Bundle => ({
  stage,
  change,
  staged,
})
const idle: State = { phase: 'Idle', trigger: 'a', abort: '' }

describe('what the owner of a bundle has done', () => {
  it.each([
    ['Prepared', bundle('Next'), undefined],
    ['Prepared', bundle('Next', 'Less'), 'Prepare Prepared Replaced'],
    ['Prepared', bundle('Next', 'All'), 'Abandon Idle Abort'],
    ['TrustBoth', bundle('Both'), undefined],
    ['TrustBoth', bundle('Both', 'Less'), 'Prepare Prepared Replaced'],
    ['TrustBoth', bundle('Both', 'All'), 'Abandon Idle Abort'],
    ['TrustBoth', bundle('Next'), 'Report Prepared Replaced'],
    ['Signing', bundle('Switched', 'All'), 'Abandon Idle Abort'],
    ['Signing', bundle('Dropped', 'Less'), 'Prepare Prepared Replaced'],
    ['DropSoak', bundle('Switched'), undefined],
    ['DropSoak', bundle('Switched', 'Less'), 'Prepare Prepared Replaced'],
    ['DropSoak', bundle('Plain'), 'Report Idle Abort'],
    ['Dropped', bundle('Dropped'), undefined],
    ['Dropped', bundle('Plain'), 'Report Idle Trigger'],
    // Status is behind, which the common decision mends.
    ['TrustBoth', bundle('Dropped', 'Less'), undefined],
  ] as const)('in %s, with %o, leads to %s', (phase, seen, expected) => {
    const step = bundleStep(rotating(phase), world({ ...material[phase], stage: seen.stage }), seen)
    expect(step && [step.act, step.state.phase, step.state.cause].join(' ')).toBe(expected)
    expect(step?.state.soakStartedAt).toBeUndefined()
  })

  it.each([
    ['begins where it is staged, whatever the windows say', bundle('Plain', 'Less'), 'Prepare'],
    ['is followed at once where it is not', bundle('Plain', 'Less', false), 'Stay'],
    ['is nothing', bundle('Plain'), 'Stay'],
  ] as const)('%s', (_, seen, act) => {
    const closed = world({ wish: { open: false, opensAt: start + 1000, trigger: 'a' } })
    expect(decide(idle, bundlesWorld(closed, idle, seen), bundleRules()).act).toBe(act)
  })

  it('is not undone by the texts of trigger and abort, which are answered', () => {
    const asked = world({ wish: { trigger: 'b', abort: 'x' } })
    expect(decide(idle, bundlesWorld(asked, idle, bundle('Plain')), bundleRules())).toMatchObject({
      act: 'Stay',
      message: expect.stringContaining('nothing is signed here') as string,
    })
    const running = rotating('DropSoak', { soakStartedAt: start })
    const soaking = bundlesWorld(
      world({ ...material.DropSoak, wish: { abort: 'x', trigger: 'b' } }),
      running,
      bundle('Switched'),
    )
    expect(decide(running, soaking, bundleRules())).toMatchObject({
      act: 'Stay',
      message: expect.not.stringContaining('trigger') as string,
    })
  })
})

describe('a bundle on its way', () => {
  const step = (phase: RunningPhase, changes: Parameters<typeof world>[0] = {}, state: Partial<State> = {}) => {
    const running = rotating(phase, state)
    const stage = material[phase].stage
    const seen = bundlesWorld(world({ ...material[phase], ...changes }), running, bundle(stage))
    return inBundlesWords(decide(running, seen, bundleRules()))
  }

  it('waits for no proof and no trustSoak, and for servers that need what was taken out', () => {
    expect(step('TrustBoth', { unproved: [someone('a server')], other: { fingerprint: 'B', usable: false } }).act).toBe(
      'Switch',
    )
    expect(step('Signing', { notServing: [someone('data/orders: 10.0.0.3:3306')] })).toMatchObject({
      act: 'Stay',
      pending: { endpoints: 1 },
      message: expect.stringContaining(
        '1 server has not shown that nothing of what was taken out is needed: data/orders',
      ) as string,
    })
  })

  it('is dropped in a window alone', () => {
    const soaked = { soakStartedAt: start - 2 * day }
    const closed = { wish: { open: false, opensAt: start + 1000 } }
    expect(step('DropSoak', closed, soaked)).toMatchObject({ act: 'Stay', wakeAt: start + 1000 })
    expect(step('DropSoak', {}, soaked)).toMatchObject({
      act: 'Drop',
      message: expect.stringContaining('no more') as string,
    })
    expect(step('Prepared', closed).act).toBe('Publish')
  })

  it('soaks for no time where it is compromised and every server in sight was seen not to need it', () => {
    const compromised = { wish: { compromised: true } }
    const soaking = { soakStartedAt: start }
    expect(step('DropSoak', { ...compromised, proved: 1 }, soaking).act).toBe('Drop')
    expect(step('DropSoak', { ...compromised, proved: 0 }, soaking).act).toBe('Stay')
    expect(step('DropSoak', { ...compromised, proved: 1, notProvable: [someone()] }, soaking).act).toBe('Stay')
  })

  it.each(['Prepared', 'TrustBoth', 'Signing', 'DropSoak'] as const)(
    'goes at once from %s with dropOld: Now, and says so',
    (phase) => {
      const said = step(phase, {
        notServing: [someone()],
        behind: [someone()],
        wish: { compromised: true, dropNow: true, holdAt: 'DropSoak' },
      })
      expect(['Switch', 'Drop']).toContain(said.act)
      expect(said.message).toContain('spec.rotation.dropOld: Now')
    },
  )
})

describe('every order of what an owner gives, deliveries, exchanges, looks, crashes and holds', () => {
  const counts: string[] = []
  afterAll(() => console.log(`bundles: states visited: ${counts.join(', ')}`))

  it.each([
    ['two changes and a crash', { give: 2, crash: 1 }, 1],
    ['three changes', { give: 3 }, 1],
    ['holds and windows', { give: 1, hold: 2, window: 2 }, 1],
    ['what is to go at once', { give: 2, dropNow: 1, crash: 1 }, 1],
    ['two operators', { give: 1, crash: 1 }, 2],
  ] as const)('%s: nobody is refused, and it ends', (name, left, operators) => {
    const { states, violation } = exploreBundle(bundleSim(left, operators))
    counts.push(`${name}: ${states}`)
    expect(violation).toBeUndefined()
    expect(states).toBeGreaterThan(100)
  })

  const without = (gate: GateName): Rules => {
    const { phases, ...rest } = bundleRules()
    const lean = Object.fromEntries(
      Object.entries(phases).map(([name, rule]) => [
        name,
        { ...rule, gates: rule.gates.filter((one) => one !== gate) },
      ]),
    ) as unknown as Rules['phases']
    return { ...rest, phases: lean }
  }
  it('would be found out without the gate served', () => {
    expect(exploreBundle(bundleSim({ give: 1 }), without('served')).violation).toContain(
      'the server shows what hangs on A',
    )
  })
})
