/**
 * Brings what Secrets and ConfigMaps hold into the volumes of pods as the kubelet does: it looks at each pod every now and then, so a
 * change arrives later, and at every pod at another time. https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod
 */
import { isDeepStrictEqual } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../../../src/cluster/port.ts'
import { configMaps, secrets } from '../../../src/resources/core.ts'
import { eventually } from '../../controlplane/harness/process.ts'
import type { Source } from '../harness/pods.ts'
import { type Files, SecretVolume } from '../harness/secret-volume.ts'

export interface Mount {
  readonly source: Source
  readonly folder: string
}

export interface PodOptions {
  /** Of its Secrets and ConfigMaps. */
  readonly namespace: string
  /** How long a change takes at most to arrive, ms. */
  readonly delayMs: number
}

interface Mounted {
  readonly source: Source
  readonly volume: SecretVolume
  files: Files
}

export class MountedPod implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #options: PodOptions
  readonly #mounts: readonly Mounted[]
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #paused = false
  #listener: (() => void) | undefined

  static async mount(cluster: Cluster, mounts: readonly Mount[], options: PodOptions): Promise<MountedPod> {
    const mounted = await Promise.all(
      mounts.map(async ({ source, folder }): Promise<Mounted> => {
        const what = `${source.kind} ${source.name}`
        const files = await eventually(what, () => contentsOf(cluster, options.namespace, source))
        return { source, files, volume: new SecretVolume(folder, files) }
      }),
    )
    return new MountedPod(cluster, options, mounted)
  }

  private constructor(cluster: Cluster, options: PodOptions, mounts: readonly Mounted[]) {
    this.#cluster = cluster
    this.#options = options
    this.#mounts = mounts
    this.#ended = this.#run()
  }

  /** The first one, at the mountPath itself. */
  get volume(): SecretVolume {
    const [first] = this.#mounts
    if (first === undefined) throw new Error('the pod mounts nothing')
    return first.volume
  }

  get volumes(): readonly SecretVolume[] {
    return this.#mounts.map(({ volume }) => volume)
  }

  /** Called after each change, as a container beside the server would see it. */
  onChange(listener: () => void): void {
    this.#listener = listener
  }

  /** Its kubelet does nothing more, as on a node that is cut off, until `resume`. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
  }

  /** What the objects hold now, at once, as for a pod that starts anew. */
  async sync(): Promise<void> {
    let changed = false
    for (const mounted of this.#mounts) {
      const files = await contentsOf(this.#cluster, this.#options.namespace, mounted.source)
      if (this.#paused || isDeepStrictEqual(files, mounted.files)) continue
      mounted.volume.write(files)
      mounted.files = files
      changed = true
    }
    if (changed) this.#listener?.()
  }

  /** Other files in the first volume, until `restore`. */
  override(change: (files: Files) => Files): void {
    this.#paused = true
    const [first] = this.#mounts
    if (first !== undefined) first.volume.write(change(first.files))
  }

  restore(): void {
    const [first] = this.#mounts
    if (first !== undefined) first.volume.write(first.files)
    this.#paused = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { delayMs } = this.#options
    while (!signal.aborted) {
      // Never in step with anybody else.
      await sleep(delayMs * (0.4 + 0.6 * Math.random()), undefined, { signal }).catch(() => undefined)
      // While the API server is away, or the object on its way, the volume stays as it is.
      if (!signal.aborted && !this.#paused) await this.sync().catch(() => undefined)
    }
  }
}

const decoded = (data: Readonly<Record<string, string>>): [string, Buffer][] =>
  Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')])

const contentsOf = async (cluster: Cluster, namespace: string, { kind, name }: Source): Promise<Files> => {
  if (kind === 'Secret') {
    const { data = {} } = await cluster.get(secrets, { namespace, name })
    return Object.fromEntries(decoded(data))
  }
  const { data = {}, binaryData = {} } = await cluster.get(configMaps, { namespace, name })
  return { ...data, ...Object.fromEntries(decoded(binaryData)) }
}
