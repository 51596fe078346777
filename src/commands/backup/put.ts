/**
 * Writes a restore, piece by piece: Secrets before what would make others where it finds none, CAs held until the last
 * piece is there. Each piece that is there already is passed over, so that an interrupted restore goes on where it was.
 */

import { isAlreadyExists, isConflict } from '../../cluster/errors.ts'
import { keyOf, type KubeObject, type Resource } from '../../cluster/port.ts'
import { parentOf, passphraseRefOf } from '../../authority/names.ts'
import { authorityKeyOf } from '../../certificate/rivals.ts'
import { fieldManager as operatorManager } from '../../control/context.ts'
import { isOfProfile } from '../../profile/names.ts'
import { factsOf } from '../../ledger/facts.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { type ConfigMap, configMaps, type Namespace, namespaces, type Secret, secrets } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { fieldManager } from '../objects/renew.ts'
import { CommandError } from '../shared/failures.ts'
import { inParallel } from '../shared/in-parallel.ts'
import type { Target } from '../shared/target.ts'
import { type Holder, idOf, ownerOf, partsOf, placeOf } from './belongings.ts'
import type { BackupContents } from './contents.ts'
import {
  authorityStatus,
  certificateStatus,
  heldAuthority,
  isHalfRestored,
  ownersOf,
  releasedAnnotations,
  restoredCertificate,
  restoredEntry,
  type Version,
  waves,
} from './remap.ts'
import { holderOf, type Survey } from './survey.ts'

const width = 16

/** Creation times have whole seconds. */
const nextSecondMs = 1100

export type Progress = (done: number, all: number) => void

/** Rejects with CommandError where somebody else writes the same things meanwhile. */
export const put = (target: Target, contents: BackupContents, survey: Survey, progress: Progress): Promise<void> =>
  new Restoration(target, contents, survey, progress).run()

class Restoration {
  readonly #target: Target
  readonly #contents: BackupContents
  readonly #survey: Survey
  readonly #progress: Progress
  readonly #holders: ReadonlyMap<string, Holder>
  readonly #uids = new Map<string, string>()
  readonly #versions = new Map<string, { readonly before: Version; readonly after: Version }>()

  constructor(target: Target, contents: BackupContents, survey: Survey, progress: Progress) {
    this.#target = target
    this.#contents = contents
    this.#survey = survey
    this.#progress = progress
    const { authorities, certificates } = survey.wanted
    this.#holders = new Map([...authorities, ...certificates].map((holder) => [ownerOf(holder), holder]))
  }

