/** A cluster of one node that the real kind starts with podman, in a box: no Docker, no registry, nothing left on the machine. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditPolicy } from '../../controlplane/harness/audit.ts'
import { must } from '../../controlplane/harness/process.ts'
import type { ClusterInfo } from '../harness/cluster-info.ts'
import { Box } from './box.ts'
import type { Forward } from './forward.ts'
import { forward } from './forward.ts'
import type { Parts } from './parts.ts'
import { kubernetesVersion, tags } from './tags.ts'

const name = 'dbtls-e2e'
const node = `${name}-control-plane`
/** In the box, whose network is its own. */
const apiPort = 6443
const volumes = 8

/** There is one of each. Who elects gives up when the API server dies, and then waits for the end of the Lease that it had itself. */
const alone = { extraArgs: [{ name: 'leader-elect', value: 'false' }] }

/** As kind reads it. `audit`: a folder of the box. */
const configuration = (audit: string): string => {
  const patches = [
    {
      kind: 'ClusterConfiguration',
      imageRepository: 'localhost',
      etcd: { local: { imageTag: tags('etcd'), extraArgs: [{ name: 'unsafe-no-fsync', value: 'true' }] } },
      dns: { imageTag: tags('coredns') },
      apiServer: {
        extraArgs: [
          { name: 'audit-policy-file', value: '/audit/policy.yaml' },
          { name: 'audit-log-path', value: '/audit/audit.log' },
        ],
        extraVolumes: [{ name: 'audit', hostPath: '/audit', mountPath: '/audit', pathType: 'Directory' }],
      },
      controllerManager: alone,
      scheduler: alone,
    },
    // A machine's root may lack CAP_SYS_RESOURCE, and Kubernetes still runs on control groups of version 1.
    // Changed Secrets come into volumes within seconds, by the same way as with the default of a minute.
    // What died is started again within seconds, too, however often a test has killed it.
    {
      ...{ kind: 'KubeletConfiguration', failCgroupV1: false, oomScoreAdj: 0, syncFrequency: '2s' },
      crashLoopBackOff: { maxContainerRestartPeriod: '2s' },
    },
    { kind: 'KubeProxyConfiguration', oomScoreAdj: 0 },
  ]
  return JSON.stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    name,
    networking: { disableDefaultCNI: true, ipFamily: 'ipv4', apiServerAddress: '127.0.0.1', apiServerPort: apiPort },
    nodes: [
      {
        role: 'control-plane',
        image: `localhost/node:${kubernetesVersion}`,
        extraMounts: [{ hostPath: audit, containerPath: '/audit' }],
      },
    ],
    kubeadmConfigPatches: patches.map((patch) => JSON.stringify(patch)),
  })
}

const volume = (index: number): unknown => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: `volume-${index}` },
  spec: {
    capacity: { storage: '5Gi' },
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'standard',
    persistentVolumeReclaimPolicy: 'Retain',
    local: { path: `/var/local/volumes/${index}` },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }],
      },
    },
  },
})

export class KindCluster {
  /** Of an administrator, with the API server on this machine's loopback. */
  readonly kubeconfig: string
  readonly auditFile: string
  /** Folder of kubectl and helm. */
  readonly tools: string
  readonly #box: Box
  readonly #forward: Forward
  readonly #kind: string

  private constructor(parts: Parts, box: Box, forwarded: Forward, kubeconfig: string) {
    this.kubeconfig = kubeconfig
    this.auditFile = join(box.folder, 'audit/audit.log')
    this.tools = parts.controlPlane
    this.#box = box
    this.#forward = forwarded
    this.#kind = join(parts.binaries, 'kind')
  }

  /** What this cluster has written, and what it may read: images to load lie here. */
  get folder(): string {
    return this.#box.folder
  }

  static async start(parts: Parts): Promise<KindCluster> {
    const box = await Box.start(parts.system, [parts.store])
    let forwarded: Forward | undefined
    try {
      const audit = join(box.folder, 'audit')
      mkdirSync(audit)
      writeFileSync(join(audit, 'policy.yaml'), auditPolicy)
      const file = join(box.folder, 'kind.json')
      writeFileSync(file, configuration(audit))
      await box.run(join(parts.binaries, 'kind'), ['create', 'cluster', '--config', file, '--wait', '180s'])
      forwarded = await forward(box, apiPort)
      const kubeconfig = join(box.folder, 'kubeconfig.host')
      const inBox = readFileSync(join(box.folder, 'kubeconfig'), 'utf8')
      writeFileSync(kubeconfig, inBox.replace(`:${apiPort}`, `:${forwarded.port}`), { mode: 0o600 })
      const cluster = new KindCluster(parts, box, forwarded, kubeconfig)
      await cluster.#addVolumes()
      return cluster
    } catch (error) {
      // Nobody else holds it, and another try makes a box of its own.
      await forwarded?.close()
      await box.stop()
      throw error
    }
  }

  async #addVolumes(): Promise<void> {
    const all = Array.from({ length: volumes }, (_, index) => index)
    const folders = all.map((index) => `/var/local/volumes/${index}`)
    await this.#box.run('podman', ['exec', node, 'mkdir', '-p', '-m', '0777', ...folders])
    const items = all.map(volume)
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
    const env = { ...process.env, KUBECONFIG: this.kubeconfig }
    await must(join(this.tools, 'kubectl'), ['apply', '-f', '-'], { stdin: list, env })
  }

  /** An archive below `folder`. */
  async load(archive: string): Promise<void> {
    await this.#box.run(this.#kind, ['load', 'image-archive', archive, '--name', name])
  }

  /** For tests in other processes. */
  get info(): Omit<ClusterInfo, 'image'> {
    const { kubeconfig, tools, auditFile, folder: dir } = this
    const podman = (args: readonly string[]): readonly string[] => this.#box.command('podman', args).flat()
    return {
      ...{ kubeconfig, tools, auditFile, dir },
      inNode: podman(['exec', node]),
      // As somebody pulls the plug of the machine and puts it in again.
      restartNode: podman(['restart', '--time', '5', node]),
    }
  }

  async stop(): Promise<void> {
    await this.#forward.close()
    await this.#box.stop()
  }
}
