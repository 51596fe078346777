import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { describe, expect, it, vi } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { HeapKeeper, v8Heap } from './memory.ts'

const MB = 2 ** 20

/** A heap that says what it was told. */
const setUp = () => {
  const clock = new ManualClock()
  const told: string[] = []
  const heap = {
    adaptTo: (situation: string) => void told.push(situation),
    collect: () => Promise.resolve(void told.push('collect')),
    overgrown: false,
    size: 40 * MB,
    enough: 64 * MB,
  }
  const work = { load: 0, rest: 0 }
  const keeper = new HeapKeeper({ heap, clock, load: () => work.load, burst: 16, rest: () => work.rest })
  keeper.start()
  const after = async (ms: number, load = work.load): Promise<string[]> => {
    work.load = load
    await clock.advance(ms)
    return told.splice(0)
  }
  return { after, heap, keeper, clock, told, work }
}

describe('the heap', () => {
  it('is left alone while there is little to do', async () => {
    const { after } = setUp()
    expect(await after(0)).toEqual(['Rest'])
    expect(await after(3_600_000, 16)).toEqual([])
  })

  it('grows by more while there is more to do than there are workers, and is collected once when that is over', async () => {
    const { after } = setUp()
    await after(0)
    expect(await after(250, 17)).toEqual(['Burst'])
    expect(await after(60_000)).toEqual([])
    expect(await after(1_500, 3)).toEqual([])
    expect(await after(1_000)).toEqual(['Rest', 'collect'])
    expect(await after(3_600_000)).toEqual([])
  })

  it('is collected when garbage has gathered at rest, and not for it in a burst', async () => {
    const { after, heap } = setUp()
    await after(250, 500)
    heap.overgrown = true
    expect(await after(60_000)).toEqual([])
    expect(await after(2_000, 0)).toEqual(['Rest', 'collect'])
    expect(await after(250)).toEqual(['collect'])
    heap.overgrown = false
    expect(await after(3_600_000)).toEqual([])
  })

  it('waits for what a burst leaves to be done, for a minute at most', async () => {
    const { after, work } = setUp()
    await after(250, 500)
    work.rest = 500
    expect(await after(30_000, 0)).toEqual([])
    work.rest = 16
    expect(await after(1_750)).toEqual([])
    expect(await after(500)).toEqual(['Rest', 'collect'])
    await after(250, 500)
    work.rest = 500
    expect(await after(58_000, 0)).toEqual([])
    expect(await after(5_000)).toEqual(['Rest', 'collect'])
    expect(await after(3_600_000)).toEqual([])
  })

  it('takes what is left to be done alone for no burst', async () => {
    const { after, work } = setUp()
    await after(0)
    work.rest = 500
    expect(await after(60_000)).toEqual([])
  })

  it('takes bursts that follow each other for one', async () => {
    const { after } = setUp()
    await after(250, 500)
    for (let at = 0; at < 10; at += 1) {
      await after(1_500, 0)
      expect(await after(250, 500)).toEqual([])
    }
  })

  it('grows by little where a burst has made it large', async () => {
    const { after, heap } = setUp()
    await after(250, 5_000)
    heap.size = 64 * MB
    expect(await after(250)).toEqual(['LargeBurst'])
    heap.size = 50 * MB
    expect(await after(250)).toEqual(['Burst'])
    heap.size = 64 * MB
    expect(await after(250)).toEqual(['LargeBurst'])
    expect(await after(2_500, 0)).toEqual(['Rest', 'collect'])
  })

  it('is nobody’s concern after the end', async () => {
    const { after, keeper, clock } = setUp()
    keeper.stop()
    expect(await after(60_000, 500)).toEqual(['Rest'])
    expect(clock.timers).toBe(0)
  })

  it('of V8 is rid of garbage when it was collected', async () => {
    const heap = v8Heap()
    const used = (): number => getHeapStatistics().used_heap_size
    const fill = (): number => Array.from({ length: 500_000 }, (_, at) => ({ at, text: `${at}` })).length
    heap.adaptTo('Rest')
    await heap.collect()
    const before = used()
    expect(fill()).toBe(500_000)
    const full = used()
    expect(heap.overgrown).toBe(true)
    await heap.collect()
    expect(heap.overgrown).toBe(false)
    expect(full - before).toBeGreaterThan(10 * MB)
    expect(used() - before).toBeLessThan((full - before) / 2)
    expect(heap.size).toBeGreaterThanOrEqual(used())
  })

  it.each([
    { situation: 'Rest', often: 'never' },
    { situation: 'Burst', often: 'never' },
    { situation: 'LargeBurst', often: 'more than once' },
  ] as const)('of V8, at $situation, is collected $often while it grows by a half', async ({ situation, often }) => {
    const heap = v8Heap()
    let collections = 0
    const observer = new PerformanceObserver((list) => {
      const entries = list.getEntries() as unknown as readonly { readonly detail: { readonly kind: number } }[]
      collections += entries.filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length
    })
    const grow = (objects: number) => Array.from({ length: objects }, (_, at) => ({ at, text: `${at}` }))
    const kept = [grow(1_000_000)]
    heap.adaptTo(situation)
    await heap.collect()
    const living = getHeapStatistics().used_heap_size
    await setImmediate()
    observer.observe({ entryTypes: ['gc'] })
    while (getHeapStatistics().used_heap_size < 1.5 * living) {
      kept.push(grow(1_000))
      await setImmediate()
    }
    observer.disconnect()
    expect(kept.length).toBeGreaterThan(100)
    if (often === 'never') expect(collections).toBe(0)
    else expect(collections).toBeGreaterThan(1)
  })

  it('of V8 may hold as much garbage as lives in it, and three quarters of what it may have at all', async () => {
    const heap = v8Heap()
    const living = getHeapStatistics().used_heap_size / MB
    expect(heap.enough / MB).toBeCloseTo(Math.max(96, 2 * living), 0)
    const kept = Array.from({ length: 2_000_000 }, (_, at) => ({ at, text: `${at}` }))
    // Node tells of a collection in a task of its own.
    await heap.collect()
    await vi.waitFor(() => expect(heap.enough / MB).toBeGreaterThan(150))
    expect(heap.enough).toBeLessThanOrEqual(getHeapStatistics().heap_size_limit * 0.75)
    kept.length = 0
    await heap.collect()
    await vi.waitFor(() => expect(heap.enough / MB).toBeLessThan(Math.max(100, 3 * living)))
  })
})
