import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corpus } from '../../test/conformance/corpus.ts'
import type { KubeObject } from '../cluster/port.ts'
import { kinds } from './kinds.ts'
import type { Rule } from './rule.ts'
import type { Schema } from './structural.ts'
import { objectSchema } from './structural.ts'
import { admit } from './validate.ts'

const cases = corpus()

const certificate = (spec: object, more: object = {}): KubeObject =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data' },
    spec: { authorityRef: { name: 'ca' }, dnsNames: ['a.example'], secret: { name: 's' }, ...spec },
    ...more,
  }) as KubeObject

const problems = (admission: ReturnType<typeof admit>) => ('problems' in admission ? admission.problems : [])
const stored = (admission: ReturnType<typeof admit>) =>
  'object' in admission ? (admission.object as unknown as { spec: Record<string, unknown> }) : expect.unreachable()

/** Every rule of a schema, wherever it stands. */
const rulesOf = (schema: Schema): Rule[] => [
  ...(schema.rules ?? []),
  ...Object.values(schema.properties ?? {}).flatMap(rulesOf),
  ...(schema.items ? rulesOf(schema.items) : []),
  ...(schema.additionalProperties ? rulesOf(schema.additionalProperties) : []),
]

const refusals = cases
  .filter((one) => one.verdict === 'invalid')
  .flatMap((one) => problems(admit(one.kind, one.object, one.old)))

describe('the corpus', () => {
  it.each(cases.map((one) => [one.title, one] as const))('%s', (_, one) => {
    const admission = admit(one.kind, one.object, one.old, { unknownFields: 'Refuse' })
    if (one.verdict === 'valid') return expect(admission).toHaveProperty('object')
    expect(problems(admission)).toContainEqual({
      field: one.field,
      message: expect.stringContaining(one.message ?? '') as string,
    })
  })

  // A rule that several kinds share need not be broken in each of them.
  it.each(kinds.map((kind) => [kind.resource.kind, kind] as const))('breaks every rule of %s', (_, kind) => {
    const untried = rulesOf(objectSchema(kind)).filter(
      ({ message, fieldPath = '' }) =>
        !refusals.some((problem) => problem.message.startsWith(message) && `.${problem.field}`.endsWith(fieldPath)),
    )
    expect(untried.map(({ message, fieldPath }) => [fieldPath, message])).toEqual([])
  })
})

describe('admit', () => {
  it('fills in defaults, also below objects that are not given', () => {
    expect(stored(admit('DatabaseCertificate', certificate({}))).spec).toMatchObject({
      privateKey: { algorithm: 'ECDSA', encoding: 'PKCS8', rotation: 'Always' },
      keystore: { pkcs12Profile: 'Modern2023' },
      secret: { deletionPolicy: 'Delete' },
    })
  })

  it('prunes what it does not know unless it is asked to refuse it', () => {
    const object = certificate({ extra: 1 }, { more: 1 })
    expect(stored(admit('DatabaseCertificate', object))).not.toHaveProperty('more')
    expect(stored(admit('DatabaseCertificate', object)).spec).not.toHaveProperty('extra')
    expect(problems(admit('DatabaseCertificate', object, undefined, { unknownFields: 'Refuse' }))).toEqual([
      { field: 'spec.extra', message: 'unknown field "spec.extra"' },
      { field: 'more', message: 'unknown field "more"' },
    ])
  })

  it('leaves the object it was given as it was', () => {
    const object = certificate({ extra: 1 })
    const before = structuredClone(object)
    admit('DatabaseCertificate', object)
    expect(object).toEqual(before)
  })

  it('takes a null for a default as not given, and any other null as wrong', () => {
    expect(stored(admit('DatabaseCertificate', certificate({ privateKey: { rotation: null } }))).spec).toMatchObject({
      privateKey: { rotation: 'Always' },
    })
    expect(problems(admit('DatabaseCertificate', certificate({ dnsNames: null })))).toEqual([
      { field: 'spec.dnsNames', message: 'must be of type array: "null"' },
    ])
  })

  it('tells every problem at once', () => {
    const fields = problems(
      admit('DatabaseCertificate', certificate({ duration: 'x', role: 'y', privateKey: { size: 1024 } })),
    )
    expect(fields.map(({ field }) => field)).toEqual(['spec.role', 'spec.duration', 'spec.privateKey.size'])
  })

  it('does not ask the rules about values of the wrong shape', () => {
    expect(
      problems(admit('DatabaseCertificate', certificate({ dnsNames: 1, renewBefore: 5, secret: { items: 'x' } }))),
    ).toEqual([
      { field: 'spec.dnsNames', message: 'must be of type array: "integer"' },
      { field: 'spec.renewBefore', message: 'must be of type string: "integer"' },
      { field: 'spec.secret.name', message: 'Required value' },
      { field: 'spec.secret.items', message: 'must be of type array: "string"' },
    ])
  })

  it('does not hold against an update what it leaves as it was', () => {
    const old = certificate({ dnsNames: ['bad name'], duration: '90d' })
    expect(admit('DatabaseCertificate', certificate({ dnsNames: ['bad name'], duration: '80d' }), old)).toHaveProperty(
      'object',
    )
    expect(
      problems(admit('DatabaseCertificate', certificate({ dnsNames: ['bad name', 'b.example'] }), old)),
    ).toHaveLength(1)
  })

  it('refuses an unknown kind and another version', () => {
    expect(problems(admit('Secret', certificate({})))).toMatchObject([{ field: 'kind' }])
    expect(problems(admit('DatabaseCertificate', certificate({}, { apiVersion: 'dbtls.dev/v1' })))).toMatchObject([
      { field: 'apiVersion' },
    ])
  })

  it('survives any JSON in place of the spec, and pollutes nothing', () => {
    const names = fc.constantFrom(
      'authorityRef',
      'secret',
      'items',
      'labels',
      'dnsNames',
      '__proto__',
      'constructor',
      'key',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }),
        tie('members'),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
      members: fc.array(fc.tuple(names, tie('tree')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    }))
    fc.assert(
      fc.property(tree, fc.constantFrom(...kinds), (spec, { resource: { kind } }) => {
        const object = { ...certificate({}), kind, spec } as KubeObject
        const first = admit(kind, object)
        if ('object' in first) expect(admit(kind, first.object, first.object)).toEqual(first)
        expect(({} as Record<string, unknown>)['key']).toBeUndefined()
      }),
    )
  })
})
