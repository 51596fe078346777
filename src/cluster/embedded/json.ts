/** Plain JSON values, safe for keys such as `__proto__`: records are read with hasOwn and built with fromEntries. */

export type Json = null | boolean | number | string | readonly Json[] | JsonRecord
export interface JsonRecord {
  readonly [key: string]: Json | undefined
}

export const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const member = (record: JsonRecord, key: string): Json | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined

export const isList = (value: unknown): value is readonly Json[] => Array.isArray(value)

/** The text of a scalar; anything else as JSON. */
export const textOf = (value: Json | undefined): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '')

/** Text that was written from a record. */
export const parseRecord = (text: string): JsonRecord => {
  const value: unknown = JSON.parse(text)
  if (!isRecord(value)) throw new TypeError('the stored text is not a JSON object')
  return value
}

const presentKeys = (record: JsonRecord): string[] => Object.keys(record).filter((key) => record[key] !== undefined)

/** Equality of values; the order of a record's keys does not count, a member that is undefined counts as absent. */
export const sameJson = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((value, i) => sameJson(value, b[i]))
  if (!isRecord(a) || !isRecord(b)) return false
  const keys = presentKeys(a)
  return keys.length === presentKeys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
}

/** A record without undefined and null members, all the way down. */
export const cleanRecord = (record: JsonRecord): JsonRecord =>
  Object.fromEntries(
    Object.entries(record).flatMap(([key, inner]) =>
      inner === undefined || inner === null ? [] : [[key, clean(inner)] as const],
    ),
  )

/** A deep copy without undefined and null members, which the API server drops on the way in. */
export const clean = (value: Json | undefined): Json => {
  if (isList(value)) return value.map(clean)
  return isRecord(value) ? cleanRecord(value) : (value ?? null)
}

export const deepFreeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
  return value
}

/** A copy of the record without the named members. */
export const without = (record: JsonRecord, ...names: readonly string[]): JsonRecord =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !names.includes(key)))
