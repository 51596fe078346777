/**
 * What a write does, synchronously and inside a transaction: preconditions, ownership, admission, generation,
 * finalizers. Refusals are thrown as ApiError; changes are collected for the watchers.
 */
import type { Clock } from '../../runtime/clock.ts'
import { ApiError } from '../errors.ts'
import { apiVersionOf } from '../port.ts'
import type { DeleteOptions, KubeObject, ObjectKey } from '../port.ts'
import { alreadyExists, badRequest, invalid, notFound } from './answers.ts'
import { dataCauses, normalise, withDefaults } from './data-kinds.ts'
import type { JsonRecord } from './json.ts'
import { cleanRecord, deepFreeze, member, parseRecord, sameJson, without } from './json.ts'
import type { EmbeddedKind, KindTable } from './kinds.ts'
import { isCustom, kindId, namespaces } from './kinds.ts'
import { afterUpdate, applyFields, decodeManagers, encodeManagers, ownable } from './managers.ts'
import type { Managers } from './managers.ts'
import { metadataCauses } from './metadata.ts'
import type { Row, RowKey, Storage } from './storage.ts'
import { checkApplied, checkPreconditions, newFinalizers } from './preconditions.ts'
import {
  asObject,
  asRecord,
  foregroundFinalizer,
  isForeground,
  listAt,
  metadataOf,
  ownersOf,
  specOf,
  text,
  uidsOf,
  withMetadata,
  withOwners,
} from './stored.ts'
import type { Stored } from './stored.ts'
import type { Change } from './watches.ts'

const maxBodyBytes = 3 * 1024 * 1024

export interface WritesInit {
  readonly storage: Storage
  readonly kinds: KindTable
  readonly clock: Clock
  readonly newUid: () => string
}

export class Writes {
  readonly #storage: Storage
  readonly #kinds: KindTable
  readonly #clock: Clock
  readonly #newUid: () => string
  /** Of the transaction that runs; the cluster takes them when it is committed. */
  #changes: Change[] = []

  constructor({ storage, kinds, clock, newUid }: WritesInit) {
    this.#storage = storage
    this.#kinds = kinds
    this.#clock = clock
    this.#newUid = newUid
  }

  takeChanges(): Change[] {
    return this.#changes.splice(0)
  }

  /** Runs one write; when it throws, or is a dry run, nothing of it stays. */
  part<T>(dryRun: boolean, work: () => T): T {
    const mark = this.#changes.length
    let done = false
    try {
      const result = this.#storage.part(work, !dryRun)
      done = !dryRun
      return result
    } finally {
      if (!done) this.#changes.length = mark
    }
  }

  find(kind: EmbeddedKind, key: ObjectKey): Stored | undefined {
    const row = this.#storage.get({ kind: kindId(kind.resource), namespace: key.namespace ?? '', name: key.name })
    return row && this.decode(row)
  }

  decode(row: Row): Stored {
    return { row, object: parseRecord(row.object), managers: decodeManagers(row.managers) }
  }

  create(kind: EmbeddedKind, input: KubeObject, manager: string): JsonRecord {
    const object = this.#read(kind, input)
    const key = this.#keyOf(kind, object)
    if (text(metadataOf(object), 'resourceVersion'))
      throw badRequest('resourceVersion should not be set on objects to be created')
    if (this.find(kind, key)) throw alreadyExists(kind.resource, key.name)
    const next = this.#complete(kind, undefined, ownable(object), key)
    return this.#store(kind, undefined, next, (stored) => afterUpdate(new Map(), manager, undefined, stored))
  }

  update(kind: EmbeddedKind, input: KubeObject, manager: string): JsonRecord {
    const object = this.#read(kind, input)
    const live = this.#liveFor(kind, object)
    const next = this.#complete(kind, live, ownable(object), live.row)
    return this.#store(kind, live, next, (stored) => afterUpdate(live.managers, manager, live.object, stored))
  }

  updateStatus(kind: EmbeddedKind, input: KubeObject): JsonRecord {
    if (!isCustom(kind.resource)) throw notFound(kind.resource, `${input.metadata.name}/status`)
    const object = this.#read(kind, input)
    const live = this.#liveFor(kind, object)
    const status = member(object, 'status')
    const rest = without(live.object, 'status')
    return this.#store(kind, live, status === undefined ? rest : { ...rest, status }, () => live.managers)
  }

  apply(
    kind: EmbeddedKind,
    input: KubeObject,
    { manager, force, createOnly }: { manager: string; force: boolean; createOnly: boolean },
  ): JsonRecord {
    const applied = this.#read(kind, input)
    const key = this.#keyOf(kind, applied)
    const live = this.find(kind, key)
    if (live && createOnly) throw alreadyExists(kind.resource, key.name)
    if (!createOnly) checkApplied(kind, key.name, metadataOf(applied), live)
    const result = applyFields(live?.object, live?.managers ?? new Map(), applied, manager, force)
    const next = this.#complete(kind, live, result.object, key)
    return this.#store(kind, live, next, () => result.managers)
  }

