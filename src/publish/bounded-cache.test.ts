import { describe, expect, it } from 'vitest'
import { BoundedCache } from './bounded-cache.ts'

const counted = () => {
  let reads = 0
  return {
    read: () => Promise.resolve((reads += 1)),
    get reads() {
      return reads
    },
  }
}

describe('BoundedCache', () => {
  it('reads a version once, also for readers at the same time, and a new version again', async () => {
    const cache = new BoundedCache<number>(10)
    const source = counted()
    expect(await Promise.all([cache.get('a', '1', source.read), cache.get('a', '1', source.read)])).toEqual([1, 1])
    expect(await cache.get('a', '2', source.read)).toBe(2)
    expect(await cache.get('a', '2', source.read)).toBe(2)
    expect(cache.size).toBe(1)
  })

  it('drops what was asked for longest ago', async () => {
    const cache = new BoundedCache<number>(2)
    const source = counted()
    for (const key of ['a', 'b', 'a', 'c', 'a']) await cache.get(key, '', source.read)
    expect([source.reads, cache.size]).toEqual([3, 2])
    await cache.get('b', '', source.read)
    expect(source.reads).toBe(4)
  })

  it('tries a failed read again', async () => {
    const cache = new BoundedCache<number>(2)
    await expect(cache.get('a', '', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
    expect(await cache.get('a', '', () => Promise.resolve(7))).toBe(7)
  })

  it('looks again for what was not there', async () => {
    const cache = new BoundedCache<number | undefined>(2)
    expect(await cache.get('a', '', () => Promise.resolve(undefined))).toBeUndefined()
    expect(await cache.get('a', '', () => Promise.resolve(7))).toBe(7)
  })
})
