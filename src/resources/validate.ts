/**
 * Admission as the API server does it, for the cluster that has none: prune, fill in defaults, check the schema, ask
 * the rules. Problems carry the API server's own words, so that a person reads the same sentence in both places.
 */
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../cluster/port.ts'
import { apiVersionOf } from '../cluster/port.ts'
import { kinds } from './kinds.ts'
import type { Rule } from './rule.ts'
import { isTransition } from './rule.ts'
import type { Schema } from './structural.ts'
import { objectSchema } from './structural.ts'

export interface Problem {
  /** `spec.secret.items[1].key` */
  readonly field: string
  readonly message: string
}

export type Admission = { readonly object: KubeObject } | { readonly problems: readonly Problem[] }

export interface AdmitOptions {
  /** Refuse: as `kubectl apply`, which asks for strict field validation. Default: Prune. */
  readonly unknownFields?: 'Prune' | 'Refuse'
}

type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const member = (value: unknown, name: string): unknown =>
  isMembers(value) && Object.hasOwn(value, name) ? value[name] : undefined

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** A copy without what the schema does not know (each path goes to `unknown`), with defaults. */
const complete = (schema: Schema, value: unknown, path: string, unknown: string[]): unknown => {
  const { items, additionalProperties, properties } = schema
  if (items && Array.isArray(value))
    return value.map((element, index) => complete(items, element, `${path}[${index}]`, unknown))
  if (!isMembers(value)) return value
  if (additionalProperties)
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, complete(additionalProperties, one, `${path}.${key}`, unknown)]),
    )
  if (!properties) {
    unknown.push(...Object.keys(value).map((name) => join(path, name)))
    return {}
  }
  const out: Record<string, unknown> = {}
  for (const [name, child] of Object.entries(properties)) {
    const given = member(value, name)
    // A null where there is a default counts as not given.
    const present = given === undefined || (given === null && child.default !== undefined) ? child.default : given
    if (present !== undefined) out[name] = complete(child, present, join(path, name), unknown)
  }
  unknown.push(
    ...Object.keys(value)
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name) => join(path, name)),
  )
  return out
}

const typeName = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const characters = (text: string): number => {
  let count = 0
  for (const _ of text) count += 1
  return count
}

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** What the schema says about one value, without looking below it. `blocking` errors keep the rules from being asked. */
interface Found extends Problem {
  readonly blocking: boolean
}

const scalarProblems = (schema: Schema, value: unknown): Omit<Found, 'field'>[] => {
  const soft = (message: string) => [{ message, blocking: false }]
  const hard = (message: string) => [{ message, blocking: true }]
  if (typeof value === 'string') {
    if (schema.enum && !schema.enum.includes(value))
      return soft(
        `Unsupported value: ${JSON.stringify(value)}: supported values: ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`,
      )
    const length = characters(value)
    if (schema.maxLength !== undefined && length > schema.maxLength)
      return hard(`Too long: may not be more than ${schema.maxLength} bytes`)
    if (schema.minLength !== undefined && length < schema.minLength)
      return soft(`should be at least ${schema.minLength} chars long`)
    if (schema.format === 'date-time' && !dateTime.test(value)) return soft('must be of type date-time')
  }
  if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum)
      return soft(`should be greater than or equal to ${schema.minimum}`)
    if (schema.maximum !== undefined && value > schema.maximum)
      return soft(`should be less than or equal to ${schema.maximum}`)
  }
  return []
}

const duplicates = (schema: Schema, value: readonly unknown[]): string[] => {
  const keys = schema['x-kubernetes-list-map-keys']
  const kind = schema['x-kubernetes-list-type']
  if (kind !== 'map' && kind !== 'set') return []
  const seen = new Set<string>()
  return value.map((element) => {
    const identity = JSON.stringify(keys ? Object.fromEntries(keys.map((key) => [key, member(element, key)])) : element)
    if (seen.has(identity)) return `Duplicate value: ${identity}`
    seen.add(identity)
    return ''
  })
}

/** The former value of a list element, where the API server can tell which one it was. */
const formerElement = (schema: Schema, element: unknown, old: unknown): unknown => {
  const keys = schema['x-kubernetes-list-map-keys']
  if (!keys || !Array.isArray(old)) return undefined
  return old.find((one) => keys.every((key) => member(one, key) === member(element, key)))
}

interface Child {
  readonly schema: Schema
  readonly value: unknown
  readonly old: unknown
  readonly path: string
}

