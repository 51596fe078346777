/** Three members of etcd that read the files of a profile, and what a StatefulSet controller does with their pods. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, KubeObject } from '../../../src/cluster/port.ts'
import { marks } from '../../../src/control/context.ts'
import { type Workload, workloads } from '../../../src/resources/workloads.ts'
import { eventually, ManagedProcess, type Reaper } from '../../controlplane/harness/process.ts'
import type { Installation } from '../harness/install.ts'
import { asServer, serverUser } from '../harness/server-user.ts'
import type { MountedPod } from './kubelet.ts'
import { publishPorts } from './ports-file.ts'

export interface MemberInit {
  readonly pod: MountedPod
  /** etcd.yaml of the ConfigMap. */
  readonly configuration: string
  readonly port: number
  readonly peerPort: number
}

export interface MembersInit {
  readonly installation: Installation
  readonly members: readonly MemberInit[]
  readonly folder: string
  /** Ports of the members that are Ready, as a Service has them. */
  readonly portsFile: string
  /** Whether the member at this port takes a client and has a leader. */
  readonly isHealthy: (port: number) => Promise<unknown>
  /** Answers when nobody is on his way to a member that is in no Service any more. */
  readonly drained: () => Promise<void>
  /** Whether it speaks TLS, with whatever certificate. */
  readonly answers: (port: number) => Promise<unknown>
  readonly reaper: Reaper
}

const name = 'etcd'
const revisionOf = ({ spec }: Pick<Workload, 'spec'>): string =>
  spec.template?.metadata?.annotations?.[marks.restartedFor] ?? ''

export class EtcdMembers implements AsyncDisposable {
  readonly #init: MembersInit
  readonly #processes: ManagedProcess[] = []
  readonly #stopping = new AbortController()
  #ended: Promise<void> = Promise.resolve()

  static async start(init: MembersInit): Promise<EtcdMembers> {
    const started = new EtcdMembers(init)
    for (const index of init.members.keys()) started.#configure(index)
    await Promise.all(init.members.map(({ port }) => started.#until(init.isHealthy, port)))
    started.#publish(init.members)
    return started
  }

  private constructor(init: MembersInit) {
    this.#init = init
  }

  logs(): string {
    return this.#processes.map((process) => process.logs()).join('\n')
  }

  /** The StatefulSet, whose pods are replaced one after the other when their template changes. */
  async manage(cluster: Cluster, namespace: string): Promise<void> {
    const template = { metadata: { annotations: {} } }
    const spec = { replicas: this.#init.members.length, template }
    const object = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name, namespace }, spec } as Workload
    await cluster.apply(workloads.StatefulSet, object, { fieldManager: 'kubectl', force: true })
    await this.#report(cluster, namespace, { ready: spec.replicas, updated: spec.replicas, from: '', to: '' })
    this.#ended = this.#follow(cluster, namespace)
  }

  /** Has every member start anew with the files it has, one after the other. */
  async restart(): Promise<void> {
    for (const index of this.#init.members.keys()) await this.#replace(index, this.#init.answers)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#ended
    await Promise.all(this.#processes.map((process) => process.stop()))
  }

  async #follow(cluster: Cluster, namespace: string): Promise<void> {
    const { signal } = this.#stopping
    let revision = ''
    while (!signal.aborted) {
      await sleep(100, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      const { spec } = await cluster.get(workloads.StatefulSet, { namespace, name })
      const wanted = revisionOf({ spec })
      if (wanted === revision) continue
      await this.#roll(cluster, namespace, { from: revision, to: wanted })
      revision = wanted
    }
  }

  /** The last one first, and each only when the one before it is Ready. */
  async #roll(cluster: Cluster, namespace: string, revisions: { from: string; to: string }): Promise<void> {
    const all = this.#init.members.length
    for (let updated = 0; updated < all && !this.#stopping.signal.aborted; updated += 1) {
      await this.#report(cluster, namespace, { ready: all - 1, updated, ...revisions })
      await this.#replace(all - 1 - updated, this.#init.isHealthy)
    }
    await this.#report(cluster, namespace, { ready: all, updated: all, ...revisions })
  }

  async #report(
    cluster: Cluster,
    namespace: string,
    { ready, updated, from, to }: { ready: number; updated: number; from: string; to: string },
  ): Promise<void> {
    const replicas = this.#init.members.length
    const status = {
      ...{ replicas, readyReplicas: ready, updatedReplicas: updated, availableReplicas: ready },
      ...{ currentRevision: `etcd-${updated === replicas ? to : from}`, updateRevision: `etcd-${to}` },
    }
    const live = await cluster.get(workloads.StatefulSet, { namespace, name })
    const reported = { ...live, status } as Workload
    await cluster.updateStatus(workloads.StatefulSet, reported, { fieldManager: 'statefulset-controller' })
  }

  async #replace(index: number, isUp: MembersInit['isHealthy']): Promise<void> {
    const { members } = this.#init
    const member = members[index]
    if (member === undefined) return
    this.#publish(members.filter((one) => one !== member))
    // As with a preStop hook, which waits for those that were on their way.
    await this.#init.drained()
    await this.#processes[index]?.stop()
    // A new pod has what the Secret holds now.
    await member.pod.sync()
    this.#spawn(index)
    await this.#until(isUp, member.port)
    this.#publish(members)
  }

