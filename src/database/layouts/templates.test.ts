import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clusterIn, fillIn } from './templates.ts'

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/)

describe('a name with words in it', () => {
  it('gives the cluster back that it was made from', () => {
    fc.assert(
      fc.property(label, fc.constantFrom('pd', 'tikv', 'ticdc'), (cluster, component) => {
        const template = '{cluster}-{component}-cluster-secret'
        expect(clusterIn(template, fillIn(template, { cluster, component }))).toBe(cluster)
      }),
    )
  })

  it.each([
    { template: '{cluster}-ssl', name: 'orders-ssl', cluster: 'orders' },
    { template: '{cluster}-ssl', name: '-ssl', cluster: undefined },
    { template: '{cluster}-ssl', name: 'orders-ssl-internal', cluster: undefined },
    { template: '{cluster}.crt', name: 'orders-crt', cluster: undefined },
    { template: 'cockroachdb-node', name: 'cockroachdb-node', cluster: undefined },
  ])('finds $cluster in $name', ({ template, name, cluster }) => {
    expect(clusterIn(template, name)).toBe(cluster)
  })

  it('is not made without a word that it has', () => {
    expect(() => fillIn('{cluster}-{client}', { cluster: 'a' })).toThrow('no client')
  })
})
