/** Keeps the output folder as the cluster is: every managed Secret and ConfigMap, as they come, change and go. */
import { ifFound } from '../../cluster/errors.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import type { ConfigMap, Secret } from '../../resources/core.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import { exportedConfigMap, exportedSecret, isExported } from './exported.ts'
import { systemErrorText } from '../shared/failures.ts'
import type { OutputFolder, OutputObject } from './output.ts'
import { OutputError } from './output.ts'

export interface ExportReport {
  wrote(object: KubeObject, path: string): void
  withdrew(path: string): void
  failed(message: string): void
}

export interface ExporterInit {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly folder: OutputFolder
  readonly includeAuthorityKeys: boolean
  readonly namespaces?: readonly string[] | undefined
  readonly report: ExportReport
}

/** What should stand, or no longer stand, at one path. No contents: a Secret is in memory no longer than needed. */
interface Export {
  readonly output: Omit<OutputObject, 'data'>
  /** Writes or removes it as the cluster has it now. */
  readonly again: () => Promise<void>
  /** As it was on disk right after it was written. */
  signature: string | undefined
  /** Why it could not be written or removed. */
  failure: string | undefined
}

/** ms between looks at what is on disk. */
const inspectMs = 2000

export class Exporter {
  readonly #init: ExporterInit
  readonly #abort = new AbortController()
  readonly #exports = new Map<string, Export>()
  #loops: Promise<void>[] = []
  #turn: Promise<void> = Promise.resolve()
  #timer: Timer | undefined
  #busy = 0

  constructor(init: ExporterInit) {
    this.#init = init
  }

  /** Resolves when what was there at the start has been written, and what is left of former runs removed. */
  async start(): Promise<void> {
    const { includeAuthorityKeys, folder, report } = this.#init
    const ready = [
      this.#follow(secrets, (secret: Secret) => exportedSecret(secret, includeAuthorityKeys)),
      this.#follow(configMaps, (configMap: ConfigMap) => exportedConfigMap(configMap)),
    ]
    await Promise.all(ready)
    await this.#inTurn(() => folder.keepOnly(new Set(this.#exports.keys()))).catch((error: unknown) =>
      report.failed(`cannot remove what a former run left: ${systemErrorText(error)}`),
    )
    this.#inspectLater()
  }

  /** Whether nothing is being written at this moment. */
  get idle(): boolean {
    return this.#busy === 0
  }

  /** One sentence for each object that is not on disk as it should be; each is tried again. */
  get failures(): string[] {
    return [...this.#exports.values()].flatMap(({ failure }) => failure ?? [])
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#abort.abort()
    await Promise.all(this.#loops)
    await this.#turn
  }

  /** Writes again what failed, was deleted or was changed by somebody else. */
  async inspect(): Promise<void> {
    for (const [path, one] of [...this.#exports]) {
      if (this.#abort.signal.aborted) return
      await this.#inTurn(async () => {
        if (this.#exports.get(path) !== one) return
        const sound = one.failure === undefined && (await this.#signature(one.output)) === one.signature
        if (!sound) await one.again()
        // The state could not be read: the next inspection comes anyway.
      }).catch((error: unknown) => {
        if (!this.#abort.signal.aborted)
          this.#init.report.failed(`cannot look after ${path}: ${systemErrorText(error)}`)
      })
    }
  }

  #inspectLater(): void {
    if (this.#abort.signal.aborted) return
    this.#timer = this.#init.clock.setTimer(inspectMs, () => void this.inspect().finally(() => this.#inspectLater()))
  }

  /** Events and inspections write one after the other: two writers of one folder would undo each other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  #signature(output: Export['output']): Promise<string | undefined> {
    return this.#init.folder.signatureOf(output).catch(() => undefined)
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
      const wanted = event.type !== 'DELETED' && isExported(event.object)
      await this.#inTurn(() => this.#one(resource, event.object, form, wanted))
      this.#busy -= 1
    }
  }

  async #one<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    form: (object: T) => OutputObject,
    wanted: boolean,
  ): Promise<void> {
    const { folder, namespaces, report } = this.#init
    const output = form(object)
    if (namespaces && !namespaces.includes(output.namespace)) return
    const path = folder.pathOf(output)
    const before = this.#exports.get(path)
    if (!wanted && before === undefined) return
    const { kind, namespace, name } = output
    const again = (): Promise<void> => this.#present(resource, object, form)
    const now: Export = { output: { kind, namespace, name }, again, signature: undefined, failure: undefined }
    this.#exports.set(path, now)
    try {
      if (wanted) {
        const wrote = await folder.write(output)
        now.signature = await this.#signature(now.output)
        if (wrote) report.wrote(object, path)
      } else {
        await folder.remove(output)
        this.#exports.delete(path)
        report.withdrew(path)
      }
    } catch (error) {
      const doing = wanted ? 'write' : 'remove'
      now.failure = error instanceof OutputError ? error.message : `cannot ${doing} ${path}: ${systemErrorText(error)}`
      if (now.failure !== before?.failure) report.failed(now.failure)
    }
  }

  /** The object as it is in the cluster now; `last` stands for one that is gone. */
  async #present<T extends KubeObject>(
    resource: Resource<T>,
    last: T,
    form: (object: T) => OutputObject,
  ): Promise<void> {
    const present = await ifFound(this.#init.cluster.get(resource, last.metadata))
    await this.#one(resource, present ?? last, form, present !== undefined && isExported(present))
  }
}
