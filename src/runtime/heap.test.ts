import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyedHeap } from './heap.ts'

interface Item {
  readonly key: string
  readonly rank: number
}
const newHeap = (): KeyedHeap<Item> => new KeyedHeap<Item>((a, b) => a.rank < b.rank)
const drain = (heap: KeyedHeap<Item>): Item[] => {
  const out: Item[] = []
  for (let item = heap.pop(); item; item = heap.pop()) out.push(item)
  return out
}

describe('KeyedHeap', () => {
  it('behaves like a sorted map under any sequence of put, delete and pop', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', '__proto__', 'constructor')
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ op: fc.constant('put' as const), key, rank: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('pop' as const) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = newHeap()
        const model = new Map<string, number>()
        for (const s of steps) {
          if (s.op === 'put') {
            heap.put({ key: s.key, rank: s.rank })
            model.set(s.key, s.rank)
          } else if (s.op === 'delete') {
            expect(heap.delete(s.key)?.rank).toBe(model.get(s.key))
            model.delete(s.key)
          } else {
            const popped = heap.pop()
            expect(popped?.rank).toBe(model.size === 0 ? undefined : Math.min(...model.values()))
            if (popped) model.delete(popped.key)
          }
          expect(heap.size).toBe(model.size)
          for (const [k, rank] of model) expect(heap.get(k)?.rank).toBe(rank)
        }
        const rest = drain(heap)
        expect(rest.map((item) => item.rank)).toEqual([...model.values()].toSorted((a, b) => a - b))
        expect(new Set(rest.map((item) => item.key))).toEqual(new Set(model.keys()))
      }),
    )
  })

  it('compares O(log n) times for each operation on 100,000 elements', () => {
    let comparisons = 0
    const heap = new KeyedHeap<Item>((a, b) => {
      comparisons += 1
      return a.rank < b.rank
    })
    let worst = 0
    const measured = (run: () => void): void => {
      comparisons = 0
      run()
      worst = Math.max(worst, comparisons)
    }
    for (let i = 0; i < 100_000; i += 1) measured(() => heap.put({ key: `k${i}`, rank: (i * 7919) % 100_003 }))
    for (let i = 0; i < 1000; i += 1) measured(() => heap.put({ key: `k${i}`, rank: -i }))
    for (let i = 0; i < 1000; i += 1) measured(() => heap.delete(`k${i * 50}`))
    for (let i = 0; i < 1000; i += 1) measured(() => heap.pop())
    expect(worst).toBeLessThanOrEqual(3 * Math.ceil(Math.log2(100_000)))
  })

  it('is empty after clear', () => {
    const heap = newHeap()
    heap.put({ key: 'a', rank: 1 })
    heap.clear()
    expect([heap.size, heap.peek(), heap.get('a'), heap.pop()]).toEqual([0, undefined, undefined, undefined])
  })
})
