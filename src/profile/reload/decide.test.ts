import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrivalMs, type Attempt, attemptOf, decide, delayMs, isCurrent, type ServerState } from './decide.ts'

const server = (changes: Partial<ServerState> = {}): ServerState => ({
  ...{ address: 'a:1', serials: ['B'], served: 'A', trustSince: undefined, goal: 'B', attempt: undefined },
  ...changes,
})
const attempt = (changes: Partial<Attempt> = {}): Attempt => ({ goal: 'B', count: 1, at: 1000, ...changes })

describe('one server', () => {
  it.each([
    ['shows another certificate: told', server(), { act: 'Tell', address: 'a:1' }, undefined],
    ['shows the one that was delivered: left alone', server({ served: 'B' }), undefined, undefined],
    ['shows one of several: left alone', server({ serials: ['X', 'A'] }), undefined, undefined],
    ['has shown nothing yet: asked', server({ served: undefined }), { act: 'Look', address: 'a:1' }, undefined],
    ['was told a moment ago: left alone for a while', server({ attempt: attempt({ at: 9000 }) }), undefined, 4000],
    ['was told some time ago: told again', server({ attempt: attempt() }), { act: 'Tell', address: 'a:1' }, undefined],
    [
      'was told for something else: told',
      server({ attempt: attempt({ goal: 'A', at: 9999 }) }),
      { act: 'Tell', address: 'a:1' },
      undefined,
    ],
    [
      'was told in the future, before the clock was set back',
      server({ attempt: attempt({ at: 99_999 }) }),
      { act: 'Tell', address: 'a:1' },
      undefined,
    ],
    [
      'is gone since it was told: asked, not told',
      server({ attempt: attempt({ lost: true, toldAt: 1000 }) }),
      { act: 'Look', address: 'a:1' },
      undefined,
    ],
    ['has CAs to load: told', server({ served: 'B', trustSince: 9000 }), { act: 'Tell', address: 'a:1' }, undefined],
    [
      'was told of its CAs before they can have arrived: told again when they have',
      server({ served: 'B', trustSince: 9000, attempt: attempt({ at: 9500, toldAt: 9500 }) }),
      undefined,
      9000 + arrivalMs - 10_000,
    ],
    [
      'was told of its CAs after they must have arrived: left alone',
      server({ served: 'B', trustSince: 9000 - arrivalMs, attempt: attempt({ at: 9500, toldAt: 9500 }) }),
      undefined,
      undefined,
    ],
    [
      'was told of its CAs when they must have arrived by what the operator was told of kubelets: left alone',
      server({ served: 'B', trustSince: 9000, arrivalMs: 400, attempt: attempt({ at: 9500, toldAt: 9500 }) }),
      undefined,
      undefined,
    ],
  ] as const)('%s', (_, state, step, waitMs) => {
    expect(decide([state], 10_000)).toEqual({ step, waitMs })
  })
  it('is told with growing delays', () => {
    expect([1, 2, 3, 6, 8, 9, 1e9].map(delayMs)).toEqual([5000, 10_000, 20_000, 160_000, 600_000, 600_000, 600_000])
  })
})

describe('several servers', () => {
  const other = server({ address: 'b:1' })
  it('are told one after the other, first who was tried least', () => {
    expect(decide([server({ attempt: attempt() }), other], 10_000).step).toEqual({ act: 'Tell', address: 'b:1' })
    expect(decide([server({ attempt: attempt({ at: 9000 }) }), other], 10_000).step).toEqual({
      act: 'Tell',
      address: 'b:1',
    })
  })
  it('are not told while one that was told does not answer', () => {
    const lost = server({ attempt: attempt({ at: 9000, toldAt: 9000, lost: true }) })
    expect(decide([lost, other], 10_000)).toEqual({ step: undefined, waitMs: 4000 })
    expect(decide([{ ...lost, served: 'B' }, other], 10_000).step).toEqual({ act: 'Tell', address: 'b:1' })
  })
  it('are told while one does not answer that nobody has told', () => {
    const dead = server({
      served: undefined,
      attempt: attempt({ at: 9000, failure: { reason: 'Unreachable', message: '' } }),
    })
    expect(decide([dead, other], 10_000).step).toEqual({ act: 'Tell', address: 'b:1' })
  })
})