  async run(): Promise<void> {
    const { missingNamespaces, wanted } = this.#survey
    for (const name of missingNamespaces) await this.#namespace(name)
    const belongings: readonly (Secret | ConfigMap)[] = [...wanted.secrets, ...wanted.configMaps]
    const isOfCertificate = (object: KubeObject): boolean =>
      holderOf(object, this.#holders)?.kind === 'DatabaseCertificate'
    const [later, sooner] = [belongings.filter(isOfCertificate), belongings.filter((one) => !isOfCertificate(one))]
    await inParallel(sooner, width, (object) => this.#belonging(object))
    await this.#holdersOf(wanted.authorities, (one) => this.#authority(one), rivalsForSecret)
    await this.#holdersOf(wanted.certificates, (one) => this.#certificate(one), rivalsIn(wanted.ledger))
    // The Secret of a certificate names it as its owner.
    await inParallel(later, width, (object) => this.#belonging(object))
    await this.#ledger(wanted.ledger)
    await inParallel(wanted.certificates, width, (one) => this.#certificateStatus(one))
    await inParallel(wanted.authorities, width, (one) => this.#authorityStatus(one))
    for (const authority of parentsFirst(wanted.authorities)) await this.#release(authority)
  }

  async #namespace(name: string): Promise<void> {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as Namespace
    try {
      await this.#target.cluster.create(namespaces, object, { fieldManager })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  async #holdersOf<T extends Holder>(
    objects: readonly T[],
    make: (object: T) => Promise<void>,
    rivalry: (object: T) => readonly string[],
  ): Promise<void> {
    let first = true
    for (const wave of waves(objects, rivalry)) {
      const missing = wave.filter((object) => !this.#survey.present.has(idOf(object)))
      if (!first && missing.length > 0) await this.#target.clock.sleep(nextSecondMs)
      first = false
      await inParallel(wave, width, make)
    }
  }

  /** What is there already is passed over. */
  async #once(backup: KubeObject, make: () => Promise<KubeObject>): Promise<KubeObject> {
    const present = this.#survey.present.get(idOf(backup))
    if (present !== undefined) return present
    try {
      return await make()
    } catch (error) {
      throw isAlreadyExists(error) ? appeared(backup) : error
    }
  }

  #create<T extends KubeObject>(resource: Resource<T>, backup: T, made: T, manager: string): Promise<KubeObject> {
    const options = { fieldManager: manager, metadataOnly: true }
    return this.#once(backup, () => this.#target.cluster.create(resource, made, options))
  }

  /** In the operator's name, so that a profile which takes it in can take away what it comes to ask for no longer. */
  #applied<T extends KubeObject>(resource: Resource<T>, backup: T, made: T): Promise<KubeObject> {
    const options = { fieldManager: operatorManager, force: true, createOnly: true, metadataOnly: true }
    return this.#once(backup, () => this.#target.cluster.apply(resource, made, options))
  }

  async #authority(authority: CertificateAuthority): Promise<void> {
    const held = heldAuthority(authority, this.#contents.id)
    const { metadata } = await this.#create(certificateAuthorities, authority, held, fieldManager)
    this.#uids.set(authority.metadata.uid ?? '', metadata.uid ?? '')
  }

  async #certificate(certificate: DatabaseCertificate): Promise<void> {
    const made = restoredCertificate(certificate, this.#contents.id)
    const { metadata } = isOfProfile(certificate)
      ? await this.#applied(databaseCertificates, certificate, made)
      : await this.#create(databaseCertificates, certificate, made, fieldManager)
    this.#uids.set(certificate.metadata.uid ?? '', metadata.uid ?? '')
  }

  async #belonging(object: Secret | ConfigMap): Promise<void> {
    const resource: Resource<Secret | ConfigMap> = object.kind === 'Secret' ? secrets : configMaps
    const holder = holderOf(object, this.#holders)
    const { metadata } =
      holder === undefined
        ? await this.#create(resource, object, given(object, this.#uids), fieldManager)
        : await this.#own(resource, object, holder)
    const { uid = '', resourceVersion = '' } = object.metadata
    this.#versions.set(uid, {
      before: { uid, resourceVersion },
      after: { uid: metadata.uid ?? '', resourceVersion: metadata.resourceVersion ?? '' },
    })
  }

  /** In the operator's name what is the operator's, so that its next write takes away what it does not want any more. */
  async #own(resource: Resource<Secret | ConfigMap>, object: Secret | ConfigMap, holder: Holder): Promise<KubeObject> {
    const { own, others } = partsOf(object, holder)
    const written = await this.#ownPart(resource, object, own)
    const hasMore =
      object.immutable === true || [others.labels, others.annotations, others.data].some((one) => !isEmpty(one))
    if (!hasMore || hasAll(written, others)) return written
    const more = {
      apiVersion: 'v1',
      kind: object.kind,
      metadata: {
        ...{ name: object.metadata.name, namespace: placeOf(object), uid: written.metadata.uid },
        labels: others.labels,
        annotations: others.annotations,
      },
      ...(isEmpty(others.data) ? {} : { data: others.data }),
      ...(object.immutable === true ? { immutable: true } : {}),
    } as Secret | ConfigMap
    return this.#target.cluster.apply(resource, more, { fieldManager, metadataOnly: true })
  }

