import { expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { observeBundle } from './observe-bundle.ts'

const authority = {
  metadata: { name: 'ca', namespace: 'data' },
  spec: { source: { trustOnly: {} } },
  status: { trustBundleHash: 'T', rotation: { phase: 'Signing' } },
} as unknown as CertificateAuthority

it.each([
  ['that was seen to need nothing that goes', { standing: 'Serving', verifiesUnder: 'B' }, 'proved'],
  ['that was not', { standing: 'Serving' }, 'notServing'],
  ['that may not be asked', { standing: 'NotAsked', servedSerial: undefined }, 'notProvable'],
  ['that has no TLS', { standing: 'NoTLS', servedSerial: undefined }, 'notProvable'],
  ['that does not answer', { standing: 'Unreachable', servedSerial: undefined }, 'notServing'],
  ['that was not, and has an address that may not be asked', { standing: 'NotAsked' }, 'notServing'],
  ['that was, and has an address that may not be asked', { standing: 'NotAsked', verifiesUnder: 'B' }, 'notProvable'],
])('a server %s', (_, row, is) => {
  const { context, stores } = stubContext({})
  const profile = {
    metadata: { name: 'orders', namespace: 'data' },
    spec: { engine: 'External', authorityRef: { name: 'ca' }, probe: { endpoints: ['one:3306'] } },
    status: { endpoints: [{ address: 'one:3306', servedSerial: 'AA', ...row }] },
  }
  stores.profiles.set('data/orders', profile as unknown as KubeObject)
  const consuming = { caches: context.caches, namespaces: undefined, asksServers: true }
  const { proved, notServing, notProvable } = observeBundle(
    consuming,
    authority,
    { stage: 'Switched', former: 'F', bundle: 'B' },
    0,
  )
  expect({ proved, notServing: notServing.length, notProvable: notProvable.length }).toEqual({
    ...{ proved: 0, notServing: 0, notProvable: 0 },
    [is]: 1,
  })
})
