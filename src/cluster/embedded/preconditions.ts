/** Conditions under which a write is refused because of what is stored. */
import type { StatusCause } from '../errors.ts'
import { conflict, invalid, modified } from './answers.ts'
import type { JsonRecord } from './json.ts'
import type { EmbeddedKind } from './kinds.ts'
import { listAt, metadataOf, text } from './stored.ts'
import type { Stored } from './stored.ts'

export const newFinalizers = (metadata: JsonRecord, live: Stored | undefined): StatusCause[] => {
  if (!live || text(metadata, 'deletionTimestamp') === undefined) return []
  const before = listAt(metadataOf(live.object), 'finalizers')
  if (listAt(metadata, 'finalizers').every((finalizer) => before.includes(finalizer))) return []
  const message = 'Forbidden: no new finalizers can be added if the object is being deleted'
  return [{ reason: 'FieldValueForbidden', field: 'metadata.finalizers', message }]
}

export const checkPreconditions = (
  kind: EmbeddedKind,
  live: Stored,
  { uid, resourceVersion }: { readonly uid?: string; readonly resourceVersion?: string },
): void => {
  const { resource } = kind
  if (uid !== undefined && uid !== live.row.uid)
    throw conflict(
      resource,
      live.row.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.row.uid}`,
    )
  if (resourceVersion !== undefined && resourceVersion !== String(live.row.version))
    throw modified(resource, live.row.name)
}

/** uid and resourceVersion in an applied object are preconditions, each in its own way (see Cluster.apply). */
export const checkApplied = (
  kind: EmbeddedKind,
  name: string,
  metadata: JsonRecord,
  live: Stored | undefined,
): void => {
  const uid = text(metadata, 'uid')
  const resourceVersion = text(metadata, 'resourceVersion')
  if (!live) {
    if (uid === undefined) return
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
    throw conflict(kind.resource, name, why)
  }
  if (resourceVersion !== undefined && resourceVersion !== String(live.row.version)) throw modified(kind.resource, name)
  if (uid === undefined || uid === live.row.uid) return
  const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`
  throw invalid(kind.resource, name, [{ reason: 'FieldValueInvalid', field: 'metadata.uid', message }])
}