  #ownPart(
    resource: Resource<Secret | ConfigMap>,
    object: Secret | ConfigMap,
    { annotations, data, labels }: ReturnType<typeof partsOf>['own'],
  ): Promise<KubeObject> {
    const ownerReferences = ownersOf(object.metadata, { uids: this.#uids })
    const part = {
      apiVersion: 'v1',
      kind: object.kind,
      metadata: {
        ...{ name: object.metadata.name, namespace: placeOf(object), labels, annotations },
        ...(ownerReferences.length === 0 ? {} : { ownerReferences }),
      },
      ...('type' in object ? { type: object.type } : {}),
      data,
    } as Secret | ConfigMap
    return this.#applied(resource, object, part)
  }

  /** What is revoked first: if this ends half-way, nothing else may be missing. */
  async #ledger(ledger: readonly IssuedCertificate[]): Promise<void> {
    const ordered = ledger.toSorted(
      (a, b) => Number(b.spec.revocation !== undefined) - Number(a.spec.revocation !== undefined),
    )
    let done = 0
    await inParallel(ordered, width, async (entry) => {
      await this.#entry(entry)
      done += 1
      this.#progress(done, ordered.length)
    })
  }

  async #entry(entry: IssuedCertificate): Promise<void> {
    const made = restoredEntry(entry, this.#contents.id, { uids: this.#uids })
    const created = await this.#create(issuedCertificates, entry, made, operatorManager)
    const { status } = entry
    if (status === undefined || isEmpty(status) || (created as IssuedCertificate).status?.state !== undefined) return
    await this.#status(issuedCertificates, entry, created as IssuedCertificate, (live) =>
      // The operator may have marked it already.
      live.status?.state === undefined ? { ...live.status, ...status } : undefined,
    )
  }

  async #certificateStatus(certificate: DatabaseCertificate): Promise<void> {
    if (certificate.status?.serialNumber === undefined) return
    const { keystore, request } = certificate.spec
    const referred = {
      password: this.#uidOf('Secret', certificate, keystore?.passwordSecretRef?.name),
      request:
        this.#uidOf('Secret', certificate, request?.secretRef?.name) ??
        this.#uidOf('ConfigMap', certificate, request?.configMapRef?.name),
    }
    const mapping = { uids: this.#uids, versions: this.#versions }
    await this.#status(databaseCertificates, certificate, undefined, (live) =>
      live.status?.serialNumber === undefined ? certificateStatus(certificate, live, mapping, referred) : undefined,
    )
  }

  async #authorityStatus(authority: CertificateAuthority): Promise<void> {
    const { status } = authority
    if (status?.certificate === undefined && status?.trustBundleHash === undefined && status?.crl === undefined) return
    const { clock } = this.#target
    const passphrase = this.#uidOf('Secret', authority, passphraseRefOf(authority)?.name)
    const mapping = { uids: this.#uids, versions: this.#versions }
    await this.#status(certificateAuthorities, authority, undefined, (live) => {
      const { certificate, crl, trustBundleHash } = live.status ?? {}
      if (certificate !== undefined || crl !== undefined || trustBundleHash !== undefined) return undefined
      const times = { createdAt: Date.parse(this.#contents.createdAt), now: clock.now() }
      return authorityStatus(authority, live, mapping, passphrase, times)
    })
  }

  /** uid of then. */
  #uidOf(kind: 'Secret' | 'ConfigMap', { metadata }: KubeObject, name: string | undefined): string | undefined {
    if (name === undefined) return undefined
    const objects: readonly KubeObject[] = kind === 'Secret' ? this.#contents.secrets : this.#contents.configMaps
    return objects.find((one) => one.metadata.name === name && placeOf(one) === metadata.namespace)?.metadata.uid
  }

  /** `wanted` answers the status for the object as it is now, undefined where nothing is to be done. */
  async #status<T extends KubeObject & { readonly status?: unknown }>(
    resource: Resource<T>,
    backup: T,
    known: T | undefined,
    wanted: (live: T) => T['status'] | undefined,
  ): Promise<void> {
    let at = known
    await retried(backup, async () => {
      const live = at ?? (await this.#live(resource, backup))
      at = undefined
      const status = wanted(live)
      if (status === undefined) return
      const { name, namespace, uid, resourceVersion } = live.metadata
      const { apiVersion, kind } = backup
      const update = { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status }
      await this.#target.cluster.updateStatus(resource, update as unknown as T, {
        fieldManager: operatorManager,
        metadataOnly: true,
      })
    })
  }

  /** The very object that was restored: another one of its name is not to be touched. */
  async #live<T extends KubeObject>(resource: Resource<T>, backup: T): Promise<T> {
    const { name, namespace, uid = '' } = backup.metadata
    const live = await this.#target.cluster.get(resource, { namespace, name })
    const expected = this.#uids.get(uid)
    if (expected !== undefined && live.metadata.uid !== expected) throw appeared(backup)
    return live
  }

  #release(authority: CertificateAuthority): Promise<void> {
    return retried(authority, async () => {
      const live = await this.#live(certificateAuthorities, authority)
      if (!isHalfRestored(live)) return
      const annotations = releasedAnnotations(live, authority)
      const released = { ...live, metadata: { ...live.metadata, annotations } }
      await this.#target.cluster.update(certificateAuthorities, released, { fieldManager, metadataOnly: true })
    })
  }
}

