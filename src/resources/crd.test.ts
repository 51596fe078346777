import { describe, expect, it } from 'vitest'
import { customResourceDefinition } from './crd.ts'
import { kinds } from './kinds.ts'
import type { Schema } from './structural.ts'
import { objectSchema } from './structural.ts'

interface Place {
  readonly path: string
  readonly schema: Schema
}

const below = ({ path, schema }: Place): Place[] => [
  { path, schema },
  ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    below({ path: `${path}.${name}`, schema: child }),
  ),
  ...(schema.items ? below({ path: `${path}[]`, schema: schema.items }) : []),
  ...(schema.additionalProperties ? below({ path: `${path}{}`, schema: schema.additionalProperties }) : []),
]

describe.each(kinds.map((kind) => [kind.resource.kind, kind] as const))('the CRD of %s', (_, kind) => {
  const { spec, status } = objectSchema(kind).properties ?? {}
  if (!spec || !status) throw new Error('no spec or status')
  const places = [...below({ path: 'spec', schema: spec }), ...below({ path: 'status', schema: status })]

  it('bounds every string, list and map', () => {
    const unbounded = places.filter(
      ({ schema }) =>
        (schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined) ||
        (schema.type === 'array' && schema.maxItems === undefined) ||
        (schema.additionalProperties !== undefined && schema.maxProperties === undefined),
    )
    expect(unbounded.map(({ path }) => path)).toEqual([])
  })

  it('describes every field', () => {
    const silent = places.filter(({ path, schema }) => !/[\]}]$/.test(path) && !schema.description)
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  it('has no default below a list, where Argo CD would see it as a drift from what stands in Git', () => {
    const within = places.filter(({ path, schema }) => path.includes('[]') && schema.default !== undefined)
    expect(within.map(({ path }) => path)).toEqual([])
  })

  it('says that nobody has looked yet, where there are conditions', () => {
    expect(status.default).toEqual(
      status.properties?.['conditions'] === undefined ? undefined : { observedGeneration: -1 },
    )
  })

  it('carries the rules as CEL alone', () => {
    const text = JSON.stringify(customResourceDefinition(kind))
    expect(text).toContain('x-kubernetes-validations')
    expect(text).not.toContain('"rules"')
    expect(text).not.toContain('additionalProperties":false')
  })

  it('shows as an age only what lies in the past, since an age of the future reads <invalid>', () => {
    const ages = kind.columns.filter(({ type }) => type === 'date').map(({ jsonPath }) => jsonPath)
    expect(ages).toEqual(['.metadata.creationTimestamp'])
  })

  it('selects by fields that exist and are not lists', () => {
    const known = new Map(places.map(({ path, schema }) => [`.${path}`, schema.type]))
    for (const path of kind.selectableFields) expect(known.get(path)).toBe('string')
  })
})
