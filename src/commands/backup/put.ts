/**
 * Writes a restore, piece by piece: Secrets before what would make others where it finds none, CAs held until the last
 * piece is there. Each piece that is there already is passed over, so that an interrupted restore goes on where it was.
 */

import { isAlreadyExists } from '../../cluster/errors.ts'
import type { KubeObject, Resource } from '../../cluster/port.ts'
import { passphraseRefOf } from '../../authority/names.ts'
import { fieldManager as operatorManager } from '../../control/context.ts'
import { isOfProfile } from '../../profile/names.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { type ConfigMap, configMaps, type Namespace, namespaces, type Secret, secrets } from '../../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../resources/database-certificate.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { fieldManager } from '../objects/renew.ts'
import { inParallel } from '../shared/in-parallel.ts'
import type { Target } from '../shared/target.ts'
import { type Holder, idOf, ownerOf, partsOf, placeOf } from './belongings.ts'
import type { BackupContents } from './contents.ts'
import { parentsFirst, rivalsForSecret, rivalsIn, waves } from './order.ts'
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
} from './remap.ts'
import { holderOf, type Survey } from './survey.ts'
import { Writer } from './writer.ts'

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
  readonly #writer: Writer
  readonly #holders: ReadonlyMap<string, Holder>
  readonly #uids = new Map<string, string>()
  readonly #versions = new Map<string, { readonly before: Version; readonly after: Version }>()

  constructor(target: Target, contents: BackupContents, survey: Survey, progress: Progress) {
    this.#target = target
    this.#contents = contents
    this.#survey = survey
    this.#progress = progress
    this.#writer = new Writer(target, survey.present, this.#uids)
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

  async #authority(authority: CertificateAuthority): Promise<void> {
    const held = heldAuthority(authority, this.#contents.id)
    const { metadata } = await this.#writer.create(certificateAuthorities, authority, held, fieldManager)
    this.#uids.set(authority.metadata.uid ?? '', metadata.uid ?? '')
  }

  async #certificate(certificate: DatabaseCertificate): Promise<void> {
    const made = restoredCertificate(certificate, this.#contents.id)
    const { metadata } = isOfProfile(certificate)
      ? await this.#writer.apply(databaseCertificates, certificate, made)
      : await this.#writer.create(databaseCertificates, certificate, made, fieldManager)
    this.#uids.set(certificate.metadata.uid ?? '', metadata.uid ?? '')
  }

  async #belonging(object: Secret | ConfigMap): Promise<void> {
    const resource: Resource<Secret | ConfigMap> = object.kind === 'Secret' ? secrets : configMaps
    const holder = holderOf(object, this.#holders)
    const { metadata } =
      holder === undefined
        ? await this.#writer.create(resource, object, given(object, this.#uids), fieldManager)
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
    return this.#writer.add(resource, more)
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
    return this.#writer.apply(resource, object, part)
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
    const created = await this.#writer.create(issuedCertificates, entry, made, operatorManager)
    const { status } = entry
    if (status === undefined || isEmpty(status) || (created as IssuedCertificate).status?.state !== undefined) return
    await this.#writer.status(issuedCertificates, entry, created as IssuedCertificate, (live) =>
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
    await this.#writer.status(databaseCertificates, certificate, undefined, (live) =>
      live.status?.serialNumber === undefined ? certificateStatus(certificate, live, mapping, referred) : undefined,
    )
  }

  async #authorityStatus(authority: CertificateAuthority): Promise<void> {
    const { status } = authority
    if (status?.certificate === undefined && status?.trustBundleHash === undefined && status?.crl === undefined) return
    const { clock } = this.#target
    const passphrase = this.#uidOf('Secret', authority, passphraseRefOf(authority)?.name)
    const mapping = { uids: this.#uids, versions: this.#versions }
    await this.#writer.status(certificateAuthorities, authority, undefined, (live) => {
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

  #release(authority: CertificateAuthority): Promise<void> {
    return this.#writer.change(certificateAuthorities, authority, (live) => {
      if (!isHalfRestored(live)) return undefined
      const annotations = releasedAnnotations(live, authority)
      return { ...live, metadata: { ...live.metadata, annotations } }
    })
  }
}

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
