/**
 * The cluster of `make e2e`, with the chart installed as a user does: by helm, into a namespace of the Pod Security Standard
 * `restricted`, with the image that this checkout builds.
 *
 *   E2E_KUBECONFIG, E2E_IMAGE      a cluster of one's own, which can pull that image; nothing is started then
 *   KEEP=1                         leaves the cluster until Ctrl-C
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import type { TestProject } from 'vitest/node'
import { Connection } from '../controlplane/harness/connection.ts'
import { missingPrivileges } from './cluster/box.ts'
import { kindCache } from './cluster/cache.ts'
import { KindCluster } from './cluster/cluster.ts'
import { clusterParts, NotToBeHad } from './cluster/parts.ts'
import type { Parts } from './cluster/parts.ts'
import { givenCluster } from './harness/given.ts'
import { installOperator } from './harness/install.ts'
import { connectionOf } from './harness/cluster-info.ts'
import type { ClusterInfo } from './harness/cluster-info.ts'
import { buildDatabasesImage, databasesImage } from './image/databases.ts'
import { buildOperatorImage, operatorImage } from './image/operator.ts'
import type { BuiltImage } from './image/operator.ts'

const began = performance.now()
const say = (text: string): void => console.error(`[${((performance.now() - began) / 1000).toFixed(0)} s] ${text}`)

interface Images {
  /** Archives, below the folder that boxes see. */
  readonly folder: string
  readonly operator: BuiltImage
  readonly databases: string | undefined
}

const buildImages = async (): Promise<Images> => {
  const folder = mkdtempSync(join(kindCache(), 'images-'))
  try {
    return { folder, operator: await buildOperatorImage(folder), databases: await buildDatabasesImage(folder) }
  } catch (error) {
    rmSync(folder, { recursive: true })
    throw error
  }
}

/** The image of databases comes while the operator starts. */
const install = async (cluster: KindCluster, { operator, databases }: Images): Promise<ClusterInfo> => {
  await cluster.load(operator.archive)
  say(`${operatorImage}: ${(operator.size / 2 ** 20).toFixed(0)} MiB, ${operator.components} components`)
  const info = { ...cluster.info, image: operatorImage }
  const installed = async (): Promise<void> => {
    await installOperator(new Connection(connectionOf(info)), operatorImage)
    say('the operator is installed')
  }
  const loaded = async (archive: string): Promise<void> => {
    await cluster.load(archive)
    say(databasesImage)
  }
  await Promise.all([installed(), ...(databases === undefined ? [] : [loaded(databases)])])
  return databases === undefined ? info : { ...info, databases: databasesImage }
}

/** Where no cluster can be had: every test is skipped, and scripts/run-tests.ts says why beside the count. */
const without = (project: TestProject, reason: string): (() => Promise<void>) => {
  const told = `test/kind: ${reason} E2E_KUBECONFIG and E2E_IMAGE name a cluster of one's own.`
  console.error(`SKIPPED ${told}`)
  mkdirSync('build/test', { recursive: true })
  writeFileSync('build/test/no-cluster', told)
  project.provide('kind', undefined)
  return () => Promise.resolve()
}

const partsOrReason = async (): Promise<Parts | string> => {
  const missing = await missingPrivileges()
  if (missing.length > 0) return `a cluster cannot be started here, it needs ${missing.join('; ')}.`
  try {
    return await clusterParts()
  } catch (error) {
    if (error instanceof NotToBeHad) return `${error.message}.`
    throw error
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kubeconfig = process.env['E2E_KUBECONFIG']
  if (kubeconfig !== undefined) {
    const given = await givenCluster(kubeconfig, process.env['E2E_IMAGE'])
    project.provide('kind', given.info)
    return given.stop
  }
  const parts = await partsOrReason()
  if (typeof parts === 'string') return without(project, parts)
  say('all parts are there')
  const start = (): Promise<KindCluster> => KindCluster.start(parts)
  // A machine that is busy with something else may take longer than kubeadm waits.
  const startOrAgain = start().catch((error: unknown) => {
    say(`kind did not start, once more: ${String(error)}`)
    return start()
  })
  const [started, built] = await Promise.allSettled([startOrAgain, buildImages()])
  if (started.status === 'rejected') {
    if (built.status === 'fulfilled') rmSync(built.value.folder, { recursive: true })
    throw started.reason
  }
  const cluster = started.value
  say(`kind has started ${cluster.kubeconfig}`)
  const stop = async (): Promise<void> => {
    if (process.env['KEEP'] === '1') {
      console.error(`the cluster stays until Ctrl-C: KUBECONFIG=${cluster.kubeconfig}, tools in ${cluster.tools}`)
      await once(process, 'SIGINT')
    }
    await cluster.stop()
  }
  try {
    if (built.status === 'rejected') throw built.reason
    const { folder } = built.value
    project.provide('kind', await install(cluster, built.value).finally(() => rmSync(folder, { recursive: true })))
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}
