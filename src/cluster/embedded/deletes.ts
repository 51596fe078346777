/** Deletion: finalizers, propagation, and the garbage collector that follows owner references. */
import type { DeleteOptions, ObjectKey } from '../port.ts'
import { notFound } from './answers.ts'
import type { JsonRecord } from './json.ts'
import { member } from './json.ts'
import type { EmbeddedKind, KindTable } from './kinds.ts'
import { kindId, namespaces } from './kinds.ts'
import type { Objects } from './objects.ts'
import { checkPreconditions } from './preconditions.ts'
import type { RowKey, Storage } from './storage.ts'
import {
  foregroundFinalizer,
  isForeground,
  listAt,
  metadataOf,
  ownersOf,
  text,
  withMetadata,
  withOwners,
} from './stored.ts'
import type { Stored } from './stored.ts'

export class Deletes {
  readonly #objects: Objects
  readonly #storage: Storage
  readonly #kinds: KindTable

  constructor(objects: Objects, kinds: KindTable) {
    this.#objects = objects
    this.#storage = objects.storage
    this.#kinds = kinds
  }

  delete(kind: EmbeddedKind, key: ObjectKey, options: DeleteOptions): void {
    const live = this.#objects.find(kind, key)
    if (!live) throw notFound(kind.resource, key.name)
    checkPreconditions(kind, live, options)
    if (options.propagationPolicy === 'Orphan') this.#orphan(live)
    if (kindId(kind.resource) === kindId(namespaces)) this.#emptyNamespace(key.name)
    const metadata = metadataOf(live.object)
    const finalizers = listAt(metadata, 'finalizers')
    const waits = options.propagationPolicy === 'Foreground' && this.#storage.dependents(live.row.uid).length > 0
    if (finalizers.length === 0 && !waits) {
      this.#objects.remove(live)
      return
    }
    if (text(metadata, 'deletionTimestamp')) return
    const generation = member(metadata, 'generation')
    this.#objects.put(kind, live, {
      ...live.object,
      metadata: {
        ...metadata,
        ...(typeof generation === 'number' ? { generation: generation + 1 } : {}),
        deletionTimestamp: this.#objects.timestamp(),
        deletionGracePeriodSeconds: 0,
        ...(waits ? { finalizers: [...finalizers, foregroundFinalizer] } : {}),
      },
    })
  }

  /** Whether the garbage collector may still count on this owner of an object in `namespace`. */
  #owner(reference: JsonRecord, namespace: string): 'present' | 'absent' | 'deletingDependents' {
    const kind = this.#kinds.byReference({
      apiVersion: text(reference, 'apiVersion') ?? '',
      kind: text(reference, 'kind') ?? '',
    })
    // The real collector cannot map an unknown kind either, and then leaves the object alone.
    if (!kind) return 'present'
    const row = this.#storage.byUid(text(reference, 'uid') ?? '')
    if (!row || row.kind !== kindId(kind.resource) || row.name !== text(reference, 'name')) return 'absent'
    if (row.namespace !== '' && row.namespace !== namespace) return 'absent'
    return isForeground(this.#objects.decode(row).object) ? 'deletingDependents' : 'present'
  }

  /** Whether `collect` would do something: asked outside a transaction, so that ordinary children cost no write. */
  collectable(key: RowKey): boolean {
    const row = this.#storage.get(key)
    if (!row) return false
    const { object } = this.#objects.decode(row)
    return isForeground(object) || ownersOf(object).some((owner) => this.#owner(owner, row.namespace) !== 'present')
  }

  /** Garbage collection of one object: deleted when none of its owners is left, else without the dangling references. */
  collect(key: RowKey): void {
    const row = this.#storage.get(key)
    const kind = this.#kinds.byId(key.kind)
    if (!row || !kind) return
    const stored = this.#objects.decode(row)
    this.#finishForeground(kind, stored)
    const owners = ownersOf(stored.object)
    if (owners.length === 0) return
    const kept = owners.filter((owner) => this.#owner(owner, row.namespace) === 'present')
    if (kept.length === owners.length) return
    if (kept.length === 0) {
      this.delete(kind, { namespace: row.namespace, name: row.name }, { uid: row.uid })
      return
    }
    // Those in foreground deletion keep their reference: they wait for it.
    const left = owners.filter((owner) => this.#owner(owner, row.namespace) !== 'absent')
    if (left.length < owners.length) this.#objects.put(kind, stored, withOwners(stored.object, left))
  }

  #finishForeground(kind: EmbeddedKind, stored: Stored): void {
    if (!isForeground(stored.object) || this.#storage.dependents(stored.row.uid).length > 0) return
    const metadata = metadataOf(stored.object)
    const finalizers = listAt(metadata, 'finalizers').filter((finalizer) => finalizer !== foregroundFinalizer)
    if (finalizers.length === 0) this.#objects.remove(stored)
    else this.#objects.put(kind, stored, withMetadata(stored.object, { ...metadata, finalizers }))
  }

  #orphan(owner: Stored): void {
    for (const key of this.#storage.dependents(owner.row.uid)) {
      const row = this.#storage.get(key)
      const kind = this.#kinds.byId(key.kind)
      if (!row || !kind) continue
      const child = this.#objects.decode(row)
      const left = ownersOf(child.object).filter((reference) => text(reference, 'uid') !== owner.row.uid)
      this.#objects.put(kind, child, withOwners(child.object, left))
    }
  }

  #emptyNamespace(name: string): void {
    for (const key of this.#storage.inNamespace(name)) {
      const kind = this.#kinds.byId(key.kind)
      if (kind) this.delete(kind, key, {})
    }
  }
}
