/** Which ConfigMaps and Secrets an authority's trust bundle belongs into, and what they depend on. Pure. */

import { hash } from 'node:crypto'
import { matches } from '../authority/allowed.ts'
import { contents, effectiveChoices, type EncodeSettings, type Ingredient } from '../material/content-table.ts'
import type { OutputItem } from '../material/contents.ts'
import { formatVersion } from '../material/hash.ts'
import { itemProblems } from '../material/items.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { NamespaceSelection } from '../resources/fields.ts'

export type TargetKind = 'ConfigMap' | 'Secret'

export interface Target {
  /** `spec.trustBundle.targets[2]`. */
  readonly field: string
  readonly kind: TargetKind
  readonly name: string
  readonly items: readonly OutputItem[]
  /** Of everything its bytes are made of; undefined while a part of it is not there: what stands stays. */
  readonly hash: string | undefined
}

/** One object to write. */
export interface Placement {
  readonly target: Target
  readonly namespace: string
}

export interface Wanted {
  /** By `ConfigMap namespace/name`. */
  readonly placements: ReadonlyMap<string, Placement>
  /** `ConfigMap/name` of targets whose namespaces cannot be told: whatever stands of them stays. */
  readonly unresolved: ReadonlySet<string>
  /** Sentences that name the field. */
  readonly problems: readonly string[]
}

export interface NamespaceSeen {
  readonly labels: Readonly<Record<string, string>>
  readonly terminating: boolean
}

/** The namespaces as the operator sees them. */
export interface Scope {
  /** Undefined where it was started for listed namespaces. */
  readonly seen: ReadonlyMap<string, NamespaceSeen> | undefined
  /** Those it was started for; undefined for all. */
  readonly served: readonly string[] | undefined
}

export const nothing: Wanted = { placements: new Map(), unresolved: new Set(), problems: [] }

/** PKCS#12 and key forms where an item leaves them open. */
export const settings: EncodeSettings = { encoding: 'PKCS8', pkcs12Profile: 'Modern2023' }

/** Everything in such a store is public; its readers only insist on a password, and this is the one they all know. */
export const storePassword = 'changeit'

export const resolve = (authority: CertificateAuthority, scope: Scope): Wanted => {
  const placements = new Map<string, Placement>()
  const unresolved = new Set<string>()
  const problems: string[] = []
  for (const [index, spec] of (authority.spec.trustBundle?.targets ?? []).entries()) {
    const field = `spec.trustBundle.targets[${index}]`
    const found = materialOf(authority, spec.items)
    problems.push(...found.problems.map((problem) => `${field}.${problem}`))
    const target: Target = { field, kind: spec.kind, name: spec.name, items: spec.items, hash: found.hash }
    const { namespaces, problem } = namespacesOf(
      spec.namespaces ?? { from: 'Same' },
      authority.metadata.namespace ?? 'default',
      scope,
    )
    if (problem !== undefined) {
      problems.push(`${field}.namespaces: ${problem}`)
      if (namespaces.length === 0) unresolved.add(`${spec.kind}/${spec.name}`)
    }
    const twice = namespaces.flatMap((namespace) => {
      const id = `${target.kind} ${namespace}/${target.name}`
      const first = placements.get(id)
      if (first === undefined) placements.set(id, { target, namespace })
      return first ?? []
    })
    if (twice[0] !== undefined)
      problems.push(`${field}: ${target.kind} "${target.name}" is written by ${twice[0].target.field} already.`)
  }
  return { placements, unresolved, problems }
}

const namespacesOf = (
  selection: NamespaceSelection,
  home: string,
  { seen, served }: Scope,
): { readonly namespaces: readonly string[]; readonly problem?: string } => {
  const alive = (name: string): boolean => seen?.get(name)?.terminating !== true
  switch (selection.from) {
    case 'All':
      return { namespaces: [...(seen?.keys() ?? served ?? [])].filter(alive) }
    case 'Names': {
      const names = selection.names ?? []
      const outside = names.filter((name) => served !== undefined && !served.includes(name))
      const namespaces = names.filter((name) => !outside.includes(name)).filter(alive)
      return outside.length === 0
        ? { namespaces }
        : { namespaces, problem: `this operator does not serve ${outside.map((name) => `"${name}"`).join(', ')}.` }
    }
    case 'Selector': {
      if (seen === undefined)
        return {
          namespaces: [],
          problem:
            'an operator limited to listed namespaces cannot see labels of namespaces; use from: Names, or from: All for the listed ones.',
        }
      const selector = selection.selector ?? {}
      const chosen = [...seen].filter(([, { labels, terminating }]) => !terminating && matches(selector, labels))
      return { namespaces: chosen.map(([name]) => name) }
    }
    case 'Same':
      return { namespaces: [home].filter(alive) }
  }
}

/**
 * What such items depend on. The hash says everything through what the authority reports of itself, so that a look at rest reads nothing: what is
 * written is held against the same report.
 */
export const materialOf = (
  { spec, status }: CertificateAuthority,
  items: readonly OutputItem[],
): { readonly hash: string | undefined; readonly problems: readonly string[] } => {
  const problems = itemProblems(items, { privateKey: false, keyAlgorithm: 'ECDSA' }, settings)
  if (problems.length > 0) return { hash: undefined, problems }
  const uses = new Set<Ingredient>(items.flatMap(({ content }) => contents[content].uses))
  if (uses.has('authority') && spec.source.trustOnly !== undefined)
    return { hash: undefined, problems: ['items: an authority that is only trusted signs nothing; use TrustBundle.'] }
  if (uses.has('revocationList') && spec.crl?.enabled !== true)
    return { hash: undefined, problems: ['items: RevocationList needs spec.crl, so that there is a list.'] }
  const parts: readonly (readonly [Ingredient, string | undefined])[] = [
    ['trust', status?.trustBundleHash],
    ['authority', status?.certificate?.fingerprint],
    ['revocationList', status?.crl === undefined ? undefined : `${listNumberOf(status.crl)} ${status.crl.thisUpdate}`],
  ]
  const used = parts.filter(([name]) => uses.has(name))
  if (used.some(([, value]) => value === undefined)) return { hash: undefined, problems: [] }
  const described = items
    .map((item) => {
      const { alias = null, pkcs12Profile = null } = effectiveChoices(item, settings)
      return [item.key, item.content, alias, pkcs12Profile]
    })
    .toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
  return { hash: hash('sha256', JSON.stringify([formatVersion, described, used]), 'hex'), problems: [] }
}
