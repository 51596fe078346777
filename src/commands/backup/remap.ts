/** What comes out of a backup, as it is written into another cluster: under the uids that objects have there. Pure. */

import type { ObjectMeta, OwnerReference } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { toTimestamp } from '../../control/schedule.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { listNumberFields, listNumberOf } from '../../resources/crl-number.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'

/** Of a CA whose restore has not ended: it signs nothing until the last piece is there. */
export const heldBecause = 'a restore from a backup has not ended; give the same command again'

/** What an object is known by in the cluster of the backup and in this one. */
export interface Version {
  readonly uid: string
  readonly resourceVersion: string
}

export interface Mapping {
  /** uid of then → uid of now, of CertificateAuthorities and DatabaseCertificates. */
  readonly uids: ReadonlyMap<string, string>
  /** uid of then → before and after, of Secrets and ConfigMaps. */
  readonly versions: ReadonlyMap<string, { readonly before: Version; readonly after: Version }>
}

const headOf = (metadata: ObjectMeta, annotations: Readonly<Record<string, string>>): ObjectMeta => ({
  name: metadata.name,
  namespace: metadata.namespace ?? 'default',
  ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
  annotations: { ...metadata.annotations, ...annotations },
})

/** Owners that are not there any more would have the garbage collector delete what was restored: they are left out. */
export const ownersOf = (
  { ownerReferences = [] }: ObjectMeta,
  { uids }: Pick<Mapping, 'uids'>,
): readonly OwnerReference[] =>
  ownerReferences.flatMap((reference) => {
    const uid = uids.get(reference.uid)
    return uid === undefined ? [] : [{ ...reference, uid }]
  })

const withoutStatus = <T extends object>(object: T): Omit<T, 'status'> => {
  const { status: _, ...others } = object as T & { readonly status?: unknown }
  return others
}

export const heldAuthority = (authority: CertificateAuthority, id: string): CertificateAuthority => ({
  ...withoutStatus(authority),
  metadata: headOf(authority.metadata, { [marks.hold]: heldBecause, [marks.restoredFrom]: id }),
})

/** Annotations of a CA whose restore has ended: a hold that a person gave it stays. */
export const releasedAnnotations = (
  live: CertificateAuthority,
  backup: CertificateAuthority,
): Readonly<Record<string, string>> => {
  const { [marks.hold]: _, ...annotations } = live.metadata.annotations ?? {}
  const held = backup.metadata.annotations?.[marks.hold]
  return held === undefined ? annotations : { ...annotations, [marks.hold]: held }
}

export const isRestoredFrom = ({ annotations }: ObjectMeta, id: string): boolean =>
  annotations?.[marks.restoredFrom] === id

export const isHalfRestored = ({ metadata }: CertificateAuthority): boolean =>
  metadata.annotations?.[marks.hold] === heldBecause

export const restoredCertificate = (certificate: DatabaseCertificate, id: string): DatabaseCertificate => ({
  ...withoutStatus(certificate),
  metadata: headOf(certificate.metadata, { [marks.restoredFrom]: id }),
})

/** A holder that is not in the backup keeps its uid: it was gone by then, and another of its name is not it. */
export const restoredEntry = (
  entry: IssuedCertificate,
  id: string,
  { uids }: Pick<Mapping, 'uids'>,
): IssuedCertificate => {
  const { authorityRef, certificateRef, ...spec } = entry.spec
  return {
    ...withoutStatus(entry),
    metadata: headOf(entry.metadata, { [marks.restoredFrom]: id }),
    spec: {
      ...spec,
      authorityRef: { ...authorityRef, uid: uids.get(authorityRef.uid) ?? authorityRef.uid },
      ...(certificateRef === undefined
        ? {}
        : { certificateRef: { ...certificateRef, uid: uids.get(certificateRef.uid) ?? certificateRef.uid } }),
    },
  }
}

/**
 * What a status says of another object, where it spoke of the very one in the backup. Without its uid the operator looks
 * again, which costs a read and changes nothing.
 */
const seen = (
  mapping: Mapping,
  uid: string | undefined,
  resourceVersion: string | undefined,
): Partial<Version> | undefined => {
  const found = uid === undefined ? undefined : mapping.versions.get(uid)
  if (found === undefined) return undefined
  const isThis = found.before.resourceVersion === resourceVersion
  return { uid: found.after.uid, ...(isThis ? { resourceVersion: found.after.resourceVersion } : {}) }
}

/** The same of an object that a status knows by its version alone. */
const versionNow = (
  mapping: Mapping,
  uid: string | undefined,
  resourceVersion: string | undefined,
): string | undefined =>
  resourceVersion === undefined ? undefined : seen(mapping, uid, resourceVersion)?.resourceVersion

