import { afterAll, describe, expect, it } from 'vitest'
import { explore } from './exploration.fixture.ts'
import { type GateName, gates } from './gates.ts'
import { type PhaseRule, rules, type Rules } from './phases.ts'
import type { Setting } from './simulated-world.fixture.ts'
import type { RunningPhase } from './state.ts'

const settings: Readonly<Record<string, Setting>> = {
  'two triggers, an abort and holds': {
    kinds: ['told', 'silent'],
    operators: 1,
    left: { trigger: 2, abort: 1, hold: 2 },
  },
  'two operators': { kinds: ['probed', 'silent'], operators: 2, left: { trigger: 1, abort: 1 } },
  'two triggers, and two operators that are overtaken': {
    kinds: ['probed', 'told'],
    operators: 2,
    left: { trigger: 2 },
  },
  'a CA that ends, and one that ends before it signs': {
    kinds: ['probed', 'target'],
    operators: 1,
    left: { trigger: 1, end: 1, endNext: 1 },
  },
  'a CA that ends while somebody holds and windows close': {
    kinds: ['told', 'target'],
    operators: 1,
    left: { trigger: 1, end: 1, hold: 1, window: 2 },
  },
  'a switch back by a CA that is renewed meanwhile': {
    kinds: ['silent'],
    operators: 1,
    left: { trigger: 1, abort: 1, end: 1, endNext: 1 },
  },
  'a compromised key': {
    kinds: ['probed', 'silent'],
    operators: 1,
    left: { trigger: 1, compromise: 1, dropNow: 1, abort: 1 },
  },
  'files and servers put back': {
    kinds: ['told', 'probed'],
    operators: 1,
    left: { trigger: 1, relapse: 1, restart: 1, abort: 1 },
  },
  'consumers that come and go, and a status that is lost': {
    kinds: ['told', 'silent'],
    operators: 1,
    left: { trigger: 1, create: 1, remove: 1, forget: 1 },
  },
  'the same key': { kinds: ['told', 'silent'], operators: 2, left: { trigger: 1, reuse: 1 } },
  'maintenance windows': {
    kinds: ['probed', 'silent'],
    operators: 1,
    left: { trigger: 1, window: 2, hold: 1, abort: 1 },
  },
}

describe('every order of observations, failures, crashes, holds and triggers', () => {
  const visited: string[] = []
  let sum = 0
  afterAll(() => {
    console.log(`rotation: ${sum} states visited (${visited.join('; ')})`)
  })

  it.each(Object.entries(settings))('%s', (name, setting) => {
    const { violation, states, transitions } = explore(setting)
    visited.push(`${name}: ${states} with ${transitions} transitions`)
    sum += states
    expect(violation).toBeUndefined()
  })
})

const changed = (phase: RunningPhase, change: (rule: PhaseRule) => PhaseRule): Rules => ({
  ...rules,
  phases: { ...rules.phases, [phase]: change(rules.phases[phase]) },
})

const without = (phase: RunningPhase, gate: GateName): Rules =>
  changed(phase, (rule) => ({ ...rule, gates: rule.gates.filter((name) => name !== gate) }))

const phases = Object.keys(rules.phases) as RunningPhase[]

/** Worlds in which each gate alone keeps something from happening: the others see it late, or not at all. */
const telling: Readonly<Record<GateName, readonly Setting[]>> = {
  usable: [{ kinds: ['probed'], operators: 1, left: { trigger: 1, endNext: 1 } }],
  delivered: [
    { kinds: ['silent'], operators: 1, left: { trigger: 1, end: 1 } },
    { kinds: ['target'], operators: 1, left: { trigger: 1, relapse: 1 } },
  ],
  loaded: [{ kinds: ['told'], operators: 1, left: { trigger: 1, end: 1, restart: 1 } }],
  proved: [{ kinds: ['probed'], operators: 1, left: { trigger: 1 } }],
  replaced: [
    { kinds: ['silent'], operators: 1, left: { trigger: 1 } },
    { kinds: ['probed'], operators: 1, left: { trigger: 1, relapse: 1 } },
  ],
  served: [{ kinds: ['probed'], operators: 1, left: { trigger: 1, restart: 1 } }],
}

