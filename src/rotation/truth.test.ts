import { describe, expect, it } from 'vitest'
import { stubContext } from '../control/testing.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { KubeObject } from '../cluster/port.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { Terminal } from '../runtime/errors.ts'
import { leavesOf } from './leaves.ts'
import { Reporter } from './report.ts'
import { serversOf } from './servers.ts'
import { RotationTurns } from './turns.ts'

const authority = (status: object = {}): CertificateAuthority =>
  ({
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority' },
    metadata: { name: 'ca', namespace: 'data', uid: 'ca-uid', generation: 1, resourceVersion: '1' },
    spec: { source: { selfSigned: {} } },
    status: { trustBundleHash: 't2', ...status },
  }) as unknown as CertificateAuthority

const object = (fields: object): KubeObject => fields as KubeObject
const serial = '0A'

describe('turns', () => {
  it.each([
    ['Idle', true],
    ['Prepared', false],
    ['TrustBoth', false],
    ['Signing', false],
    ['DropSoak', true],
    ['Dropped', true],
  ])('%s: who was not told may move: %s, also where the new CA signs and status does not say so yet', (phase, may) => {
    const { context, stores } = stubContext({})
    stores.authorities.set('data/ca', authority({ rotation: { phase } }))
    expect(new RotationTurns(context).mayMove('data/ca', 'data/server')).toBe(may)
  })
})

describe('certificates of the former CA', () => {
  const entry = (authorityKeyId: string) =>
    object({
      metadata: { name: 'e', namespace: 'data' },
      ...{ authority: 'data/ca', authorityKeyId, serialNumber: serial, holderKey: 'data/server', isCa: false },
      ...{ notBefore: 0, notAfter: 1000, createdAt: 0 },
    })
  const signer = { subjectKeyId: Uint8Array.of(0xbb) } as unknown as ParsedCertificate

  it('are told by the key in the Secret, however far behind status is', () => {
    const { context, stores } = stubContext({})
    stores.certificates.set(
      'data/server',
      object({
        metadata: { name: 'server', namespace: 'data' },
        spec: { authorityRef: { name: 'ca' } },
        status: { serialNumber: serial },
      }),
    )
    const behind = authority({ certificate: { subjectKeyId: 'aa' } })
    for (const [keyId, waiting] of [
      ['aa', 1],
      ['bb', 0],
    ] as const) {
      stores.ledger.clear()
      stores.ledger.set('data/e', entry(keyId))
      expect(leavesOf(context.caches, behind, signer, 1)).toHaveLength(waiting)
    }
  })

  it.each([true, false])(
    'that cannot be read are replaced by any other that is reported (in the ledger: %s)',
    (listed) => {
      const { context, stores } = stubContext({})
      const status = { serialNumber: '0B', notBefore: '2027-01-01T00:00:00Z' }
      stores.certificates.set(
        'data/server',
        object({ metadata: { name: 'server', namespace: 'data' }, spec: { authorityRef: { name: 'ca' } }, status }),
      )
      const unread = { notBefore: Number.NaN, notAfter: Number.NaN, createdAt: Number.NaN }
      const later = { metadata: { name: 'ca-0b', namespace: 'data' }, serialNumber: '0B', authorityKeyId: 'bb' }
      stores.ledger.set('data/e', object({ ...entry('aa'), ...unread }))
      if (listed) stores.ledger.set('data/ca-0b', object({ ...entry('bb'), ...later }))
      expect(leavesOf(context.caches, authority({}), signer, 1)).toEqual([])
    },
  )
})

describe('what a profile reports of its reloads', () => {
  const seen = (listed: string | undefined, reload: object = {}) => {
    const { context, stores } = stubContext({})
    const certificate = {
      metadata: { name: 'orders-server', namespace: 'data' },
      spec: {},
      status: { serialNumber: '02' },
    }
    stores.authorities.set('data/ca', authority())
    stores.certificates.set('data/orders-server', object(certificate))
    stores.profiles.set(
      'data/orders',
      object({
        metadata: { name: 'orders', namespace: 'data' },
        spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, reload: { strategy: 'SQL' } },
        status: {
          certificates: [{ name: 'orders-server', secretName: 's', ...(listed ? { serialNumber: listed } : {}) }],
          reload: { authorities: [{ name: 'data/ca', trustBundleHash: 't2' }], ...reload },
        },
      }),
    )
    return serversOf(context.caches, [{ authority: authority(), parent: undefined, isStranger: () => false }], {
      to: 'to',
      asksServers: true,
    }).reloads
  }

  it('counts only where it knows the certificates that are delivered', () => {
    expect(seen('02')).toEqual([])
    for (const stale of ['01', undefined])
      expect(seen(stale)).toMatchObject([{ name: 'DatabaseTLSProfile data/orders' }])
  })

  it('is waited for while it says that something is pending', () => {
    const pending = [{ name: '10.0.0.3:3306', reason: 'Reloading', message: 'It is told.' }]
    expect(seen('02', { pending })).toEqual([{ name: 'data/orders: 10.0.0.3:3306', why: 'It is told.' }])
  })
})

describe('a step that fails before there is a status of the rotation', () => {
  it('leaves none, or a CA that was born with a trigger would seem not to have acted on it', async () => {
    const written: unknown[] = []
    const { context, stores, events } = stubContext({
      updateStatus: (...args: unknown[]) => {
        written.push(args[1])
        return Promise.resolve({ metadata: { resourceVersion: '2' } })
      },
    })
    const { signal } = new AbortController()
    const reporter = new Reporter(context)
    const failure = new Terminal('AuthoritySecretInvalid', 'Its Secret cannot be read.')
    stores.authorities.set('data/ca', authority())
    await reporter.failed(authority(), failure, signal)
    expect([written, events.length]).toEqual([[], 1])
    await reporter.failed(authority({ rotation: { phase: 'TrustBoth', trigger: '1' } }), failure, signal)
    expect(written).toMatchObject([{ status: { rotation: { phase: 'TrustBoth', trigger: '1' } } }])
  })
})
