import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import { never, rejection, stubContext } from '../control/testing.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { silentLogger } from '../runtime/log.ts'
import type { LedgerEntry } from './entry.ts'
import { LedgerKeeper, sweepIntervalMs } from './keeper.ts'
import { supersedeGraceMs } from './rules.ts'
import { entryOf } from './testing.ts'

const day = 24 * 3_600_000

interface World {
  readonly entries: readonly LedgerEntry[]
  readonly fails?: ApiError
  /** spec of the CA; absent: there is no CA. */
  readonly spec?: object
  readonly listed?: ReadonlySet<string>
  /** The only DatabaseCertificate. */
  readonly holder?: KubeObject
}

const keeping = ({ entries, fails, spec, listed, holder }: World) => {
  const writes: { verb: string; object: KubeObject; options?: object }[] = []
  const answer = (verb: string) => async (_: unknown, object: KubeObject) => {
    writes.push({ verb, object })
    if (fails !== undefined) throw fails
    return { ...object, metadata: { ...object.metadata, resourceVersion: '9' }, status: { subject: 'CN=a' } }
  }
  const { context, stores, clock, events } = stubContext({
    apply: answer('apply'),
    updateStatus: answer('updateStatus'),
    list: async () => ({ items: holder === undefined ? [] : [holder] }),
    delete: async (_: unknown, { name }: { name: string }, options: object) =>
      void writes.push({ verb: 'delete', object: { metadata: { name } } as KubeObject, options }),
  })
  Object.assign(context.caches.ledger, { removed: (key: string) => stores.ledger.delete(key) })
  for (const one of entries) stores.ledger.set(keyOf(one), one)
  if (spec !== undefined)
    stores.authorities.set('data/ca', {
      metadata: { namespace: 'data', name: 'ca', uid: 'ca-uid' },
      spec: { ledger: { keepExpiredFor: '90d' }, ...spec },
    } as unknown as KubeObject)
  const about = { signal: never, log: silentLogger(), reconcileId: 'r' }
  const keeper = new LedgerKeeper(context, { listed: async () => listed })
  return {
    writes,
    clock,
    clockGuard: context.clockGuard,
    events,
    stores,
    keeper,
    pass: () => keeper.reconcile('data/ca', about),
    marks: () => keeper.reconcileRevoked('data/ca', about),
    told: () => writes.map(({ verb, object }) => `${verb} ${object.metadata.name}`),
  }
}

const born = new Date(stubContext({}).clock.now()).getTime()
const alive = { createdAt: born, notBefore: born - 300_000, notAfter: born + 90 * day }
const entry = (serial: string, change: Partial<LedgerEntry> = {}) => entryOf(serial, { ...alive, ...change })
const hold = { reason: 'certificateHold', time: undefined, invalidityTime: undefined, seenAt: undefined } as const

/** The holder of all entries. */
const reporting = (serialNumber: string) => {
  const metadata = { namespace: 'data', name: 'orders', uid: 'h' }
  return { metadata, spec: { authorityRef: { name: 'ca' } }, status: { serialNumber } } as unknown as KubeObject
}

