/** How what a profile made is marked and found again, and what it depends on. Pure. */

import type { KubeObject, OwnerReference } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { AuthorityRef } from '../resources/fields.ts'
import { trustLabel } from '../trust/names.ts'
import { clientTrustName, serverTrustName } from './trust.ts'

const kindPrefix = 'DatabaseTLSProfile/'

/** What `marks.owner` says. */
export const ownerMark = (profile: string): string => `${kindPrefix}${profile}`

export const isOfProfile = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.[marks.owner]?.startsWith(kindPrefix) === true

/** Index: `namespace/name` of the profile that an object says it is of. */
export const byProfile = (object: KubeObject): string[] =>
  isOfProfile(object)
    ? [`${object.metadata.namespace}/${object.metadata.annotations?.[marks.owner]?.slice(kindPrefix.length)}`]
    : []

export const keyOfAuthority = ({ namespace, name }: AuthorityRef, { metadata }: KubeObject): string =>
  `${namespace ?? metadata.namespace ?? 'default'}/${name}`

/** `namespace/name` of the CA that signs what its servers show. */
export const authorityOf = (profile: DatabaseTLSProfile): string => keyOfAuthority(profile.spec.authorityRef, profile)

/** Of the CA that signs its clients: the same, unless it says otherwise. */
export const clientAuthorityOf = (profile: DatabaseTLSProfile): string =>
  keyOfAuthority(profile.spec.clientAuthorityRef ?? profile.spec.authorityRef, profile)

/** Index: the CAs it names. */
export const profileAuthorityKeys = (profile: DatabaseTLSProfile): string[] =>
  [profile.spec.authorityRef, profile.spec.clientAuthorityRef].flatMap((reference) =>
    reference === undefined ? [] : [keyOfAuthority(reference, profile)],
  )

/** Index: the Secret with the account that has servers reload. */
export const profileAccountKeys = ({ metadata, spec }: DatabaseTLSProfile): string[] => {
  const name = spec.reload?.credentialsSecretRef?.name
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

/** Index: the ConfigMaps it may write. */
export const profileConfigMapKeys = ({ metadata, spec }: DatabaseTLSProfile): string[] => {
  const holder = { profile: metadata.name }
  return [configMapNameOf({ metadata, spec }), serverTrustName(holder), clientTrustName(holder)].map(
    (name) => `${metadata.namespace}/${name}`,
  )
}

/** The ConfigMap of files and commands. */
export const configMapNameOf = ({ metadata, spec }: Pick<DatabaseTLSProfile, 'metadata' | 'spec'>): string =>
  spec.config?.configMapName ?? `${metadata.name}-tls-config`

/** What every object of a profile carries. */
export const marksOf = ({ metadata }: DatabaseTLSProfile) => ({
  labels: { [marks.managedBy]: marks.managedByValue, [marks.profile]: trustLabel(metadata.name) },
  annotations: { [marks.owner]: ownerMark(metadata.name) },
})

export const ownerReferenceOf = ({ apiVersion, kind, metadata }: DatabaseTLSProfile): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
})

/** Whether every entry of `wanted` is among those of `has`. */
export const hasAll = (
  has: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).every(([key, value]) => has?.[key] === value)

/**
 * Whose an object is, seen from one profile. `former`: of a profile of this name that is gone, so the garbage collector will
 * take it; `orphan`: it bears the profile's mark and has no owner, as after a restore; `offered`: by annotation.
 */
export type Belongs = 'ours' | 'orphan' | 'offered' | 'former' | 'going' | { readonly to: string | undefined }

export const belongs = ({ metadata }: KubeObject, { metadata: { name, uid } }: DatabaseTLSProfile): Belongs => {
  const { annotations, deletionTimestamp, ownerReferences = [] } = metadata
  if (deletionTimestamp !== undefined) return 'going'
  const controller = ownerReferences.find((one) => one.controller === true)
  if (controller?.uid === uid && uid !== undefined) return 'ours'
  if (controller !== undefined)
    return controller.kind === 'DatabaseTLSProfile' && controller.name === name
      ? 'former'
      : { to: `${controller.kind}/${controller.name}` }
  const owner = annotations?.[marks.owner]
  if (owner === ownerMark(name)) return 'orphan'
  if (owner === undefined && annotations?.[marks.adopt] === 'true') return 'offered'
  return { to: owner }
}
