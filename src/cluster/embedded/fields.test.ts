import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FieldSet } from './fields.ts'
import { changedFields, decodeFields, difference, encodeFields, within, leavesOf, pathsOf, union } from './fields.ts'
import type { Json, JsonRecord } from './json.ts'
import { sameJson } from './json.ts'
import type { Managers } from './managers.ts'
import { applyFields, decodeManagers, encodeManagers } from './managers.ts'

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'f:x')
const scalar = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('x', 'y'), fc.constant([1, 2]))
/** Objects without empty maps, whose ownership the API server itself does not keep. */
const record: fc.Arbitrary<JsonRecord> = fc.letrec<{ tree: JsonRecord; value: Json }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, scalar, tie('tree')),
  tree: fc
    .array(fc.tuple(key, tie('value')), { minLength: 1, maxLength: 4 })
    .map((entries): JsonRecord => Object.fromEntries(entries)),
})).tree
const spec = record.map((tree): JsonRecord => ({ apiVersion: 'v1', kind: 'X', spec: tree }))

const none: Managers = new Map()
const apply = (live: JsonRecord | undefined, managers: Managers, next: JsonRecord, manager: string) =>
  applyFields(live, managers, next, manager, true)

describe('field sets', () => {
  it('come back from their encoded form', () => {
    fc.assert(
      fc.property(record, (tree) => {
        const fields = leavesOf(tree)
        expect(decodeFields(JSON.parse(JSON.stringify(encodeFields(fields))))).toEqual(fields)
      }),
    )
  })
  it('obey the laws of sets', () => {
    const set = record.map((tree) => leavesOf(tree))
    const paths = (fields: FieldSet) => new Set(pathsOf(fields))
    fc.assert(
      fc.property(set, set, (a, b) => {
        expect(paths(union(a, a))).toEqual(paths(a))
        expect(difference(a, a).size).toBe(0)
        // What lies within b and what does not are a, each leaf once.
        expect([...pathsOf(within(a, b)), ...pathsOf(difference(a, b))].toSorted()).toEqual(pathsOf(a).toSorted())
      }),
    )
  })
  it('have no change between equal values, and one between different ones', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        expect(changedFields(a, structuredClone(a))).toBeUndefined()
        expect(changedFields(a, b) === undefined).toBe(sameJson(a, b))
      }),
    )
  })
  it.each<[string, JsonRecord, string[]]>([
    ['labels', { metadata: { labels: { a: '1', b: '2' } } }, ['.metadata.labels.a', '.metadata.labels.b']],
    ['a list', { spec: { names: ['x', 'y'] } }, ['.spec.names']],
    ['finalizers', { metadata: { finalizers: ['f/a'] } }, ['.metadata.finalizers["f/a"]']],
    [
      'owner references',
      { metadata: { ownerReferences: [{ uid: 'u', name: 'n' }] } },
      ['.metadata.ownerReferences[uid="u"].uid', '.metadata.ownerReferences[uid="u"].name'],
    ],
    ['an empty map', { spec: { selfSigned: {} } }, ['.spec.selfSigned']],
  ])('%s', (_, object, paths) => {
    expect(pathsOf(leavesOf(object))).toEqual(paths)
  })
})

describe('server-side apply', () => {
  it('ends at what its only manager said last', () => {
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 5 }), (steps) => {
        let live: JsonRecord | undefined
        let managers = none
        for (const step of steps) ({ object: live, managers } = apply(live, managers, step, 'm'))
        expect(sameJson(live, { spec: steps.at(-1)?.['spec'] })).toBe(true)
      }),
    )
  })
  it('changes nothing when it is repeated', () => {
    fc.assert(
      fc.property(spec, spec, (mine, theirs) => {
        const first = apply(undefined, none, theirs, 'other')
        const once = apply(first.object, first.managers, mine, 'm')
        const twice = apply(once.object, once.managers, mine, 'm')
        expect(sameJson(twice.object, once.object)).toBe(true)
        expect(encodeManagers(twice.managers)).toBe(encodeManagers(once.managers))
      }),
    )
  })
  it('without force, either conflicts or leaves every value of others as it was', () => {
    fc.assert(
      fc.property(spec, spec, (theirs, mine) => {
        const first = apply(undefined, none, theirs, 'other')
        let after: JsonRecord
        try {
          after = applyFields(first.object, first.managers, mine, 'm', false).object
        } catch (error) {
          expect(error).toMatchObject({ status: 409, reason: 'Conflict' })
          return
        }
        const changed = changedFields(first.object, after) ?? new Map()
        const owned = first.managers.get('Apply:other') ?? new Map()
        expect(pathsOf(within(changed, owned))).toEqual([])
      }),
    )
  })
  it('leaves no container behind that only it had filled', () => {
    const full = { spec: { a: { b: { c: 1 } }, keep: 1 } }
    const first = apply(undefined, none, full, 'm')
    expect(apply(first.object, first.managers, { spec: { keep: 1 } }, 'm').object).toEqual({ spec: { keep: 1 } })
  })
  it('keeps a map that another manager fills, when its own empty one goes', () => {
    const first = apply(undefined, none, { spec: { map: {} } }, 'm')
    const second = apply(first.object, first.managers, { spec: { map: { a: 1 } } }, 'other')
    const third = apply(second.object, second.managers, { spec: { x: 1 } }, 'm')
    expect(third.object).toEqual({ spec: { map: { a: 1 }, x: 1 } })
  })
  it('keeps its managers through storage', () => {
    fc.assert(
      fc.property(spec, (step) => {
        const { managers } = apply(undefined, none, step, 'm')
        expect(decodeManagers(encodeManagers(managers))).toEqual(managers)
      }),
    )
  })
})