describe('a rule that is broken on purpose is found out', () => {
  const found = (broken: Rules, among: readonly Setting[]): string | undefined => {
    for (const setting of among) {
      const { violation } = explore(setting, broken)
      if (violation !== undefined) return `${violation.sentence} after ${violation.path.join(', ')}`
    }
    return undefined
  }

  it.each(phases.flatMap((phase) => rules.phases[phase].gates.map((gate) => [phase, gate] as const)))(
    '%s without the gate %s',
    (phase, gate) => expect(found(without(phase, gate), telling[gate])).toBeDefined(),
  )

  it.each(Object.keys(gates) as GateName[])('the gate %s, open at all times', (gate) => {
    const broken = { ...rules, gates: { ...gates, [gate]: { ...gates[gate], waiting: () => [] } } }
    expect(found(broken, telling[gate])).toBeDefined()
  })

  const one = { kinds: ['probed', 'silent'], operators: 1 } as const
  it.each(phases.filter((phase) => rules.phases[phase].soakMs !== undefined))('%s without its soak', (phase) => {
    const broken = changed(phase, (rule) => ({ ...rule, soakMs: () => 0 }))
    expect(found(broken, [{ ...one, left: { trigger: 1 } }])).toBeDefined()
  })

  it.each(['delivered', 'proved', 'replaced'] as const)('a soak that goes on while the gate %s is shut', (gate) => {
    const { restarts: _restarts, ...rest } = gates[gate]
    const broken = { ...rules, gates: { ...gates, [gate]: rest } }
    const worlds = [
      { kinds: ['told'], operators: 1, left: { trigger: 1, relapse: 1 } },
      { kinds: ['probed'], operators: 1, left: { trigger: 1, restart: 1 } },
    ] as const
    expect(found(broken, worlds)).toBeDefined()
  })

  it.each(phases.filter((phase) => rules.phases[phase].holds))('%s that cannot be held', (phase) => {
    const broken = changed(phase, (rule) => ({ ...rule, holds: false }))
    expect(found(broken, [{ ...one, left: { trigger: 1, hold: 1 } }])).toBeDefined()
  })

  it.each(phases.filter((phase) => rules.phases[phase].windowed))('%s that is left outside of windows', (phase) => {
    const broken = changed(phase, (rule) => ({ ...rule, windowed: false }))
    expect(found(broken, [{ ...one, left: { trigger: 1, window: 1 } }])).toBeDefined()
  })

  it.each(phases.filter((phase) => Object.keys(rules.phases[phase].written).length > 0))(
    '%s whose Secret is ahead of status, not mended',
    (phase) => {
      const broken = changed(phase, (rule) => ({ ...rule, written: {} }))
      expect(found(broken, [{ ...one, left: { trigger: 1, abort: 1 } }])).toBeDefined()
    },
  )

  const edges: readonly (readonly [string, Rules])[] = [
    ['an abort that drops trust after the switch', changed('Signing', (rule) => ({ ...rule, abort: 'Abandon' }))],
    [
      'a switch before trust is published',
      changed('Prepared', (rule) => ({ ...rule, next: { act: 'Switch', phase: 'Signing' } })),
    ],
    [
      'a drop without the soak phase',
      changed('Signing', (rule) => ({ ...rule, next: { act: 'Drop', phase: 'Dropped' } })),
    ],
    [
      'an end without taking the former CA out of trust',
      changed('DropSoak', (rule) => ({ ...rule, next: { act: 'Finish', phase: 'Idle' } })),
    ],
  ]
  it.each(edges)('%s', (_, broken) => expect(found(broken, [{ ...one, left: { trigger: 1, abort: 1 } }])).toBeDefined())
})
