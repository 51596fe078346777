import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyGate } from './key-gate.ts'

describe('KeyGate', () => {
  it('is closed when it is full, and wakes who came first', () => {
    const woken: string[] = []
    const gate = new KeyGate(2, (key) => void woken.push(key))
    const leave = gate.enter('a')
    gate.enter('b')
    expect(gate.enter('c')).toBeUndefined()
    expect(gate.enter('d')).toBeUndefined()
    leave?.()
    expect(woken).toEqual(['c'])
    expect(gate.enter('c')).toBeDefined()
  })

  it('counts leaving once, however often it is said', () => {
    const gate = new KeyGate(1, () => undefined)
    const leave = gate.enter('a')
    leave?.()
    leave?.()
    expect(gate.enter('b')).toBeDefined()
    expect(gate.enter('c')).toBeUndefined()
  })

  it('never lets more in than its limit, and lets everybody in who comes back when woken', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(), { maxLength: 60 }), (limit, choices) => {
        const queue = Array.from({ length: 20 }, (_, n) => String(n))
        const gate = new KeyGate(limit, (key) => void queue.push(key))
        const inside: (() => void)[] = []
        const served = new Set<string>()
        const turn = (choice: number): void => {
          const key = choice % 2 === 0 ? queue.shift() : undefined
          if (key === undefined) {
            const [leave] = inside.splice(choice % (inside.length + 1), 1)
            leave?.()
            return
          }
          const leave = gate.enter(key)
          if (leave === undefined) return
          served.add(key)
          inside.push(leave)
          expect(inside.length).toBeLessThanOrEqual(limit)
        }
        for (const choice of choices) turn(choice)
        for (let rest = 0; rest < 200; rest += 1) turn(rest)
        expect(served.size).toBe(20)
      }),
    )
  })
})
