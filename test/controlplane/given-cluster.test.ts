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

  it('needs an image that it can pull', async () => {
    const { adminKubeconfig } = sharedControlPlane()
    await expect(givenCluster(adminKubeconfig, undefined)).rejects.toThrow('E2E_KUBECONFIG needs E2E_IMAGE')
  })
})
