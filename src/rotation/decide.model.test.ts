import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type GateName, gates } from './gates.ts'
import { rules as standing, type Rules } from './phases.ts'
import { endsOrSaysWhy, happenings, happens } from './simulation.fixture.ts'
import { type Kind, simulation, type Simulation, Violation } from './simulated-world.fixture.ts'

interface Model {
  events: number
}
interface Real {
  sim: Simulation
}

class Happening implements fc.Command<Model, Real> {
  readonly #name: string
  readonly #pick: number
  readonly #rules: Rules
  readonly #known: Set<string>

  constructor(name: string, pick: number, rules: Rules, known: Set<string>) {
    this.#name = name
    this.#pick = pick
    this.#rules = rules
    this.#known = known
  }

  check(): boolean {
    return true
  }

  /** The simulation checks its invariants at each event, and that from there it would end or say why not. */
  run(model: Model, real: Real): void {
    real.sim = happens(real.sim, this.#name, this.#pick, this.#rules) ?? real.sim
    model.events += 1
    endsOrSaysWhy(real.sim, this.#known, this.#rules)
  }

  toString(): string {
    return `${this.#name} ${this.#pick}`
  }
}

const work = ['operate', 'operate', 'operate', 'deliver', 'deliver', 'replace', 'load', 'load', 'tick']

const commands = (names: readonly string[], rules: Rules, known: Set<string>) =>
  fc.commands(
    [...work, ...work, ...names].map((name) => fc.nat(11).map((pick) => new Happening(name, pick, rules, known))),
    { maxCommands: 100, size: 'max' },
  )

const kinds = fc.array(fc.constantFrom<Kind>('probed', 'told', 'silent', 'target'), { minLength: 1, maxLength: 5 })

const property = (names: readonly string[], rules: Rules = standing) => {
  const left = Object.fromEntries(names.map((name) => [name, 1000]))
  const known = new Set<string>()
  return fc.property(kinds, fc.integer({ min: 1, max: 3 }), commands(names, rules, known), (these, operators, run) => {
    fc.modelRun(() => ({ model: { events: 0 }, real: { sim: simulation({ kinds: these, operators, left }) } }), run)
  })
}

const ordinary = ['crash', 'trigger', 'abort', 'hold', 'window', 'reuse', 'create', 'remove']
const trouble = Object.keys(happenings).filter((name) => !work.includes(name))

describe('a rotation, whatever happens', () => {
  it('refuses no connection, skips no phase and ends, under any order of delays, crashes, triggers, aborts, holds and windows', () => {
    fc.assert(property(ordinary), { numRuns: 400 })
  })

  it('does so with CAs that end, keys that are compromised, and what is put back from elsewhere', () => {
    fc.assert(property(trouble), { numRuns: 400 })
  })

  it.each<readonly [GateName, readonly string[]]>([
    ['delivered', ['trigger']],
    ['loaded', ['trigger']],
    ['proved', ['trigger']],
    ['replaced', ['trigger']],
    ['served', ['trigger', 'restart']],
  ])('would be found out with the gate %s always open', (gate, names) => {
    const broken = { ...standing, gates: { ...gates, [gate]: { ...gates[gate], waiting: () => [] } } }
    const { failed, errorInstance } = fc.check(property(names, broken), { numRuns: 5000, endOnFailure: true })
    expect(failed).toBe(true)
    expect(errorInstance).toBeInstanceOf(Violation)
  })
})
