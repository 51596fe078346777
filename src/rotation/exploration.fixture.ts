/** Every order of everything that can happen in a small world, breadth first. */
import { rules as standing, type Rules } from './phases.ts'
import { choices, endsOrSaysWhy, happens } from './simulation.fixture.ts'
import { hashOf, type Setting, simulation, Violation } from './simulated-world.fixture.ts'

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** What happened until something was violated, shortest first; undefined: nothing ever is. */
  readonly violation?: { readonly sentence: string; readonly path: readonly string[] }
}

export const explore = (setting: Setting, rules: Rules = standing, most = 5_000_000): Exploration => {
  const first = simulation(setting)
  const firstHash = hashOf(first)
  const reached = new Map<string, readonly [string, string] | undefined>([[firstHash, undefined]])
  const good = new Set<string>()
  let transitions = 0
  let frontier = [first]
  const pathTo = (hash: string): string[] => {
    const path: string[] = []
    for (let step = reached.get(hash); step !== undefined; step = reached.get(step[0])) path.unshift(step[1])
    return path
  }
  while (frontier.length > 0) {
    const following: typeof frontier = []
    for (const sim of frontier) {
      const hash = hashOf(sim)
      let name = 'the end'
      try {
        endsOrSaysWhy(sim, good, rules)
        for (const [happening, at] of choices(sim)) {
          name = `${happening} ${at}`
          const after = happens(sim, happening, at, rules)
          if (after === undefined) continue
          transitions += 1
          const afterHash = hashOf(after)
          if (reached.has(afterHash)) continue
          reached.set(afterHash, [hash, name])
          following.push(after)
        }
      } catch (error) {
        if (!(error instanceof Violation)) throw error
        return {
          states: reached.size,
          transitions,
          violation: { sentence: error.message, path: [...pathTo(hash), name] },
        }
      }
    }
    if (reached.size > most) throw new Error(`more than ${most} states`)
    frontier = following
  }
  return { states: reached.size, transitions }
}
