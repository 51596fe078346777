/**
 * What has to be done about the objects of one authority's trust bundle. First from the caches alone (`plan`): what they
 * show to be as it was verified costs nothing. Then, object by object, from what was read live (`judge`, `judgeRemoval`). Pure.
 */

import { isUtf8 } from 'node:buffer'
import { marks } from '../control/context.ts'
import { dataHash } from '../material/hash.ts'
import type { ConfigMap, Secret } from '../resources/core.ts'
import { ownerMark, trustLabel } from './names.ts'
import type { Placement, Target, TargetKind, Wanted } from './wanted.ts'

/** An object as the cache has it. */
export interface Cached {
  readonly uid: string
  readonly resourceVersion: string
}

/** What a live look or a write of ours found. */
export interface Known extends Cached {
  /** Whether it carries our mark. */
  readonly ours: boolean
  /** Of the inputs it was verified for; undefined for what is not ours. */
  readonly hash?: string | undefined
  /** Why it is left alone. */
  readonly blocked?: string | undefined
}

export interface Step {
  /** `ConfigMap namespace/name`. */
  readonly id: string
  /** Undefined: what stands there is to be removed. */
  readonly placement: Placement | undefined
  /** Nothing was cached: it is made without looking, and the server refuses where there is one after all. */
  readonly create: boolean
}

export interface PlanInput {
  readonly wanted: Wanted
  readonly cached: (id: string) => Cached | undefined
  /** What stands of this authority's bundle, by the caches. */
  readonly present: readonly string[]
  readonly known: ReadonlyMap<string, Known>
  readonly terminating: (namespace: string) => boolean
}

/** What is not settled, removals first: a name may be wanted by somebody else. */
export const plan = ({ wanted, cached, present, known, terminating }: PlanInput): Step[] => {
  const removals = present
    .filter((id) => !wanted.placements.has(id) && !isUnresolved(id, wanted) && !terminating(nameOf(id).namespace))
    .filter((id) => !isSettled(known.get(id), cached(id), undefined))
    .map((id) => ({ id, placement: undefined, create: false }))
  const writes = [...wanted.placements].flatMap(([id, placement]) => {
    const { hash } = placement.target
    const there = cached(id)
    if (hash === undefined || isSettled(known.get(id), there, hash)) return []
    return { id, placement, create: there === undefined }
  })
  return [...removals, ...writes]
}

/** The way back from `ConfigMap namespace/name`. */
export const nameOf = (id: string): { readonly kind: string; readonly namespace: string; readonly name: string } => {
  const [kind = '', key = ''] = id.split(' ')
  const [namespace = '', name = ''] = key.split('/')
  return { kind, namespace, name }
}

const isUnresolved = (id: string, { unresolved }: Wanted): boolean => {
  const { kind, name } = nameOf(id)
  return unresolved.has(`${kind}/${name}`)
}

/** The cache shows the very version that was looked at, and it is as it should be or not ours to change. */
export const isSettled = (known: Known | undefined, cached: Cached | undefined, hash: string | undefined): boolean =>
  known !== undefined &&
  cached !== undefined &&
  known.uid === cached.uid &&
  known.resourceVersion === cached.resourceVersion &&
  (known.blocked !== undefined || (hash !== undefined && known.hash === hash))

export type Judgement =
  | { readonly act: 'keep' }
  /** `data`: the bytes that stand there are right, only marks are not; undefined: encode. */
  | { readonly act: 'write'; readonly adopts: boolean; readonly data: ReadonlyMap<string, Uint8Array> | undefined }
  /** Somebody is deleting it: the cache will tell. */
  | { readonly act: 'wait' }
  | { readonly act: 'leave'; readonly message: string }

