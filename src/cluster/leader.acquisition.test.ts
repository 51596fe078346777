import { describe, expect, it } from 'vitest'
import { fine, foreign, hour, pair, World } from './leader.fixture.ts'

describe('taking the Lease', () => {
  it('one of two leads, and is told so once', async () => {
    const world = new World()
    const replicas = [world.start(), world.start()]
    await world.advance(60_000)
    expect(world.splits).toEqual([])
    expect(replicas.flatMap(({ calls }) => calls)).toEqual(['started'])
    expect(world.writers).toHaveLength(1)
    const { spec } = await world.lease()
    expect(spec).toMatchObject({ holderIdentity: world.writers[0], leaseDurationSeconds: 15, leaseTransitions: 0 })
  })

  it.each([
    ['long ago', -hour],
    ['just now', 0],
    ['in the future', hour],
  ])('a held Lease renewed %s, by its own account, is taken once it was watched for its duration', async (_, at) => {
    const world = new World()
    await world.put(foreign({ renewTime: `${new Date(world.clock.now() + at).toISOString().slice(0, -1)}000Z` }))
    const replica = world.start()
    const took = await world.until(() => replica.elector.mayWrite(), 60_000)
    expect(took).toBeGreaterThanOrEqual(15_000)
    expect(took).toBeLessThanOrEqual(17_500)
    expect((await world.lease()).spec).toMatchObject({ holderIdentity: 'replica-0', leaseTransitions: 4 })
  })

  it.each([-hour, hour])('replicas whose wall clocks differ by %d ms do not take from each other', async (skewMs) => {
    const world = new World()
    const first = world.start()
    await world.advance(1_000)
    const second = world.start({ skewMs })
    await world.advance(120_000)
    expect([first.calls, second.calls]).toEqual([['started'], []])
    expect(world.splits).toEqual([])
  })

  it('a wall clock that jumps under the leader changes nothing', async () => {
    const { world, first } = await pair()
    for (const jump of [hour, -2 * hour]) {
      world.clock.setNow(world.clock.now() + jump)
      expect(first.elector.mayWrite()).toBe(true)
      await world.advance(60_000)
    }
    expect(world.writers).toEqual(['replica-0'])
    expect(world.splits).toEqual([])
  })

  it('each renewal starts the watch anew, also when it comes at the last moment', async () => {
    const world = new World()
    await world.put(foreign())
    const replica = world.start()
    for (let round = 0; round < 4; round += 1) {
      await world.advance(13_000)
      await world.put(foreign({ renewTime: `2026-01-01T00:0${round + 1}:00.000000Z` }))
    }
    expect(replica.calls).toEqual([])
    const took = await world.until(() => replica.elector.mayWrite(), 60_000)
    expect(took).toBeGreaterThanOrEqual(14_900)
  })

  it.each<[string, unknown, number, number]>([
    ['no spec', undefined, 0, 200],
    ['an empty spec', {}, 0, 200],
    ['no holder and the largest count', { leaseTransitions: 2 ** 31 - 1 }, 0, 200],
    ['a count that is no number', { holderIdentity: '', leaseTransitions: 'many' }, 0, 200],
    ['a holder and no duration', { holderIdentity: 'x' }, 15_000, 17_500],
    ['a duration of zero', foreign({ leaseDurationSeconds: 0 }), 15_000, 17_500],
    ['a negative duration', foreign({ leaseDurationSeconds: -7 }), 15_000, 17_500],
    ['a duration that is no number', foreign({ leaseDurationSeconds: 'long' }), 15_000, 17_500],
    ['a duration shorter than ours', foreign({ leaseDurationSeconds: 1 }), 15_000, 17_500],
    ['a duration longer than ours', foreign({ leaseDurationSeconds: 40 }), 40_000, 42_500],
    ['a duration of years', foreign({ leaseDurationSeconds: 2 ** 31 - 1 }), hour, hour + 2_500],
    ['a holder that is no string', foreign({ holderIdentity: { a: 1 } }), 15_000, 17_500],
    ['dates that are none', foreign({ renewTime: 'soon', acquireTime: 7 }), 15_000, 17_500],
  ])('a Lease with %s is taken in its time and mended', async (_, spec, atLeast, atMost) => {
    const world = new World()
    await world.put(spec)
    const replica = world.start()
    const took = await world.until(() => replica.elector.mayWrite(), atMost + 1_000)
    expect(took).toBeGreaterThanOrEqual(atLeast)
    expect(took).toBeLessThanOrEqual(atMost)
    const mended = (await world.lease()).spec
    expect(mended).toMatchObject({ holderIdentity: 'replica-0', leaseDurationSeconds: 15 })
    expect(mended?.leaseTransitions).toBeLessThan(10)
    expect(mended?.acquireTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it.each(['create', 'update'])('by %s, whose answer was lost, is noticed at the next look', async (verb) => {
    const world = new World()
    if (verb === 'update') await world.put({})
    const replica = world.start()
    // The first request, a read, is on its way already.
    replica.weather = { ...fine, fate: 'lost' }
    await world.advance(100)
    expect(replica.requests).toEqual(['get', verb])
    expect((await world.lease()).spec?.holderIdentity).toBe('replica-0')
    expect(replica.elector.isLeading).toBe(false)
    replica.weather = fine
    expect(await world.until(() => replica.elector.mayWrite(), 5_000)).toBeDefined()
    await world.advance(30_000)
    expect(replica.calls).toEqual(['started'])
  })

  it('candidates whose requests fail keep trying, at a bounded rate', async () => {
    const world = new World()
    const replica = world.start({ weather: { ...fine, fate: 'refused' } })
    await world.advance(60_000)
    expect(replica.requests.length).toBeGreaterThan(10)
    expect(replica.requests.length).toBeLessThanOrEqual(31)
    replica.weather = fine
    expect(await world.until(() => replica.elector.mayWrite(), 3_000)).toBeDefined()
  })

  it('a read that is answered after it was given up leads to no write', async () => {
    const world = new World()
    const replica = world.start({ weather: { ...fine, thereMs: 6_000, deaf: true } })
    await world.advance(30_000)
    expect(new Set(replica.requests)).toEqual(new Set(['get']))
  })

  it.each([
    [10_000, 10_000, 2_000],
    [15_000, 2_400, 2_000],
    [15_000, 10_000, 0],
    [Number.NaN, 10_000, 2_000],
  ])('durations of %d, %d and %d ms are refused', (leaseDurationMs, renewDeadlineMs, retryPeriodMs) => {
    expect(() => new World().join({ leaseDurationMs, renewDeadlineMs, retryPeriodMs })).toThrow(RangeError)
  })
})

describe('a Lease that is deleted', () => {
  it('is made again by the leader, who goes on', async () => {
    const { world, first, second } = await pair()
    second.weather = { ...fine, thereMs: 5_100 }
    await world.deleteLease()
    await world.advance(5_000)
    second.weather = fine
    await world.advance(60_000)
    expect([first.calls, second.calls]).toEqual([['started'], []])
    expect((await world.lease()).spec?.holderIdentity).toBe('replica-0')
  })

  it('and made by another is not led on until the former leader must have ended', async () => {
    const { world, first, second } = await pair()
    first.clock.pause()
    await world.deleteLease()
    const took = await world.until(() => second.elector.mayWrite(), 60_000)
    expect(took).toBeGreaterThanOrEqual(15_000)
    expect(took).toBeLessThanOrEqual(20_000)
    first.clock.resume()
    await world.advance(10_000)
    expect(first.calls).toEqual(['started', 'lost'])
    expect(world.writers).toEqual(['replica-1'])
    expect(world.splits).toEqual([])
  })

  it('again and again leaves never two who may write', async () => {
    const { world } = await pair()
    for (let round = 0; round < 40; round += 1) {
      await world.deleteLease()
      await world.advance(700 + 130 * (round % 7))
    }
    await world.advance(60_000)
    expect(world.splits).toEqual([])
    expect(world.writers).toHaveLength(1)
  })
})
