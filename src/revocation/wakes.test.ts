import { describe, expect, it } from 'vitest'
import type { Change } from '../cluster/cache/informer.ts'
import type { Caches } from '../control/context.ts'
import type { LedgerEntry, Revocation } from '../ledger/entry.ts'
import { entryOf } from '../ledger/testing.ts'
import type { AddOptions } from '../runtime/queue.ts'
import { wakeRevocations } from './wakes.ts'

interface Objects {
  readonly authorities?: Record<string, object>
  readonly certificates?: Record<string, object>
}

/** What is woken, as `what key` and how. */
const waking = ({ authorities = {}, certificates = {} }: Objects = {}) => {
  const handlers = new Map<string, (change: Change<never>) => void>()
  const cache = (name: string, objects: Record<string, object> = {}) => ({
    onChange: (handler: (change: Change<never>) => void) => void handlers.set(name, handler),
    store: {
      get: (key: string) => (Object.hasOwn(objects, key) ? objects[key] : undefined),
      by: () => Object.values(objects),
      keys: () => Object.keys(objects),
    },
  })
  const caches = {
    ledger: cache('ledger'),
    authorities: cache('authorities', authorities),
    certificates: cache('certificates', certificates),
    configMaps: cache('configMaps'),
    secrets: cache('secrets'),
  }
  const woken: Record<string, AddOptions> = {}
  const wake = (what: string) => (key: string, options: AddOptions) => void (woken[`${what} ${key}`] = options)
  wakeRevocations(caches as unknown as Caches, {
    list: wake('list'),
    marks: wake('marks'),
    pass: wake('pass'),
    certificate: wake('certificate'),
    authority: wake('authority'),
    passDelayMs: 7,
    deleted: ({ metadata }) => void (woken[`deleted ${metadata.name}`] = {}),
    delivered: ({ metadata }, former) => void (woken[`delivered ${metadata.name} after ${former}`] = {}),
  })
  return (name: keyof typeof caches, change: object) => {
    handlers.get(name)?.({ initial: false, before: undefined, after: undefined, ...change } as unknown as Change<never>)
    return woken
  }
}

const revocation: Revocation = {
  reason: 'keyCompromise',
  time: undefined,
  invalidityTime: undefined,
  seenAt: undefined,
}
const valid = entryOf('01')
const revoked = entryOf('01', { revocation, state: 'Revoked' })
const marked: LedgerEntry = { ...revoked, marked: 'Revoked', revocation: { ...revocation, seenAt: 5 } }

describe('a ledger entry', () => {
  const soon = { afterMs: 1000 }
  const later = { afterMs: 2000 }
  const user = { priority: 'user' }
  it.each([
    {
      name: 'that is new wakes the quiet pass',
      before: undefined,
      after: valid,
      wakes: { 'pass data/ca': { afterMs: 7 } },
    },
    {
      name: 'that is revoked wakes list, marks and its holder',
      before: valid,
      after: revoked,
      wakes: { 'list data/ca': soon, 'marks data/ca': later, 'certificate data/orders': user },
    },
    { name: 'that got our mark wakes nothing', before: revoked, after: marked, wakes: {} },
    {
      name: 'whose revocation is taken back wakes list, marks, its holder, and the quiet pass',
      before: marked,
      after: { ...valid, marked: 'Revoked' as const },
      wakes: {
        'list data/ca': soon,
        'marks data/ca': later,
        'pass data/ca': { afterMs: 7 },
        'certificate data/orders': user,
      },
    },
    {
      name: 'that is revoked and gone wakes the list and its holder',
      before: marked,
      after: undefined,
      wakes: { 'list data/ca': soon, 'certificate data/orders': user },
    },
    {
      name: 'that was there at the start wakes no list',
      initial: true,
      before: undefined,
      after: revoked,
      wakes: { 'pass data/ca': { afterMs: 7 }, 'marks data/ca': later },
    },
  ])('$name', ({ wakes, ...change }) => {
    const holder = { metadata: { uid: 'h' } }
    expect(waking({ certificates: { 'data/orders': holder } })('ledger', change)).toEqual(wakes)
  })

  it('wakes the CA that holds it, and nobody of the same name', () => {
    const authorities = { 'data/orders': { metadata: { uid: 'h' } } }
    const certificates = { 'data/orders': { metadata: { uid: 'other' } } }
    const woken = waking({ authorities, certificates })('ledger', { before: valid, after: revoked })
    expect(Object.keys(woken).toSorted()).toEqual(['authority data/orders', 'list data/ca', 'marks data/ca'])
    const gone = waking({ certificates })('ledger', { before: valid, after: revoked })
    expect(Object.keys(gone).toSorted()).toEqual(['list data/ca', 'marks data/ca'])
  })
})