  delete(kind: EmbeddedKind, key: ObjectKey, options: DeleteOptions): void {
    const live = this.find(kind, key)
    if (!live) throw notFound(kind.resource, key.name)
    checkPreconditions(kind, live, options)
    if (options.propagationPolicy === 'Orphan') this.#orphan(live)
    if (kindId(kind.resource) === kindId(namespaces)) this.#emptyNamespace(key.name)
    const metadata = metadataOf(live.object)
    const finalizers = listAt(metadata, 'finalizers')
    const waits = options.propagationPolicy === 'Foreground' && this.#storage.dependents(live.row.uid).length > 0
    if (finalizers.length === 0 && !waits) {
      this.#remove(live)
      return
    }
    if (text(metadata, 'deletionTimestamp')) return
    const generation = member(metadata, 'generation')
    this.#put(kind, live, {
      ...live.object,
      metadata: {
        ...metadata,
        ...(typeof generation === 'number' ? { generation: generation + 1 } : {}),
        deletionTimestamp: this.#timestamp(),
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
    return isForeground(this.decode(row).object) ? 'deletingDependents' : 'present'
  }

  /** Whether `collect` would do something: asked outside a transaction, so that ordinary children cost no write. */
  collectable(key: RowKey): boolean {
    const row = this.#storage.get(key)
    if (!row) return false
    const { object } = this.decode(row)
    return isForeground(object) || ownersOf(object).some((owner) => this.#owner(owner, row.namespace) !== 'present')
  }

  /** Garbage collection of one object: deleted when none of its owners is left, else without the dangling references. */
  collect(key: RowKey): void {
    const row = this.#storage.get(key)
    const kind = this.#kinds.byId(key.kind)
    if (!row || !kind) return
    const stored = this.decode(row)
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
    if (left.length < owners.length) this.#put(kind, stored, withOwners(stored.object, left))
  }

  #finishForeground(kind: EmbeddedKind, stored: Stored): void {
    if (!isForeground(stored.object) || this.#storage.dependents(stored.row.uid).length > 0) return
    const metadata = metadataOf(stored.object)
    const finalizers = listAt(metadata, 'finalizers').filter((finalizer) => finalizer !== foregroundFinalizer)
    if (finalizers.length === 0) this.#remove(stored)
    else this.#put(kind, stored, withMetadata(stored.object, { ...metadata, finalizers }))
  }

  #orphan(owner: Stored): void {
    for (const key of this.#storage.dependents(owner.row.uid)) {
      const row = this.#storage.get(key)
      const kind = this.#kinds.byId(key.kind)
      if (!row || !kind) continue
      const child = this.decode(row)
      const left = ownersOf(child.object).filter((reference) => text(reference, 'uid') !== owner.row.uid)
      this.#put(kind, child, withOwners(child.object, left))
    }
  }

  #emptyNamespace(name: string): void {
    for (const key of this.#storage.inNamespace(name)) {
      const kind = this.#kinds.byId(key.kind)
      if (kind) this.delete(kind, key, {})
    }
  }

