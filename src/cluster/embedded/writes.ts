/**
 * What a write does, synchronously and inside a transaction: preconditions, ownership, admission, generation.
 * Refusals are thrown as ApiError.
 */
import { ApiError } from '../errors.ts'
import { apiVersionOf } from '../port.ts'
import type { KubeObject, ObjectKey } from '../port.ts'
import { alreadyExists, badRequest, invalid, notFound } from './answers.ts'
import { dataCauses, normalise, withDefaults } from './data-kinds.ts'
import type { JsonRecord } from './json.ts'
import { cleanRecord, member, sameJson, without } from './json.ts'
import type { EmbeddedKind, KindTable } from './kinds.ts'
import { isCustom, namespaces } from './kinds.ts'
import { afterUpdate, applyFields, encodeManagers, ownable } from './managers.ts'
import type { Managers } from './managers.ts'
import { metadataCauses } from './metadata.ts'
import type { Objects } from './objects.ts'
import { checkApplied, checkPreconditions, newFinalizers } from './preconditions.ts'
import { asObject, asRecord, listAt, metadataOf, specOf, text, withMetadata } from './stored.ts'
import type { Stored } from './stored.ts'

const maxBodyBytes = 3 * 1024 * 1024

export class Writes {
  readonly #objects: Objects
  readonly #kinds: KindTable
  readonly #newUid: () => string

  constructor(objects: Objects, kinds: KindTable, newUid: () => string) {
    this.#objects = objects
    this.#kinds = kinds
    this.#newUid = newUid
  }

  create(kind: EmbeddedKind, input: KubeObject, manager: string): JsonRecord {
    const object = this.#read(kind, input)
    const key = this.#keyOf(kind, object)
    if (text(metadataOf(object), 'resourceVersion'))
      throw badRequest('resourceVersion should not be set on objects to be created')
    if (this.#objects.find(kind, key)) throw alreadyExists(kind.resource, key.name)
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
    const live = this.#objects.find(kind, key)
    if (live && createOnly) throw alreadyExists(kind.resource, key.name)
    if (!createOnly) checkApplied(kind, key.name, metadataOf(applied), live)
    const result = applyFields(live?.object, live?.managers ?? new Map(), applied, manager, force)
    const next = this.#complete(kind, live, result.object, key)
    return this.#store(kind, live, next, () => result.managers)
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
    const live = this.#objects.find(kind, key)
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
      creationTimestamp: this.#objects.timestamp(),
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
      return this.#objects.put(kind, undefined, next, managers)
    }
    if (text(metadata, 'deletionTimestamp') && listAt(metadata, 'finalizers').length === 0)
      return this.#objects.remove({ ...live, object: next })
    if (sameJson(next, live.object) && encodeManagers(managers) === live.row.managers) return live.object
    const generation = member(metadataOf(live.object), 'generation')
    const specChanged = !sameJson(specOf(next), specOf(live.object))
    const bumped =
      typeof generation === 'number' && specChanged
        ? withMetadata(next, { ...metadata, generation: generation + 1 })
        : next
    return this.#objects.put(kind, live, bumped, managers)
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
    if (this.#objects.find(space, { name: namespace })) return
    const labels = { 'kubernetes.io/metadata.name': namespace }
    const object = this.#complete(space, undefined, { metadata: { labels } }, { name: namespace })
    this.#objects.put(space, undefined, { ...object, status: { phase: 'Active' } }, new Map())
  }
}