type AuthorityStatus = NonNullable<CertificateAuthority['status']>

export interface Times {
  /** Of the backup, ms since the epoch. */
  readonly createdAt: number
  readonly now: number
}

/**
 * Larger than every number the CA can have given since the backup (RFC 5280 §5.2.3): it makes one list a second at most.
 * The seconds since the epoch, as where a number was lost otherwise.
 */
export const numberAfter = (last: bigint, { createdAt, now }: Times): bigint => {
  const after = last + BigInt(Math.max(Math.ceil((now - createdAt) / 1000), 0))
  const seconds = BigInt(Math.floor(now / 1000))
  return after > seconds ? after : seconds
}

/**
 * Conditions are what the operator here says: one of the old cluster would have certificates signed while the CA is held.
 * Of trust targets it knows nothing yet.
 */
export const authorityStatus = (
  backup: CertificateAuthority,
  live: CertificateAuthority,
  mapping: Mapping,
  passphraseUid: string | undefined,
  times: Times,
): AuthorityStatus => {
  const { certificate, renewAt, trustBundleHash, rotation, crl, observed } = backup.status ?? {}
  const secret = seen(mapping, observed?.secretUid, observed?.secretResourceVersion)
  const passphrase = versionNow(mapping, passphraseUid, observed?.passphraseResourceVersion)
  const list = seen(mapping, crl?.configMapUid, crl?.configMapResourceVersion)
  const due = toTimestamp(times.now)
  return {
    ...live.status,
    ...(certificate === undefined ? {} : { certificate }),
    ...(renewAt === undefined ? {} : { renewAt }),
    ...(trustBundleHash === undefined ? {} : { trustBundleHash }),
    ...(rotation === undefined ? {} : { rotation }),
    ...(crl === undefined
      ? {}
      : {
          crl: {
            ...listNumberFields(numberAfter(listNumberOf(crl) ?? 0n, times)),
            // Due at once: lists may have been made after the backup.
            thisUpdate: due,
            nextUpdate: due,
            entries: crl.entries,
            ...(list?.uid === undefined ? {} : { configMapUid: list.uid }),
          },
        }),
    ...(secret?.uid === undefined
      ? {}
      : {
          observed: {
            secretUid: secret.uid,
            ...(secret.resourceVersion === undefined ? {} : { secretResourceVersion: secret.resourceVersion }),
            ...(passphrase === undefined ? {} : { passphraseResourceVersion: passphrase }),
          },
        }),
  }
}

type CertificateStatus = NonNullable<DatabaseCertificate['status']>

/** uids of then of the objects that a certificate refers to. */
export interface Referred {
  readonly password: string | undefined
  readonly request: string | undefined
}

/** As it was, so that the operator finds everything in order without a write; of an older spec only what is true of any. */
export const certificateStatus = (
  backup: DatabaseCertificate,
  live: DatabaseCertificate,
  mapping: Mapping,
  referred: Referred,
): CertificateStatus => {
  const { conditions, observedGeneration, observed, ...facts } = backup.status ?? {}
  const isCurrent = observedGeneration !== undefined && observedGeneration === backup.metadata.generation
  const generation = live.metadata.generation ?? 1
  const saidHere = { ...live.status, ...facts }
  const about = observed === undefined ? undefined : observedNow(observed, mapping, referred)
  return {
    ...facts,
    ...(isCurrent
      ? {
          observedGeneration: generation,
          conditions: (conditions ?? []).map((one) => ({ ...one, observedGeneration: generation })),
        }
      : saidHere),
    ...(about === undefined ? {} : { observed: about }),
  }
}

const observedNow = (
  observed: NonNullable<CertificateStatus['observed']>,
  mapping: Mapping,
  referred: Referred,
): NonNullable<CertificateStatus['observed']> => {
  const { secretUid, secretResourceVersion, passwordResourceVersion, requestResourceVersion, ...others } = observed
  const secret = seen(mapping, secretUid, secretResourceVersion)
  const password = versionNow(mapping, referred.password, passwordResourceVersion)
  const request = requestResourceVersion === '' ? '' : versionNow(mapping, referred.request, requestResourceVersion)
  return {
    ...others,
    ...(secret?.uid === undefined ? {} : { secretUid: secret.uid }),
    ...(secret?.resourceVersion === undefined ? {} : { secretResourceVersion: secret.resourceVersion }),
    ...(password === undefined ? {} : { passwordResourceVersion: password }),
    ...(request === undefined ? {} : { requestResourceVersion: request }),
  }
}
