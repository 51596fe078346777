import { describe, expect, it } from 'vitest'
import { fine, foreign, hour, pair, World } from './leader.fixture.ts'

describe('keeping the Lease', () => {
  it('renews with one request a period and leaves the time of acquisition alone', async () => {
    const world = new World()
    const replica = world.start()
    await world.advance(500)
    const before = (await world.lease()).spec
    replica.requests.length = 0
    await world.advance(20_000)
    const after = (await world.lease()).spec
    expect(new Set(replica.requests)).toEqual(new Set(['update']))
    expect(replica.requests.length).toBeGreaterThanOrEqual(9)
    expect(replica.requests.length).toBeLessThanOrEqual(10)
    expect(after?.acquireTime).toBe(before?.acquireTime)
    expect(after?.renewTime).not.toBe(before?.renewTime)
  })

  it('one that cannot renew may not write from the deadline on, is told once, and the other takes over', async () => {
    const { world, first, second } = await pair()
    first.weather = { ...fine, fate: 'refused' }
    const lost = await world.until(() => first.calls.includes('lost'), 20_000)
    expect(lost).toBeLessThanOrEqual(10_100)
    expect(first.elector.isLeading).toBe(false)
    const taken = await world.until(() => second.elector.mayWrite(), 20_000)
    expect((lost ?? 0) + (taken ?? 0)).toBeGreaterThanOrEqual(13_000)
    await world.advance(60_000)
    expect(first.calls).toEqual(['started', 'lost'])
    expect(world.splits).toEqual([])
  })

  it('a process that was stopped may not write from the deadline on, although its loop has not run', async () => {
    const world = new World()
    const replica = world.start()
    await world.advance(500)
    replica.clock.pause()
    await world.clock.advance(10_000 - 500 - 1)
    expect(replica.elector.mayWrite()).toBe(true)
    await world.clock.advance(1)
    expect(replica.elector.isLeading).toBe(true)
    expect(replica.elector.mayWrite()).toBe(false)
    expect(replica.calls).toEqual(['started'])
    replica.clock.resume()
    await world.advance(100)
    expect(replica.calls).toEqual(['started', 'lost'])
  })

  it('the time to renew counts from when the renewal was sent, not from its answer', async () => {
    const world = new World()
    const replica = world.start()
    await world.advance(500)
    replica.weather = { ...fine, backMs: 4_000 }
    // Sent at 2 s, answered at 6 s; what is sent after that is refused.
    await world.advance(6_500)
    expect((await world.lease()).spec?.renewTime).toBe('2026-01-01T00:00:02.000000Z')
    replica.weather = { ...fine, fate: 'refused' }
    await world.advance(4_900)
    expect(replica.elector.mayWrite()).toBe(true)
    await world.advance(100)
    expect(replica.elector.mayWrite()).toBe(false)
  })

  it('a request that hangs without listening to its signal delays neither the next one nor the loss', async () => {
    const { world, first } = await pair()
    first.weather = { ...fine, thereMs: 24 * hour, deaf: true }
    first.requests.length = 0
    expect(await world.until(() => first.calls.includes('lost'), 20_000)).toBeLessThanOrEqual(10_100)
    expect(first.requests.length).toBeGreaterThanOrEqual(2)
  })

  it('a server that stalls once, for less than half the deadline, does no harm', async () => {
    const { world, first, second } = await pair()
    first.weather = { ...fine, thereMs: 4_000 }
    await world.advance(3_000)
    first.weather = fine
    await world.advance(60_000)
    expect([first.calls, second.calls]).toEqual([['started'], []])
  })

  it('a server that takes 12 s to answer makes the leader lose, and nobody else lead', async () => {
    const { world, first, second } = await pair()
    for (const replica of [first, second]) replica.weather = { ...fine, thereMs: 6_000, backMs: 6_000 }
    await world.advance(120_000)
    expect([first.calls, second.calls]).toEqual([['started', 'lost'], []])
    expect(world.splits).toEqual([])
  })

  it('one who finds another holder stops at once', async () => {
    const { world, first } = await pair()
    await world.put(foreign())
    expect(await world.until(() => first.calls.includes('lost'), 20_000)).toBeLessThanOrEqual(2_100)
    expect(first.elector.mayWrite()).toBe(false)
    expect((await world.lease()).spec?.holderIdentity).toBe('somebody')
  })

  it('a renewal whose answer was lost is made up for by the next', async () => {
    const { world, first } = await pair()
    first.weather = { ...fine, fate: 'lost' }
    await world.advance(3_000)
    first.weather = fine
    await world.advance(30_000)
    expect(first.calls).toEqual(['started'])
    expect(world.writers).toEqual(['replica-0'])
  })

  it('a Lease that is edited under the leader, without another holder, is mended', async () => {
    const { world, first } = await pair()
    await world.put(foreign({ holderIdentity: 'replica-0', leaseDurationSeconds: 1, renewTime: 'x' }))
    await world.advance(30_000)
    expect(first.calls).toEqual(['started'])
    expect((await world.lease()).spec).toMatchObject({ holderIdentity: 'replica-0', leaseDurationSeconds: 15 })
    expect(world.splits).toEqual([])
  })

  it('a server that refuses is not asked in a tight loop when less time is left than the clock can tell', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const world = new World()
      const replica = world.start({ weather: { ...fine, fate: 'refused' }, random: () => seed / 41 })
      await world.advance(9_000)
      replica.weather = fine
      await world.until(() => replica.elector.mayWrite(), 10_000)
      await world.advance(3_000)
      replica.requests.length = 0
      replica.weather = { ...fine, fate: 'refused' }
      await world.until(() => replica.calls.includes('lost') || replica.requests.length > 20, 12_000)
      expect(replica.calls).toEqual(['started', 'lost'])
      expect(replica.requests.length).toBeLessThanOrEqual(7)
    }
  })
})