/** Servers behind kubelets that bring files late, which fail now and then, and an operator that forgets. */
interface World {
  now: number
  delivered: { serial: number; at: number }
  readonly servers: { serves: number; readonly lagMs: number; failures: number; diesWhenTold: number; tells: number }[]
  seen: (number | undefined)[]
  attempts: (Attempt | undefined)[]
}

const statesOf = ({ delivered, servers, seen, attempts }: World): ServerState[] =>
  servers.map((_, index) => ({
    ...{ address: `${index}`, serials: [`${delivered.serial}`], goal: `${delivered.serial}`, trustSince: undefined },
    ...{ served: seen[index] === undefined ? undefined : `${seen[index]}`, attempt: attempts[index] },
  }))

const take = (world: World): number | undefined => {
  const states = statesOf(world)
  const { step, waitMs } = decide(states, world.now)
  if (step === undefined) return waitMs
  const index = Number(step.address)
  const [one, state] = [world.servers[index], states[index]]
  if (one === undefined || state === undefined) throw new Error('no such server')
  const count = (attemptOf(state)?.count ?? 0) + 1
  const base = { goal: state.goal, count, at: world.now, toldAt: attemptOf(state)?.toldAt }
  if (step.act === 'Tell') {
    expect(isCurrent(state), 'who shows the right one is never told').toBe(false)
    const away = states.findIndex((other) => attemptOf(other)?.lost === true && !isCurrent(other))
    expect(away, 'nobody is told while another is away').toBe(-1)
    one.tells += 1
    if (one.failures > 0) {
      one.failures -= 1
      world.attempts[index] = { ...base, failure: { reason: 'TimedOut', message: '' } }
      return 0
    }
    if (world.now >= world.delivered.at + one.lagMs) one.serves = world.delivered.serial
    if (one.diesWhenTold > 0) {
      world.attempts[index] = { ...base, toldAt: world.now, lost: true }
      return 0
    }
    base.toldAt = world.now
  }
  if (one.diesWhenTold > 0 && attemptOf(state)?.lost === true) {
    one.diesWhenTold -= 1
    world.attempts[index] = { ...base, lost: true }
    return 0
  }
  world.seen[index] = one.serves
  world.attempts[index] = base
  return 0
}

describe('any world', () => {
  const servers = fc.array(
    fc.record({
      lagMs: fc.integer({ min: 0, max: 120_000 }),
      failures: fc.integer({ min: 0, max: 4 }),
      diesWhenTold: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  const events = fc.array(
    fc.record({ what: fc.constantFrom('renew', 'restart', 'wait'), ms: fc.integer({ min: 0, max: 200_000 }) }),
    { maxLength: 6 },
  )
  it('ends with every server showing what was delivered, after a bounded number of statements, and then rests', () => {
    fc.assert(
      fc.property(servers, events, (given, happens) => {
        const world: World = {
          ...{ now: 1_000_000, delivered: { serial: 1, at: 1_000_000 }, seen: given.map(() => undefined) },
          ...{ attempts: given.map(() => undefined), servers: given.map((one) => ({ serves: 0, tells: 0, ...one })) },
        }
        const run = (untilMs: number): void => {
          for (let steps = 0; steps < 10_000; steps += 1) {
            const waitMs = take(world)
            if (waitMs === undefined || world.now + waitMs > untilMs) break
            world.now += waitMs
          }
          world.now = Math.max(world.now, Math.min(untilMs, world.now + 1e9))
        }
        for (const { what, ms } of happens) {
          if (what === 'renew') world.delivered = { serial: world.delivered.serial + 1, at: world.now }
          if (what === 'restart') {
            world.attempts = given.map(() => undefined)
            world.seen = given.map(() => undefined)
          }
          run(world.now + ms)
        }
        run(Infinity)
        expect(world.servers.map(({ serves }) => serves)).toEqual(given.map(() => world.delivered.serial))
        expect(decide(statesOf(world), world.now)).toEqual({ step: undefined, waitMs: undefined })
        for (const { tells } of world.servers) expect(tells).toBeLessThanOrEqual(10 * (happens.length + 2))
      }),
    )
  })
})
