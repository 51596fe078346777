/**
 * Looks at the cluster that a backup is to be restored into: what of it is there already, and everything that is in the
 * way, before anything is written.
 */

import { isDeepStrictEqual } from 'node:util'
import { ifFound, isForbidden, isNotFound } from '../../cluster/errors.ts'
import { keyOf, type KubeObject, type ObjectKey, type Resource } from '../../cluster/port.ts'
import { parentOf } from '../../authority/names.ts'
import { authorityKeyOf } from '../../certificate/rivals.ts'
import { marks } from '../../control/context.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { type ConfigMap, configMaps, namespaces, type Secret, secrets } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { IssuedCertificate } from '../../resources/issued-certificate.ts'
import { findAuthority, readLedger } from '../ledger/entries.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { listAll } from '../shared/lists.ts'
import type { Target } from '../shared/target.ts'
import { type Holder, idOf, isOwned, ownerOf, partsOf, placeOf, type Reference, referencesOf } from './belongings.ts'
import { type BackupContents, idOfReference } from './contents.ts'
import { isHalfRestored, isRestoredFrom, ownersOf, restoredEntry } from './remap.ts'

export interface Survey {
  /** What is in the way, a sentence each. */
  readonly problems: readonly string[]
  readonly notes: readonly string[]
  /** What is still to be restored: without the CAs that were, and what belongs to them. */
  readonly wanted: Omit<BackupContents, 'leftOut'>
  /** By `idOf`: what is there already of it. */
  readonly present: ReadonlyMap<string, KubeObject>
  readonly missingNamespaces: readonly string[]
}

const readWidth = 16

export const survey = async (target: Target, contents: BackupContents): Promise<Survey> =>
  new Surveyor(target, contents).look()

class Surveyor {
  readonly #target: Target
  readonly #contents: BackupContents
  readonly #problems: string[] = []
  readonly #notes: string[] = []
  readonly #present = new Map<string, KubeObject>()
  readonly #uids = new Map<string, string>()

  constructor(target: Target, contents: BackupContents) {
    this.#target = target
    this.#contents = contents
  }

