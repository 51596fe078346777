/**
 * Who owns which field, and what a write does to it. An applier and an updater of the same name are two managers,
 * as on the API server.
 */
import { ApiError } from '../errors.ts'
import type { FieldSet } from './fields.ts'
import {
  changedFields,
  decodeFields,
  difference,
  encodeFields,
  leavesOf,
  mergeApplied,
  missingFrom,
  pathsOf,
  removeFields,
  union,
  untouchedBy,
  within,
} from './fields.ts'
import type { JsonRecord } from './json.ts'
import { isRecord, member, parseRecord, without } from './json.ts'

/** Keys are `Apply:<name>` and `Update:<name>`. */
export type Managers = ReadonlyMap<string, FieldSet>

const serverMetadata = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
]

/** The part of an object that managers own: without what the server writes, without status. */
export const ownable = (object: JsonRecord): JsonRecord => {
  const metadata = member(object, 'metadata')
  const own = isRecord(metadata) ? without(metadata, ...serverMetadata) : {}
  const rest = without(object, 'apiVersion', 'kind', 'metadata', 'status')
  return Object.keys(own).length === 0 ? rest : { ...rest, metadata: own }
}

const withSet = (managers: Managers, name: string, fields: FieldSet): Managers => {
  const out = new Map(managers)
  if (fields.size === 0) out.delete(name)
  else out.set(name, fields)
  return out
}

const takeFromOthers = (managers: Managers, keeper: string, fields: FieldSet): Managers => {
  let out = managers
  for (const [name, owned] of managers) if (name !== keeper) out = withSet(out, name, difference(owned, fields))
  return out
}

/** Ownership after a create or a PUT: the writer owns what it changed, nobody else does any more. */
export const afterUpdate = (
  managers: Managers,
  manager: string,
  before: JsonRecord | undefined,
  after: JsonRecord,
): Managers => {
  const now = ownable(after)
  const changed = changedFields(before && ownable(before), now)
  if (!changed) return managers
  const name = `Update:${manager}`
  const others = takeFromOthers(managers, name, changed)
  const kept = difference(managers.get(name) ?? new Map(), changed)
  const own = union(kept, within(leavesOf(now), changed))
  return withSet(others, name, own)
}

export interface AppliedObject {
  /** What `ownable` gives, merged. */
  readonly object: JsonRecord
  readonly managers: Managers
}

/**
 * Server-side apply of `applied` over `live`.
 * @throws ApiError 409 Conflict, one cause per field, where others own a field with another value and `force` is not set.
 */
export const applyFields = (
  live: JsonRecord | undefined,
  managers: Managers,
  applied: JsonRecord,
  manager: string,
  force: boolean,
): AppliedObject => {
  const name = `Apply:${manager}`
  const before = live ? ownable(live) : {}
  const wanted = ownable(applied)
  const fields = leavesOf(wanted)
  const changed = changedFields(before, mergeApplied(before, wanted)) ?? new Map<string, FieldSet>()
  const conflicts = [...managers].flatMap(([other, owned]) =>
    other === name ? [] : pathsOf(within(owned, changed)).map((field) => ({ other, field })),
  )
  if (conflicts.length > 0 && !force) throw conflict(conflicts)
  const others = takeFromOthers(managers, name, changed)
  let dropped = missingFrom(managers.get(name) ?? new Map(), fields)
  for (const [other, owned] of others) if (other !== name) dropped = untouchedBy(dropped, owned)
  const kept = dropped.size === 0 ? before : (removeFields(before, dropped) ?? {})
  const object = mergeApplied(kept, wanted)
  return { object: isRecord(object) ? object : {}, managers: withSet(others, name, fields) }
}

const conflict = (conflicts: readonly { readonly other: string; readonly field: string }[]): ApiError =>
  new ApiError({
    status: 409,
    reason: 'Conflict',
    message: `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}: ${conflicts
      .map(({ other, field }) => `conflict with "${other.slice(other.indexOf(':') + 1)}": ${field}`)
      .join(', ')}`,
    causes: conflicts.map(({ other, field }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${other.slice(other.indexOf(':') + 1)}"`,
      field,
    })),
  })

export const encodeManagers = (managers: Managers): string =>
  JSON.stringify(
    Object.fromEntries(
      [...managers]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, fields]) => [name, encodeFields(fields)] as const),
    ),
  )

export const decodeManagers = (text: string): Managers =>
  new Map(
    Object.entries(parseRecord(text)).map(([name, fields]) => [
      name,
      isRecord(fields) ? decodeFields(fields) : new Map<string, FieldSet>(),
    ]),
  )
