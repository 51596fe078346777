import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import type { KubeObject } from '../cluster/port.ts'
import {
  databaseCertificates,
  type DatabaseCertificate,
  type DatabaseCertificateStatus,
} from '../resources/database-certificate.ts'
import { NotReady } from '../runtime/errors.ts'
import { type Outcome, report } from './report.ts'
import { never, rejection, stubContext } from './testing.ts'

const object = (status?: object, generation = 3) =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data', uid: 'u', resourceVersion: '5', generation, labels: { a: 'b' } },
    spec: {},
    ...(status === undefined ? {} : { status }),
  }) as unknown as DatabaseCertificate

const ready: Outcome = { state: 'Ready', reason: 'Issued', message: 'Good.' }

const told = async (
  of: DatabaseCertificate,
  outcome: Outcome = ready,
  fields: Partial<DatabaseCertificateStatus> = {},
  fails?: ApiError,
) => {
  const sent: DatabaseCertificate[] = []
  const { context } = stubContext({
    updateStatus: async (_: unknown, update: DatabaseCertificate) => {
      sent.push(update)
      if (fails !== undefined) throw fails
      return update
    },
  })
  const wrote = await report(context, databaseCertificates, context.caches.certificates, of, fields, outcome, never)
  return { wrote, sent: sent[0], times: sent.length }
}
const conditionsOf = (sent: DatabaseCertificate | undefined) =>
  sent?.status?.conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)

describe('report', () => {
  it.each([
    { outcome: ready, conditions: ['Ready True Issued'] },
    {
      outcome: { state: 'Reconciling', reason: 'AuthorityNotReady', message: 'm' } as const,
      conditions: ['Ready False AuthorityNotReady', 'Reconciling True AuthorityNotReady'],
    },
    {
      outcome: { state: 'Stalled', reason: 'RequestInvalid', message: 'm' } as const,
      conditions: ['Ready False RequestInvalid', 'Stalled True RequestInvalid'],
    },
  ])('says $outcome.state in conditions of this generation', async ({ outcome, conditions }) => {
    const before = {
      conditions: [{ type: 'Stalled', status: 'True', lastTransitionTime: 't', reason: 'r', message: 'm' }],
    }
    const { sent } = await told(object(before), outcome)
    expect(conditionsOf(sent)).toEqual(conditions)
    expect(sent?.status?.observedGeneration).toBe(3)
    expect(sent?.status?.conditions?.every(({ observedGeneration }) => observedGeneration === 3)).toBe(true)
  })

  it('sends identity, preconditions and status, and nothing else', async () => {
    const { sent } = await told(object())
    expect(Object.keys(sent ?? {}).toSorted()).toEqual(['apiVersion', 'kind', 'metadata', 'status'])
    expect(sent?.metadata).toEqual({ name: 'orders', namespace: 'data', uid: 'u', resourceVersion: '5' })
  })

  it('writes nothing when nothing has changed, also when time has passed', async () => {
    const { sent } = await told(object(), ready, { serialNumber: '0A' })
    expect(await told(object(sent?.status), ready, { serialNumber: '0A', failedAttempts: undefined })).toMatchObject({
      wrote: false,
      times: 0,
    })
  })

  it.each([
    { name: 'a fact', of: 3, outcome: ready, fields: { serialNumber: '0B' } },
    { name: 'the generation', of: 4, outcome: ready, fields: {} },
    { name: 'the message', of: 3, outcome: { ...ready, message: 'Better.' }, fields: {} },
  ])('writes when $name has changed', async ({ of, outcome, fields }) => {
    const { sent } = await told(object(), ready, { serialNumber: '0A' })
    expect((await told(object(sent?.status, of), outcome, fields)).wrote).toBe(true)
  })

  it('keeps what it is not told about and drops what is undefined', async () => {
    const { sent } = await told(object({ serialNumber: '0A', failedAttempts: 2 }), ready, { failedAttempts: undefined })
    expect(sent?.status).toMatchObject({ serialNumber: '0A' })
    expect(sent?.status).not.toHaveProperty('failedAttempts')
  })

  it('cuts a message of a megabyte', async () => {
    const { sent } = await told(object(), { ...ready, message: 'x'.repeat(1_000_000) })
    expect(sent?.status?.conditions?.[0]?.message).toHaveLength(4096)
  })

  it('asks for another look when the object has changed', async () => {
    const conflict = new ApiError({ status: 409, reason: 'Conflict', message: 'm' })
    expect(await rejection(told(object(), ready, {}, conflict))).toBeInstanceOf(NotReady)
  })

  const own = { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: 't', reason: 'r', message: 'm' }] }
  const listed = { type: 'RevocationListCurrent', status: 'True', lastTransitionTime: 't', reason: 'r', message: 'm' }
  const meanwhile = (status: object, change: object = {}) =>
    ({
      ...object(status),
      metadata: { ...object().metadata, resourceVersion: '6', ...change },
    }) as unknown as KubeObject

  /** Told of version 5, of which another controller has made `present`; the server takes nothing over an older one. */
  const toldBeside = async (present: KubeObject, of = object({ ...own, renewAt: 'a' })) => {
    const sent: DatabaseCertificate[] = []
    const stub = stubContext({
      updateStatus: async (_: unknown, update: DatabaseCertificate) => {
        if (update.metadata.resourceVersion !== present.metadata.resourceVersion)
          throw new ApiError({ status: 409, reason: 'Conflict', message: 'm' })
        sent.push(update)
        return update
      },
    })
    stub.stores.certificates.set('data/orders', present)
    const cache = stub.context.caches.certificates
    const facts = { serialNumber: '0A' }
    const wrote = await report(stub.context, databaseCertificates, cache, of, facts, ready, never)
    return { wrote, sent }
  }

  it('keeps what another controller has told beside it, and loses nothing of either', async () => {
    const present = meanwhile({ conditions: [...own.conditions, listed], renewAt: 'a', trustBundleHash: 'x' })
    const { wrote, sent } = await toldBeside(present)
    expect([wrote, sent.length]).toEqual([true, 1])
    expect(sent[0]?.status).toMatchObject({ serialNumber: '0A', renewAt: 'a', trustBundleHash: 'x' })
    expect(conditionsOf(sent[0])).toEqual(['Ready True Issued', 'RevocationListCurrent True r'])
    expect(sent[0]?.metadata.resourceVersion).toBe('6')
  })

  it.each([
    { name: 'the same field', present: meanwhile({ ...own, serialNumber: '0B' }) },
    { name: 'the same condition', present: meanwhile({ conditions: [{ ...own.conditions[0], message: 'other' }] }) },
    { name: 'the spec', present: meanwhile(own, { generation: 4 }) },
    { name: 'the whole object', present: meanwhile(own, { uid: 'v' }) },
  ])('is not written over $name that somebody else has changed, and asks for another look', async ({ present }) => {
    const error = await rejection(toldBeside(present))
    expect(error).toBeInstanceOf(NotReady)
    expect(error).toMatchObject({ reason: 'Conflict', afterMs: 1000 })
  })

  it('has nothing to say about an object that is gone', async () => {
    const missing = new ApiError({ status: 404, reason: 'NotFound', message: 'm' })
    expect((await told(object(), ready, {}, missing)).wrote).toBe(false)
  })

  it('passes on what else goes wrong', async () => {
    const trouble = new ApiError({ status: 500, reason: 'x', message: 'm' })
    expect(await rejection(told(object(), ready, {}, trouble))).toBe(trouble)
  })
})
