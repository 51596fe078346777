/** A cluster of somebody else for the cases: the operator is installed, and uninstalled at the end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlPlaneBinaries } from '../../controlplane/harness/binaries.ts'
import { Connection } from '../../controlplane/harness/connection.ts'
import { connectionOf } from './cluster-info.ts'
import type { ClusterInfo } from './cluster-info.ts'
import { installOperator, operatorNamespace, release } from './install.ts'
import { caseNamespaces } from './pods.ts'

interface Nodes {
  readonly items: readonly {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
  }[]
}

/**
 * Throws where no pod could ever run, where somebody's operator is at work (its objects would be this one's too), or where there is
 * a namespace that is filled here and deleted at the end.
 */
const refuseUnusable = async (plane: Connection, kubeconfig: string): Promise<void> => {
  const { items } = await plane.getJson<Nodes>(['nodes'])
  const ready = items.filter(({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  )
  if (ready.length === 0)
    throw new Error(
      `the cluster of ${kubeconfig} has ${items.length} nodes, none of them Ready: no pod would run there`,
    )
  const found = await plane.kubectlOk(['get', 'deployments', '-A', '-l', 'app.kubernetes.io/name=dbtls', '-o', 'name'])
  if (found.trim() !== '')
    throw new Error(`in the cluster of ${kubeconfig} dbtls is installed already; take another one`)
  const own = [operatorNamespace, ...caseNamespaces]
  const there = await plane.kubectlOk(['get', 'namespaces', ...own, '--ignore-not-found', '-o', 'name'])
  if (there.trim() !== '')
    throw new Error(
      `the cluster of ${kubeconfig} has ${there.trim().split('\n').join(', ')} already, which would be deleted at the end; take another one`,
    )
}

/** `image`: one that the cluster can pull. */
export const givenCluster = async (
  kubeconfig: string,
  image: string | undefined,
): Promise<{ readonly info: ClusterInfo; stop(): Promise<void> }> => {
  if (image === undefined) throw new Error('E2E_KUBECONFIG needs E2E_IMAGE, an image that the cluster can pull')
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-e2e-'))
  const info = { kubeconfig, tools: await controlPlaneBinaries(), dir, image }
  const plane = new Connection(connectionOf(info))
  try {
    await refuseUnusable(plane, kubeconfig)
  } catch (error) {
    rmSync(dir, { recursive: true })
    throw error
  }
  console.error(
    'SKIPPED on a cluster of your own: databases as pods (their image is made here), the audit of rights (its log), ' +
      'the death of the API server and of the node.',
  )
  const stop = async (): Promise<void> => {
    await plane.helm(['uninstall', release, '--namespace', operatorNamespace, '--wait'])
    await plane.kubectl(['delete', 'namespaces', operatorNamespace, ...caseNamespaces, '--ignore-not-found'])
    rmSync(dir, { recursive: true })
  }
  try {
    await installOperator(plane, image)
  } catch (error) {
    await stop()
    throw error
  }
  return { info, stop }
}