/** `authority`: `namespace/name`. `mine`: a former look knows this very object as ours, whatever its marks say now. */
export const judge = (live: ConfigMap | Secret, target: Target, authority: string, mine: boolean): Judgement => {
  const { metadata } = live
  if (metadata.deletionTimestamp !== undefined) return { act: 'wait' }
  const annotations = metadata.annotations ?? {}
  const named = `${live.kind} "${metadata.namespace}/${metadata.name}"`
  const holder = annotations[marks.trustOf]
  if (holder !== undefined && holder !== authority)
    return { act: 'leave', message: `${named} holds the trust bundle of CertificateAuthority ${holder}.` }
  const owner = annotations[marks.owner]
  if (holder === undefined && owner !== undefined && owner !== ownerMark(authority))
    return { act: 'leave', message: `${named} belongs to ${owner}.` }
  const adopted = annotations[marks.adopt] === 'true'
  const ours = holder !== undefined || owner !== undefined || mine
  if (!ours && !adopted)
    return {
      act: 'leave',
      message: `${named} exists and was not made by dbtls; delete it, or annotate it with ${marks.adopt}: "true".`,
    }
  const data = bytesOf(live, target)
  const intact = data !== undefined && annotations[marks.dataHash] === dataHash(data)
  const current = intact && annotations[marks.inputsHash] === target.hash
  if (current && isMarked(live, target, authority)) return { act: 'keep' }
  if (live.immutable === true && !current)
    return { act: 'leave', message: `${named} is marked immutable and holds a former bundle; delete it.` }
  return { act: 'write', adopts: !ours, data: current ? data : undefined }
}

/** What `metadata` of a target carries from us. */
export const marksOf = (target: Target, authority: string) => ({
  labels: { [marks.managedBy]: marks.managedByValue, [marks.trustOf]: trustLabel(authority) },
  annotations: {
    [marks.trustOf]: authority,
    [marks.owner]: ownerMark(authority),
    [marks.keys]: target.items
      .map(({ key }) => key)
      .toSorted()
      .join(','),
    [marks.inputsHash]: target.hash ?? '',
  },
})

const isMarked = ({ metadata }: ConfigMap | Secret, target: Target, authority: string): boolean => {
  const { labels, annotations } = marksOf(target, authority)
  const has = (own: Readonly<Record<string, string>> | undefined, all: Readonly<Record<string, string>>): boolean =>
    Object.entries(all).every(([key, value]) => own?.[key] === value)
  return has(metadata.labels, labels) && has(metadata.annotations, annotations)
}

/** Which bytes stand under which of our keys; undefined where one is missing. */
const bytesOf = (live: ConfigMap | Secret, { items }: Target): ReadonlyMap<string, Uint8Array> | undefined => {
  const all = contentsOf(live)
  const ours = items.map(({ key }) => [key, all.get(key)] as const)
  return ours.every((entry): entry is readonly [string, Uint8Array] => entry[1] !== undefined)
    ? new Map(ours)
    : undefined
}

/** Key → bytes. */
export const contentsOf = (live: ConfigMap | Secret): ReadonlyMap<string, Uint8Array> => {
  const binary = live.kind === 'Secret' ? live.data : (live as ConfigMap).binaryData
  const text = live.kind === 'Secret' ? undefined : live.data
  return new Map([
    ...Object.entries(text ?? {}).map(([key, value]) => [key, Buffer.from(value, 'utf8')] as const),
    ...Object.entries(binary ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const),
  ])
}

export type Removal =
  | { readonly act: 'delete' }
  /** Give up our keys and marks; the rest is somebody else's. */
  | { readonly act: 'release' }
  | { readonly act: 'wait' }
  | { readonly act: 'leave' }

export const judgeRemoval = (live: ConfigMap | Secret, authority: string): Removal => {
  const annotations = live.metadata.annotations ?? {}
  if (live.metadata.deletionTimestamp !== undefined) return { act: 'wait' }
  if (annotations[marks.trustOf] !== authority) return { act: 'leave' }
  const ours = new Set((annotations[marks.keys] ?? '').split(','))
  const shared = [...contentsOf(live).keys()].some((key) => !ours.has(key))
  return { act: shared || annotations[marks.adopt] === 'true' ? 'release' : 'delete' }
}

export interface Data {
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
}

/** The fields of the object that hold these bytes: a ConfigMap keeps what is no text in `binaryData`. */
export const fieldsOf = (kind: TargetKind, contents: ReadonlyMap<string, Uint8Array>): Data => {
  const encode = (entries: readonly (readonly [string, Uint8Array])[], encoding: 'utf8' | 'base64') =>
    Object.fromEntries(entries.map(([key, bytes]) => [key, Buffer.from(bytes).toString(encoding)]))
  if (kind === 'Secret') return { data: encode([...contents], 'base64') }
  const text = [...contents].filter(([, bytes]) => isUtf8(bytes))
  const binary = [...contents].filter(([, bytes]) => !isUtf8(bytes))
  return {
    ...(text.length > 0 ? { data: encode(text, 'utf8') } : {}),
    ...(binary.length > 0 ? { binaryData: encode(binary, 'base64') } : {}),
  }
}
