/**
 * Field sets of server-side apply: which leaves of an object a manager owns, and the merge that follows from it
 * (sigs.k8s.io/structured-merge-diff). Maps are granular; `metadata.ownerReferences` is a list keyed by uid,
 * `metadata.finalizers` a set; every other list is atomic, one leaf.
 */
import type { Json, JsonRecord } from './json.ts'
import { isList, isRecord, member, sameJson, textOf } from './json.ts'

/** Children by path segment: `f:<member>`, `k:<list key>`, `v:<set value>`. A leaf has none. */
export type FieldSet = ReadonlyMap<string, FieldSet>
type MutableFieldSet = Map<string, MutableFieldSet>

const leaf: FieldSet = new Map<string, FieldSet>()

/** The children of a granular value by segment, or undefined where the value is one leaf. */
const childrenOf = (value: Json | undefined, path: string): Map<string, Json> | undefined => {
  if (isRecord(value)) {
    const entries = Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined)
    return entries.length === 0 ? undefined : new Map(entries.map(([key, inner]) => [`f:${key}`, inner]))
  }
  if (!isList(value) || value.length === 0) return undefined
  if (path === '/f:metadata/f:finalizers') return new Map(value.map((item) => [`v:${textOf(item)}`, item]))
  if (path === '/f:metadata/f:ownerReferences')
    return new Map(value.map((item, i) => [`k:${isRecord(item) ? textOf(member(item, 'uid')) : String(i)}`, item]))
  return undefined
}

/** Puts children back together in the form of `model`, which is the list or record they came from. */
const assemble = (children: ReadonlyMap<string, Json>, model: Json | undefined): Json =>
  Array.isArray(model)
    ? [...children.values()]
    : Object.fromEntries([...children].map(([segment, value]) => [segment.slice(2), value]))

/** Every leaf of the value. */
export const leavesOf = (value: Json | undefined, path = ''): FieldSet => {
  const children = childrenOf(value, path)
  if (!children) return leaf
  return new Map([...children].map(([segment, inner]) => [segment, leavesOf(inner, `${path}/${segment}`)]))
}

const isEmpty = (value: Json | undefined): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

/**
 * Leaves whose value differs between the two: added, changed or removed, and a leaf for the whole where the kind of value
 * is another. undefined where nothing differs.
 */
export const changedFields = (before: Json | undefined, after: Json | undefined, path = ''): FieldSet | undefined => {
  if (sameJson(before, after)) return undefined
  const old = childrenOf(before, path)
  const now = childrenOf(after, path)
  if (!old && !now) return leaf
  // A map or list in the place of something else, or the other way round: the whole is another.
  if ((!old && !isEmpty(before)) || (!now && !isEmpty(after))) return leaf
  if (!old || !now) return leavesOf(old ? before : after, path)
  const changed: MutableFieldSet = new Map()
  for (const segment of new Set([...old.keys(), ...now.keys()])) {
    const inner = path + '/' + segment
    const a = old.get(segment)
    const b = now.get(segment)
    const difference = a === undefined || b === undefined ? leavesOf(a ?? b, inner) : changedFields(a, b, inner)
    if (difference) changed.set(segment, difference as MutableFieldSet)
  }
  return changed
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => {
  const out = new Map(a)
  for (const [segment, inner] of b) {
    const own = out.get(segment)
    out.set(segment, own ? union(own, inner) : inner)
  }
  return out
}

/** `a` without the leaves of `b` and what lies beneath them. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => {
  const out = new Map<string, FieldSet>()
  for (const [segment, inner] of a) {
    const other = b.get(segment)
    if (!other || (inner.size === 0 && other.size > 0)) out.set(segment, inner)
    else if (other.size > 0) {
      const rest = difference(inner, other)
      if (rest.size > 0) out.set(segment, rest)
    }
  }
  return out
}

/** The leaves of `a` that `b` does not have at the same path; a container that `b` still fills is not missing. */
export const missingFrom = (a: FieldSet, b: FieldSet): FieldSet => {
  const out = new Map<string, FieldSet>()
  for (const [segment, inner] of a) {
    const other = b.get(segment)
    if (!other || (inner.size > 0 && other.size === 0)) out.set(segment, inner)
    else if (inner.size > 0) {
      const rest = missingFrom(inner, other)
      if (rest.size > 0) out.set(segment, rest)
    }
  }
  return out
}

/** The leaves of `a` that `b` neither has nor has anything beneath or above: what nobody else holds. */
export const untouchedBy = (a: FieldSet, b: FieldSet): FieldSet => {
  const out = new Map<string, FieldSet>()
  for (const [segment, inner] of a) {
    const other = b.get(segment)
    if (!other) out.set(segment, inner)
    else if (inner.size > 0 && other.size > 0) {
      const rest = untouchedBy(inner, other)
      if (rest.size > 0) out.set(segment, rest)
    }
  }
  return out
}

/** The leaves of `a` at or beneath the leaves of `b`. */
export const within = (a: FieldSet, b: FieldSet): FieldSet => {
  const out = new Map<string, FieldSet>()
  for (const [segment, inner] of a) {
    const other = b.get(segment)
    if (!other) continue
    if (other.size === 0) out.set(segment, inner)
    else {
      const common = within(inner, other)
      if (common.size > 0) out.set(segment, common)
    }
  }
  return out
}

/** `.metadata.labels.app`, as conflicts name their field. */
export const pathsOf = (fields: FieldSet, path = ''): string[] =>
  [...fields].flatMap(([segment, inner]) => {
    const own = segment.startsWith('f:')
      ? `${path}.${segment.slice(2)}`
      : segment.startsWith('k:')
        ? `${path}[uid="${segment.slice(2)}"]`
        : `${path}["${segment.slice(2)}"]`
    return inner.size === 0 ? [own] : pathsOf(inner, own)
  })

/** Lays the applied value over the live one. */
export const mergeApplied = (live: Json | undefined, applied: Json, path = ''): Json => {
  const old = childrenOf(live, path)
  const now = childrenOf(applied, path)
  if (!now && isRecord(applied) && isRecord(live)) return live
  if (!now || !old || Array.isArray(live) !== Array.isArray(applied)) return applied
  const merged = new Map(old)
  for (const [segment, value] of now) merged.set(segment, mergeApplied(old.get(segment), value, `${path}/${segment}`))
  return assemble(merged, applied)
}

/** The value without the named leaves; containers that become empty go, too. */
export const removeFields = (value: Json, fields: FieldSet, path = ''): Json | undefined => {
  if (fields.size === 0) return undefined
  const children = childrenOf(value, path)
  if (!children) return value
  for (const [segment, inner] of fields) {
    const child = children.get(segment)
    if (child === undefined) continue
    const rest = removeFields(child, inner, `${path}/${segment}`)
    if (rest === undefined) children.delete(segment)
    else children.set(segment, rest)
  }
  return children.size === 0 ? undefined : assemble(children, value)
}

/** The form of `managedFields[].fieldsV1`. */
export const encodeFields = (fields: FieldSet): JsonRecord =>
  Object.fromEntries([...fields].map(([segment, inner]) => [segment, encodeFields(inner)]))

export const decodeFields = (encoded: JsonRecord): FieldSet =>
  new Map(Object.entries(encoded).map(([segment, inner]) => [segment, isRecord(inner) ? decodeFields(inner) : leaf]))