describe('a list is looked at', () => {
  const authorities = { 'data/ca': { metadata: { namespace: 'data', name: 'ca' } } }
  it.each([
    {
      name: 'after a start, behind what people change',
      of: 'authorities',
      key: 'data/ca',
      initial: true,
      as: 'resync',
    },
    { name: 'when its CA changes', of: 'authorities', key: 'data/ca', as: 'normal' },
    { name: 'when its ConfigMap changes', of: 'configMaps', key: 'data/ca-crl', as: 'normal' },
    { name: 'when the Secret of its CA changes', of: 'secrets', key: 'data/ca-ca', as: 'normal' },
  ] as const)('$name', ({ of, as, ...change }) => {
    expect(waking({ authorities })(of, change)).toEqual({ 'list data/ca': { priority: as } })
  })

  it.each([
    { name: 'a ConfigMap at the start', of: 'configMaps', key: 'data/ca-crl', initial: true },
    { name: 'a ConfigMap named like a list of no CA', of: 'configMaps', key: 'data/other-crl' },
    { name: 'another ConfigMap', of: 'configMaps', key: 'data/ca' },
    { name: 'a Secret at the start', of: 'secrets', key: 'data/ca-ca', initial: true },
  ] as const)('not for $name', ({ of, ...change }) => {
    expect(waking({ authorities })(of, change)).toEqual({})
  })
})

describe('a certificate', () => {
  const before = {
    metadata: { name: 'orders', namespace: 'data', uid: '1' },
    spec: { authorityRef: { name: 'ca', namespace: 'pki' } },
  }
  it.each([
    { name: 'that is gone is remembered, and its ledger gone through after a moment', after: undefined, wakes: true },
    { name: 'that was made anew, too', after: { ...before, metadata: { ...before.metadata, uid: '2' } }, wakes: true },
    { name: 'that only changed is not', after: before, wakes: false },
  ])('$name', ({ after, wakes }) => {
    const expected = wakes ? { 'deleted orders': {}, 'pass pki/ca': { afterMs: 60_000 } } : {}
    expect(waking()('certificates', { before, after })).toEqual(expected)
  })

  const later = { afterMs: 7 }
  it.each([
    {
      name: 'that reports another serial number has its ledger gone through',
      after: { ...before, status: { serialNumber: '02' } },
      wakes: { 'delivered orders after undefined': {}, 'pass pki/ca': later },
    },
    {
      name: 'that asks another CA has both ledgers gone through',
      after: { ...before, spec: { authorityRef: { name: 'cb', namespace: 'pki' } } },
      wakes: { 'pass pki/ca': later, 'pass pki/cb': later },
    },
  ])('$name', ({ after, wakes }) => {
    expect(waking()('certificates', { before, after })).toEqual(wakes)
    expect(waking()('certificates', { before: undefined, after, initial: true })).toEqual({})
  })
})

it('a certificate that reports another CA has every ledger gone through, and one that got its first does not', () => {
  const of = (serialNumber?: string, authorityFingerprint?: string) => ({
    metadata: { name: 'orders', namespace: 'data', uid: '1' },
    spec: { authorityRef: { name: 'cb' } },
    status: { serialNumber, authorityFingerprint },
  })
  const passes = (before: object): string[] => {
    const authorities = { 'data/ca': {}, 'data/cb': {} }
    const woken = waking({ authorities })('certificates', { before, after: of('02', 'b') })
    return Object.keys(woken).filter((key) => key.startsWith('pass'))
  }
  expect(passes(of('01', 'a')).toSorted()).toEqual(['pass data/ca', 'pass data/cb'])
  expect(passes(of('01', 'b'))).toEqual(['pass data/cb'])
  expect(passes(of())).toEqual(['pass data/cb'])
})

describe('an authority', () => {
  const authority = (number: number | undefined, spec: object = {}) => ({
    metadata: { namespace: 'data', name: 'ca' },
    spec,
    status: number === undefined ? {} : { crl: { number } },
  })
  const using = (name: string, content: string) => ({
    metadata: { namespace: 'data', name },
    spec: { secret: { items: [{ key: 'a', content }] } },
  })
  it('with another list wakes the certificates that hold it, and no others', () => {
    const certificates = { a: using('a', 'RevocationList'), b: using('b', 'TrustBundle') }
    const change = { key: 'data/ca', before: authority(1), after: authority(2) }
    expect(waking({ certificates })('authorities', change)).toEqual({
      'list data/ca': { priority: 'normal' },
      'certificate data/a': { priority: 'normal' },
    })
  })
  it.each([{ crl: { onDelete: 'Revoke' } }, { policy: { uniqueCommonName: true } }])(
    'with another rule for its ledger has it gone through: %j',
    (spec) => {
      const change = { key: 'data/ca', before: authority(1), after: authority(1, spec) }
      expect(waking()('authorities', change)).toEqual({
        'list data/ca': { priority: 'normal' },
        'pass data/ca': { afterMs: 7 },
      })
    },
  )
})
