/**
 * The corpus: manifests with the verdict they must get, sent to the real API server and to the TypeScript twin alike.
 *
 * A file is a YAML stream. Its first document is the base, `{kind, spec}`; every other document is a case:
 *   name     what is tried
 *   set      a merge patch on the base's spec (null removes)
 *   spec     instead of set: the whole spec
 *   old      a merge patch that makes the spec of the object before; then the case is an update
 *   metadata name of the object, where it matters
 *   verdict  valid | invalid, the latter with `field` and `message` (a part of it)
 *   server   accepts: only the twin refuses it, because CEL cannot say the rule; on a cluster the operator is Stalled
 * `!repeat {of: a, times: 64}` is a long string, `!range {of: n%.example, times: 200}` a long list.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isMap, parseAllDocuments, Scalar } from 'yaml'
import type { CollectionTag, ScalarTag } from 'yaml'
import type { KubeObject } from '../../src/cluster/port.ts'

export interface Case {
  readonly title: string
  readonly kind: string
  readonly object: KubeObject
  readonly old?: KubeObject
  readonly verdict: 'valid' | 'invalid'
  readonly server?: 'accepts'
  readonly field?: string
  readonly message?: string
}

type Spec = Record<string, unknown>

interface CaseDocument {
  readonly name: string
  readonly set?: Spec
  readonly spec?: Spec
  readonly old?: Spec
  readonly metadata?: { readonly name: string }
  readonly verdict: 'valid' | 'invalid'
  readonly server?: 'accepts'
  readonly field?: string
  readonly message?: string
}

const isSpec = (value: unknown): value is Spec => typeof value === 'object' && value !== null && !Array.isArray(value)

/** JSON merge patch (RFC 7396). */
const merge = (target: unknown, patch: unknown): unknown => {
  if (!isSpec(patch)) return patch
  const entries = new Map(Object.entries(isSpec(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) entries.delete(name)
    else entries.set(name, merge(entries.get(name), value))
  }
  return Object.fromEntries(entries)
}

interface Repetition {
  readonly of: unknown
  readonly times: number
}

const repetition = (tag: string, expand: (how: Repetition) => unknown): CollectionTag => ({
  tag,
  collection: 'map',
  resolve: (map, onError) => {
    if (isMap(map)) return new Scalar(expand(map.toJSON() as Repetition))
    onError(`${tag} wants {of, times}`)
    return new Scalar(null)
  },
})

const tags: (CollectionTag | ScalarTag)[] = [
  repetition('!repeat', ({ of, times }) => String(of).repeat(times)),
  repetition('!range', ({ of, times }) =>
    Array.from({ length: times }, (_, index) => JSON.parse(JSON.stringify(of).replace('%', String(index))) as unknown),
  ),
]

const casesOf = (file: string): Case[] => {
  const [base, ...documents] = parseAllDocuments(readFileSync(file, 'utf8'), { customTags: tags }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as unknown
  }) as [{ kind: string; spec: Spec }, ...CaseDocument[]]
  return documents.map((one, index) => {
    const manifest = (spec: unknown): KubeObject =>
      ({
        apiVersion: 'dbtls.dev/v1alpha1',
        kind: base.kind,
        metadata: { name: one.metadata?.name ?? `case-${index}`, namespace: 'default' },
        spec,
      }) as KubeObject
    return {
      title: `${basename(file, '.yaml')}: ${one.name}`,
      kind: base.kind,
      object: manifest(one.spec ?? merge(base.spec, one.set ?? {})),
      ...(one.old === undefined ? {} : { old: manifest(merge(base.spec, one.old)) }),
      verdict: one.verdict,
      ...(one.server === undefined ? {} : { server: one.server }),
      ...(one.field === undefined ? {} : { field: one.field }),
      ...(one.message === undefined ? {} : { message: one.message }),
    }
  })
}

const folder = join(import.meta.dirname, 'corpus')

export const corpus = (): Case[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .flatMap((name) => casesOf(join(folder, name)))
