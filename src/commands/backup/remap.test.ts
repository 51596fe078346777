import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { certificateStatus, numberAfter, ownersOf, restoredEntry } from './remap.ts'

const uid = fc.uuid()
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const mapping = (pairs: readonly (readonly [string, string])[]) => ({
  uids: new Map(pairs),
  versions: new Map(
    pairs.map(([then, now], at) => [
      then,
      { before: { uid: then, resourceVersion: `t${at}` }, after: { uid: now, resourceVersion: `n${at}` } },
    ]),
  ),
})
/** uids of then and of now, each once. */
const pairs = fc
  .uniqueArray(uid, { minLength: 2, maxLength: 20 })
  .map((all) => all.slice(0, all.length >> 1).map((then, at) => [then, all[at + (all.length >> 1)] ?? ''] as const))

describe('an entry in another cluster', () => {
  it('names the objects that stand for those it named, and no other', () => {
    fc.assert(
      fc.property(pairs, fc.nat(), fc.nat(), optional(uid), (known, a, h, stranger) => {
        const { uids } = mapping(known)
        const authority = known[a % known.length]?.[0] ?? ''
        const holder = stranger ?? known[h % known.length]?.[0] ?? ''
        const entry = {
          metadata: { name: 'e', namespace: 'data', uid: 'x', resourceVersion: '1', ownerReferences: [] },
          spec: {
            authorityRef: { name: 'ca', uid: authority, fingerprint: 'f' },
            certificateRef: { namespace: 'data', name: 'orders', uid: holder },
            serialNumber: '0A',
          },
          status: { state: 'Valid' },
        } as unknown as IssuedCertificate
        const made = restoredEntry(entry, 'id', { uids })
        expect(made.spec.authorityRef).toEqual({ ...entry.spec.authorityRef, uid: uids.get(authority) })
        expect(made.spec.certificateRef?.uid).toBe(stranger ?? uids.get(holder))
        expect(made.spec.serialNumber).toBe('0A')
        // What a server gives an object is not sent to one.
        expect(Object.keys(made.metadata).toSorted()).toEqual(['annotations', 'name', 'namespace'])
        expect(made.status).toBeUndefined()
      }),
    )
  })
})

describe('owners in another cluster', () => {
  it('are those that were restored; a reference to nobody would have the object deleted', () => {
    fc.assert(
      fc.property(pairs, fc.array(uid), (known, strangers) => {
        const { uids } = mapping(known)
        const reference = (of: string) => ({ apiVersion: 'v1', kind: 'K', name: 'n', uid: of, controller: true })
        const all = [...known.map(([then]) => then), ...strangers]
        const found = ownersOf({ name: 'n', ownerReferences: all.map(reference) }, { uids })
        expect(found).toEqual(known.map(([, now]) => reference(now)))
      }),
    )
  })
})

describe('a status in another cluster', () => {
  it('speaks of the version that it spoke of, and of none where it spoke of another', () => {
    const version = fc.constantFrom('t0', 't1', 'other', undefined)
    fc.assert(
      fc.property(pairs, fc.nat(), version, version, fc.boolean(), (known, at, secret, password, current) => {
        const maps = mapping(known)
        const [then = '', now = ''] = known[at % known.length] ?? []
        const own = `t${at % known.length}`
        const backup = {
          metadata: { name: 'c', generation: 7 },
          spec: {},
          status: {
            observedGeneration: current ? 7 : 6,
            serialNumber: '0A',
            conditions: [{ type: 'Ready', status: 'True', observedGeneration: current ? 7 : 6 }],
            observed: {
              secretUid: then,
              secretResourceVersion: secret,
              passwordResourceVersion: password,
              policyHash: 'p',
            },
          },
        } as unknown as DatabaseCertificate
        const live = { metadata: { name: 'c', generation: 1 }, spec: {} } as unknown as DatabaseCertificate
        const status = certificateStatus(backup, live, maps, { password: then, request: undefined })
        const of = (seen: string | undefined) => (seen === own ? `n${at % known.length}` : undefined)
        expect(status.observed?.secretUid).toBe(now)
        expect(status.observed?.secretResourceVersion).toBe(of(secret))
        expect(status.observed?.passwordResourceVersion).toBe(of(password))
        expect(status.observed?.policyHash).toBe('p')
        expect(status.observedGeneration).toBe(current ? 1 : undefined)
        expect(status.conditions?.[0]?.observedGeneration).toBe(current ? 1 : undefined)
      }),
    )
  })
})

describe('the number of the next list', () => {
  const second = 1000
  it('is larger than any that was given since, at one a second', () => {
    const instant = fc.integer({ min: 1_600_000_000, max: 4_000_000_000 })
    fc.assert(
      fc.property(fc.nat(2 ** 40), instant, fc.nat(10 ** 8), (last, created, later) => {
        const times = { createdAt: created * second, now: (created + later) * second }
        const number = numberAfter(BigInt(last), times)
        expect(number).toBeGreaterThanOrEqual(last + later)
        expect(number).toBeGreaterThanOrEqual(created + later)
      }),
    )
  })
  it('never falls where a clock went back, and knows no end', () => {
    const times = { createdAt: 2000 * second, now: 1000 * second }
    expect(numberAfter(5000n, times)).toBe(5000n)
    expect(numberAfter(2n ** 100n, { ...times, now: 9000 * second })).toBe(2n ** 100n + 7000n)
  })
})
