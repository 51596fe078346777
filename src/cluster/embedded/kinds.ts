/** The kinds an embedded cluster knows, and what the API server would check before it stores an object of them. */
import { apiVersionOf } from '../port.ts'
import type { KubeObject, Resource } from '../port.ts'
import { ApiError } from '../errors.ts'

export type Admission =
  /** Defaulted and pruned. */
  | { readonly object: KubeObject }
  | { readonly problems: readonly { readonly field: string; readonly message: string }[] }

export interface EmbeddedKind {
  readonly resource: Resource
  /** Schema and rules of the kind: called with the object as it would be stored, and the stored one if there is one. */
  readonly admit?: ((object: KubeObject, old?: KubeObject) => Admission) | undefined
  /** Paths, as a CRD has them (`.spec.serialNumber`), that field selectors may name, besides metadata.name and metadata.namespace. */
  readonly selectableFields?: readonly string[] | undefined
}

/** Kinds of custom resources have a generation and a status subresource, and want a resourceVersion in a PUT. */
export const isCustom = (resource: Resource): boolean =>
  resource.group.includes('.') && !resource.group.endsWith('.k8s.io')

/** One word for a kind: the key of tables and events. */
export const kindId = (resource: Resource): string => `${resource.group}/${resource.plural}`

/** `databasecertificates.dbtls.dev`, as messages of the API server name a kind. */
export const qualifiedName = (resource: Resource): string =>
  resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`

export const namespaces: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
}

export class KindTable {
  readonly #kinds: ReadonlyMap<string, EmbeddedKind>

  constructor(kinds: readonly EmbeddedKind[]) {
    this.#kinds = new Map([{ resource: namespaces }, ...kinds].map((kind) => [kindId(kind.resource), kind]))
  }

  /** @throws ApiError 404 for a kind that is not in the table, as for a CRD that is not installed. */
  of(resource: Resource): EmbeddedKind {
    const kind = this.#kinds.get(kindId(resource))
    if (kind) return kind
    throw new ApiError({
      status: 404,
      reason: 'NotFound',
      message: `the embedded cluster does not know ${qualifiedName(resource)}`,
    })
  }

  byId(id: string): EmbeddedKind | undefined {
    return this.#kinds.get(id)
  }

  /** By what an ownerReference says. */
  byReference(reference: { readonly apiVersion: string; readonly kind: string }): EmbeddedKind | undefined {
    return [...this.#kinds.values()].find(
      ({ resource }) => resource.kind === reference.kind && apiVersionOf(resource) === reference.apiVersion,
    )
  }
}
