/**
 * The port between the controllers and whatever keeps the objects: a Kubernetes API server or the embedded store.
 * Both adapters give the semantics of the Kubernetes API (resourceVersions, server-side apply, status subresource,
 * finalizers, garbage collection), so that a controller cannot tell them apart; test/conformance holds them to it.
 */

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  /** Opaque for equality; `compareResourceVersions` gives an order where the server promises one. */
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** What a metadata-only read returns: a KubeObject without spec, status or data. */
export type PartialObject = KubeObject

declare const objectType: unique symbol

/** Names one kind at the API; the type parameter is the shape of its objects. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly [objectType]?: T
}

export const apiVersionOf = (resource: Resource): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

export interface ObjectKey {
  /** undefined for cluster-scoped kinds. */
  readonly namespace?: string | undefined
  readonly name: string
}

export interface ObjectList<T> {
  readonly resourceVersion: string
  /** Present while more pages follow. */
  readonly continue?: string
  readonly items: readonly T[]
}

export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Ask for metadata alone (PartialObjectMetadata). */
  readonly metadataOnly?: boolean
}

export interface ListOptions extends ReadOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: 'NotOlderThan' | 'Exact'
}

export interface WatchOptions extends Omit<ListOptions, 'limit' | 'continue'> {
  /** Server-side end of the stream, in seconds. */
  readonly timeoutSeconds?: number
  /** WatchList: first the present state as ADDED, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean
}

/** An ERROR event of the stream is thrown as ApiError by the iterator. The iterator ends when the server closes the stream. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }

export interface WriteOptions {
  readonly fieldManager: string
  /** Answer with metadata alone: what was sent is known, and a Secret need not travel twice. */
  readonly metadataOnly?: boolean
  readonly signal?: AbortSignal
  readonly dryRun?: boolean
}

export interface ApplyOptions extends WriteOptions {
  /** Take fields over from other managers instead of answering 409. */
  readonly force?: boolean
  /**
   * Refuse an object that exists with 409 AlreadyExists. Unlike `create`, the new object's fields belong to an Apply
   * manager, so that a later apply that leaves a field out removes it. uid and resourceVersion in the object are ignored.
   */
  readonly createOnly?: boolean
}

export interface DeleteOptions {
  /** The object must still be this one; otherwise 409. */
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly signal?: AbortSignal
}

/**
 * Every method rejects with ApiError (errors.ts). Writes are ambiguous when they fail without an answer
 * (`ApiError.ambiguous`): the caller reads live before it does anything that must not happen twice.
 */
export interface Cluster {
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options?: ReadOptions): Promise<T>
  /** One page. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** 409 AlreadyExists when the name is taken. */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T>
  /** PUT; `metadata.resourceVersion`, where given, is a precondition. */
  update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T>
  /**
   * PUT of the status subresource: only `status` is taken; apiVersion, kind, metadata {name, namespace, uid,
   * resourceVersion} and status suffice. resourceVersion is required (422 without, measured on 1.36) and, like uid, a precondition.
   */
  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions): Promise<T>
  /**
   * Server-side apply. With `metadata.uid` and `metadata.resourceVersion` in the object, they are preconditions, and a
   * missing object is a 409 instead of being created anew; `createOnly` refuses an existing one.
   */
  apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions): Promise<T>
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<void>
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of queues and stores. */
export const keyOf = (object: { readonly metadata: ObjectMeta }): string =>
  object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`

/**
 * Orders resourceVersions, which are integers on every supported server (Kubernetes ≥ 1.35 promises it).
 * Returns undefined where one of the two is not an integer: then only equality is known.
 */
export const compareResourceVersions = (a: string, b: string): number | undefined => {
  if (!/^[0-9]+$/.test(a) || !/^[0-9]+$/.test(b)) return a === b ? 0 : undefined
  if (a.length !== b.length) return a.length < b.length ? -1 : 1
  return a < b ? -1 : a > b ? 1 : 0
}
