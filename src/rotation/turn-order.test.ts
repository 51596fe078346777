import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Mover, type Moving, nextTurns, type TurnQueue } from './turn-order.ts'

const queue = (changes: Partial<TurnQueue>): TurnQueue => ({
  now: 0,
  waiting: [],
  moving: [],
  maxParallel: 10,
  patienceMs: 1000,
  ...changes,
})

const server = (key: string, more: Partial<Mover> = {}): Mover => ({ key, group: 'orders', rank: 1, ...more })
const client = (key: string, more: Partial<Mover> = {}): Mover => ({ key, group: 'orders', rank: 2, ...more })
const since = (mover: Mover, at = 0): Moving => ({ ...mover, since: at })

describe('whose turn it is', () => {
  it.each<readonly [string, Partial<TurnQueue>, readonly string[]]>([
    ['servers before clients', { waiting: [client('c'), server('s')] }, ['s']],
    ['clients once no server waits or moves', { waiting: [client('c')] }, ['c']],
    ['no client while a server of its profile moves', { waiting: [client('c')], moving: [since(server('s'))] }, []],
    [
      'clients of one profile while the servers of another move',
      { waiting: [client('c', { group: 'other' })], moving: [since(server('s'))] },
      ['c'],
    ],
    [
      'who stands alone at once',
      {
        waiting: [
          { key: 'b', rank: 2 },
          { key: 'a', rank: 1 },
        ],
      },
      ['a', 'b'],
    ],
    ['as many as maxParallel', { waiting: [server('a'), server('b'), server('c')], maxParallel: 2 }, ['a', 'b']],
    ['less those that move', { waiting: [server('b')], moving: [since(server('a'))], maxParallel: 1 }, []],
    [
      'nobody kept waiting by one that does not finish',
      { now: 1001, waiting: [server('b')], moving: [since(server('a'))], maxParallel: 1 },
      ['b'],
    ],
    [
      'one member of a cluster at a time',
      { waiting: [server('a', { cluster: 'x' }), server('b', { cluster: 'x' }), server('c', { cluster: 'y' })] },
      ['a', 'c'],
    ],
    [
      'no second member of a cluster, however long the first one takes',
      { now: 5000, waiting: [server('b', { cluster: 'x' })], moving: [since(server('a', { cluster: 'x' }))] },
      [],
    ],
  ])('%s', (_, changes, told) => expect(nextTurns(queue(changes))).toEqual(told))

  const movers = fc.uniqueArray(
    fc.record(
      {
        key: fc.stringMatching(/^[a-z]{1,3}$/),
        group: fc.constantFrom('g', 'h'),
        rank: fc.nat(2),
        cluster: fc.constantFrom('x', 'y'),
      },
      { requiredKeys: ['key', 'rank'] },
    ),
    { selector: ({ key }) => key, maxLength: 12 },
  )

  it('never exceeds the budget, breaks an order or a cluster, and everybody has it in the end', () => {
    fc.assert(
      fc.property(movers, fc.integer({ min: 1, max: 4 }), fc.nat(), (all, maxParallel, seed) => {
        let waiting: Mover[] = all
        let moving: Moving[] = []
        for (let round = 0; waiting.length + moving.length > 0; round += 1) {
          expect(round).toBeLessThan(100)
          const told = nextTurns(queue({ waiting, moving, maxParallel }))
          const started = waiting.filter(({ key }) => told.includes(key))
          waiting = waiting.filter(({ key }) => !told.includes(key))
          moving = [...moving, ...started.map((one) => since(one))]
          expect(moving.length).toBeLessThanOrEqual(maxParallel)
          const clusters = moving.flatMap(({ cluster }) => cluster ?? [])
          expect(new Set(clusters).size).toBe(clusters.length)
          for (const one of started)
            if (one.group !== undefined)
              for (const other of [...waiting, ...moving])
                if (other.group === one.group) expect(other.rank).toBeGreaterThanOrEqual(one.rank)
          if (moving.length > 0) moving = moving.toSpliced((seed + round) % moving.length, 1)
        }
      }),
    )
  })
})
