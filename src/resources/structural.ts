/**
 * The structural schema of a kind: the JSON Schema subset a CRD allows, made from zod once. The CRD, the reference and
 * the validation of the embedded cluster all read this one form.
 */
import { z } from 'zod'
import type { CustomKind } from './kind.ts'
import type { Rule } from './rule.ts'

export interface Schema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  /** Not part of the CRD in this form: crd.ts writes x-kubernetes-validations. */
  readonly rules?: readonly Rule[]
}

type Loose = Record<string, unknown>

/** The API server checks a default before it would fill in the defaults below it: they are written out. */
const complete = (value: unknown, schema: Schema): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const out: Loose = { ...value }
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    if (out[name] === undefined && child.default !== undefined) out[name] = child.default
  return out
}

/** JSON Schema passes through text, which would lose the twins: they travel as numbers and are put back here. */
const restore = (node: Loose, found: readonly Rule[]): Schema => {
  const out: Loose = { ...node }
  // Forbidden beside properties, and implied: the API server prunes what it does not know.
  if (out['additionalProperties'] === false) delete out['additionalProperties']
  if (out['type'] === 'integer') {
    if (out['minimum'] === Number.MIN_SAFE_INTEGER) delete out['minimum']
    if (out['maximum'] === Number.MAX_SAFE_INTEGER) delete out['maximum']
  }
  if (Array.isArray(out['rules'])) out['rules'] = (out['rules'] as number[]).map((index) => found[index])
  if (out['items']) out['items'] = restore(out['items'] as Loose, found)
  if (out['additionalProperties']) out['additionalProperties'] = restore(out['additionalProperties'] as Loose, found)
  if (out['properties'])
    out['properties'] = Object.fromEntries(
      Object.entries(out['properties'] as Record<string, Loose>).map(([name, child]) => [name, restore(child, found)]),
    )
  const schema = out as unknown as Schema
  return schema.default === undefined ? schema : { ...schema, default: complete(schema.default, schema) }
}

/** The structural schema of one zod object. */
export const structural = (schema: z.ZodObject): Schema => {
  const found: Rule[] = []
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    override: ({ jsonSchema }) => {
      const { rules } = jsonSchema as { rules?: readonly (Rule | number)[] }
      if (rules)
        (jsonSchema as Loose)['rules'] = rules.map((one) => (typeof one === 'number' ? one : found.push(one) - 1))
    },
  })
  return restore(json, found)
}

/** Without it kstatus (Flux, `helm --wait`) takes an object that nobody has looked at for finished. */
const notLookedAt = { observedGeneration: -1 }

/** The schema of a whole object; metadata is the API server's own. */
export const objectSchema = (kind: CustomKind): Schema => ({
  type: 'object',
  description: kind.description,
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: {
      type: 'object',
      ...(kind.nameMaxLength === undefined
        ? {}
        : { properties: { name: { type: 'string', maxLength: kind.nameMaxLength } } }),
    },
    spec: structural(kind.spec),
    status: {
      ...structural(kind.status),
      description: 'What the operator has seen and done.',
      ...('observedGeneration' in kind.status.shape ? { default: notLookedAt } : {}),
    },
  },
  required: ['spec'],
  rules: kind.rules,
})
