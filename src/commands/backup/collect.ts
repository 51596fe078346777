/** Reads what a backup holds. */

import { randomBytes } from 'node:crypto'
import { ifFound } from '../../cluster/errors.ts'
import { keyOf, type KubeObject, type Resource } from '../../cluster/port.ts'
import { authorityKeyOf } from '../../certificate/rivals.ts'
import { marks } from '../../control/context.ts'
import { toTimestamp } from '../../control/schedule.ts'
import { authoritySecretName, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { type ConfigMap, configMaps, type Secret, secrets } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { version } from '../../version.ts'
import { readLedger } from '../ledger/entries.ts'
import { CommandError } from '../shared/failures.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { listAll } from '../shared/lists.ts'
import type { Target } from '../shared/target.ts'
import { type Holder, idOf, isOffered, isOwned, ownerOf, placeOf, type Reference, referencesOf } from './belongings.ts'
import { asContents, type BackupContents, idOfReference } from './contents.ts'

export interface Included {
  /** DatabaseCertificates and their Secrets. */
  readonly certificates: boolean
  /** Secrets of passphrases and passwords. */
  readonly confidential: boolean
}

/**
 * Secrets before the ledger: what is in a Secret is in the ledger by then, also while an operator issues. Rejects with
 * CommandError where the key of a CA is gone.
 */
export const collect = async (
  target: Target,
  authorities: readonly CertificateAuthority[],
  include: Included,
): Promise<BackupContents> => {
  const { clock } = target
  const certificates = include.certificates ? await certificatesOf(target, authorities) : []
  const { found, leftOut } = await belongingsOf(target, [...authorities, ...certificates], include)
  const ledgers = await Promise.all(
    authorities.map(({ metadata: { name, namespace = 'default' } }) =>
      readLedger(target, { authority: { namespace, name } }),
    ),
  )
  refuseLostKeys(authorities, found)
  // Held to the same rules as what a restore reads: a backup that could not be restored is none.
  return asContents({
    id: randomBytes(16).toString('hex'),
    createdAt: toTimestamp(clock.now()),
    madeBy: version(),
    authorities: authorities.map(kept),
    certificates: certificates.map(kept),
    ledger: ledgers.flat().map(kept),
    secrets: found.filter(({ kind }) => kind === 'Secret').map(kept),
    configMaps: found.filter(({ kind }) => kind === 'ConfigMap').map(kept),
    leftOut,
  })
}

/** A CA may sign for other namespaces: those are asked for that it allows. */
const certificatesOf = async (
  { cluster }: Target,
  authorities: readonly CertificateAuthority[],
): Promise<DatabaseCertificate[]> => {
  const chosen = new Set(authorities.map(keyOf))
  const wide = authorities.some(({ spec }) => ['All', 'Selector'].includes(spec.allowedNamespaces?.from ?? 'Same'))
  const places = new Set(authorities.flatMap((one) => [placeOf(one), ...(one.spec.allowedNamespaces?.names ?? [])]))
  const lists = await Promise.all(
    (wide ? [undefined] : [...places]).map((namespace) => listAll(cluster, databaseCertificates, { namespace })),
  )
  return lists.flat().filter((one) => chosen.has(authorityKeyOf(one)) && one.metadata.deletionTimestamp === undefined)
}

const readWidth = 16

const belongingsOf = async (
  target: Target,
  holders: readonly Holder[],
  include: Included,
): Promise<{ readonly found: (Secret | ConfigMap)[]; readonly leftOut: Reference[] }> => {
  const found = new Map<string, Secret | ConfigMap>()
  const leftOut: Reference[] = []
  const marked = await markedIn(target, new Set(holders.map(placeOf)))
  const owners = new Set(holders.map(ownerOf))
  for (const object of marked) if (isOwned(object, owners)) found.set(idOf(object), object)
  const references = uniqueReferences(holders.flatMap(referencesOf)).filter((one) => !found.has(idOfReference(one)))
  const secretOf = new Map<string, DatabaseCertificate>()
  for (const one of holders.filter(isCertificate)) secretOf.set(`${placeOf(one)}/${one.spec.secret.name}`, one)
  await inParallel(references, readWidth, async (reference) => {
    const object = await read(target, reference)
    if (object === undefined) return
    const holder = object.kind === 'Secret' ? secretOf.get(keyOf(object)) : undefined
    const isTheirs = holder !== undefined && (isOwned(object, owners) || isOffered(object, holder))
    // In the way of the certificate, and somebody else's.
    if (holder !== undefined && !isTheirs && !isNamedOtherwise(object, holders)) return
    if (reference.confidential && !include.confidential) leftOut.push(reference)
    else found.set(idOf(object), object)
  })
  return { found: [...found.values()], leftOut }
}

const isCertificate = (holder: Holder): holder is DatabaseCertificate => holder.kind === 'DatabaseCertificate'

/** A Secret that one certificate wants for itself may be the password of another. */
const isNamedOtherwise = (object: KubeObject, holders: readonly Holder[]): boolean =>
  holders.some((holder) =>
    referencesOf(holder).some(
      (one) => idOfReference(one) === idOf(object) && !(isCertificate(holder) && one.name === holder.spec.secret.name),
    ),
  )

/** A Secret named twice is confidential where one of the names says so. */
const uniqueReferences = (references: readonly Reference[]): Reference[] => {
  const unique = new Map<string, Reference>()
  for (const one of references) {
    const id = idOfReference(one)
    unique.set(id, { ...one, confidential: one.confidential || unique.get(id)?.confidential === true })
  }
  return [...unique.values()]
}

/** What carries the operator's label, in pages: one read each would take a large cluster's minutes. */
const markedIn = async ({ cluster }: Target, namespaces: ReadonlySet<string>): Promise<(Secret | ConfigMap)[]> => {
  const labelSelector = `${marks.managedBy}=${marks.managedByValue}`
  const lists = await Promise.all(
    [...namespaces].flatMap((namespace) => [
      listAll<Secret | ConfigMap>(cluster, secrets, { namespace, labelSelector }),
      listAll<Secret | ConfigMap>(cluster, configMaps, { namespace, labelSelector }),
    ]),
  )
  return lists.flat()
}

const read = async (
  { cluster }: Target,
  { kind, namespace, name }: Reference,
): Promise<Secret | ConfigMap | undefined> => {
  const resource: Resource<Secret | ConfigMap> = kind === 'Secret' ? secrets : configMaps
  return ifFound(cluster.get(resource, { namespace, name }))
}

/** Without its key there is nothing of a CA to restore. */
const refuseLostKeys = (authorities: readonly CertificateAuthority[], found: readonly KubeObject[]): void => {
  const present = new Set(found.map(idOf))
  const lost = authorities.flatMap((authority) => {
    const { source } = authority.spec
    if (source.trustOnly !== undefined || authority.status?.certificate === undefined) return []
    const id = `Secret ${placeOf(authority)}/${source.secret?.name ?? authoritySecretName(authority)}`
    return present.has(id) ? [] : [id]
  })
  if (lost.length > 0)
    throw new CommandError(`${lost.join(', ')} with the key of a CertificateAuthority is gone: nothing was written`)
}

/** Without what a server writes by itself; uid, resourceVersion and generation tell what referred to what. */
const kept = <T extends KubeObject>(object: T): T => {
  const { name, uid, resourceVersion, generation, creationTimestamp } = object.metadata
  const { labels, annotations, ownerReferences } = object.metadata
  const metadata = {
    name,
    namespace: placeOf(object),
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    labels,
    annotations,
    ownerReferences,
  }
  // As it will be read back: a member that is undefined is not there.
  return JSON.parse(JSON.stringify({ ...object, metadata })) as T
}
