import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { Pace } from './pace.ts'
import { Patrol } from './patrol.ts'

const minute = 60_000
const options = { mostOpen: 4, mostDead: 1, firstWithinMs: 1000, jitter: 0.1, random: () => 0.5 }
const wanted = (intervalMs: number, ...keys: string[]): Map<string, number> =>
  new Map(keys.map((key) => [key, intervalMs]))

describe('the pace', () => {
  it('asks a new server soon, and then once in an interval', () => {
    const pace = new Pace(options)
    pace.want(wanted(minute, 'a'), 0)
    expect([pace.take(0), pace.untilNext(0)]).toEqual([undefined, 500])
    expect([pace.take(500), pace.take(500)]).toEqual(['a', undefined])
    pace.done('a', true, 700)
    expect(pace.untilNext(700)).toBe(57_000)
  })
  it('asks again at once where something has changed', () => {
    const pace = new Pace(options)
    pace.want(wanted(minute, 'a'), 0)
    pace.soon('a', 10)
    expect(pace.take(10)).toBe('a')
    pace.soon('a', 20)
    expect(pace.take(20)).toBeUndefined()
    pace.done('a', true, 30)
    expect(pace.take(30)).toBe('a')
  })
  it('forgets a server that is no longer wanted, also while it is asked', () => {
    const pace = new Pace(options)
    pace.want(wanted(minute, 'a', 'b'), 0)
    expect(pace.take(minute)).toBe('a')
    pace.want(new Map(), minute)
    pace.done('a', true, minute)
    expect([pace.open, pace.untilNext(minute), pace.take(10 * minute)]).toEqual([0, undefined, undefined])
  })
  it('comes forward when an interval is shortened', () => {
    const pace = new Pace(options)
    pace.want(wanted(10 * minute, 'a'), 0)
    expect(pace.take(minute)).toBe('a')
    pace.done('a', true, minute)
    pace.want(wanted(minute, 'a'), minute)
    expect(pace.untilNext(minute)).toBe(minute)
  })
  it('takes servers on and drops them one by one', () => {
    const pace = new Pace(options)
    pace.set('a', minute, 0)
    pace.set('b', minute, 0)
    expect([pace.take(minute), pace.take(minute)]).toEqual(['a', 'b'])
    pace.drop('a')
    pace.done('a', true, minute)
    pace.set('b', 1000, minute)
    pace.done('b', true, minute)
    expect([pace.untilNext(minute), pace.take(minute + 950), pace.take(10 * minute)]).toEqual([950, 'b', undefined])
    pace.drop('nobody')
    expect(pace.open).toBe(1)
  })
  it('wants a place for the dead and some for the living', () => {
    expect(() => new Pace({ ...options, mostDead: 0 })).toThrow(RangeError)
    expect(() => new Pace({ ...options, mostDead: 4 })).toThrow(RangeError)
  })

  type Action = {
    readonly type: 'want' | 'set' | 'drop' | 'done' | 'soon' | 'wait'
    readonly number: number
    readonly flag: boolean
  }
  const actions = fc.array(
    fc.record({
      type: fc.constantFrom<Action['type']>('want', 'set', 'drop', 'done', 'done', 'soon', 'wait', 'wait'),
      number: fc.nat(12),
      flag: fc.boolean(),
    }),
    { maxLength: 200 },
  )
  it('never has too many open, none twice, and loses none', () => {
    fc.assert(
      fc.property(actions, (script) => {
        const pace = new Pace(options)
        const open = new Set<string>()
        const dead = new Set<string>()
        let keys: string[] = []
        let now = 0
        const takeAll = (): void => {
          for (let key = pace.take(now); key !== undefined; key = pace.take(now)) {
            expect(open.has(key)).toBe(false)
            expect(keys).toContain(key)
            open.add(key)
          }
          expect(open.size).toBe(pace.open)
          expect(open.size).toBeLessThanOrEqual(options.mostOpen)
          expect([...open].filter((key) => dead.has(key)).length).toBeLessThanOrEqual(options.mostDead)
        }
        const finish = (key: string, answered: boolean): void => {
          open.delete(key)
          if (answered || !keys.includes(key)) dead.delete(key)
          else dead.add(key)
          pace.done(key, answered, now)
        }
        for (const { type, number, flag } of script) {
          if (type === 'want') {
            keys = Array.from({ length: number }, (_, index) => `${flag ? 'x' : 'y'}${index}`)
            for (const key of dead) if (!keys.includes(key) && !open.has(key)) dead.delete(key)
            pace.want(wanted(1000, ...keys), now)
          } else if (type === 'set') {
            keys = [...new Set([...keys, `x${number}`])]
            pace.set(`x${number}`, flag ? 1000 : 500, now)
          } else if (type === 'drop') {
            keys = keys.filter((key) => key !== `x${number}`)
            if (!open.has(`x${number}`)) dead.delete(`x${number}`)
            pace.drop(`x${number}`)
          } else if (type === 'done') {
            const key = [...open][number % Math.max(1, open.size)]
            if (key !== undefined) finish(key, flag)
          } else if (type === 'soon') pace.soon(`x${number}`, now)
          else now += number * 100
          takeAll()
        }
        // In the end each one that is wanted has its turn.
        const turns = new Set<string>()
        for (let round = 0; round < 60; round += 1) {
          for (const key of open) {
            turns.add(key)
            finish(key, true)
          }
          now += 1000
          takeAll()
        }
        expect([...turns]).toEqual(expect.arrayContaining(keys))
      }),
      { numRuns: 500 },
    )
  })
})