describe('the marks', () => {
  it('are put on label and status of the very entry it saw, and leave the rest of the status', async () => {
    const { writes, pass, told } = keeping({ entries: [entry('1'), entry('2', { supersedes: '1' })] })
    await pass()
    expect(told()).toEqual(['apply ca-1', 'updateStatus ca-1'])
    expect(writes[0]?.object.metadata).toMatchObject({ uid: 'u-1', labels: { 'dbtls.dev/state': 'Superseded' } })
    expect(writes[1]?.object).toMatchObject({
      metadata: { uid: 'u-1', resourceVersion: '9' },
      status: { state: 'Superseded', subject: 'CN=a' },
    })
  })

  it('leave what is too much for one pass to the next', async () => {
    const many = Array.from({ length: 1200 }, (_, at) => entry(`${at + 1}`, { supersedes: `${at}` }))
    const { writes, pass } = keeping({ entries: many })
    expect(await pass()).toEqual({ requeueAfterMs: 1000 })
    expect(writes).toHaveLength(2000)
  })

  it('are looked after again when the next certificate ends, and not sooner than a pass is due', async () => {
    const { pass } = keeping({ entries: [entry('1')] })
    expect(await pass()).toEqual({ requeueAfterMs: 90 * day + 1 })
    const soon = keeping({ entries: [entry('1', { notAfter: born + 1000 })] })
    expect(await soon.pass()).toEqual({ requeueAfterMs: sweepIntervalMs })
  })

  it.each([
    { status: 404, reason: 'NotFound' },
    { status: 409, reason: 'Conflict' },
    { status: 403, reason: 'Forbidden' },
  ])('pass over an entry that changed meanwhile ($reason)', async (init) => {
    const entries = [entry('1'), entry('2', { supersedes: '1' }), entry('3', { supersedes: '2' })]
    const { writes, pass } = keeping({ entries, fails: new ApiError({ message: 'm', ...init }) })
    await pass()
    expect(writes).toHaveLength(2)
  })

  it('are tried again when the server has trouble', async () => {
    const fails = new ApiError({ status: 500, reason: 'x', message: 'm' })
    expect(await rejection(keeping({ entries: [entry('1'), entry('2', { supersedes: '1' })], fails }).pass())).toBe(
      fails,
    )
  })

  it('follow a revocation without waiting for a pass, with its date, and leave what was replaced to the pass', async () => {
    const { writes, marks, told } = keeping({
      entries: [entry('1'), entry('2', { supersedes: '1', state: 'Revoked', revocation: hold })],
    })
    await marks()
    expect(told()).toEqual(['apply ca-2', 'updateStatus ca-2'])
    expect(writes[1]?.object).toMatchObject({ status: { state: 'Revoked', revokedAt: expect.any(String) } })
  })

  it('follow a hold that was taken back of what was replaced meanwhile, beside a revocation', async () => {
    const { writes, marks, told } = keeping({
      entries: [
        entry('1', { marked: 'Revoked' }),
        entry('2', { supersedes: '1', marked: 'Revoked', state: 'Revoked', revocation: hold }),
        entry('3', { state: 'Revoked', revocation: hold }),
      ],
    })
    await marks()
    expect(told()).toEqual(['apply ca-1', 'updateStatus ca-1', 'apply ca-3', 'updateStatus ca-3'])
    expect(writes[1]?.object).toMatchObject({ status: { state: 'Superseded' } })
  })

  it('follow a hold that was taken back', async () => {
    const { writes, marks } = keeping({ entries: [entry('1', { marked: 'Revoked' })] })
    await marks()
    expect(writes[1]?.object).toMatchObject({ status: { state: 'Valid' } })
    expect(writes[1]?.object).not.toMatchObject({ status: { revokedAt: expect.any(String) } })
  })
})

describe('pruning', () => {
  const past = {
    createdAt: born - 200 * day,
    notBefore: born - 200 * day - 300_000,
    notAfter: born - 100 * day,
    state: 'Expired',
    marked: 'Expired',
  } as const
  const gone = {
    ...past,
    state: 'Revoked',
    marked: 'Revoked',
    revocation: { ...hold, reason: 'keyCompromise' },
  } as const

  it('deletes the very entry that was kept for long enough', async () => {
    const { writes, pass, stores } = keeping({ entries: [entry('1', past), entry('2')], spec: {} })
    await pass()
    expect(writes).toMatchObject([{ verb: 'delete', options: { uid: 'u-1', resourceVersion: '1' } }])
    expect([...stores.ledger.keys()]).toEqual(['data/ca-2'])
  })

  it('goes on past any number of entries that the list still names', async () => {
    const named = Array.from({ length: 1100 }, (_, at) => entry(`A${at}`, gone))
    const listed = new Set(named.map(({ serialNumber }) => serialNumber))
    const spec = { crl: { enabled: true, onDelete: 'Keep', onSupersede: 'Keep' } }
    const { told, pass } = keeping({ entries: [...named, entry('1', past)], spec, listed })
    await pass()
    expect(told()).toEqual(['delete ca-1'])
  })

  it('is looked after again when the next one has been kept for long enough', async () => {
    const { pass } = keeping({ entries: [entry('1', { ...past, notAfter: born - 10 * day })], spec: {} })
    expect(await pass()).toEqual({ requeueAfterMs: 80 * day + 1 })
  })

  it('does not happen while nobody says for how long', async () => {
    const { writes, pass } = keeping({ entries: [entry('1', past)] })
    await pass()
    expect(writes).toEqual([])
  })

  const crl = { crl: { enabled: true, onDelete: 'Keep', onSupersede: 'Keep' } }
  it.each([
    { name: 'is kept while the list names it', listed: new Set(['1']), spec: crl, deleted: false },
    { name: 'is kept while the list cannot be read', spec: crl, deleted: false },
    { name: 'goes when the list has let it go', listed: new Set<string>(), spec: crl, deleted: true },
    { name: 'goes where no list is made', spec: {}, deleted: true },
  ])('a revoked entry $name', async ({ listed, spec, deleted }) => {
    const { told, pass } = keeping({ entries: [entry('1', gone)], spec, ...(listed === undefined ? {} : { listed }) })
    const { requeueAfterMs } = await pass()
    expect(told()).toEqual(deleted ? ['delete ca-1'] : [])
    if (!deleted) expect(requeueAfterMs).toBe(sweepIntervalMs)
  })
})

