/**
 * The objects of one kind as they were last seen, by key and by index, fed by reflectors and by the answers of our own
 * writes. The rule that keeps it honest: per object a resourceVersion never goes back, except when a list that began
 * after everything we know says so (the server was restored from a backup).
 */
import type { ObjectMeta } from '../port.ts'
import { compareResourceVersions, keyOf } from '../port.ts'
import type { Indexers } from './indexes.ts'
import { Indexes } from './indexes.ts'
import type { ReflectorEvent } from './reflector.ts'
import { newer, Tombstones } from './tombstones.ts'

export interface Stored {
  readonly metadata: ObjectMeta
}

export interface Change<T> {
  readonly type: 'set' | 'delete'
  /** `namespace/name`. */
  readonly key: string
  readonly before?: T
  readonly after?: T
  /** The object was there before this process looked: part of a source's first list. */
  readonly initial: boolean
}

export interface StoreOptions<T extends Stored> {
  readonly indexers?: Indexers<T>
  /** Called synchronously after the store changed; after a list, when all of it is in. Must not throw. */
  readonly onChange?: (change: Change<T>) => void
}

/** One reflector's part of the store: a namespace, or everything. */
export interface Source<T> {
  feed(event: ReflectorEvent<T>): void
}

const versionOf = (object: Stored): string => object.metadata.resourceVersion ?? ''

export class Store<T extends Stored> {
  readonly #objects = new Map<string, T>()
  readonly #tombstones = new Tombstones()
  readonly #indexes: Indexes<T>
  readonly #onChange: (change: Change<T>) => void
  /** By namespace; '' for a source of everything. */
  readonly #sources = new Map<string, SourceState<T>>()

  constructor(options: StoreOptions<T> = {}) {
    this.#indexes = new Indexes(options.indexers ?? {})
    this.#onChange = options.onChange ?? (() => undefined)
  }

  get size(): number {
    return this.#objects.size
  }

  /** `namespace/name`, or `name` for cluster-scoped kinds. */
  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  /** Throws RangeError for an index that was not declared. The cost is that of the result. */
  by(index: string, value: string): T[] {
    return this.#indexes.get(index, value)
  }

  values(): IterableIterator<T> {
    return this.#objects.values()
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys()
  }

