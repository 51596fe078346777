/**
 * EmbeddedCluster: the Cluster port on one SQLite file, for a machine without Kubernetes, for rendering and for fast
 * tests. It follows the API server where controllers can see a difference; what it leaves out: authentication,
 * admission policies, quotas, conversion, and namespaces that must be made first (the first object of one makes it).
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { ApiError } from '../errors.ts'
import type {
  ApplyOptions,
  Cluster,
  DeleteOptions,
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectList,
  ReadOptions,
  Resource,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../port.ts'
import { badRequest, expired, invalid, notFound } from './answers.ts'
import { Batches, closed } from './batches.ts'
import { parseRecord } from './json.ts'
import { Deletes } from './deletes.ts'
import type { JsonRecord } from './json.ts'
import type { EmbeddedKind } from './kinds.ts'
import { KindTable, kindId } from './kinds.ts'
import { Objects } from './objects.ts'
import { fieldPredicate, labelPredicate } from './selectors.ts'
import type { Predicate } from './selectors.ts'
import { Storage } from './storage.ts'
import type { RowKey } from './storage.ts'
import { asObject, ownersOf, text } from './stored.ts'
import { Watches } from './watches.ts'
import type { Change } from './watches.ts'
import { Writes } from './writes.ts'

export interface EmbeddedClusterInit {
  /** Where the state is kept; undefined: in memory alone. One process at a time may hold it. */
  readonly directory?: string | undefined
  readonly kinds: readonly EmbeddedKind[]
  readonly clock: Clock
  readonly newUid?: () => string
  /** How many past changes a watch may resume from; older ones answer 410. */
  readonly watchWindow?: number
}

interface ContinueToken {
  readonly version: number
  readonly namespace: string
  readonly name: string
}

const encodeContinue = (token: ContinueToken): string => Buffer.from(JSON.stringify(token)).toString('base64url')

const decodeContinue = (token: string): ContinueToken => {
  try {
    const { version, namespace, name } = JSON.parse(Buffer.from(token, 'base64url').toString()) as ContinueToken
    if (Number.isInteger(version) && typeof namespace === 'string' && typeof name === 'string')
      return { version, namespace, name }
  } catch {
    // The answer below covers it.
  }
  throw badRequest('continue key is not valid')
}

const metadataOnlyView = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({ apiVersion, kind, metadata })

export class EmbeddedCluster implements Cluster {
  readonly #kinds: KindTable
  readonly #storage: Storage
  readonly #objects: Objects
  readonly #writes: Writes
  readonly #deletes: Deletes
  readonly #batches: Batches
  readonly #watches: Watches
  /** Objects the garbage collector has to look at. */
  #suspects = new Map<string, RowKey>()
  #closed = false

  /** @throws StateInUse when another process holds the directory, StateUnusable when it is damaged or not ours. */
  constructor({ directory, kinds, clock, newUid = randomUUID, watchWindow = 1000 }: EmbeddedClusterInit) {
    this.#kinds = new KindTable(kinds)
    this.#storage = new Storage(directory)
    this.#objects = new Objects(this.#storage, clock)
    this.#writes = new Writes(this.#objects, this.#kinds, newUid)
    this.#deletes = new Deletes(this.#objects, this.#kinds)
    this.#watches = new Watches(clock, this.#storage.version, watchWindow)
    this.#batches = new Batches(
      this.#storage,
      () => this.#committed(),
      () => this.#objects.takeChanges(),
    )
    // A crash may have come between an owner's end and that of its dependents.
    for (const key of this.#storage.owned()) this.#suspect(key)
    this.#collect()
  }