describe('a patrol', () => {
  it('asks 500 servers a minute with few sockets, and a hundred dead ones delay no other', async () => {
    const clock = new ManualClock()
    let seed = 1
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
    const asked = new Map<string, number[]>()
    let open = 0
    let most = 0
    const patrol = new Patrol({
      ...{ clock, random, failed: (_, error) => expect.fail(String(error)) },
      ask: async (key, signal) => {
        asked.set(key, [...(asked.get(key) ?? []), clock.monotonic()])
        most = Math.max(most, ++open)
        const isDead = key.startsWith('dead')
        await clock.sleep(isDead ? 10_000 : 20, signal).catch(() => undefined)
        open -= 1
        return !isDead
      },
    })
    const keys = Array.from({ length: 500 }, (_, index) => `${index < 100 ? 'dead' : 'live'}-${index}`)
    patrol.want(wanted(minute, ...keys))
    for (let second = 0; second < 300; second += 1) await clock.advance(1000)
    expect(most).toBeLessThanOrEqual(32)
    // The first round, before it is known who is dead, may take a while; from then on nobody waits.
    const late = keys
      .filter((key) => key.startsWith('live'))
      .flatMap((key) => {
        const times = (asked.get(key) ?? []).filter((at) => at > 2 * minute)
        return times.slice(1).map((at, index) => at - (times[index] ?? 0))
      })
    expect(late.length).toBeGreaterThan(400)
    expect(Math.max(...late)).toBeLessThan(minute + 1100)
    expect(keys.every((key) => (asked.get(key)?.length ?? 0) > 1)).toBe(true)
    await patrol.stop()
    expect([patrol.open, clock.timers]).toEqual([0, 0])
  })
  it('goes on when asking throws', async () => {
    const clock = new ManualClock()
    const failures: string[] = []
    let count = 0
    const patrol = new Patrol({
      ...{ clock, random: () => 0, failed: (key, error) => failures.push(`${key} ${String(error)}`) },
      ask: () => {
        count += 1
        return count === 1 ? Promise.reject(new Error('bug')) : Promise.resolve(true)
      },
    })
    patrol.want(wanted(1000, 'a'))
    await clock.advance(5000)
    expect(failures).toEqual(['a Error: bug'])
    expect(count).toBeGreaterThan(3)
    patrol.soon('a')
    await patrol.stop()
    const before = count
    await clock.advance(5000)
    expect(count).toBe(before)
  })
})
