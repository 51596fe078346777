/** Who is renewed by time while others move to a new CA: both share `maxParallel`. */

import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { RotationTurns } from './turns.ts'

const hour = 3_600_000
const start = Date.UTC(2027, 0, 4, 12)
const at = (ms: number): string => new Date(start + ms).toISOString()

const authority = {
  metadata: { name: 'ca', namespace: 'data' },
  spec: { source: { selfSigned: {} } },
  status: {
    certificate: { fingerprint: 'new' },
    trustBundleHash: 't',
    rotation: { phase: 'Signing', from: 'old', to: 'new', formerTrustBundleHash: 'f' },
  },
} as unknown as CertificateAuthority

const readyAt = (observedGeneration: number) => [
  { type: 'Ready', status: 'True', reason: 'Issued', message: '', observedGeneration },
]

type Change = Readonly<Record<string, unknown>>

/** Of 90 hours, due after 60 of them. */
const certificate = (name: string, signedBy: 'old' | 'new', age: number, status: Change = {}, spec: Change = {}) =>
  ({
    metadata: { name, namespace: 'data', uid: name, generation: 1 },
    spec: { authorityRef: { name: 'ca' }, role: 'Server', secret: { name }, ...spec },
    status: {
      ...{ serialNumber: '0A', authorityFingerprint: signedBy, observedGeneration: 1 },
      conditions: readyAt(1),
      ...{ notBefore: at(-age), renewAt: at(60 * hour - age), notAfter: at(90 * hour - age) },
      ...status,
    },
  }) as unknown as KubeObject

const dealing = { maxParallel: 2, open: true, urgent: false }

const world = (...all: readonly KubeObject[]) => {
  const { context, stores, clock } = stubContext({})
  clock.setNow(start)
  stores.authorities.set('data/ca', authority)
  const set = (...some: readonly KubeObject[]): void => {
    for (const one of some) stores.certificates.set(`data/${one.metadata.name}`, one)
  }
  set(...all)
  const turns = new RotationTurns(context)
  const deal = (more: object = {}) => turns.deal(authority, { ...dealing, ...more })
  return { turns, clock, stores, set, deal }
}

const due = (name: string, more: Change = {}) => certificate(name, 'new', 61 * hour, more)
const former = (name: string, age = hour, more: Change = {}, spec: Change = {}) =>
  certificate(name, 'old', age, more, spec)

describe('the budget of a rotation', () => {
  it('is shared with certificates of the new CA that are due, which go first', () => {
    const { turns, set, deal } = world(due('z-1'), due('z-2'), due('z-3'), former('a'))
    expect(deal().told).toEqual(['data/z-1', 'data/z-2'])
    const may = (name: string) => turns.mayRenew('data/ca', `data/${name}`)
    expect(['z-1', 'z-2', 'z-3'].map(may)).toEqual([true, true, false])
    expect(deal().told).toEqual([])
    set(certificate('z-1', 'new', 0))
    expect(deal().told).toEqual(['data/z-3'])
    set(certificate('z-2', 'new', 0), certificate('z-3', 'new', 0))
    expect(deal().told).toEqual(['data/a'])
  })

  it('has those wait that are still of the former CA: their turn renews them', () => {
    const { turns, deal } = world(former('a', 61 * hour), former('b', 61 * hour), former('c', 61 * hour))
    expect(deal().told).toEqual(['data/a', 'data/b'])
    expect(turns.mayRenew('data/ca', 'data/c')).toBe(false)
  })

  it.each<readonly [string, KubeObject]>([
    ['has waited for half of what was left to it', certificate('x', 'new', 76 * hour)],
    ['of the former CA has done so', former('x', 76 * hour)],
    ['has another spec', certificate('x', 'new', hour, { observedGeneration: 0, conditions: readyAt(0) })],
    ['is renewed because somebody asks for it', certificate('x', 'new', hour, {}, { renewTrigger: 'now' })],
  ])('counts one that is signed without a turn: it %s', (_, one) => {
    const { turns, deal } = world(one, former('a'), former('b'))
    expect(deal().told).toEqual(['data/a'])
    expect(turns.mayRenew('data/ca', 'data/x')).toBe(true)
  })

  it('counts one that was revoked', () => {
    const { stores, deal } = world(certificate('x', 'new', hour, { serialNumber: '0B' }), former('a'), former('b'))
    stores.ledger.set('data/ca-0b', {
      metadata: { name: 'ca-0b', namespace: 'data' },
      revocation: { reason: 'keyCompromise' },
    } as unknown as KubeObject)
    expect(deal().told).toEqual(['data/a'])
  })

  it('is not held by one that is not done for longer than anybody waits for another', () => {
    const { clock, deal } = world(due('x'), due('y'), former('a'))
    expect(deal().told).toEqual(['data/x', 'data/y'])
    return clock.advance(5 * 60_000 + 1).then(() => expect(deal().told).toEqual(['data/a']))
  })

  it('is no reason to wait for a window of the CA', () => {
    expect(world(due('x'), former('a')).deal({ open: false }).told).toEqual(['data/x'])
  })

  it('is dealt anew when the next one is due, or has waited for long enough', () => {
    expect(world(certificate('x', 'new', 50 * hour)).deal().againMs).toBe(10 * hour)
    const { deal } = world(due('x'), due('y'), due('z', { renewAt: at(-1000), notAfter: at(3000) }))
    deal()
    expect(deal().againMs).toBeLessThanOrEqual(1000)
  })

  it('is of no concern before and after Signing, and who waited is told then', () => {
    const { turns, stores, deal } = world(due('x'), due('y'), due('z'))
    deal()
    expect(turns.forget('data/ca')).toEqual(['data/z'])
    for (const phase of ['Idle', 'TrustBoth', 'DropSoak', 'Dropped']) {
      stores.authorities.set('data/ca', {
        ...authority,
        status: { ...authority.status, rotation: { phase } },
      } as unknown as KubeObject)
      expect(turns.mayRenew('data/ca', 'data/z')).toBe(true)
    }
  })
})

describe('a maintenance window of a certificate', () => {
  const rotation = { windows: [{ cron: '0 3 * * *', duration: '1h' }] }
  const opensIn = 15 * hour

  it('is waited for, and holds up nobody else', () => {
    const { deal, clock } = world(former('a', hour, {}, { rotation }), former('b'))
    expect(deal()).toMatchObject({ told: ['data/b'], againMs: expect.any(Number) as number })
    clock.setNow(start + opensIn - 1)
    expect(deal()).toMatchObject({ told: [], againMs: 1 })
    clock.setNow(start + opensIn)
    expect(deal().told).toEqual(['data/a'])
  })

  it.each<readonly [string, KubeObject, object]>([
    ['by the compromised', former('a', hour, {}, { rotation }), { urgent: true }],
    ['where it would end before', former('a', hour, { notAfter: at(opensIn) }, { rotation }), {}],
  ])('is not waited for %s', (_, one, how) => expect(world(one).deal(how).told).toEqual(['data/a']))
})
