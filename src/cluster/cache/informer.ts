/** A live cache of one kind, and whoever wants to know when it changes. */
import { Backoff } from '../../runtime/backoff.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import { type Cluster, keyOf, type KubeObject, type Resource } from '../port.ts'
import type { Indexers } from './indexes.ts'
import type { ReflectorEvent } from './reflector.ts'
import { Reflector } from './reflector.ts'
import type { Change, Source } from './store.ts'
import { Store } from './store.ts'

export type { Change } from './store.ts'

export type ChangeHandler<T> = (change: Change<T>) => void

/** Raw is what the server sends, T what is kept. */
export interface InformerOptions<T extends KubeObject, Raw extends KubeObject = T> {
  readonly cluster: Cluster
  readonly resource: Resource
  /** One reflector each, feeding one store. Absent: all namespaces. */
  readonly namespaces?: readonly string[] | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** Ask the server for metadata alone; own writes are reduced to it as well. */
  readonly metadataOnly?: boolean | undefined
  /** What is kept of an object; must keep name, namespace, uid, resourceVersion and deletionTimestamp. Pure. */
  transform?(object: Raw): T
  readonly indexers?: Indexers<T> | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly pageSize?: number | undefined
  readonly streaming?: boolean | undefined
  readonly silenceMs?: number | undefined
}

export class Informer<T extends KubeObject> {
  readonly store: Store<T>
  /** Resolves when every namespace has been listed once; rejects with the signal's reason if it is stopped before. */
  readonly synced: Promise<void>
  readonly #handlers = new Set<ChangeHandler<T>>()
  readonly #log: Logger
  readonly #plural: string
  readonly #take: (object: KubeObject) => T
  readonly #reflect: (namespace: string | undefined, source: Source<T>, signal: AbortSignal) => Promise<void>
  readonly #waiting: Set<string>
  readonly #settle: PromiseWithResolvers<void>
  readonly #scopes: readonly (string | undefined)[]
  #stopped: Promise<void> | undefined

  constructor(options: InformerOptions<T, KubeObject>) {
    const { resource, namespaces, log } = options
    this.#log = log
    this.#plural = resource.plural
    this.#take = taker(options)
    this.#scopes = namespaces ?? [undefined]
    this.#waiting = new Set(this.#scopes.map((namespace) => namespace ?? ''))
    this.#settle = Promise.withResolvers<void>()
    this.synced = this.#settle.promise
    this.synced.catch(() => undefined)
    this.store = new Store<T>({
      ...(options.indexers === undefined ? {} : { indexers: options.indexers }),
      onChange: (change) => this.#tell(change),
    })
    this.#reflect = (namespace, source, signal) =>
      new Reflector<KubeObject>({
        ...options,
        namespace,
        backoff: new Backoff({ clock: options.clock, random: options.random }),
        emit: (event) => this.#receive(namespace, source, event),
      }).run(signal)
  }

  get hasSynced(): boolean {
    return this.#waiting.size === 0
  }

  /**
   * Handlers run synchronously, after the store has changed; what they throw is logged. A handler added later is told
   * what the store already holds, as initial. Returns how to unsubscribe.
   */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler)
    for (const key of this.store.keys()) {
      const after = this.store.get(key)
      if (after !== undefined) this.#call(handler, { type: 'set', key, after, initial: true })
    }
    return () => void this.#handlers.delete(handler)
  }

  /** Begins to list and watch, once. */
  start(signal: AbortSignal): void {
    this.#stopped ??= this.#run(signal)
  }

  /** Resolves when the signal of `start` has aborted and all streams are closed; never rejects. */
  get stopped(): Promise<void> {
    return this.#stopped ?? Promise.resolve()
  }

  /** The answer of our own write. Handlers are told now, and not again when the watch brings it. */
  wrote(object: KubeObject): void {
    this.store.wrote(this.#take(object))
  }

  /** Our own delete was answered. */
  removed(key: string, uid: string): void {
    this.store.removed(key, uid)
  }

  async #run(signal: AbortSignal): Promise<void> {
    const sources = this.#scopes.map((namespace) => [namespace, this.store.source(namespace)] as const)
    await Promise.all(sources.map(([namespace, source]) => this.#reflect(namespace, source, signal)))
    this.#settle.reject(signal.reason)
  }

  #receive(namespace: string | undefined, source: Source<T>, event: ReflectorEvent<KubeObject>): void {
    source.feed(
      'object' in event ? { type: event.type, object: this.#known(event) ?? this.#take(event.object) } : event,
    )
    if (event.type !== 'InitDone' || !this.#waiting.delete(namespace ?? '')) return
    if (this.#waiting.size === 0) this.#settle.resolve()
  }

  /** An own write that comes back in the stream is held already. */
  #known({ type, object }: Extract<ReflectorEvent<KubeObject>, { readonly object: KubeObject }>): T | undefined {
    const held = type === 'Apply' ? this.store.get(keyOf(object)) : undefined
    const { uid, resourceVersion } = object.metadata
    return held?.metadata.uid === uid && held?.metadata.resourceVersion === resourceVersion ? held : undefined
  }

  #tell(change: Change<T>): void {
    for (const handler of this.#handlers) this.#call(handler, change)
  }

  #call(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change)
    } catch (error) {
      this.#log.error('a handler of changes failed', { resource: this.#plural, object: change.key, error })
    }
  }
}

const taker = <T extends KubeObject>(options: InformerOptions<T, KubeObject>): ((object: KubeObject) => T) => {
  const reduce = options.metadataOnly === true ? metadataOf : (object: KubeObject) => object
  return (object) => options.transform?.(reduce(object)) ?? (reduce(object) as T)
}

const metadataOf = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata,
})
