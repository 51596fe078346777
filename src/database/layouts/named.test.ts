import { describe, expect, it } from 'vitest'
import { layoutSecrets, presets } from '../../resources/layout-names.ts'
import { secretFor, secretNamed } from './named.ts'
import { layoutSecret } from './shape.ts'

const words = { cluster: 'orders', component: 'tikv', client: 'app' }

describe('the Secret of a preset for one cluster', () => {
  it.each([
    { preset: 'CloudNativePG', role: 'Server', layout: 'CloudNativePG/server', secretName: 'orders-server-tls' },
    {
      preset: 'CloudNativePG',
      role: 'Client',
      layout: 'CloudNativePG/replication',
      secretName: 'orders-replication-tls',
      commonName: 'streaming_replica',
    },
    {
      preset: 'TiDBOperatorV1',
      role: 'Peer',
      layout: 'TiDBOperatorV1/component',
      secretName: 'orders-tikv-cluster-secret',
      commonName: 'TiDB',
    },
    { preset: 'Strimzi', role: 'Client', layout: 'Strimzi/user', secretName: 'app' },
    {
      preset: 'CockroachDBChart',
      role: 'Peer',
      layout: 'CockroachDBChart/node',
      secretName: 'cockroachdb-node',
      commonName: 'node',
    },
  ] as const)('$preset for the role $role is $secretName', ({ preset, role, ...wanted }) => {
    expect(secretFor(preset, role, words)).toEqual(wanted)
  })

  it('is none where the operator expects none for the role', () => {
    expect(secretFor('PerconaXtraDBCluster', 'Client', words)).toBeUndefined()
  })

  it.each(presets)('%s has each of its Secrets by name, and each is a layout', (preset) => {
    for (const name of layoutSecrets[preset]) {
      const found = secretNamed(preset, name, words)
      expect(found?.secretName).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
      expect(layoutSecret(found?.layout ?? '', undefined)?.name).toBe(found?.layout)
    }
    expect(secretNamed(preset, 'nobody', words)).toBeUndefined()
  })

  it('is refused with a sentence where its name would be too long, or a word of it is missing', () => {
    expect(() => secretFor('Zalando', 'Server', { cluster: 'x'.repeat(250) })).toThrow(
      'would have a name of 254 characters; shorten the name of the cluster',
    )
    expect(() => secretFor('TiDBOperatorV1', 'Peer', { cluster: 'x' })).toThrow('no component')
  })
})