describe('stopping', () => {
  it('hands the Lease over within one retry, and never has two who may write', async () => {
    const { world, first, second } = await pair()
    const stopped = first.elector.stop()
    expect(first.elector.mayWrite()).toBe(false)
    await world.clock.advance(0)
    await stopped
    expect((await world.lease()).spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
    expect(await world.until(() => second.elector.mayWrite(), 20_000)).toBeLessThanOrEqual(2_100)
    expect(first.calls).toEqual(['started'])
    expect(world.splits).toEqual([])
  })

  it('does not let the one who stops write while the release is on its way', async () => {
    const { world, first, second } = await pair()
    first.weather = { ...fine, backMs: 4_000 }
    const stopped = first.elector.stop()
    await world.advance(5_000)
    await stopped
    expect(second.elector.mayWrite()).toBe(true)
    expect(world.splits).toEqual([])
  })

  it('releases a Lease that was taken by a write without an answer', async () => {
    const world = new World()
    await world.put({})
    const replica = world.start()
    replica.weather = { ...fine, backMs: 60_000 }
    await world.advance(100)
    expect((await world.lease()).spec?.holderIdentity).toBe('replica-0')
    expect(replica.elector.isLeading).toBe(false)
    replica.weather = fine
    const stopped = replica.elector.stop()
    await world.advance(500)
    await stopped
    expect((await world.lease()).spec?.holderIdentity).toBe('')
  })

  it('by one who lost the Lease, but still holds it, gives it back too', async () => {
    const { world, first } = await pair()
    first.clock.pause()
    await world.clock.advance(11_000)
    first.clock.resume()
    await world.advance(100)
    expect(first.calls).toEqual(['started', 'lost'])
    const stopped = first.elector.stop()
    await world.advance(100)
    await stopped
    expect((await world.lease()).spec?.holderIdentity).toBe('')
  })

  it('leaves the Lease of another alone', async () => {
    const { world, second } = await pair()
    second.requests.length = 0
    await second.elector.stop()
    expect(second.requests).toEqual([])
    expect((await world.lease()).spec?.holderIdentity).toBe('replica-0')
  })

  it.each([
    ['before the start', false],
    ['while the first look hangs', true],
  ])('ends promptly %s, and does not begin to lead afterwards', async (_, started) => {
    const world = new World()
    const weather = { ...fine, thereMs: hour, deaf: true }
    const replica = started ? world.start({ weather }) : world.join({ weather })
    await world.clock.advance(0)
    await replica.elector.stop()
    replica.elector.start({ onStarted: () => replica.calls.push('started'), onLost: () => replica.calls.push('lost') })
    await world.advance(5_000)
    expect(replica.calls).toEqual([])
    expect(replica.elector.mayWrite()).toBe(false)
  })

  it('gives a server that does not answer a few seconds, and does not reject', async () => {
    const { world, first } = await pair()
    first.weather = { ...fine, thereMs: hour, deaf: true }
    let ended = false
    const stopped = Promise.all([first.elector.stop(), first.elector.stop()]).then(() => (ended = true))
    await world.advance(4_500)
    expect(ended).toBe(false)
    await world.advance(700)
    await stopped
    expect(first.calls).toEqual(['started'])
  })

  it('leaves no timer behind', async () => {
    const world = new World()
    const replica = world.start()
    await world.advance(10_000)
    const stopped = replica.elector.stop()
    await world.clock.advance(0)
    await stopped
    expect(world.clock.timers).toBe(0)
  })
})
