import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import { never, rejection, stubContext } from '../control/testing.ts'
import { silentLogger } from '../runtime/log.ts'
import type { LedgerEntry } from './entry.ts'
import { LedgerKeeper, superseded } from './keeper.ts'
import { entryOf } from './testing.ts'

const entry = entryOf

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
