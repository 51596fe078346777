/** From what a profile asks for to the objects that are written, and where one that stands differs. Pure. */

import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ObjectMeta, OwnerReference } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import { dataHash } from '../material/hash.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { materialOf, type Target } from '../trust/wanted.ts'
import type { Expansion, WantedCertificate } from './expansion.ts'
import { hasAll, keyOfAuthority, marksOf, ownerReferenceOf } from './names.ts'

/**
 * The DatabaseCertificate as it is applied. What becomes of a Secret is left to the schema's default and to people: whoever
 * sets `deletionPolicy: Retain` on the object keeps it so.
 */
export const certificateObject = (
  profile: DatabaseTLSProfile,
  { name, spec }: WantedCertificate,
): DatabaseCertificate => {
  const { deletionPolicy: _, ...secret } = spec.secret
  const applied = { ...spec, secret } as DatabaseCertificate['spec']
  const { labels, annotations } = marksOf(profile)
  return {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: {
      name,
      namespace: profile.metadata.namespace ?? 'default',
      labels,
      annotations: { ...annotations, [marks.inputsHash]: hash('sha256', JSON.stringify(applied), 'hex') },
      ownerReferences: [ownerReferenceOf(profile)],
    },
    spec: applied,
  }
}

/**
 * Whether the object that stands lacks or contradicts anything of the one to apply. Members that others added, as
 * `renewTrigger`, are theirs; that one of ours was taken away tells the hash.
 */
export const isApplied = (live: DatabaseCertificate, wanted: DatabaseCertificate): boolean =>
  isMarked(live.metadata, wanted.metadata) && contains(live.spec, wanted.spec)

export const isMarked = (live: ObjectMeta, wanted: ObjectMeta): boolean =>
  hasAll(live.labels, wanted.labels ?? {}) &&
  hasAll(live.annotations, wanted.annotations ?? {}) &&
  (wanted.ownerReferences ?? []).every((reference) => isOwnedBy(live, reference))

const isOwnedBy = ({ ownerReferences = [] }: ObjectMeta, { uid }: OwnerReference): boolean =>
  ownerReferences.some((one) => one.uid === uid && one.controller === true)

const contains = (has: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted)) return Array.isArray(has) && containsAll(has, wanted)
  if (!isRecord(wanted)) return isDeepStrictEqual(has, wanted)
  return isRecord(has) && Object.entries(wanted).every(([key, value]) => contains(has[key], value))
}

/** Lists are replaced as a whole, but for items of a Secret, which the API server merges by key. */
const containsAll = (has: readonly unknown[], wanted: readonly unknown[]): boolean => {
  const keyed = wanted.every((one) => isRecord(one) && typeof one['key'] === 'string')
  if (!keyed || wanted.length === 0) return isDeepStrictEqual(has, wanted)
  const byKey = new Map(has.map((one) => [isRecord(one) ? one['key'] : undefined, one]))
  return wanted.every((one) => contains(byKey.get((one as Record<string, unknown>)['key']), one))
}

/**
 * What the object that stands holds beside the one to apply, for another field manager to hold it when a profile takes in what a
 * restore has written in the operator's name. Of a certificate that was applied for another wish only what a profile never asks
 * for is known to be a person's: the rest may be of the former wish. Undefined: nothing.
 */
export const besides = (live: DatabaseCertificate, wanted: DatabaseCertificate): DatabaseCertificate | undefined => {
  const { labels, annotations } = live.metadata
  const sameWish = annotations?.[marks.inputsHash] === wanted.metadata.annotations?.[marks.inputsHash]
  const { renewTrigger, secret } = live.spec
  const persons = {
    ...(renewTrigger === undefined ? {} : { renewTrigger }),
    secret: { deletionPolicy: secret.deletionPolicy },
  }
  const spec = sameWish ? remainder(live.spec, wanted.spec) : persons
  const metadata = remainder({ labels, annotations }, wanted.metadata)
  if (spec === undefined && metadata === undefined) return undefined
  const { name, namespace } = wanted.metadata
  return {
    ...{ apiVersion: wanted.apiVersion, kind: wanted.kind },
    metadata: { ...(metadata as ObjectMeta | undefined), name, ...(namespace === undefined ? {} : { namespace }) },
    ...(spec === undefined ? {} : { spec }),
  } as DatabaseCertificate
}