/** Members of a map are named `labels.a` by the schema's errors and `labels[a]` by the rules', as the API server does. */
const childrenOf = (
  schema: Schema,
  value: unknown,
  old: unknown,
  path: string,
  mapMember = (key: string) => `.${key}`,
): Child[] => {
  const { items, additionalProperties } = schema
  if (items && Array.isArray(value))
    return value.map((element, index) => ({
      schema: items,
      value: element,
      old: formerElement(schema, element, old),
      path: `${path}[${index}]`,
    }))
  if (!isMembers(value)) return []
  if (additionalProperties)
    return Object.entries(value).map(([key, one]) => ({
      schema: additionalProperties,
      value: one,
      old: member(old, key),
      path: path + mapMember(key),
    }))
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    Object.hasOwn(value, name)
      ? [{ schema: child, value: value[name], old: member(old, name), path: join(path, name) }]
      : [],
  )
}

/** Ratcheting: what an update leaves as it was is not held against it. */
const unchanged = (value: unknown, old: unknown): boolean => old !== undefined && isDeepStrictEqual(value, old)

const containerProblems = (schema: Schema, value: unknown, path: string): Found[] => {
  if (Array.isArray(value)) {
    const found: Found[] = duplicates(schema, value).flatMap((message, index) =>
      message === '' ? [] : [{ field: `${path}[${index}]`, message, blocking: false }],
    )
    if (schema.maxItems !== undefined && value.length > schema.maxItems)
      found.push({
        field: path,
        message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
        blocking: true,
      })
    if (schema.minItems !== undefined && value.length < schema.minItems)
      found.push({ field: path, message: `should have at least ${schema.minItems} items`, blocking: false })
    return found
  }
  if (!isMembers(value)) return []
  const found: Found[] = (schema.required ?? [])
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => ({ field: join(path, name), message: 'Required value', blocking: true }))
  const count = Object.keys(value).length
  if (schema.maxProperties !== undefined && count > schema.maxProperties)
    found.push({
      field: path,
      message: `Too many: ${count}: must have at most ${schema.maxProperties} items`,
      blocking: true,
    })
  return found
}

const schemaProblems = (schema: Schema, value: unknown, old: unknown, path: string): Found[] => {
  if (unchanged(value, old)) return []
  const actual = typeName(value)
  if (actual !== schema.type)
    return [{ field: path, message: `must be of type ${schema.type}: "${actual}"`, blocking: true }]
  return [
    ...scalarProblems(schema, value).map((one) => ({ ...one, field: path })),
    ...containerProblems(schema, value, path),
    ...childrenOf(schema, value, old, path).flatMap((child) =>
      schemaProblems(child.schema, child.value, child.old, child.path),
    ),
  ]
}

const sentenceOf = ({ message, detail }: Rule, value: unknown): string =>
  detail === undefined ? message : `${message}: ${detail(value)}`

const ruleProblems = (schema: Schema, value: unknown, old: unknown, path: string): Problem[] => {
  if (unchanged(value, old)) return []
  const broken = (schema.rules ?? [])
    .filter((one) => (isTransition(one) ? old !== undefined && !one.holds(value, old) : !one.holds(value, undefined)))
    .map((one) => ({ field: `${path}${one.fieldPath ?? ''}`.replace(/^\./, ''), message: sentenceOf(one, value) }))
  return [
    ...broken,
    ...childrenOf(schema, value, old, path, (key) => `[${key}]`).flatMap((child) =>
      ruleProblems(child.schema, child.value, child.old, child.path),
    ),
  ]
}

const schemas: ReadonlyMap<string, { readonly apiVersion: string; readonly schema: Schema }> = new Map(
  kinds.map((kind) => [kind.resource.kind, { apiVersion: apiVersionOf(kind.resource), schema: objectSchema(kind) }]),
)

/**
 * Judges an object of one of our kinds, `oldObject` being what it replaces. Returns the object as it would be stored
 * (pruned, with defaults), or every problem. The object's own metadata is checked by whoever stores it.
 */
export const admit = (
  kind: string,
  object: KubeObject,
  oldObject?: KubeObject,
  options: AdmitOptions = {},
): Admission => {
  const known = schemas.get(kind)
  if (!known) return { problems: [{ field: 'kind', message: `${kind} is not a kind of dbtls.dev` }] }
  if (object.apiVersion !== known.apiVersion)
    return { problems: [{ field: 'apiVersion', message: `must be ${known.apiVersion}` }] }
  const { schema } = known
  const unknown: string[] = []
  const { metadata, ...rest } = object
  const completed = complete(schema, rest, '', unknown) as Members
  if (options.unknownFields === 'Refuse' && unknown.length > 0)
    return { problems: unknown.map((field) => ({ field, message: `unknown field "${field}"` })) }
  const judged = { ...completed, metadata }
  const old = oldObject && { ...(complete(schema, oldObject, '', []) as Members), metadata: oldObject.metadata }
  const found = schemaProblems(schema, judged, old, '')
  const problems = found.map(({ field, message }) => ({ field, message }))
  if (!found.some((one) => one.blocking)) problems.push(...ruleProblems(schema, judged, old, ''))
  return problems.length > 0 ? { problems } : { object: judged as unknown as KubeObject }
}
