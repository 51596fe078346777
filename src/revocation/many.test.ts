import { describe, expect, it } from 'vitest'
import { ApiError } from '../cluster/errors.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import { never, stubContext } from '../control/testing.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import { entryOf } from '../ledger/testing.ts'
import { decodePem } from '../pki/encoding/pem.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { parseRevocationList } from '../pki/revocation/revocation-list.ts'
import { makeRoot } from '../pki/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { findCondition } from '../resources/conditions.ts'
import type { ConfigMap } from '../resources/core.ts'
import { publicKeyHash } from '../authority/trust.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { RevocationReconciler } from './reconcile.ts'

const day = 24 * 3_600_000

/** A CA whose ledger is filled at will, over a cluster that keeps what is written. */
const world = async () => {
  const clock = new ManualClock()
  const root = await makeRoot({ now: clock.now() })
  const certificate = parseCertificate(root.certificate)
  let map: ConfigMap | undefined
  let version = 1
  let writes = 0
  let reads = 0

  const { context, stores } = stubContext(
    {
      get: async () => {
        reads += 1
        if (map === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: 'none' })
        return map
      },
      apply: async (_: unknown, object: ConfigMap) => {
        writes += 1
        map = { ...object, metadata: { ...object.metadata, uid: 'm', resourceVersion: `${(version += 1)}` } }
        return map
      },
      updateStatus: async (_: unknown, object: KubeObject) => ({
        ...stores.authorities.get('data/ca'),
        ...object,
        metadata: { ...object.metadata, resourceVersion: `${(version += 1)}` },
      }),
    },
    clock,
  )
  context.clockGuard.judge = () => undefined
  stores.authorities.set('data/ca', {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { namespace: 'data', name: 'ca', uid: 'ca-uid', resourceVersion: '1' },
    spec: { crl: { enabled: true, duration: '31d', renewBefore: '7d' } },
    status: {
      conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '', lastTransitionTime: '' }],
      certificate: {
        subjectKeyId: Buffer.from(certificate.subjectKeyId ?? []).toString('hex'),
        publicKeyHash: publicKeyHash(certificate),
      },
    },
  } as unknown as KubeObject)
  const reconciler = new RevocationReconciler(context, {
    load: async () => ({ signer: root.signer, certificate, chain: [], trust: [], trustHash: '' }),
  })
  return {
    fill: (count: number): void => {
      for (let at = 0; at < count; at += 1) {
        const serial = `7F${at.toString(16).padStart(30, '0').toUpperCase()}`
        const entry: LedgerEntry = entryOf(serial, {
          notAfter: clock.now() + 90 * day,
          state: 'Revoked',
          revocation: { reason: 'keyCompromise', time: clock.now(), invalidityTime: undefined, seenAt: undefined },
        })
        stores.ledger.set(keyOf(entry), entry)
      }
    },
    look: () => reconciler.reconcile('data/ca', { signal: never }),
    status: () => (stores.authorities.get('data/ca') as CertificateAuthority).status,
    list: () => parseRevocationList(decodePem(map?.data?.['ca.crl'] ?? '')[0]?.der ?? new Uint8Array()),
    bytes: () => map?.data?.['ca.crl']?.length ?? 0,
    writes: () => writes,
    reads: () => reads,
  }
}

describe('a long revocation list', () => {
  it('of ten thousand is made, and a look at it afterwards asks nothing', { timeout: 30_000 }, async () => {
    const { fill, look, list, status, writes, reads, bytes } = await world()
    fill(10_000)
    await look()
    expect(list().revoked).toHaveLength(10_000)
    expect(status()?.crl?.entries).toBe(10_000)
    expect(bytes()).toBeLessThan(1024 * 1024)
    const before = reads()
    await look()
    expect([writes(), reads()]).toEqual([1, before])
  })

  it('that would not fit is not made: the last one stays, and the condition says so', { timeout: 60_000 }, async () => {
    const { fill, look, list, status } = await world()
    await look()
    fill(20_000)
    await look()
    expect(list().revoked).toEqual([])
    expect(findCondition(status()?.conditions, 'RevocationListCurrent')).toMatchObject({
      status: 'False',
      reason: 'RevocationListTooLarge',
      message: expect.stringContaining('The last list stays'),
    })
    expect(status()?.crl?.entries).toBe(0)
  })
})