  /** The answer of our own write: read back at once, whatever older event is still on the way. */
  wrote(object: T): void {
    const source = this.#sourceOf(object)
    if (!source) return
    const key = keyOf(object)
    const version = versionOf(object)
    // The stream has passed this version: what it said since, perhaps a deletion, is newer than our answer.
    if (source.seen !== undefined && newer(version, source.seen) === false) return
    if (this.#tombstones.cover(key, object.metadata)) return
    const held = this.#objects.get(key)
    if (held && newer(version, versionOf(held)) === false) return
    if (source.listing) source.ownSinceInit.add(key)
    this.#onChange(this.#set(key, object, false))
  }

  /** Our own delete was answered: the object is gone, whatever older event is still on the way. */
  removed(key: string, uid: string): void {
    const present = this.#objects.get(key)
    // Another uid is a predecessor whose end is still on the way, or a successor.
    const held = present?.metadata.uid === uid ? present : undefined
    // A finalizer may hold it; when it is gone the stream says so.
    if (held?.metadata.deletionTimestamp !== undefined) return
    this.#tombstones.add(key, uid, held?.metadata.resourceVersion)
    for (const source of this.#sources.values()) if (source.listing && source.covers(key)) source.ownSinceInit.add(key)
    if (held) this.#onChange(this.#delete(key, held))
  }

  /** A feed for the objects of `namespace`, or of all namespaces. One source per namespace. */
  source(namespace?: string): Source<T> {
    const state = new SourceState<T>(namespace)
    this.#sources.set(namespace ?? '', state)
    return { feed: (event) => this.#feed(state, event) }
  }

  #feed(source: SourceState<T>, event: ReflectorEvent<T>): void {
    switch (event.type) {
      case 'Init':
        return source.begin()
      case 'InitApply':
        source.pending.set(keyOf(event.object), event.object)
        return
      case 'InitDone':
        for (const change of this.#swap(source, event.resourceVersion)) this.#onChange(change)
        return
      case 'Apply':
        source.advance(versionOf(event.object))
        return this.#apply(event.object)
      case 'Delete':
        if (source.listing) source.pending.delete(keyOf(event.object))
        source.advance(versionOf(event.object))
        return this.#remove(event.object)
      case 'Bookmark':
        return source.advance(event.resourceVersion)
    }
  }

  #apply(object: T): void {
    const key = keyOf(object)
    if (this.#tombstones.cover(key, object.metadata)) return
    this.#tombstones.dropUid(key, object.metadata.uid)
    const held = this.#objects.get(key)
    // An own write that comes back in the stream is not newer either: its handlers have run.
    if (held && newer(versionOf(object), versionOf(held)) === false) return
    this.#onChange(this.#set(key, object, false))
  }

  #remove(object: T): void {
    const key = keyOf(object)
    this.#tombstones.dropUid(key, object.metadata.uid)
    const held = this.#objects.get(key)
    // What is held may be a successor of the same name, created after this deletion.
    if (!held || newer(versionOf(held), versionOf(object)) === true) return
    this.#onChange(this.#delete(key, held))
  }

  /** The end of a list: what it does not name is gone, but for what we wrote while it was made and it is too old to know. */
  #swap(source: SourceState<T>, listVersion: string): Change<T>[] {
    const changes: Change<T>[] = []
    const ours = source.ownSinceInit
    for (const [key, held] of this.#objects) {
      if (!source.covers(key) || source.pending.has(key)) continue
      if (ours.has(key) && newer(versionOf(held), listVersion) === true) continue
      changes.push(this.#delete(key, held))
    }
    // What we deleted before the list began, it knows; what we deleted since, it or the stream after it may still name.
    this.#tombstones.forget((key) => source.covers(key) && !ours.has(key))
    for (const [key, object] of source.pending) {
      if (this.#tombstones.cover(key, object.metadata)) continue
      const held = this.#objects.get(key)
      const order = held ? compareResourceVersions(versionOf(held), versionOf(object)) : undefined
      const known = order === 0 && held?.metadata.uid === object.metadata.uid
      if (known || (ours.has(key) && order !== undefined && order > 0)) continue
      changes.push(this.#set(key, object, !source.synced))
    }
    source.end(listVersion)
    return changes
  }

  #set(key: string, after: T, initial: boolean): Change<T> {
    const before = this.#objects.get(key)
    this.#objects.set(key, after)
    this.#indexes.replace(key, before, after)
    return { type: 'set', key, ...(before === undefined ? {} : { before }), after, initial }
  }

  #delete(key: string, before: T): Change<T> {
    this.#objects.delete(key)
    this.#indexes.replace(key, before, undefined)
    return { type: 'delete', key, before, initial: false }
  }

  #sourceOf(object: T): SourceState<T> | undefined {
    return this.#sources.get('') ?? this.#sources.get(object.metadata.namespace ?? '')
  }
}

class SourceState<T extends Stored> {
  readonly #prefix: string | undefined
  /** What the list under way has named so far. */
  readonly pending = new Map<string, T>()
  /** Keys that we wrote or deleted since the list began. */
  readonly ownSinceInit = new Set<string>()
  listing = false
  synced = false
  /** The newest resourceVersion that this source's stream has passed. */
  seen: string | undefined

  constructor(namespace: string | undefined) {
    this.#prefix = namespace === undefined ? undefined : `${namespace}/`
  }

  covers(key: string): boolean {
    return this.#prefix === undefined || key.startsWith(this.#prefix)
  }

  begin(): void {
    this.pending.clear()
    this.ownSinceInit.clear()
    this.listing = true
  }

  advance(version: string): void {
    if (this.seen === undefined || newer(version, this.seen) !== false) this.seen = version
  }

  end(version: string): void {
    this.pending.clear()
    this.ownSinceInit.clear()
    this.listing = false
    this.synced = true
    // A restored server lists an older version than we have seen; from here on that one counts.
    this.seen = version
  }
}
