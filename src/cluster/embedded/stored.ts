/** Looking into stored objects. */
import type { KubeObject } from '../port.ts'
import type { Json, JsonRecord } from './json.ts'
import { isList, isRecord, member, without } from './json.ts'
import type { Managers } from './managers.ts'
import type { Row } from './storage.ts'

export const foregroundFinalizer = 'foregroundDeletion'

/** A stored object, decoded. */
export interface Stored {
  readonly row: Row
  readonly object: JsonRecord
  readonly managers: Managers
}

/** A stored record as the port types it; what is stored has been admitted, so that it is an object of its kind. */
export const asObject = (record: JsonRecord): KubeObject => record as unknown as KubeObject

/** The other way: every object of the port is JSON. */
export const asRecord = (object: KubeObject): JsonRecord => object as unknown as JsonRecord

export const metadataOf = (object: JsonRecord): JsonRecord => {
  const metadata = member(object, 'metadata')
  return isRecord(metadata) ? metadata : {}
}

export const text = (record: JsonRecord, key: string): string | undefined => {
  const value = member(record, key)
  return typeof value === 'string' && value !== '' ? value : undefined
}

export const listAt = (record: JsonRecord, key: string): readonly Json[] => {
  const value = member(record, key)
  return isList(value) ? value : []
}

export const ownersOf = (object: JsonRecord): readonly JsonRecord[] =>
  listAt(metadataOf(object), 'ownerReferences').filter(isRecord)

export const uidsOf = (owners: readonly JsonRecord[]): string[] => owners.flatMap((owner) => text(owner, 'uid') ?? [])

export const withMetadata = (object: JsonRecord, metadata: JsonRecord): JsonRecord => ({ ...object, metadata })

export const specOf = (object: JsonRecord): JsonRecord => without(object, 'metadata', 'status')

/** Being deleted, and waiting for its dependents to go first. */
export const isForeground = (object: JsonRecord): boolean => {
  const metadata = metadataOf(object)
  return (
    text(metadata, 'deletionTimestamp') !== undefined && listAt(metadata, 'finalizers').includes(foregroundFinalizer)
  )
}

export const withOwners = (object: JsonRecord, owners: readonly JsonRecord[]): JsonRecord => {
  const metadata = metadataOf(object)
  const rest = without(metadata, 'ownerReferences')
  return withMetadata(object, owners.length === 0 ? rest : { ...rest, ownerReferences: owners })
}
