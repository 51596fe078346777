/** What a custom resource is beside its fields: its names, its columns, its rules over the whole object. */
import type { z } from 'zod'
import type { KubeObject, Resource } from '../cluster/port.ts'
import type { Rule } from './rule.ts'

export const group = 'dbtls.dev'
export const version = 'v1alpha1'

export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: number
  readonly description?: string
}

export interface CustomKind<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly description: string
  readonly spec: z.ZodObject
  readonly status: z.ZodObject
  /** Where the name stands in label values. Default: 253, Kubernetes' own limit. */
  readonly nameMaxLength?: number
  /** Rules over the whole object; `self.metadata` shows its name alone. */
  readonly rules: readonly Rule[]
  readonly columns: readonly PrinterColumn[]
  /** JSON paths a field selector may name. */
  readonly selectableFields: readonly string[]
}

export const resourceOf = <T extends KubeObject>(kind: string, plural: string): Resource<T> => ({
  group,
  version,
  plural,
  kind,
  namespaced: true,
})

export const readyColumn: PrinterColumn = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
}
export const reasonColumn: PrinterColumn = {
  name: 'Reason',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
}
export const messageColumn: PrinterColumn = {
  name: 'Message',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  priority: 1,
}
export const ageColumn: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