/** Members and items that `wanted` does not have. */
const remainder = (has: unknown, wanted: unknown): unknown => {
  if (has === undefined || wanted === undefined) return has
  if (Array.isArray(has)) return Array.isArray(wanted) ? remainingItems(has, wanted) : undefined
  if (!isRecord(has) || !isRecord(wanted)) return undefined
  const left = Object.entries(has).flatMap(([key, value]) => {
    const rest = remainder(value, Object.hasOwn(wanted, key) ? wanted[key] : undefined)
    return rest === undefined ? [] : [[key, rest] as const]
  })
  return left.length === 0 ? undefined : Object.fromEntries(left)
}

const remainingItems = (has: readonly unknown[], wanted: readonly unknown[]): unknown => {
  const keyOfItem = (one: unknown): unknown => (isRecord(one) ? one['key'] : undefined)
  const keys = new Set(wanted.map(keyOfItem))
  const left = has.filter((one) => typeof keyOfItem(one) === 'string' && !keys.has(keyOfItem(one)))
  return left.length === 0 ? undefined : left
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A ConfigMap of the profile: its files, or what a CA is trusted by. */
export interface WantedConfigMap {
  readonly name: string
  /** Where its name comes from. */
  readonly field: string
  readonly keys: readonly string[]
  /** Of everything its bytes are made of; undefined while the CA has nothing to be trusted by: what stands stays. */
  readonly hash: string | undefined
  readonly content:
    | { readonly from: 'text'; readonly data: ReadonlyMap<string, Uint8Array> }
    | { readonly from: 'authority'; readonly authority: CertificateAuthority; readonly target: Target }
}

/** `authorities` by `namespace/name`. */
export const configMapsOf = (
  profile: DatabaseTLSProfile,
  { configMap, trust }: Pick<Expansion, 'configMap' | 'trust'>,
  authorities: ReadonlyMap<string, CertificateAuthority>,
): WantedConfigMap[] => {
  const bundles = trust.flatMap(({ name, authorityRef, items }): WantedConfigMap[] => {
    const authority = authorities.get(keyOfAuthority(authorityRef, profile))
    if (authority === undefined) return []
    const { hash: material } = materialOf(authority, items)
    const field = 'metadata.name'
    const target: Target = { field, kind: 'ConfigMap', name, items, hash: material }
    const keys = items.map(({ key }) => key)
    return [{ name, field, keys, hash: material, content: { from: 'authority', authority, target } }]
  })
  if (configMap === undefined) return bundles
  const data = new Map(Object.entries(configMap.data).map(([key, text]) => [key, Buffer.from(text, 'utf8')]))
  const field = profile.spec.config?.configMapName === undefined ? 'metadata.name' : 'spec.config.configMapName'
  const files: WantedConfigMap = {
    name: configMap.name,
    field,
    keys: [...data.keys()],
    hash: dataHash(data),
    content: { from: 'text', data },
  }
  return [...bundles, files]
}

/** What `metadata` of a ConfigMap carries from us; an offered one does not go with the profile. */
export const configMapMetadata = (
  profile: DatabaseTLSProfile,
  { name, keys, hash: inputs }: WantedConfigMap,
  offered: boolean,
): ObjectMeta => {
  const { labels, annotations } = marksOf(profile)
  return {
    name,
    namespace: profile.metadata.namespace ?? 'default',
    labels,
    annotations: { ...annotations, [marks.keys]: keys.toSorted().join(','), [marks.inputsHash]: inputs ?? '' },
    ...(offered ? {} : { ownerReferences: [ownerReferenceOf(profile)] }),
  }
}