  #publish(ready: readonly MemberInit[]): void {
    publishPorts(
      this.#init.portsFile,
      ready.map(({ port }) => port),
    )
  }

  async #until(isUp: MembersInit['isHealthy'], port: number): Promise<void> {
    const giveUp = () => (this.#processes.every(({ running }) => running) ? undefined : this.logs().slice(-2000))
    const look = async (): Promise<boolean> => {
      await isUp(port)
      return true
    }
    await eventually(`the member at ${port} to be up`, look, { timeoutMs: 120_000, giveUp })
  }

  #folder(index: number): string {
    return join(this.#init.folder, `etcd-${index}`)
  }

  /** With --config-file etcd reads no other option. Of JSON every line is YAML. */
  #configure(index: number): void {
    const { members } = this.#init
    const member = members[index]
    if (member === undefined) return
    const folder = this.#folder(index)
    mkdirSync(join(folder, 'data'), { recursive: true, mode: 0o700 })
    if (serverUser !== undefined)
      for (const path of [folder, join(folder, 'data')]) chownSync(path, serverUser.uid, serverUser.gid)
    const [client, peer] = [`https://127.0.0.1:${member.port}`, `https://127.0.0.1:${member.peerPort}`]
    const own = {
      ...{ name: `etcd-${index}`, 'data-dir': join(folder, 'data'), 'unsafe-no-fsync': true, 'log-level': 'warn' },
      ...{ 'listen-client-urls': client, 'advertise-client-urls': client },
      ...{ 'listen-peer-urls': peer, 'initial-advertise-peer-urls': peer },
      'initial-cluster': members.map(({ peerPort }, at) => `etcd-${at}=https://127.0.0.1:${peerPort}`).join(','),
    }
    const lines = Object.entries(own).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    writeFileSync(join(folder, 'etcd.yaml'), lines.join('') + member.configuration)
    this.#spawn(index)
  }

  #spawn(index: number): void {
    const { installation, reaper } = this.#init
    const folder = this.#folder(index)
    const [command, ...args] = asServer([
      ...installation.start('/usr/bin/etcd'),
      ...['--config-file', join(folder, 'etcd.yaml')],
    ])
    const settings = { name: `etcd-${index}`, command, args, cwd: folder, logFile: join(folder, 'log') }
    this.#processes[index] = new ManagedProcess(reaper, settings)
  }
}

/**
 * An API server whose StatefulSets have a status, which the embedded cluster keeps for none of the built-in kinds, and that know at
 * once that they are out of date, as `metadata.generation` tells it elsewhere.
 */
export const withRevisions = (inner: Cluster): Cluster => {
  const statuses = new Map<string | undefined, Workload['status']>()
  const seen = async (namespace: string | undefined): Promise<Workload> => {
    const live = await inner.get(workloads.StatefulSet, { namespace, name })
    const status = statuses.get(namespace)
    return status === undefined ? live : { ...live, status }
  }
  return {
    get: async <T extends KubeObject>(...[resource, key, options]: Parameters<typeof inner.get<T>>): Promise<T> =>
      resource.kind === workloads.StatefulSet.kind
        ? ((await seen(key.namespace)) as unknown as T)
        : inner.get(resource, key, options),
    list: (resource, options) => inner.list(resource, options),
    watch: (resource, options) => inner.watch(resource, options),
    create: (resource, object, options) => inner.create(resource, object, options),
    update: (resource, object, options) => inner.update(resource, object, options),
    updateStatus: async <T extends KubeObject>(
      ...[resource, object, options]: Parameters<typeof inner.updateStatus<T>>
    ): Promise<T> => {
      if (resource.kind !== workloads.StatefulSet.kind) return inner.updateStatus(resource, object, options)
      statuses.set(object.metadata.namespace, (object as unknown as Workload).status)
      return object
    },
    delete: (resource, key, options) => inner.delete(resource, key, options),
    apply: async <T extends KubeObject>(
      ...[resource, object, options]: Parameters<typeof inner.apply<T>>
    ): Promise<T> => {
      if (resource.kind !== workloads.StatefulSet.kind) return inner.apply(resource, object, options)
      const { namespace } = object.metadata
      const before = await seen(namespace).catch(() => undefined)
      const applied = await inner.apply(resource, object, options)
      if (before === undefined) return applied
      // What was applied may come back as metadata alone.
      if (revisionOf(await seen(namespace)) !== revisionOf(before))
        statuses.set(namespace, { ...before.status, updatedReplicas: 0, updateRevision: 'another' })
      return applied
    },
  }
}