  async look(): Promise<Survey> {
    const authorities = await this.#authorities()
    const wanted = remaining(this.#contents, authorities)
    const missingNamespaces = await this.#namespaces(wanted)
    await this.#certificates(wanted.certificates)
    await this.#belongings(wanted)
    for (const authority of authorities) await this.#ledger(authority, wanted.ledger)
    await this.#leftOut(wanted)
    await this.#parents(authorities)
    return { problems: this.#problems, notes: this.#notes, wanted, present: this.#present, missingNamespaces }
  }

  #inTheWay(object: KubeObject, why: string): void {
    this.#problems.push(`${idOf(object)} ${why}`)
  }

  /** Those that are not restored yet. */
  async #authorities(): Promise<CertificateAuthority[]> {
    const { authorities, id } = this.#contents
    const open: CertificateAuthority[] = []
    for (const authority of authorities) {
      const there = await findAuthority(this.#target.cluster, {
        namespace: placeOf(authority),
        name: authority.metadata.name,
      })
      if (there !== undefined && isRestoredFrom(there.metadata, id) && !isHalfRestored(there)) continue
      open.push(authority)
      if (there === undefined) continue
      if (isRestoredFrom(there.metadata, id)) this.#found(authority, there)
      else this.#inTheWay(authority, 'exists, and does not come from this backup')
    }
    return open
  }

  #found(backup: KubeObject, there: KubeObject): void {
    this.#present.set(idOf(backup), there)
    this.#uids.set(backup.metadata.uid ?? '', there.metadata.uid ?? '')
  }

  /** Only a cluster has them; a state folder makes them as they are used. */
  async #namespaces(wanted: Survey['wanted']): Promise<string[]> {
    const { cluster, live } = this.#target
    if (!live) return []
    const { authorities, certificates, ledger, secrets: some, configMaps: maps } = wanted
    const names = new Set([...authorities, ...certificates, ...ledger, ...some, ...maps].map(placeOf))
    const missing: string[] = []
    for (const name of names) {
      try {
        const { metadata } = await cluster.get(namespaces, { name })
        if (metadata.deletionTimestamp !== undefined) this.#problems.push(`Namespace ${name} is being deleted`)
      } catch (error) {
        if (isNotFound(error)) missing.push(name)
        // Who may not see namespaces is told by the first write.
        else if (!isForbidden(error)) throw error
      }
    }
    return missing
  }

  async #certificates(certificates: readonly DatabaseCertificate[]): Promise<void> {
    const { cluster } = this.#target
    const places = [...new Set(certificates.map(placeOf))]
    const lists = await Promise.all(places.map((namespace) => listAll(cluster, databaseCertificates, { namespace })))
    const there = new Map(lists.flat().map((one) => [keyOf(one), one]))
    for (const certificate of certificates) {
      const found = there.get(keyOf(certificate))
      if (found === undefined) continue
      if (isRestoredFrom(found.metadata, this.#contents.id)) this.#found(certificate, found)
      else this.#inTheWay(certificate, 'exists, and does not come from this backup')
    }
  }

  async #belongings({ authorities, certificates, secrets: some, configMaps: maps }: Survey['wanted']): Promise<void> {
    const holders = new Map([...authorities, ...certificates].map((holder) => [ownerOf(holder), holder]))
    await inParallel([...some, ...maps], readWidth, async (object) => {
      const there = await this.#get<Secret | ConfigMap>(object.kind === 'Secret' ? secrets : configMaps, object)
      if (there === undefined) return
      const holder = holderOf(object, holders)
      const differs = holder === undefined ? givenDiffers(there, object) : this.#ownDiffers(there, object, holder)
      if (differs === undefined) this.#present.set(idOf(object), there)
      else this.#inTheWay(object, differs)
    })
  }

  #ownDiffers(there: Secret | ConfigMap, object: Secret | ConfigMap, holder: Holder): string | undefined {
    const { own } = partsOf(object, holder)
    const { annotations = {} } = there.metadata
    if (annotations[marks.owner] !== own.annotations[marks.owner]) return 'exists, and was not made by dbtls for this'
    const same = Object.entries(own.data).every(([key, value]) => there.data?.[key] === value)
    if (!same) return 'exists, and holds something else'
    const expected = ownersOf(object.metadata, { uids: this.#uids }).map(({ uid }) => uid)
    const owners = (there.metadata.ownerReferences ?? []).map(({ uid }) => uid)
    return owners.every((uid) => expected.includes(uid)) ? undefined : 'exists, and belongs to another object'
  }

  async #ledger(authority: CertificateAuthority, ledger: readonly IssuedCertificate[]): Promise<void> {
    const key = { namespace: placeOf(authority), name: authority.metadata.name }
    const there = new Map((await readLedger(this.#target, { authority: key })).map((one) => [idOf(one), one]))
    const expected = new Set(ledger.map(idOf))
    for (const [id, entry] of there) if (!expected.has(id)) this.#inTheWay(entry, 'exists, and is not in the backup')
    for (const entry of ledger) {
      const found = there.get(idOf(entry))
      if (found === undefined) continue
      const { spec } = restoredEntry(entry, this.#contents.id, { uids: this.#uids })
      const same = (['authorityRef', 'serialNumber', 'certificate', 'certificateRef', 'request'] as const).every(
        (member) => isDeepStrictEqual(found.spec[member], spec[member]),
      )
      if (same) this.#present.set(idOf(entry), found)
      else this.#inTheWay(entry, 'exists, and is of another CertificateAuthority or certificate')
    }
  }

  /** What the backup was made without has to be there. */
  async #leftOut({ authorities, certificates }: Survey['wanted']): Promise<void> {
    const needed = new Set([...authorities, ...certificates].flatMap(referencesOf).map(idOfReference))
    const references = this.#contents.leftOut.filter((one) => needed.has(idOfReference(one)))
    await inParallel(references, readWidth, async (reference: Reference) => {
      const { kind, namespace, name } = reference
      const resource: Resource<Secret | ConfigMap> = kind === 'Secret' ? secrets : configMaps
      const there = await this.#get(resource, { metadata: { namespace, name } })
      if (there === undefined)
        this.#problems.push(`${idOfReference(reference)} was left out of the backup: create it first`)
    })
  }

  async #parents(authorities: readonly CertificateAuthority[]): Promise<void> {
    const together = new Set(this.#contents.authorities.map(keyOf))
    for (const authority of authorities) {
      const parent = parentOf(authority)
      if (parent === undefined || together.has(`${parent.namespace}/${parent.name}`)) continue
      if ((await findAuthority(this.#target.cluster, parent)) !== undefined) continue
      const above = `CertificateAuthority ${parent.namespace}/${parent.name}`
      this.#notes.push(`${above}, which signs ${keyOf(authority)}, is not there: restore it, too, before that one ends`)
    }
  }

  async #get<T extends KubeObject>(
    resource: Resource<T>,
    { metadata: { namespace, name } }: { readonly metadata: ObjectKey },
  ): Promise<T | undefined> {
    return ifFound(this.#target.cluster.get(resource, { namespace, name }))
  }
}

/** For whom the operator wrote an object; undefined for one that a person made. */
export const holderOf = (object: KubeObject, holders: ReadonlyMap<string, Holder>): Holder | undefined =>
  isOwned(object, holders) ? holders.get(`${placeOf(object)} ${object.metadata.annotations?.[marks.owner]}`) : undefined

const givenDiffers = (there: Secret | ConfigMap, object: Secret | ConfigMap): string | undefined => {
  const bytes = (one: ConfigMap | Secret) => [one.data ?? {}, 'binaryData' in one ? one.binaryData : {}]
  return isDeepStrictEqual(bytes(there), bytes(object)) ? undefined : 'exists, and holds something else'
}

/** What belongs to CAs that are not restored yet. */
const remaining = (contents: BackupContents, authorities: readonly CertificateAuthority[]): Survey['wanted'] => {
  const { leftOut: _, ...all } = contents
  if (authorities.length === contents.authorities.length) return all
  const open = new Set(authorities.map(keyOf))
  const certificates = contents.certificates.filter((one) => open.has(authorityKeyOf(one)))
  const holders = [...authorities, ...certificates]
  const owners = new Set(holders.map(ownerOf))
  const named = new Set(holders.flatMap(referencesOf).map(idOfReference))
  const belongs = (object: KubeObject): boolean =>
    object.metadata.annotations?.[marks.owner] === undefined ? named.has(idOf(object)) : isOwned(object, owners)
  return {
    ...all,
    authorities,
    certificates,
    ledger: contents.ledger.filter(({ metadata, spec }) => open.has(`${metadata.namespace}/${spec.authorityRef.name}`)),
    secrets: contents.secrets.filter(belongs),
    configMaps: contents.configMaps.filter(belongs),
  }
}
