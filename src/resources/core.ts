/** The built-in kinds the operator touches: what it reads of them, and no more. */
import type { KubeObject, Resource } from '../cluster/port.ts'

export interface Secret extends KubeObject {
  readonly type?: string
  /** Base64 values. */
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly immutable?: boolean
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
  /** Base64 values. */
  readonly binaryData?: Readonly<Record<string, string>>
  readonly immutable?: boolean
}

export interface Namespace extends KubeObject {
  readonly spec?: { readonly finalizers?: readonly string[] }
  readonly status?: { readonly phase?: 'Active' | 'Terminating' }
}

export const secrets: Resource<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
}
export const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
}
export const namespaces: Resource<Namespace> = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
}
