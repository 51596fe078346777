/**
 * The cluster of `make e2e`, with the chart installed as a user does: by helm, into a namespace of the Pod Security Standard
 * `restricted`, with the image that this checkout builds.
 *
 *   E2E_KUBECONFIG, E2E_IMAGE      a cluster of one's own, which can pull that image; nothing is started then
 *   KEEP=1                         leaves the cluster until Ctrl-C
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import type { TestProject } from 'vitest/node'
import { controlPlaneBinaries } from '../controlplane/harness/binaries.ts'
import { Connection } from '../controlplane/harness/connection.ts'
import { missingPrivileges } from './cluster/box.ts'
import { KindCluster } from './cluster/cluster.ts'
import { clusterParts } from './cluster/parts.ts'
import { installOperator } from './harness/install.ts'
import { connectionOf } from './harness/cluster-info.ts'
import type { ClusterInfo } from './harness/cluster-info.ts'
import { buildDatabasesImage, databasesImage } from './image/databases.ts'
import { buildOperatorImage, operatorImage } from './image/operator.ts'

const began = performance.now()
const say = (text: string): void => console.error(`[${((performance.now() - began) / 1000).toFixed(0)} s] ${text}`)

const given = async (kubeconfig: string): Promise<ClusterInfo> => {
  const image = process.env['E2E_IMAGE']
  if (image === undefined) throw new Error('E2E_KUBECONFIG needs E2E_IMAGE, an image that the cluster can pull')
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-e2e-'))
  return { kubeconfig, tools: await controlPlaneBinaries(), dir, image }
}

const load = async (cluster: KindCluster): Promise<Partial<ClusterInfo>> => {
  const operator = await buildOperatorImage(cluster.folder)
  await cluster.load(operator.archive)
  say(`${operatorImage}: ${(operator.size / 2 ** 20).toFixed(0)} MiB, ${operator.components} components`)
  const databases = await buildDatabasesImage(cluster.folder)
  if (databases === undefined) return {}
  await cluster.load(databases)
  say(databasesImage)
  return { databases: databasesImage }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kubeconfig = process.env['E2E_KUBECONFIG']
  if (kubeconfig !== undefined) {
    const info = await given(kubeconfig)
    await installOperator(new Connection(connectionOf(info)), info.image)
    project.provide('kind', info)
    return () => Promise.resolve()
  }
  const missing = await missingPrivileges()
  if (missing.length > 0) {
    console.error(
      `SKIPPED: a cluster cannot be started here, it needs ${missing.join('; ')}. E2E_KUBECONFIG names another one.`,
    )
    project.provide('kind', undefined)
    return () => Promise.resolve()
  }
  const parts = await clusterParts()
  say('all parts are there')
  const cluster = await KindCluster.start(parts)
  say(`kind has started ${cluster.kubeconfig}`)
  const stop = async (): Promise<void> => {
    if (process.env['KEEP'] === '1') {
      console.error(`the cluster stays until Ctrl-C: KUBECONFIG=${cluster.kubeconfig}, tools in ${cluster.tools}`)
      await once(process, 'SIGINT')
    }
    await cluster.stop()
  }
  try {
    const images = await load(cluster)
    const info = { ...cluster.info, ...images, image: operatorImage }
    await installOperator(new Connection(connectionOf(info)), operatorImage)
    say('the operator is installed')
    project.provide('kind', info)
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}
