import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryOf } from '../ledger/testing.ts'
import { hasSignedBefore, nextNumber } from './number.ts'

const now = Date.parse('2026-11-21T00:00:00Z')
const seconds = BigInt(now / 1000)

describe('the number of a list', () => {
  it.each([
    { listed: undefined, reported: undefined, tried: undefined, before: false, next: 1n },
    { listed: undefined, reported: undefined, tried: undefined, before: true, next: seconds },
    { listed: 4n, reported: 4n, tried: undefined, before: true, next: 5n },
    { listed: 5n, reported: 4n, tried: undefined, before: true, next: 6n },
    { listed: undefined, reported: 4n, tried: undefined, before: true, next: 6n },
    { listed: undefined, reported: 4n, tried: 5n, before: true, next: 6n },
    { listed: 4n, reported: undefined, tried: undefined, before: true, next: 5n },
    { listed: 4n, reported: 4n, tried: 7n, before: true, next: 8n },
    { listed: 2n ** 100n, reported: 2n ** 53n, tried: undefined, before: true, next: 2n ** 100n + 1n },
    { listed: undefined, reported: 2n ** 100n, tried: undefined, before: true, next: 2n ** 100n + 2n },
  ])('is $next (%#)', ({ before, next, ...known }) => {
    expect(nextNumber(known, before, now)).toBe(next)
  })

  const own = { isCa: true, holder: 'ca-uid', createdAt: 0 }
  it.each([
    { name: 'an empty ledger', ledger: [], before: false },
    { name: 'its own certificate alone', ledger: [entryOf('1', own)], before: false },
    { name: 'its own certificate from a backup', ledger: [entryOf('1', { ...own, isRestored: true })], before: true },
    {
      name: 'certificates of the first moments',
      ledger: [entryOf('1', own), entryOf('2', { createdAt: now - 1000 })],
      before: false,
    },
    { name: 'older certificates', ledger: [entryOf('2', { createdAt: now - 3_600_000 })], before: true },
    { name: 'certificates of unknown age', ledger: [entryOf('2', { createdAt: Number.NaN })], before: true },
    {
      name: 'entries of an object before this one',
      ledger: [entryOf('1', { ...own, authorityUid: 'former' })],
      before: true,
    },
  ])('knows $name of a CA', ({ ledger, before }) => {
    expect(hasSignedBefore(ledger, { uid: 'ca-uid' }, now)).toBe(before)
  })
})

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/**
 * Any order of lists made, crashes between ConfigMap and status, restarts, two leaders, and losses of either place: of all
 * that was ever published, no number has two contents, and each is larger than those before.
 */
describe('the numbers of a CA', () => {
  interface Step {
    readonly act: 'make' | 'crash' | 'restart' | 'loseMap' | 'loseStatus' | 'loseBoth' | 'otherLeader'
  }
  const step: fc.Arbitrary<Step> = fc.record({
    act: fc.constantFrom(
      'make',
      'make',
      'make',
      'crash',
      'restart',
      'loseMap',
      'loseStatus',
      'loseBoth',
      'otherLeader',
    ),
  })

  it('strictly increase, whatever dies or is lost', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let map: { number: bigint; version: number } | undefined
        let status: bigint | undefined
        let tried: bigint | undefined
        let version = 0
        let clock = now
        let published = 0n
        const next = (read: typeof map): bigint =>
          nextNumber({ listed: read?.number, reported: status, tried }, clock > now, clock)
        /** Written only over what was read, as the ConfigMap is. */
        const write = (read: typeof map, number: bigint): boolean => {
          if (map?.version !== read?.version) return false
          expect(number).toBeGreaterThan(published)
          published = number
          map = { number, version: (version += 1) }
          return true
        }
        for (const { act } of steps) {
          clock += 60_000
          if (act === 'make' || act === 'crash' || act === 'otherLeader') {
            const read = map
            const number = next(read)
            tried = number
            if (map !== undefined || status !== undefined) status = larger(status ?? 0n, number - 1n)
            if (act === 'otherLeader') {
              // It read before ours was written: the same number, and refused.
              expect(write(read, number)).toBe(true)
              expect(write(read, number)).toBe(false)
              tried = undefined
            } else write(read, number)
            if (act === 'make') status = map?.number
            else tried = undefined
          }
          if (act === 'restart') tried = undefined
          if (act === 'loseMap') map = undefined
          if (act === 'loseStatus') status = undefined
          if (act === 'loseBoth') {
            map = undefined
            status = undefined
          }
        }
      }),
      { numRuns: 3000 },
    )
  })
})
