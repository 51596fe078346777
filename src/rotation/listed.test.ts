import { expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { serversOf } from './servers.ts'

it('a server that was listed a moment ago is waited for, beside those that have been asked', () => {
  const authority = {
    metadata: { name: 'ca', namespace: 'data' },
    spec: { source: { selfSigned: {} } },
    status: { trustBundleHash: 'T', rotation: { phase: 'TrustBoth' } },
  } as unknown as CertificateAuthority
  const { context, stores } = stubContext({})
  stores.profiles.set('data/orders', {
    metadata: { name: 'orders', namespace: 'data' },
    spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, probe: { endpoints: ['one:3306', 'two:3306'] } },
    status: { endpoints: [{ address: 'one:3306', trustProof: 'Proved', trusts: ['N'] }] },
  } as unknown as KubeObject)
  const seen = serversOf(context.caches, [{ authority, parent: undefined, isStranger: () => false }], {
    to: 'N',
    asksServers: true,
  })
  expect(seen).toMatchObject({ proved: 1, unproved: [{ name: 'data/orders: two:3306' }] })
})
