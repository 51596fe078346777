import { describe, expect, it } from 'vitest'
import { decide } from './decide.ts'
import { day, hour, material, rotating, someone, start, world } from './rotation.fixture.ts'
import type { RunningPhase, Step, World } from './state.ts'

const stay = (step: Step): Extract<Step, { act: 'Stay' }> => {
  if (step.act !== 'Stay') throw new Error(`${step.act}: ${step.message}`)
  return step
}

describe('the straight line', () => {
  it('begins when the trigger changes, and remembers that it was acted on', () => {
    const step = decide({ phase: 'Idle', trigger: 'a', abort: '' }, world({ wish: { trigger: 'b' } }))
    expect(step).toMatchObject({
      act: 'Prepare',
      state: { phase: 'Prepared', mode: 'NewKey', cause: 'Trigger', trigger: 'b', startedAt: start },
    })
  })

  const soaked = { soakStartedAt: start - day }
  it.each([
    ['Prepared', {}, 'Publish', 'TrustBoth'],
    ['TrustBoth', soaked, 'Switch', 'Signing'],
    ['Signing', {}, 'Report', 'DropSoak'],
    ['DropSoak', soaked, 'Drop', 'Dropped'],
    ['Dropped', {}, 'Finish', 'Idle'],
  ] as const)('%s, when all is seen, is left by %s %s for %s', (phase, soak, act, next) => {
    const step = decide(rotating(phase, soak), world(material[phase]))
    expect(step).toMatchObject({ act, state: { phase: next, phaseStartedAt: start } })
    expect(step.state.soakStartedAt).toBe(next === 'DropSoak' ? start : undefined)
  })
})

describe('the gates', () => {
  type Lists = 'behind' | 'reloads' | 'unproved' | 'leaves' | 'notServing'
  const lists: readonly Lists[] = ['behind', 'reloads', 'unproved', 'leaves', 'notServing']
  const waitedFor: Readonly<Record<RunningPhase, readonly Lists[]>> = {
    Prepared: [],
    TrustBoth: ['behind', 'reloads', 'unproved'],
    Signing: ['behind', 'reloads', 'leaves', 'notServing'],
    DropSoak: ['behind', 'reloads', 'leaves', 'notServing'],
    Dropped: ['behind', 'reloads', 'leaves'],
  }
  const phases = Object.keys(waitedFor) as RunningPhase[]
  const rows = phases.flatMap((phase) => lists.map((list) => [phase, list, waitedFor[phase].includes(list)] as const))

  it.each(rows)('%s: somebody in %s keeps it: %s', (phase, list, keeps) => {
    const soak = phase === 'TrustBoth' ? { soakStartedAt: start - day } : {}
    const step = decide(rotating(phase, soak), world({ ...material[phase], [list]: [someone()] }))
    expect(step.act === 'Stay' || step.message.startsWith('The soak of')).toBe(keeps)
    if (keeps) expect(step.message).toContain('DatabaseCertificate data/orders-server (holds another one)')
  })

  it('are told with counts and three names', () => {
    const many = ['a', 'b', 'c', 'd', 'e'].map((name) => someone(`DatabaseCertificate data/${name}`))
    const seen: World = world({
      ...material.TrustBoth,
      behind: many,
      unproved: [someone('data/orders: 10.0.0.3:3306')],
    })
    const step = stay(decide(rotating('TrustBoth'), seen))
    expect(step.pending).toEqual({ consumers: 5, certificates: 0, endpoints: 1 })
    expect(step.message).toBe(
      '5 consumers do not hold the present trust bundle: DatabaseCertificate data/a (holds another one), DatabaseCertificate data/b (holds another one), DatabaseCertificate data/c (holds another one) and 2 more. ' +
        '1 server has not proved to trust the next CA: data/orders: 10.0.0.3:3306 (holds another one).',
    )
  })
})

describe('the soaks', () => {
  it.each(['TrustBoth', 'DropSoak'] as const)('%s counts from when all was first seen', (phase) => {
    const first = decide(rotating(phase), world(material[phase]))
    expect(first).toMatchObject({ act: 'Report', state: { phase, soakStartedAt: start } })
    const later = stay(decide(first.state, world({ ...material[phase], now: start + 23 * hour })))
    expect(later.wakeAt).toBe(start + day)
    expect(decide(first.state, world({ ...material[phase], now: start + day })).act).not.toBe('Stay')
  })

  const begun = { soakStartedAt: start - hour }
  type List = 'behind' | 'unproved' | 'leaves' | 'reloads' | 'notServing'
  it.each<readonly [RunningPhase, List]>([
    ['TrustBoth', 'behind'],
    ['TrustBoth', 'unproved'],
    ['DropSoak', 'behind'],
    ['DropSoak', 'leaves'],
  ])('%s begins anew where somebody has only begun to have what it is for: %s', (phase, list) => {
    const broken = decide(rotating(phase, begun), world({ ...material[phase], [list]: [someone()] }))
    expect(broken).toMatchObject({ act: 'Report', state: { phase } })
    expect(broken.state.soakStartedAt).toBeUndefined()
    expect(broken.message).toContain('DatabaseCertificate data/orders-server (holds another one)')
    expect(decide(broken.state, world({ ...material[phase], [list]: [someone()] })).act).toBe('Stay')
    const again = decide(broken.state, world({ ...material[phase], now: start + 23 * hour }))
    expect(again).toMatchObject({ act: 'Report', state: { phase, soakStartedAt: start + 23 * hour } })
    expect(decide(again.state, world({ ...material[phase], now: start + 46 * hour }))).toMatchObject({ act: 'Stay' })
  })

  it.each<readonly [RunningPhase, List, boolean]>([
    ['TrustBoth', 'behind', true],
    ['TrustBoth', 'unproved', true],
    ['TrustBoth', 'reloads', false],
    ['DropSoak', 'behind', true],
    ['DropSoak', 'reloads', false],
    ['DropSoak', 'notServing', false],
  ])('%s goes on, and is not left, for %s that say nothing of that', (phase, list, passing) => {
    const one = { ...someone(), ...(passing ? { passing } : {}) }
    const late = { ...material[phase], [list]: [one], now: start + day }
    expect(decide(rotating(phase, begun), world(late))).toMatchObject({ act: 'Stay', state: { phase, ...begun } })
    expect(decide(rotating(phase, begun), world({ ...late, [list]: [] })).state.phase).not.toBe(phase)
  })
})
