import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/log.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { KnownRoots } from './known-roots.ts'

const roots = [Uint8Array.of(1)]
const minute = 60_000

/** Profiles that look whenever they are woken, as their controller does. `works`: whether a read succeeds. */
const looking = (works: (read: number) => boolean) => {
  const clock = new ManualClock()
  const woken: string[] = []
  let reads = 0
  const read = () => {
    reads += 1
    return works(reads) ? Promise.resolve(roots) : Promise.reject(new Error('its Secret is not there'))
  }
  const reported = { hash: 'H' }
  const look = (profile: string) => known.of(profile, 'data/ca', reported.hash, read)
  const known = new KnownRoots({
    ...{ clock, log: silentLogger() },
    wake: (profile) => {
      woken.push(profile)
      look(profile)
    },
  })
  return { clock, woken, look, known, reported, reads: () => reads }
}

describe('what looks are judged by', () => {
  it('is read once for all who wait for it, and again for another hash', async () => {
    const { clock, look, woken, reported, reads } = looking(() => true)
    expect([look('data/a'), look('data/b')]).toEqual([undefined, undefined])
    await clock.advance(0)
    expect(woken).toEqual(['data/a', 'data/b'])
    expect(look('data/a')).toBe(look('data/b'))
    expect([look('data/a'), reads()]).toEqual([roots, 1])
    reported.hash = 'I'
    expect(look('data/a')).toBeUndefined()
    await clock.advance(0)
    expect([look('data/a'), reads()]).toEqual([roots, 2])
  })

  it('is had soon after a read has failed, although nobody looks meanwhile', async () => {
    const { clock, look, woken, reads } = looking((count) => count > 2)
    look('data/a')
    await clock.advance(4999)
    expect([woken, reads()]).toEqual([[], 1])
    await clock.advance(1)
    expect([woken, reads()]).toEqual([['data/a'], 2])
    await clock.advance(10_000)
    expect(reads()).toBe(3)
    expect(look('data/a')).toBe(roots)
    // It is over.
    const wakes = woken.length
    await clock.advance(60 * minute)
    expect([woken.length, reads(), clock.timers]).toEqual([wakes, 3, 0])
  })

  it('is told to those, too, who waited since a read that failed before', async () => {
    const { clock, look, woken } = looking((count) => count > 1)
    look('data/a')
    await clock.advance(0)
    look('data/b')
    await clock.advance(0)
    expect(woken.toSorted()).toEqual(['data/a', 'data/b'])
    await clock.advance(60 * minute)
    expect(woken).toHaveLength(2)
  })

  it('is asked for ever less often where it cannot be had, however many wait and look', async () => {
    const { clock, look, reads, known } = looking(() => false)
    for (const profile of ['data/a', 'data/b', 'data/c']) look(profile)
    await clock.advance(60 * minute)
    // 5 s, 10 s … 320 s, and then each five minutes.
    expect(reads()).toBeGreaterThan(10)
    expect(reads()).toBeLessThan(20)
    expect(clock.timers).toBe(1)
    const before = reads()
    known.stop()
    await clock.advance(60 * minute)
    expect([reads(), clock.timers]).toEqual([before, 0])
  })
})
