/** What is left of a Certificate that is taken away without what it owns. */
import { describe, expect, it } from 'vitest'
import type { Found } from './inventory.ts'
import { planMigration } from './plan.ts'
import { stepsFor } from './steps.ts'

const of = (kind: Found['kind'], namespace: string, name: string, spec: object): Found => ({
  kind,
  namespace,
  name,
  object: { apiVersion: 'cert-manager.io/v1', kind, metadata: { name, namespace }, spec },
})
const found = ['data', 'shop'].flatMap((namespace) => [
  of('Issuer', namespace, 'ca', { ca: { secretName: 'ca-key' } }),
  ...['orders', 'reports'].map((name) =>
    of('Certificate', namespace, name, { secretName: `${name}-tls`, dnsNames: ['a.b'], issuerRef: { name: 'ca' } }),
  ),
])
const migration = planMigration(found, { clusterNamespace: 'cert-manager' })
const deletions = (requests?: ReadonlyMap<string, readonly string[]>): string[] =>
  stepsFor(migration, 'kubectl apply -f dbtls.yaml', requests)
    .filter((line) => line.includes(' delete certificate'))
    .map((line) => line.trim())

describe('the steps of a migration', () => {
  const certificates = ['data', 'shop'].map(
    (namespace) => `kubectl -n ${namespace} delete certificate orders reports --cascade=orphan`,
  )

  it('take the CertificateRequests along, after their Certificates', () => {
    const requests = new Map([
      ['Certificate data/orders', ['orders-3', 'orders-4']],
      ['Certificate shop/reports', ['reports-1']],
      ['Certificate shop/mail', ['mail-1']],
    ])
    expect(deletions(requests)).toEqual([
      ...certificates,
      'kubectl -n data delete certificaterequest orders-3 orders-4',
      'kubectl -n shop delete certificaterequest reports-1',
    ])
  })

  it('name none where none are known', () => {
    expect(deletions()).toEqual(certificates)
  })
})
