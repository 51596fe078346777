import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Replica, Weather } from './leader.fixture.ts'
import { fine, World } from './leader.fixture.ts'

type Step =
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'weather'; readonly who: number; readonly weather: Weather }
  | { readonly kind: 'pause' | 'resume' | 'replace' | 'stop'; readonly who: number }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'delete' }

const who = fc.nat(2)
const latency = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 3_000, max: 30_000 }) },
)
const weather: fc.Arbitrary<Weather> = fc.record({
  fate: fc.constantFrom('fine' as const, 'fine' as const, 'refused' as const, 'lost' as const),
  thereMs: latency,
  backMs: latency,
  deaf: fc.boolean(),
})
const advance = fc.oneof(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 4_000, max: 20_000 }))
const common = [
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: advance }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('weather' as const), who, weather }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }) },
]
const turnover = {
  weight: 2,
  arbitrary: fc.record({ kind: fc.constantFrom('replace' as const, 'stop' as const), who }),
}
const deletion = { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const) }) }

/** Everyone heard and awake, the ended ones started again: what a cluster does once the trouble is over. */
const recover = async (world: World, current: Replica[]): Promise<void> => {
  for (const replica of world.replicas) {
    replica.weather = fine
    replica.clock.resume()
  }
  // Longer than a deadline: a new process never saw a Lease that was deleted just now, and would not wait for its holder.
  await world.advance(12_000)
  for (const [at, replica] of current.entries())
    if (replica.calls.includes('lost')) current[at] = world.start({ random: replica.random })
  await world.advance(90_000)
}

const take = async (world: World, current: Replica[], step: Step, random: () => number): Promise<void> => {
  switch (step.kind) {
    case 'advance':
      return world.advance(step.ms, 250)
    case 'jump':
      return world.clock.setNow(world.clock.now() + step.ms)
    case 'delete':
      return world.deleteLease()
  }
  const at = step.who % current.length
  const replica = current[at]
  if (!replica) return
  if (step.kind === 'weather') replica.weather = step.weather
  else if (step.kind === 'pause') replica.clock.pause()
  else if (step.kind === 'resume') replica.clock.resume()
  else {
    // The former process goes on as long as it likes: nobody waits for it.
    if (step.kind === 'stop') void replica.elector.stop()
    current[at] = world.start({ random })
  }
  await world.advance(0)
}

const holds = async (count: number, seed: number, steps: readonly Step[]): Promise<void> => {
  const world = new World()
  let state = seed
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const current = Array.from({ length: count }, (_, at) => world.start({ random, skewMs: (at - 1) * 3_600_000 }))
  await world.advance(10_000)
  for (const step of steps) await take(world, current, step, random)
  await recover(world, current)
  expect(world.splits).toEqual([])
  expect(world.writers).toHaveLength(1)
  for (const { calls } of world.replicas) expect([[], ['started'], ['started', 'lost']]).toContainEqual(calls)
  world.cluster.close()
}

describe('two or three replicas under any weather', () => {
  const count = fc.integer({ min: 2, max: 3 })
  const seed = fc.integer({ min: 1, max: 2_147_483_646 })

  it('pauses, delays, losses, restarts and clock jumps never let two write, and one leads in the end', async () => {
    const steps = fc.array(fc.oneof(...common, turnover), { minLength: 10, maxLength: 60 })
    await fc.assert(fc.asyncProperty(count, seed, steps, holds), { numRuns: 60 })
  }, 60_000)

  it('nor does deleting the Lease, among replicas that have seen it', async () => {
    const steps = fc.array(fc.oneof(...common, deletion), { minLength: 10, maxLength: 60 })
    await fc.assert(fc.asyncProperty(count, seed, steps, holds), { numRuns: 60 })
  }, 60_000)
})
