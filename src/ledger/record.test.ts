import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { ClockSkew } from '../control/clock-guard.ts'
import { never, rejection, stubContext } from '../control/testing.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { certificatesOf } from '../pki/encoding/pem.ts'
import { makeRoot } from '../pki/testing.ts'
import type { IssuedCertificate } from '../resources/issued-certificate.ts'
import { NotReady, Retryable } from '../runtime/errors.ts'
import { entryName, isRecorded, type Issuance, labelValue, record } from './record.ts'

const certificate = parseCertificate((await makeRoot()).certificate)
const issuance: Issuance = {
  certificate,
  authority: { namespace: 'pki', name: 'root', uid: 'ca-uid', fingerprint: 'f'.repeat(64) },
  holder: { namespace: 'data', name: 'orders', uid: 'cert-uid' },
}

const recorded = async (of: Issuance = issuance, answer: Partial<{ aheadMs: number; fails: ApiError }> = {}) => {
  const sent: IssuedCertificate[] = []
  const stub = stubContext({
    create: async (_: unknown, object: IssuedCertificate) => {
      sent.push(object)
      if (answer.fails !== undefined) throw answer.fails
      const creationTimestamp = new Date(stub.clock.now() - (answer.aheadMs ?? 0)).toISOString()
      return { ...object, metadata: { ...object.metadata, creationTimestamp } }
    },
  })
  await record(stub.context, of, never)
  return { entry: sent[0], wrote: stub.wrote }
}

describe('an entry of the ledger', () => {
  it('stands beside its authority and says what was signed, by whom, for whom', async () => {
    const { entry, wrote } = await recorded({ ...issuance, supersedes: '0A' })
    expect(entry?.metadata.namespace).toBe('pki')
    expect(entry?.metadata.labels).toEqual({ 'dbtls.dev/authority': 'root', 'dbtls.dev/state': 'Valid' })
    expect(entry?.spec).toMatchObject({
      authorityRef: { name: 'root', uid: 'ca-uid', fingerprint: 'f'.repeat(64) },
      serialNumber: certificate.serialNumber,
      certificateRef: { namespace: 'data', name: 'orders', uid: 'cert-uid' },
      supersedes: { serialNumber: '0A' },
    })
    expect(certificatesOf(entry?.spec.certificate ?? '').map(Buffer.from)).toEqual([Buffer.from(certificate.der)])
    expect(wrote).toHaveLength(1)
  })

  it('names nothing as replaced the first time', async () => {
    expect((await recorded()).entry?.spec).not.toHaveProperty('supersedes')
  })

  const forbidden = { status: 403, reason: 'Forbidden', message: 'm' }
  it.each([
    {
      name: 'a taken serial number is drawn again',
      fails: new ApiError({ status: 409, reason: 'AlreadyExists', message: 'm' }),
      type: Retryable,
    },
    {
      name: 'a namespace that ends is left in peace',
      fails: new ApiError({ ...forbidden, causes: [{ reason: 'NamespaceTerminating' }] }),
      type: NotReady,
    },
    { name: 'another refusal passes as it is', fails: new ApiError(forbidden), type: ApiError },
  ])('$name', async ({ fails, type }) => {
    expect(await rejection(recorded(issuance, { fails }))).toBeInstanceOf(type)
  })

  it.each([3_600_000, -3_600_000])('does not let pass what was dated %i ms off the server', async (aheadMs) => {
    expect(await rejection(recorded(issuance, { aheadMs }))).toBeInstanceOf(ClockSkew)
  })
})

describe('names', () => {
  const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$/)
  const serial = fc.stringMatching(/^[0-9A-F]{32}$/)

  it('of entries fit, and end with the serial number', () => {
    fc.assert(
      fc.property(name, serial, (authority, number) => {
        const made = entryName(authority, number)
        expect(made.length).toBeLessThanOrEqual(253)
        expect(made.endsWith(`-${number.toLowerCase()}`)).toBe(true)
        expect(made.startsWith(authority.slice(0, 63))).toBe(true)
      }),
    )
  })

  it('as label values fit, are well formed, and differ where the names do', () => {
    fc.assert(
      fc.property(name, (authority) => {
        const value = labelValue(authority)
        expect(value).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
        expect(value.length).toBeLessThanOrEqual(63)
        expect(value === authority).toBe(authority.length <= 63)
        expect(labelValue(`${authority}${'x'.repeat(63)}y`)).not.toBe(labelValue(`${authority}${'x'.repeat(63)}z`))
      }),
    )
  })
})

describe('whether a certificate is recorded', () => {
  const asked = async (change: (entry: IssuedCertificate) => IssuedCertificate | undefined) => {
    const { entry } = await recorded()
    const found = entry === undefined ? undefined : change(entry)
    const seen: unknown[] = []
    const { context } = stubContext({
      list: async (_: unknown, options: unknown) => {
        seen.push(options)
        return { resourceVersion: '1', items: found === undefined ? [] : [found] }
      },
    })
    const authority = { namespace: 'pki', name: 'root' }
    return { seen, is: await isRecorded(context.cluster, authority, { certificate }, never) }
  }

  it('is asked by its serial number, where its authority is', async () => {
    const { seen, is } = await asked((entry) => entry)
    expect(is).toBe(true)
    expect(seen[0]).toMatchObject({ namespace: 'pki', fieldSelector: `spec.serialNumber=${certificate.serialNumber}` })
  })

  it.each([
    { name: 'there is no entry', change: () => undefined },
    {
      name: 'the entry is of another authority',
      change: (entry: IssuedCertificate) => ({
        ...entry,
        spec: { ...entry.spec, authorityRef: { ...entry.spec.authorityRef, name: 'x' } },
      }),
    },
    {
      name: 'the entry holds another certificate of that number',
      change: (entry: IssuedCertificate) => ({ ...entry, spec: { ...entry.spec, certificate: 'junk' } }),
    },
  ])('is denied when $name', async ({ change }) => {
    expect((await asked(change)).is).toBe(false)
  })
})