  /** A clean copy of what came in. @throws ApiError 400 or 413 for what is no object of this kind. */
  #read(kind: EmbeddedKind, input: KubeObject): JsonRecord {
    const object = cleanRecord(asRecord(input))
    const { resource } = kind
    if (member(object, 'kind') !== resource.kind || member(object, 'apiVersion') !== apiVersionOf(resource))
      throw badRequest(`the object is not a ${apiVersionOf(resource)} ${resource.kind}`)
    if (JSON.stringify(object).length > maxBodyBytes)
      throw new ApiError({
        status: 413,
        reason: 'RequestEntityTooLarge',
        message: `Request entity too large: limit is ${maxBodyBytes}`,
      })
    return normalise(resource, object)
  }

  #keyOf(kind: EmbeddedKind, object: JsonRecord): ObjectKey {
    const metadata = metadataOf(object)
    const causes = metadataCauses(kind.resource, metadata).filter(({ field }) => field === 'metadata.name')
    const name = text(metadata, 'name') ?? ''
    if (causes.length > 0) throw invalid(kind.resource, name, causes)
    if (!kind.resource.namespaced) return { name }
    const namespace = text(metadata, 'namespace')
    if (namespace === undefined) throw badRequest(`a ${kind.resource.kind} needs metadata.namespace`)
    return { namespace, name }
  }

  /** The live object of a PUT, its preconditions checked. */
  #liveFor(kind: EmbeddedKind, object: JsonRecord): Stored {
    const key = this.#keyOf(kind, object)
    const live = this.find(kind, key)
    if (!live) throw notFound(kind.resource, key.name)
    const resourceVersion = text(metadataOf(object), 'resourceVersion')
    const uid = text(metadataOf(object), 'uid')
    if (resourceVersion === undefined && isCustom(kind.resource))
      throw invalid(kind.resource, key.name, [
        {
          reason: 'FieldValueInvalid',
          field: 'metadata.resourceVersion',
          message: 'Invalid value: 0: must be specified for an update',
        },
      ])
    checkPreconditions(kind, live, { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) })
    return live
  }

  /** The whole object from its owned part: the server's metadata, the status as it was. */
  #complete(kind: EmbeddedKind, live: Stored | undefined, owned: JsonRecord, key: ObjectKey): JsonRecord {
    const before = live ? metadataOf(live.object) : undefined
    const system = before ?? {
      name: key.name,
      ...(key.namespace ? { namespace: key.namespace } : {}),
      uid: this.#newUid(),
      ...(isCustom(kind.resource) ? { generation: 1 } : {}),
      creationTimestamp: this.#timestamp(),
    }
    const status = live && member(live.object, 'status')
    return {
      apiVersion: apiVersionOf(kind.resource),
      kind: kind.resource.kind,
      metadata: {
        ...without(system, 'labels', 'annotations', 'ownerReferences', 'finalizers'),
        ...metadataOf(owned),
      },
      ...without(owned, 'metadata'),
      ...(status === undefined ? {} : { status }),
    }
  }

  #store(
    kind: EmbeddedKind,
    live: Stored | undefined,
    wanted: JsonRecord,
    managersOf: (stored: JsonRecord) => Managers,
  ): JsonRecord {
    const next = this.#admit(kind, live, wanted)
    const managers = managersOf(next)
    const metadata = metadataOf(next)
    if (!live) {
      this.#ensureNamespace(kind, text(metadata, 'namespace'))
      return this.#put(kind, undefined, next, managers)
    }
    if (text(metadata, 'deletionTimestamp') && listAt(metadata, 'finalizers').length === 0)
      return this.#remove({ ...live, object: next })
    if (sameJson(next, live.object) && encodeManagers(managers) === live.row.managers) return live.object
    const generation = member(metadataOf(live.object), 'generation')
    const specChanged = !sameJson(specOf(next), specOf(live.object))
    const bumped =
      typeof generation === 'number' && specChanged
        ? withMetadata(next, { ...metadata, generation: generation + 1 })
        : next
    return this.#put(kind, live, bumped, managers)
  }

  /** Defaults and every rule. @throws ApiError 422 that names each field. */
  #admit(kind: EmbeddedKind, live: Stored | undefined, wanted: JsonRecord): JsonRecord {
    const { resource } = kind
    const defaulted = withDefaults(resource, wanted)
    const metadata = metadataOf(defaulted)
    const causes = [
      ...metadataCauses(resource, metadata),
      ...newFinalizers(metadata, live),
      ...dataCauses(resource, defaulted, live?.object),
    ]
    const name = text(metadata, 'name') ?? ''
    const verdict = kind.admit?.(asObject(defaulted), live === undefined ? undefined : asObject(live.object))
    if (verdict && 'problems' in verdict)
      causes.push(...verdict.problems.map(({ field, message }) => ({ reason: 'FieldValueInvalid', field, message })))
    if (causes.length > 0) throw invalid(resource, name, causes)
    if (!verdict || !('object' in verdict)) return defaulted
    return withMetadata(cleanRecord(asRecord(verdict.object)), metadata)
  }

  #ensureNamespace(kind: EmbeddedKind, namespace: string | undefined): void {
    if (namespace === undefined || !kind.resource.namespaced) return
    const space = this.#kinds.of(namespaces)
    if (this.find(space, { name: namespace })) return
    const labels = { 'kubernetes.io/metadata.name': namespace }
    const object = this.#complete(space, undefined, { metadata: { labels } }, { name: namespace })
    this.#put(space, undefined, { ...object, status: { phase: 'Active' } }, new Map())
  }

  #put(
    kind: EmbeddedKind,
    live: Stored | undefined,
    object: JsonRecord,
    managers: Managers = live?.managers ?? new Map(),
  ): JsonRecord {
    const version = this.#storage.nextVersion()
    const metadata = { ...metadataOf(object), resourceVersion: String(version) }
    const stored = withMetadata(object, metadata)
    const row: Row = {
      kind: kindId(kind.resource),
      namespace: text(metadata, 'namespace') ?? '',
      name: text(metadata, 'name') ?? '',
      uid: text(metadata, 'uid') ?? '',
      version,
      object: JSON.stringify(stored),
      managers: encodeManagers(managers),
    }
    this.#storage.put(row, uidsOf(ownersOf(stored)))
    this.#record(row, version, stored, live?.object, false)
    return stored
  }

  /** The object goes; it is returned as it was last, with the version of the deletion. */
  #remove(stored: Stored): JsonRecord {
    const version = this.#storage.nextVersion()
    const { row, object } = stored
    this.#storage.remove(row)
    const last = withMetadata(object, { ...metadataOf(object), resourceVersion: String(version) })
    this.#record(row, version, last, object, true)
    return last
  }

  #record(
    { kind, namespace }: RowKey,
    version: number,
    object: JsonRecord,
    before: JsonRecord | undefined,
    deleted: boolean,
  ) {
    this.#changes.push({ kind, namespace, version, object: deepFreeze(cleanRecord(object)), before, deleted })
  }

  #timestamp(): string {
    return `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`
  }
}
