/** What a profile gives to the pods of one database: volumes that follow its Secrets late, and the files of its ConfigMap. */
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Cluster } from '../../../src/cluster/port.ts'
import type { Expansion } from '../../../src/profile/expansion.ts'
import { type DatabaseTLSProfile } from '../../../src/resources/database-tls-profile.ts'
import { admit } from '../../../src/resources/validate.ts'
import { folderOf, type PodPlan, podsOf } from '../harness/pods.ts'
import { settle } from '../harness/settle.ts'
import { MountedPod } from './kubelet.ts'

export interface Deployment {
  readonly cluster: Cluster
  readonly namespace: string
  /** Name of the profile. */
  readonly name: string
  /** Of the profile, without mountPath. */
  readonly spec: object
  /** Where the volumes are made. */
  readonly root: string
  /** How late volumes follow, ms at most. */
  readonly delayMs: number
}

export class Deployed implements AsyncDisposable {
  readonly name: string
  readonly expansion: Expansion
  /** Key of the ConfigMap → text, with the paths of the pod `server`. */
  readonly files: Readonly<Record<string, string>>
  readonly #deployment: Deployment
  readonly #plans: readonly PodPlan[]
  readonly #pods: MountedPod[] = []

  static async deploy(deployment: Deployment): Promise<Deployed> {
    const { cluster, root } = deployment
    mkdirSync(root, { recursive: true })
    const { expansion, files } = await settle(cluster, profileOf(deployment, join(root, 'server')))
    return new Deployed(deployment, expansion, files)
  }

  private constructor(deployment: Deployment, expansion: Expansion, files: Deployed['files']) {
    this.name = deployment.name
    this.#deployment = deployment
    this.expansion = expansion
    this.files = files
    this.#plans = podsOf(profileOf(deployment, '/'), expansion)
  }

  /** Every pod that was mounted. */
  get pods(): readonly MountedPod[] {
    return this.#pods
  }

  /** Of a StatefulSet each pod has its own `name`; the paths of its files are those of `filesFor`. */
  server(name = 'server'): Promise<MountedPod> {
    return this.#mount('server', name)
  }

  /** The files as they are for a pod of another name. */
  filesFor(name: string): Readonly<Record<string, string>> {
    const { root } = this.#deployment
    return Object.fromEntries(
      Object.entries(this.files).map(([key, text]) => [key, text.replaceAll(join(root, 'server'), join(root, name))]),
    )
  }

  client(name: string): Promise<MountedPod> {
    return this.#mount(`client-${name}`, `client-${name}`)
  }

  /** The ConfigMap as a client has it, which mounts its Secret in its own folder. */
  async clientFiles(name: string): Promise<Readonly<Record<string, string>>> {
    const { cluster, root } = this.#deployment
    const { files } = await settle(cluster, profileOf(this.#deployment, join(root, `client-${name}`)))
    await settle(cluster, profileOf(this.#deployment, join(root, 'server')))
    return files
  }

  async #mount(planned: string, name: string): Promise<MountedPod> {
    const { cluster, namespace, root, delayMs } = this.#deployment
    const plan = this.#plans.find((one) => one.name === planned)
    if (plan === undefined) throw new Error(`${this.name} has no pod ${planned}`)
    const mounts = plan.sources.map((source) => ({ source, folder: folderOf(root, { ...plan, name }, source) }))
    for (const { folder } of mounts) mkdirSync(dirname(folder), { recursive: true })
    const pod = await MountedPod.mount(cluster, mounts, { namespace, delayMs })
    this.#pods.push(pod)
    return pod
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod[Symbol.asyncDispose]()))
  }
}

const profileOf = ({ name, namespace, spec }: Deployment, mountPath: string): DatabaseTLSProfile => {
  const object = {
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile' },
    ...{ metadata: { name, namespace }, spec: { ...spec, mountPath } },
  }
  const admitted = admit('DatabaseTLSProfile', object)
  if ('problems' in admitted) throw new Error(JSON.stringify(admitted.problems))
  return admitted.object as DatabaseTLSProfile
}
