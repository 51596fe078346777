import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import { never, rejection, stubContext } from '../control/testing.ts'
import { silentLogger } from '../runtime/log.ts'
import type { LedgerEntry } from './entry.ts'
import { project } from './entry.ts'
import { LedgerKeeper, superseded } from './keeper.ts'

const entry = (serialNumber: string, change: Partial<LedgerEntry> = {}): LedgerEntry => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'IssuedCertificate',
  metadata: { name: `ca-${serialNumber}`, namespace: 'data', uid: `u-${serialNumber}` },
  serialNumber,
  authority: 'data/ca',
  holder: 'h',
  supersedes: undefined,
  state: 'Valid',
  ...change,
})

describe('what is superseded', () => {
  const cases: { name: string; entries: LedgerEntry[]; due: string[] }[] = [
    { name: 'nothing in an empty ledger', entries: [], due: [] },
    { name: 'not what nobody replaces', entries: [entry('1'), entry('2')], due: [] },
    { name: 'what another one replaces', entries: [entry('1'), entry('2', { supersedes: '1' })], due: ['1'] },
    {
      name: 'a chain of renewals but the last',
      entries: [entry('1'), entry('2', { supersedes: '1' }), entry('3', { supersedes: '2' })],
      due: ['1', '2'],
    },
    {
      name: 'not what is marked already',
      entries: [entry('1', { state: 'Superseded' }), entry('2', { supersedes: '1' })],
      due: [],
    },
    {
      name: 'not what is revoked',
      entries: [entry('1', { state: 'Revoked' }), entry('2', { supersedes: '1' })],
      due: [],
    },
    {
      name: 'not the certificate of another holder',
      entries: [entry('1', { holder: 'other' }), entry('2', { supersedes: '1' })],
      due: [],
    },
    {
      name: 'not what nobody holds',
      entries: [entry('1', { holder: undefined }), entry('2', { holder: undefined, supersedes: '1' })],
      due: [],
    },
  ]
  it.each(cases)('is $name', ({ entries, due }) => {
    expect(superseded(entries).map(({ serialNumber }) => serialNumber)).toEqual(due)
  })
})

const keeping = (entries: LedgerEntry[], fails?: ApiError) => {
  const writes: { verb: string; object: KubeObject }[] = []
  const answer = (verb: string) => async (_: unknown, object: KubeObject) => {
    writes.push({ verb, object })
    if (fails !== undefined) throw fails
    return { ...object, metadata: { ...object.metadata, resourceVersion: '9' } }
  }
  const { context, stores } = stubContext({ apply: answer('apply'), updateStatus: answer('updateStatus') })
  for (const one of entries) stores.ledger.set(keyOf(one), one)
  const about = { signal: never, log: silentLogger(), reconcileId: 'r' }
  return { writes, reconcile: () => new LedgerKeeper(context).reconcile('data/ca', about) }
}

describe('the keeper', () => {
  it('marks label and status of the very entry it saw', async () => {
    const { writes, reconcile } = keeping([entry('1'), entry('2', { supersedes: '1' })])
    expect(await reconcile()).toEqual({})
    expect(writes.map(({ verb, object }) => `${verb} ${object.metadata.name}`)).toEqual([
      'apply ca-1',
      'updateStatus ca-1',
    ])
    expect(writes[0]?.object.metadata).toMatchObject({ uid: 'u-1', labels: { 'dbtls.dev/state': 'Superseded' } })
    expect(writes[1]?.object).toMatchObject({
      metadata: { uid: 'u-1', resourceVersion: '9' },
      status: { state: 'Superseded' },
    })
  })

  it('leaves what is too much for one pass to the next', async () => {
    const many = Array.from({ length: 1200 }, (_, at) => entry(`${at + 1}`, { supersedes: `${at}` }))
    const { writes, reconcile } = keeping(many)
    expect(await reconcile()).toEqual({ requeueAfterMs: 1000 })
    expect(writes).toHaveLength(2000)
  })

  it.each([
    { status: 404, reason: 'NotFound' },
    { status: 409, reason: 'Conflict' },
  ])('passes over an entry that changed meanwhile ($reason)', async (init) => {
    const entries = [entry('1'), entry('2', { supersedes: '1' }), entry('3', { supersedes: '2' })]
    const { writes, reconcile } = keeping(entries, new ApiError({ message: 'm', ...init }))
    expect(await reconcile()).toEqual({})
    expect(writes).toHaveLength(2)
  })

  it('is tried again when the server has trouble', async () => {
    const trouble = new ApiError({ status: 500, reason: 'x', message: 'm' })
    expect(await rejection(keeping([entry('1'), entry('2', { supersedes: '1' })], trouble).reconcile())).toBe(trouble)
  })
})

describe('an entry in memory', () => {
  const stored = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'IssuedCertificate',
    metadata: { name: 'n', namespace: 'pki', uid: 'u', resourceVersion: '1', managedFields: ['much'] },
    spec: {
      authorityRef: { name: 'root', uid: 'a', fingerprint: 'f' },
      serialNumber: '0A',
      certificate: 'a long PEM',
      certificateRef: { namespace: 'data', name: 'orders', uid: 'h' },
    },
  }
  const projected = (spec: object = {}, status?: object) =>
    project({ ...stored, spec: { ...stored.spec, ...spec }, ...(status === undefined ? {} : { status }) })

  it('keeps what is searched for and leaves the rest', () => {
    const kept = projected({ supersedes: { serialNumber: '09' } })
    expect(kept).toMatchObject({ authority: 'pki/root', holder: 'h', serialNumber: '0A', supersedes: '09' })
    expect(JSON.stringify(kept)).not.toMatch(/PEM|much/)
  })

  it.each([
    { spec: {}, status: undefined, state: 'Valid' },
    { spec: {}, status: { state: 'Superseded' }, state: 'Superseded' },
    { spec: { revocation: { reason: 'keyCompromise' } }, status: { state: 'Superseded' }, state: 'Revoked' },
  ])('is $state', ({ spec, status, state }) => {
    expect(projected(spec, status).state).toBe(state)
  })
})
