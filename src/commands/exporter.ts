/** Keeps the output folder as the cluster is: every managed Secret and ConfigMap, as they come, change and go. */
import type { Cluster, KubeObject, Resource } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import type { ConfigMap, Secret } from '../resources/core.ts'
import { configMaps, secrets } from '../resources/core.ts'
import { exportedConfigMap, exportedSecret, isExported } from './exported.ts'
import type { OutputFolder, OutputObject } from './output.ts'
import { OutputError } from './output.ts'

export interface ExportReport {
  wrote(object: KubeObject, path: string): void
  withdrew(path: string): void
  failed(message: string): void
}

export interface ExporterInit {
  readonly cluster: Cluster
  readonly folder: OutputFolder
  readonly includeAuthorityKeys: boolean
  readonly namespaces?: readonly string[] | undefined
  readonly report: ExportReport
}

export class Exporter {
  readonly #init: ExporterInit
  readonly #abort = new AbortController()
  readonly #paths = new Set<string>()
  #loops: Promise<void>[] = []
  #busy = 0

  constructor(init: ExporterInit) {
    this.#init = init
  }

  /** Resolves when what was there at the start has been written, and what is left of former runs removed. */
  async start(): Promise<void> {
    const { includeAuthorityKeys, folder } = this.#init
    const ready = [
      this.#follow(secrets, (secret: Secret) => exportedSecret(secret, includeAuthorityKeys)),
      this.#follow(configMaps, (configMap: ConfigMap) => exportedConfigMap(configMap)),
    ]
    await Promise.all(ready)
    await folder.keepOnly(this.#paths)
  }

  /** Whether nothing is being written at this moment. */
  get idle(): boolean {
    return this.#busy === 0
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await Promise.all(this.#loops)
  }

  #follow<T extends KubeObject>(resource: Resource<T>, form: (object: T) => OutputObject): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#loops.push(this.#loop(resource, form, resolve))
    return promise
  }

  async #loop<T extends KubeObject>(resource: Resource<T>, form: (object: T) => OutputObject, begun: () => void) {
    const events = this.#init.cluster.watch(resource, {
      labelSelector: `${marks.managedBy}=${marks.managedByValue}`,
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      signal: this.#abort.signal,
    })
    for await (const event of events) {
      if (event.type === 'BOOKMARK') {
        if (event.initialEventsEnd) begun()
        continue
      }
      this.#busy += 1
      await this.#one(event.object, form(event.object), event.type !== 'DELETED' && isExported(event.object))
      this.#busy -= 1
    }
  }

  async #one(object: KubeObject, output: OutputObject, wanted: boolean): Promise<void> {
    const { folder, namespaces, report } = this.#init
    const path = folder.pathOf(output)
    if (namespaces && !namespaces.includes(output.namespace)) return
    try {
      if (wanted) {
        this.#paths.add(path)
        if (await folder.write(output)) report.wrote(object, path)
      } else if (this.#paths.delete(path)) {
        await folder.remove(output)
        report.withdrew(path)
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      report.failed(error instanceof OutputError ? error.message : `cannot write ${path}: ${code ?? String(error)}`)
    }
  }
}
