import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import type { ApplyOptions } from '../cluster/port.ts'
import type { Secret } from '../resources/core.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { never, rejection, stubContext } from './testing.ts'
import { maxSecretBytes, SecretAppeared, type SecretContent, writeSecret } from './write-secret.ts'

const content: SecretContent = {
  namespace: 'data',
  name: 'orders-tls',
  type: 'kubernetes.io/tls',
  data: new Map([
    ['tls.crt', Buffer.from('crt')],
    ['tls.key', Buffer.from('key')],
  ]),
  labels: { team: 'orders', 'app.kubernetes.io/managed-by': 'theirs' },
  annotations: { note: 'x', 'dbtls.dev/owner': 'forged' },
  owner: 'DatabaseCertificate/orders',
}

const applied = async (change: Partial<SecretContent> = {}) => {
  const calls: { object: Secret; options: ApplyOptions }[] = []
  const { context, wrote } = stubContext({
    apply: async (_: unknown, object: Secret, options: ApplyOptions) => {
      calls.push({ object, options })
      return object
    },
  })
  await writeSecret(context, { ...content, ...change }, never)
  const [call] = calls
  if (call === undefined || calls.length !== 1) throw new Error(`${calls.length} writes`)
  return { ...call, wrote }
}

describe('a Secret', () => {
  it('is written in one apply that takes over what others changed, and the cache learns it', async () => {
    const { object, options, wrote } = await applied()
    expect(options).toMatchObject({ force: true, fieldManager: 'dbtls.dev/operator' })
    expect(object.data).toEqual({ 'tls.crt': 'Y3J0', 'tls.key': 'a2V5' })
    expect(object.type).toBe('kubernetes.io/tls')
    expect(wrote).toEqual([object])
  })

  it('that was not there must not be there', async () => {
    const { object, options } = await applied()
    expect(options.createOnly).toBe(true)
    expect(object.metadata).not.toHaveProperty('uid')
    expect(object.metadata).not.toHaveProperty('resourceVersion')
  })

  it('that was read must still be the very one', async () => {
    const { object, options } = await applied({ previous: { uid: 'u', resourceVersion: '7' } })
    expect(options.createOnly).toBe(false)
    expect(object.metadata).toMatchObject({ uid: 'u', resourceVersion: '7' })
  })

  it('carries marks that nobody can override', async () => {
    const { object } = await applied()
    expect(object.metadata.labels).toEqual({ team: 'orders', 'app.kubernetes.io/managed-by': 'dbtls' })
    expect(object.metadata.annotations).toMatchObject({ note: 'x', 'dbtls.dev/owner': 'DatabaseCertificate/orders' })
    expect(object.metadata.annotations?.['dbtls.dev/data-hash']).toMatch(/^[0-9a-f]{64}$/)
  })

  it('has an owner reference only where it goes with its owner', async () => {
    const reference = { apiVersion: 'v', kind: 'k', name: 'n', uid: 'u' }
    expect((await applied()).object.metadata).not.toHaveProperty('ownerReferences')
    expect((await applied({ ownerReference: reference })).object.metadata.ownerReferences).toEqual([reference])
  })

  it.each([
    { size: maxSecretBytes, fits: true },
    { size: maxSecretBytes + 1, fits: false },
  ])('of $size bytes is sent: $fits', async ({ size, fits }) => {
    const data = new Map([
      ['a', new Uint8Array(size - 10)],
      ['b', new Uint8Array(10)],
    ])
    if (fits) return void (await applied({ data }))
    const error = await rejection(applied({ data }))
    expect(error).toBeInstanceOf(Terminal)
    expect(error).toMatchObject({ reason: 'SecretTooLarge' })
  })
})

describe('a refusal', () => {
  const terminating = { causes: [{ reason: 'NamespaceTerminating' }] }
  it.each([
    { name: 'a conflict is retried', init: { status: 409, reason: 'Conflict' }, type: Retryable, reason: 'Conflict' },
    {
      name: 'a Secret that appeared is looked at',
      init: { status: 409, reason: 'AlreadyExists' },
      type: SecretAppeared,
      reason: 'Conflict',
    },
    {
      name: 'an invalid one is given up',
      init: { status: 422, reason: 'Invalid' },
      type: Terminal,
      reason: 'WriteFailed',
    },
    { name: 'one too large is given up', init: { status: 413, reason: 'x' }, type: Terminal, reason: 'WriteFailed' },
    {
      name: 'a forbidden one is retried and told',
      init: { status: 403, reason: 'Forbidden' },
      type: Retryable,
      reason: 'WriteFailed',
    },
    {
      name: 'a namespace that ends is left in peace',
      init: { status: 403, reason: 'Forbidden', ...terminating },
      type: NotReady,
      reason: 'NamespaceTerminating',
    },
  ])('$name', async ({ init, type, reason }) => {
    const refused = new ApiError({ message: 'no', ...init })
    const { context, wrote } = stubContext({ apply: () => Promise.reject(refused) })
    const error = await rejection(writeSecret(context, content, never))
    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject({ reason })
    expect(wrote).toEqual([])
  })

  it.each([{ status: 0 }, { status: 500 }, { status: 429 }])('$status passes as it is', async ({ status }) => {
    const trouble = new ApiError({ status, reason: 'x', message: 'no' })
    const { context } = stubContext({ apply: () => Promise.reject(trouble) })
    expect(await rejection(writeSecret(context, content, never))).toBe(trouble)
  })
})