describe('revoking what was replaced', () => {
  const crl = { enabled: true, onDelete: 'Keep', onSupersede: 'Revoke' }
  const entries = [
    entry('1', { createdAt: born - day, state: 'Superseded', marked: 'Superseded' }),
    entry('2', { supersedes: '1', createdAt: born - 3_600_000 }),
  ]

  it('waits ten minutes from the delivery, however long ago the successor was recorded', async () => {
    const { writes, pass, clock, keeper, stores } = keeping({ entries, spec: { crl }, holder: reporting('2') })
    stores.certificates.set('data/orders', reporting('2'))
    await clock.advance(3_600_000)
    keeper.delivered(reporting('2') as DatabaseCertificate, '1')
    const revocations = () => writes.filter(({ object }) => Object.hasOwn(object, 'spec'))
    expect((await pass()).requeueAfterMs).toBe(supersedeGraceMs + 1)
    expect(revocations()).toEqual([])
    await clock.advance(supersedeGraceMs)
    await pass()
    expect(revocations()).toMatchObject([{ verb: 'apply', object: { metadata: { name: 'ca-1' } } }])
  })
})

describe('while the clocks disagree', () => {
  const agreed = (clock: { now(): number }, ms = 0): string => new Date(clock.now() - ms).toISOString()
  const long = { createdAt: born - 200 * day, notBefore: born - 200 * day - 300_000, notAfter: born - 100 * day }
  const crl = { enabled: true, onDelete: 'Keep', onSupersede: 'Revoke' }

  it('nothing is marked, revoked for its successor or deleted, and all of it is when they agree', async () => {
    const entries = [
      entry('1', { ...long, notAfter: born - day }),
      entry('2', { ...long, state: 'Expired', marked: 'Expired' }),
      entry('3'),
      entry('4', { supersedes: '3', createdAt: born - day }),
    ]
    const holder = reporting('4')
    const { writes, told, pass, clock, clockGuard, stores } = keeping({ entries, spec: { crl }, holder })
    stores.certificates.set('data/orders', holder)
    expect(() => clockGuard.judge(agreed(clock, day))).toThrow('ahead of')
    expect(await pass()).toEqual({ requeueAfterMs: 60_000 })
    expect(writes).toEqual([])
    clockGuard.judge(agreed(clock))
    await clock.advance(supersedeGraceMs)
    await pass()
    const marked = ['apply ca-1', 'updateStatus ca-1', 'apply ca-3', 'updateStatus ca-3']
    expect(told()).toEqual([...marked, 'apply ca-3', 'delete ca-2'])
    expect(writes[4]?.object).toMatchObject({ spec: { revocation: { reason: 'superseded' } } })
  })

  it('a hold that was taken back is marked when they agree', async () => {
    const { writes, marks, clock, clockGuard } = keeping({ entries: [entry('1', { marked: 'Revoked' })] })
    expect(() => clockGuard.judge(agreed(clock, day))).toThrow('ahead of')
    expect(await marks()).toEqual({ requeueAfterMs: 60_000 })
    expect(writes).toEqual([])
    clockGuard.judge(agreed(clock))
    await marks()
    expect(writes).toHaveLength(2)
  })
})