  async get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: ReadOptions = {}): Promise<T> {
    const stored = this.#open(options.signal) && this.#objects.find(this.#kinds.of(resource), key)
    if (!stored) throw notFound(resource, key.name)
    return view(stored.object, options) as T
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    this.#open(options.signal)
    const kind = this.#kinds.of(resource)
    this.#checkListVersion(options)
    const token = options.continue === undefined ? undefined : decodeContinue(options.continue)
    // Later pages show the present and carry the first page's version: a watch from there brings what changed in between.
    if (token) this.#watches.check(token.version)
    const version = token?.version ?? this.#storage.version
    const selects = selection(kind, options)
    const items: T[] = []
    const after = token && { kind: '', namespace: token.namespace, name: token.name }
    let last: RowKey | undefined
    for (const row of this.#storage.rows(kindId(resource), options.namespace, after)) {
      if (options.limit && items.length >= options.limit && last) {
        const next = encodeContinue({ version, namespace: last.namespace, name: last.name })
        return { resourceVersion: String(version), items, continue: next }
      }
      const object = parseRecord(row.object)
      if (selects(object)) items.push(view(object, options) as T)
      last = row
    }
    return { resourceVersion: String(version), items }
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void> {
    this.#open(options.signal)
    const kind = this.#kinds.of(resource)
    const version = options.resourceVersion ?? ''
    // As on the API server: without a version, or from 0, a watch begins with what there is.
    const initial = options.sendInitialEvents || version === '' || version === '0'
    const now = this.#storage.version
    if (!initial && Number(version) > now) throw expired(`too large resource version: ${version}, current: ${now}`)
    const selects = selection(kind, options)
    const subscription = {
      kind: kindId(resource),
      namespace: options.namespace,
      selects,
      view: (object: JsonRecord) => view(object, options),
      after: initial ? now : Number(version),
      initial: initial ? this.#initialEvents(kind, options, selects) : [],
      timeoutMs: options.timeoutSeconds === undefined ? undefined : options.timeoutSeconds * 1000,
      signal: options.signal,
    }
    yield* this.#watches.open(subscription, () => this.#storage.version) as AsyncGenerator<WatchEvent<T>, void>
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T> {
    return this.#write(resource, options, (kind) => this.#writes.create(kind, object, options.fieldManager))
  }

  update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T> {
    return this.#write(resource, options, (kind) => this.#writes.update(kind, object, options.fieldManager))
  }

  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T> {
    return this.#write(resource, options, (kind) => this.#writes.updateStatus(kind, object))
  }

  apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions): Promise<T> {
    const { fieldManager: manager, force = false, createOnly = false } = options
    return this.#write(resource, options, (kind) => this.#writes.apply(kind, object, { manager, force, createOnly }))
  }

  async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.#write(resource, { fieldManager: 'delete', ...options }, (kind) => {
      this.#deletes.delete(kind, key, options)
      return {}
    })
  }

  /** Objects of which `fieldManager` owns something by apply. */
  appliedBy(fieldManager: string): { readonly resource: Resource; readonly object: KubeObject }[] {
    this.#open(undefined)
    const found: { resource: Resource; object: KubeObject }[] = []
    for (const row of this.#storage.all()) {
      const { object, managers } = this.#objects.decode(row)
      const kind = this.#kinds.byId(row.kind)
      if (kind && managers.has(`Apply:${fieldManager}`))
        found.push({ resource: kind.resource, object: asObject(object) })
    }
    return found
  }

  /** Forgets past changes, as a compaction of etcd does: watches from before now answer 410. */
  compact(): void {
    this.#watches.compact(this.#storage.version)
  }

  /** Finishes the writes that wait, ends every watch, lets go of the directory. */
  close(): void {
    if (this.#closed) return
    this.#batches.close()
    this.#closed = true
    this.#watches.close()
    this.#storage.close()
  }

  async #write<T extends KubeObject>(
    resource: Resource<T>,
    { fieldManager, signal, dryRun = false, metadataOnly = false }: WriteOptions,
    work: (kind: EmbeddedKind) => unknown,
  ): Promise<T> {
    this.#open(signal)
    const kind = this.#kinds.of(resource)
    if (fieldManager === '')
      throw invalid(resource, '', [{ field: 'fieldManager', message: 'Required value: is required for apply patch' }])
    const answer = (await this.#batches.submit(() => this.#objects.part(dryRun, () => work(kind)))) as T
    return (metadataOnly ? metadataOnlyView(answer) : answer) as T
  }

  #committed(): void {
    const changes = this.#objects.takeChanges()
    this.#watches.publish(changes)
    for (const change of changes) this.#suspectAfter(change)
    this.#collect()
  }

  #suspectAfter({ kind, namespace, object, deleted }: Change): void {
    const metadata = asObject(object).metadata
    const owners = ownersOf(object)
    if (deleted || metadata.deletionTimestamp !== undefined)
      for (const key of this.#storage.dependents(metadata.uid ?? '')) this.#suspect(key)
    if (!deleted && (owners.length > 0 || metadata.finalizers?.includes('foregroundDeletion')))
      this.#suspect({ kind, namespace, name: metadata.name })
    if (!deleted) return
    for (const owner of owners) {
      const row = this.#storage.byUid(text(owner, 'uid') ?? '')
      if (row) this.#suspect(row)
    }
  }

  #suspect({ kind, namespace, name }: RowKey): void {
    this.#suspects.set(`${kind} ${namespace}/${name}`, { kind, namespace, name })
  }

  #collect(): void {
    if (this.#suspects.size === 0) return
    const keys = [...this.#suspects.values()].filter((key) => this.#deletes.collectable(key))
    this.#suspects = new Map()
    for (const key of keys)
      // What fails here (the file cannot be written) is found again at the next start.
      this.#batches.submit(() => this.#objects.part(false, () => this.#deletes.collect(key))).catch(() => {})
  }

  #open(signal: AbortSignal | undefined): true {
    if (this.#closed) throw closed()
    if (!signal?.aborted) return true
    throw new ApiError({ status: 0, reason: 'Aborted', message: 'the call was aborted', cause: signal.reason })
  }

  #initialEvents(kind: EmbeddedKind, options: WatchOptions, selects: Predicate): WatchEvent<KubeObject>[] {
    const events: WatchEvent<KubeObject>[] = []
    for (const row of this.#storage.rows(kindId(kind.resource), options.namespace, undefined)) {
      const object = parseRecord(row.object)
      if (selects(object)) events.push({ type: 'ADDED', object: view(object, options) })
    }
    const resourceVersion = String(this.#storage.version)
    if (options.sendInitialEvents) events.push({ type: 'BOOKMARK', resourceVersion, initialEventsEnd: true })
    return events
  }

  #checkListVersion({ resourceVersion = '', resourceVersionMatch }: ListOptions): void {
    if (resourceVersion === '' || resourceVersion === '0') return
    const now = this.#storage.version
    if (Number(resourceVersion) > now)
      throw new ApiError({
        status: 504,
        reason: 'Timeout',
        message: `Too large resource version: ${resourceVersion}, current: ${now}`,
        retryAfterMs: 1000,
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      })
    if (resourceVersionMatch === 'Exact' && Number(resourceVersion) < now)
      throw expired(`The provided resource version ${resourceVersion} is no longer available`)
  }
}

const view = (object: JsonRecord, { metadataOnly }: ReadOptions): KubeObject => {
  const whole = asObject(object)
  return metadataOnly ? metadataOnlyView(whole) : whole
}

const selectableFields = ({ selectableFields: fields = [] }: EmbeddedKind): string[] =>
  fields.map((field) => (field.startsWith('.') ? field.slice(1) : field))

const selection = (kind: EmbeddedKind, options: ListOptions | WatchOptions): Predicate => {
  const labels = labelPredicate(options.labelSelector)
  const fields = fieldPredicate(options.fieldSelector, selectableFields(kind))
  return (object) => labels(object) && fields(object)
}