const attempts = 20

/** An operator may write at the same moment. */
const retried = async (object: KubeObject, work: () => Promise<void>): Promise<void> => {
  for (let left = attempts; ; left -= 1) {
    try {
      return await work()
    } catch (error) {
      if (!isConflict(error)) throw error
      if (left === 0) throw appeared(object)
    }
  }
}

const appeared = (object: KubeObject): CommandError =>
  new CommandError(`${idOf(object)} was written by somebody else meanwhile; give the same command again`)

const isEmpty = (record: object): boolean => Object.keys(record).length === 0

const hasAll = (there: KubeObject, others: ReturnType<typeof partsOf>['others']): boolean => {
  const { data = {} } = there as Secret
  const { labels = {}, annotations = {} } = there.metadata
  const within = (some: Readonly<Record<string, string>>, all: Readonly<Record<string, string>>): boolean =>
    Object.entries(some).every(([key, value]) => all[key] === value)
  return within(others.labels, labels) && within(others.annotations, annotations) && within(others.data, data)
}

const given = (object: Secret | ConfigMap, uids: ReadonlyMap<string, string>): Secret | ConfigMap => {
  const { name, labels, annotations } = object.metadata
  const ownerReferences = ownersOf(object.metadata, { uids })
  return {
    ...object,
    metadata: {
      name,
      namespace: placeOf(object),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences.length === 0 ? {} : { ownerReferences }),
    },
  }
}

const rivalsForSecret = (authority: CertificateAuthority): readonly string[] => {
  const name = authority.spec.source.secret?.name
  return name === undefined ? [] : [`${placeOf(authority)}/${name}`]
}

/** One key, and one common name under one CA, are for one certificate alone. */
const rivalsIn = (ledger: readonly IssuedCertificate[]) => {
  const names = new Map<string, string>()
  for (const { metadata, spec } of ledger) {
    const commonName = factsOf(spec.certificate)?.commonName
    if (commonName !== undefined)
      names.set(`${metadata.namespace}/${spec.authorityRef.name} ${spec.serialNumber}`, commonName)
  }
  return (certificate: DatabaseCertificate): readonly string[] => {
    const { publicKeyHash, serialNumber } = certificate.status ?? {}
    const authority = authorityKeyOf(certificate)
    const commonName = names.get(`${authority} ${serialNumber ?? ''}`) ?? certificate.spec.subject?.commonName
    return [
      ...(publicKeyHash === undefined ? [] : [`key ${publicKeyHash}`]),
      ...(commonName === undefined || commonName === '' ? [] : [`name ${authority} ${commonName}`]),
    ]
  }
}

const parentsFirst = (authorities: readonly CertificateAuthority[]): CertificateAuthority[] => {
  const open = new Map(authorities.map((one) => [keyOf(one), one]))
  const ordered: CertificateAuthority[] = []
  const visit = (authority: CertificateAuthority): void => {
    if (!open.delete(keyOf(authority))) return
    const parent = parentOf(authority)
    const above = parent === undefined ? undefined : open.get(`${parent.namespace}/${parent.name}`)
    if (above !== undefined) visit(above)
    ordered.push(authority)
  }
  for (const authority of authorities) visit(authority)
  return ordered
}
