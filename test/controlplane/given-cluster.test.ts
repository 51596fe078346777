/** A cluster of one's own for `make e2e` (E2E_KUBECONFIG): what is refused before anything is installed. */
import { describe, expect, it } from 'vitest'
import { givenCluster } from '../kind/harness/given.ts'
import { sharedControlPlane } from './harness/shared.ts'

describe('a given cluster', () => {
  it('is refused at once where no pod would run, as in one without nodes', async () => {
    const { adminKubeconfig } = sharedControlPlane()
    const refused = /has 0 nodes, none of them Ready: no pod would run there$/
    await expect(givenCluster(adminKubeconfig, 'dbtls:dev')).rejects.toThrow(refused)
  })

  it('is refused where a namespace is that would be filled and deleted', async () => {
    const plane = sharedControlPlane()
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'given' } }
    const status = { conditions: [{ type: 'Ready', status: 'True', reason: 'Said', message: '' }] }
    const there = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gone-trusting' } }
    for (const object of [node, there]) await plane.apply(JSON.stringify(object))
    try {
      await plane.kubectlOk(['patch', 'node', 'given', '--subresource=status', '-p', JSON.stringify({ status })])
      await expect(givenCluster(plane.adminKubeconfig, 'dbtls:dev')).rejects.toThrow(
        /has namespace\/gone-trusting already, which would be deleted at the end; take another one$/,
      )
      await plane.kubectlOk(['get', 'namespace', 'gone-trusting'])
    } finally {
      await plane.kubectl(['delete', 'node', 'given'])
      await plane.kubectl(['delete', 'namespace', 'gone-trusting'])
    }
  })

  it('needs an image that it can pull', async () => {
    const { adminKubeconfig } = sharedControlPlane()
    await expect(givenCluster(adminKubeconfig, undefined)).rejects.toThrow('E2E_KUBECONFIG needs E2E_IMAGE')
  })
})
