/** What a known key has signed is revoked as soon as nobody is refused for that, and not before. */

import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import { never, stubContext } from '../control/testing.ts'
import { supersedeGraceMs } from '../ledger/rules.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Revoking, revokeFormer } from './compromised.ts'

const start = Date.UTC(2027, 0, 1)
const day = 86_400_000
const authority = {
  metadata: { name: 'ca', namespace: 'data', uid: 'ca-uid' },
  spec: { source: { selfSigned: {} } },
} as unknown as CertificateAuthority
const parsed = (keyId: number, serialNumber: string) =>
  ({ subjectKeyId: Uint8Array.of(keyId), serialNumber }) as unknown as ParsedCertificate

const entry = (serialNumber: string, more: object = {}): KubeObject =>
  ({
    metadata: { name: `ca-${serialNumber.toLowerCase()}`, namespace: 'data', uid: serialNumber, resourceVersion: '1' },
    ...{ serialNumber, authority: 'data/ca', authorityKeyId: 'aa', holderKey: 'data/orders-server', isCa: false },
    ...{ notBefore: start - day, notAfter: start + day, createdAt: start - day, authorityUid: 'ca-uid' },
    ...more,
  }) as unknown as KubeObject

const certificate = (serialNumber: string): KubeObject =>
  ({
    metadata: {
      ...{ name: 'orders-server', namespace: 'data', uid: 'leaf-uid' },
      annotations: { [marks.owner]: 'DatabaseTLSProfile/orders' },
    },
    spec: { authorityRef: { name: 'ca' }, role: 'Server', dnsNames: ['orders'], secret: { name: 'orders-tls' } },
    status: { serialNumber },
  }) as unknown as KubeObject

interface Case {
  /** What the holder reports: 0A is of the former CA, 0B of the new one. */
  readonly reports?: string
  /** What its server shows; undefined where nobody asks any. */
  readonly shows?: string
  readonly standing?: string
  readonly phase?: Revoking['phase']
  readonly stage?: Revoking['material']['stage']
}

const world = ({ reports = '0B', shows, standing = 'Serving', phase = 'Signing', stage = 'Switched' }: Case) => {
  const revoked: unknown[] = []
  const { context, stores, clock } = stubContext({
    apply: (_: unknown, object: KubeObject & { readonly spec: object }) => {
      revoked.push([object.metadata.uid, object.spec])
      return Promise.resolve({ ...stores.ledger.get(`data/${object.metadata.name}`), revocation: { reason: 'x' } })
    },
  })
  clock.setNow(start)
  stores.ledger.set('data/ca-0a', entry('0A'))
  stores.ledger.set('data/ca-0b', entry('0B', { authorityKeyId: 'bb', createdAt: start, notBefore: start - 300_000 }))
  stores.ledger.set('data/ca-ca', entry('CA', { isCa: true, holderKey: 'data/ca' }))
  stores.certificates.set('data/orders-server', certificate(reports))
  if (shows !== undefined)
    stores.profiles.set('data/orders', {
      metadata: { name: 'orders', namespace: 'data' },
      spec: { engine: 'MySQL', authorityRef: { name: 'ca' } },
      status: { endpoints: [{ address: 'orders:3306', servedSerial: shows, standing }] },
    } as unknown as KubeObject)
  const material = { stage, certificate: parsed(0xbb, 'CB'), other: parsed(0xaa, 'CA') }
  const look = () => revokeFormer(context, { authority, phase, material, signal: never, namespaces: undefined })
  return { look, clock, revoked }
}

const time = '2027-01-01T00:00:00Z'
const leaf = ['0A', { revocation: { reason: 'superseded', time } }]
const former = ['CA', { revocation: { reason: 'cACompromise', time } }]

describe('what a known key has signed', () => {
  it.each<readonly [string, Case, readonly unknown[]]>([
    ['whose server shows the new one', { shows: '0B' }, [leaf]],
    ['whose server shows it still', { shows: '0A' }, []],
    ['that nobody has replaced', { reports: '0A' }, []],
    ['that nobody has replaced, when the former CA is trusted no more', { reports: '0A', stage: 'Dropped' }, []],
    ['in the soak before the end', { phase: 'DropSoak' }, [leaf]],
    ['when the former CA is trusted no more', { stage: 'Dropped', shows: '0A' }, [leaf]],
    ['at the end, with the former CA itself', { phase: 'Dropped', stage: 'Dropped' }, [leaf, former]],
  ])('%s', async (_, one, expected) => {
    const { look, revoked } = world(one)
    expect(await look()).toBeUndefined()
    expect(revoked).toEqual(expected)
    await look()
    expect(revoked).toEqual(expected)
  })

  it.each<readonly [string, Case]>([
    ['nobody looks after', {}],
    ['has an address that may not be asked', { shows: '0B', standing: 'NotAsked' }],
  ])('and %s is given the time that its successor takes to its server', async (_, one) => {
    const { look, clock, revoked } = world(one)
    expect(await look()).toBe(supersedeGraceMs)
    clock.setNow(start + supersedeGraceMs - 1)
    expect(await look()).toBe(1)
    expect(revoked).toEqual([])
    clock.setNow(start + supersedeGraceMs)
    expect(await look()).toBeUndefined()
    expect(revoked).toHaveLength(1)
  })
})
