import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { never, stubContext } from '../control/testing.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { day, makeRoot, now } from '../pki/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Secret } from '../resources/core.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { reconcileBrought } from './reconcile-brought.ts'

const root = await makeRoot({ duration: 90 * day })
const { notBefore, notAfter } = root.signer
const pem = encodePem('CERTIFICATE', root.certificate)

const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'corp', namespace: 'data', uid: 'u', resourceVersion: '1' },
  data: {
    'tls.crt': Buffer.from(pem).toString('base64'),
    'tls.key': Buffer.from(encodePem('PRIVATE KEY', root.key.pkcs8)).toString('base64'),
  },
}

const look = async (source: object, at: number, spec: object = {}, status?: object) => {
  const clock = new ManualClock()
  clock.setNow(at)
  const written: CertificateAuthority[] = []
  const verbs = {
    get: () => Promise.resolve(secret),
    updateStatus: (_: unknown, object: KubeObject) => {
      written.push(object as CertificateAuthority)
      return Promise.resolve(object)
    },
  }
  const { context, events } = stubContext(verbs, clock)
  const authority = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'data', uid: 'ca', generation: 1 },
    spec: { source, ...spec },
    ...(status === undefined ? {} : { status }),
  } as unknown as CertificateAuthority
  const result = await reconcileBrought(context, authority, never)
  const ready = written[0]?.status?.conditions?.find(({ type }) => type === 'Ready')
  return { result, written, events, ready, status: written[0]?.status }
}

const bringing = { secret: { name: 'corp', certificateKey: 'tls.crt', privateKeyKey: 'tls.key', chainKey: 'ca.crt' } }

describe('an authority that is brought along is looked at again', () => {
  const second = 1000
  const warnAt = notAfter - (notAfter - notBefore) / 3
  it.each([
    { name: 'when it should be renewed', source: bringing, at: now, due: warnAt },
    {
      name: 'when it should be renewed as it says itself',
      source: bringing,
      at: now,
      spec: { renewBefore: '10d' },
      due: notAfter - 10 * day,
    },
    { name: 'when it ends', source: bringing, at: warnAt + day, due: notAfter },
    { name: 'when it begins', source: bringing, at: notBefore - day, due: notBefore },
    { name: 'when the first root of a bundle ends', source: { trustOnly: { inline: pem } }, at: now, due: notAfter },
  ])('$name', async ({ source, at, spec = {}, due }) => {
    const { result } = await look(source, at, spec)
    expect(result.requeueAfterMs).toBe(due - at + second)
  })
})

describe('a report on an authority that is brought along', () => {
  it('is written once', async () => {
    const first = await look(bringing, now)
    expect(first.ready?.status).toBe('True')
    const again = await look(bringing, now, {}, first.status)
    expect(again.written).toEqual([])
  })

  it('is not written for another version of the same Secret', async () => {
    const { status } = await look(bringing, now)
    const observed = { secretUid: 'u', secretResourceVersion: '0' }
    expect((await look(bringing, now, {}, { ...status, observed })).written).toEqual([])
  })

  it('keeps what was known when the source cannot be used', async () => {
    const { status } = await look(bringing, now)
    const after = await look(bringing, notAfter + day, {}, status)
    expect(after.ready).toMatchObject({ status: 'False', reason: 'AuthorityExpired' })
    expect(after.status?.certificate).toEqual(status?.certificate)
    expect(after.events.map(({ type, reason }) => [type, reason])).toEqual([['Warning', 'AuthorityExpired']])
  })
})
