/**
 * The operator, whole: caches, controllers, and which change makes which object be looked at again. The same for a real
 * cluster and for the embedded one.
 */

import type { webcrypto } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Keyring } from './authority/keyring.ts'
import { AuthorityReconciler } from './authority/reconcile.ts'
import { createCaches } from './caches.ts'
import { CertificateReconciler } from './certificate/reconcile.ts'
import { otherHolders } from './certificate/rivals.ts'
import type { Change, Informer } from './cluster/cache/informer.ts'
import type { EventRecorder } from './cluster/events.ts'
import { type Cluster, keyOf, type KubeObject } from './cluster/port.ts'
import { ClockGuard } from './control/clock-guard.ts'
import type { Caches, Context } from './control/context.ts'
import { registerResourceMetrics } from './control/metrics.ts'
import { LedgerKeeper, sweepIntervalMs } from './ledger/keeper.ts'
import { ProfileReconciler } from './profile/reconcile.ts'
import type { CertificateAuthority } from './resources/certificate-authority.ts'
import { isReady } from './resources/conditions.ts'
import type { DatabaseCertificate } from './resources/database-certificate.ts'
import { registerRevocationMetrics } from './revocation/metrics.ts'
import { RevocationReconciler } from './revocation/reconcile.ts'
import { RevocationLists } from './revocation/stored.ts'
import { wakeRevocations } from './revocation/wakes.ts'
import type { Clock } from './runtime/clock.ts'
import { Controller, type Reconcile } from './runtime/controller.ts'
import type { Logger } from './runtime/log.ts'
import type { Metrics } from './runtime/metrics.ts'
import type { Priority } from './runtime/queue.ts'
import { createRequestCache } from './signing/cache.ts'
import type { CertificateSigningRequest } from './signing/kind.ts'
import { SigningReconciler, wakeSigning } from './signing/reconcile.ts'
import { TrustReconciler } from './trust/reconcile.ts'
import { wakeTrust } from './trust/wakes.ts'

/** More would not be faster, only later for everybody else: signatures wait behind them in the same thread pool. */
const mostRsaKeys = 4

export interface OperatorOptions {
  readonly cluster: Cluster
  /** Absent: the whole cluster. */
  readonly namespaces?: readonly string[] | undefined
  readonly clock: Clock
  readonly crypto: webcrypto.Crypto
  /** Random bytes: serial numbers, salts, passwords. */
  readonly randomBytes: (size: number) => Uint8Array
  /** 0 ≤ x < 1: jitter. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  readonly events: EventRecorder
  /** Reconciles of certificates at the same time. */
  readonly workers: number
  /** ms; default: keeper.ts. */
  readonly sweepIntervalMs?: number | undefined
  /** Sign approved CertificateSigningRequests of `dbtls.dev/<namespace>.<ca>`. Default: false. */
  readonly signsRequests?: boolean | undefined
}

export class Operator {
  readonly caches: Caches
  /** DER roots to trust because of an authority. Rejects with a sentence where they cannot be had. */
  readonly trustOf: Keyring['trustOf']
  readonly #options: OperatorOptions
  readonly #controllers: {
    readonly authorities: Controller
    readonly certificates: Controller
    readonly profiles: Controller
    readonly ledger: Controller
    readonly marks: Controller
    readonly revocations: Controller
    readonly trust: Controller
    readonly signing?: Controller
  }
  readonly #signingRequests: Informer<CertificateSigningRequest> | undefined

  constructor(options: OperatorOptions) {
    this.#options = options
    const { cluster, namespaces, clock, random, log } = options
    this.caches = createCaches({ cluster, namespaces, clock, random, log })
    registerResourceMetrics(options.metrics.registry, this.caches)
    registerRevocationMetrics(options.metrics.registry, this.caches)
    const context: Context = {
      cluster,
      caches: this.caches,
      clock,
      crypto: options.crypto,
      random: options.randomBytes,
      log,
      events: options.events,
      clockGuard: new ClockGuard(clock),
    }
    const keyring = new Keyring(context)
    this.trustOf = (authority) => keyring.trustOf(authority)
    const lists = new RevocationLists(cluster, this.caches)
    const authorities = new AuthorityReconciler(context, keyring)
    const certificates = new CertificateReconciler(context, keyring, {
      rsaKeys: Math.max(1, Math.min(mostRsaKeys, Math.floor(options.workers / 2))),
      again: (key) => this.#controllers.certificates.enqueue(key),
      readRevocationList: async (authority, signal) => (await lists.read(authority, signal))?.der,
    })
    const profiles = new ProfileReconciler(context)
    const keeper = new LedgerKeeper(context, {
      sweepIntervalMs: options.sweepIntervalMs,
      listed: async (authority, signal) => {
        const list = await lists.read(authority, signal)
        return list && new Set(list.revoked.map(({ serialNumber }) => serialNumber))
      },
    })
    const revocations = new RevocationReconciler(context, keyring)
    const trust = new TrustReconciler(context, {
      keyring,
      namespaces,
      readRevocationList: async (authority, signal) => (await lists.read(authority, signal))?.der,
    })
    this.#signingRequests =
      options.signsRequests === true ? createRequestCache({ cluster, clock, random, log }) : undefined
    const signing = this.#signingRequests && new SigningReconciler(context, keyring, this.#signingRequests)
    this.#controllers = {
      authorities: this.#controller('certificateauthority', (key, about) => authorities.reconcile(key, about), 4),
      certificates: this.#controller(
        'databasecertificate',
        (key, about) => certificates.reconcile(key, about),
        options.workers,
      ),
      profiles: this.#controller('databasetlsprofile', (key, about) => profiles.reconcile(key, about), 1),
      ledger: this.#controller('ledger', (key, about) => keeper.reconcile(key, about), 1),
      marks: this.#controller('ledgermarks', (key, about) => keeper.reconcileRevoked(key, about), 1),
      revocations: this.#controller('revocationlist', (key, about) => revocations.reconcile(key, about), 1),
      trust: this.#controller('trusttarget', (key, about) => trust.reconcile(key, about), 2),
      ...(signing && { signing: this.#controller('signingrequest', (key, about) => signing.reconcile(key, about), 1) }),
    }
    this.#connect()
    const {
      authorities: forAuthorities,
      certificates: forCertificates,
      ledger,
      marks,
      revocations: forLists,
    } = this.#controllers
    wakeRevocations(this.caches, {
      list: (key, how) => forLists.enqueue(key, how),
      marks: (key, how) => marks.enqueue(key, how),
      pass: (key, how) => ledger.enqueue(key, how),
      certificate: (key, how) => forCertificates.enqueue(key, how),
      authority: (key, how) => forAuthorities.enqueue(key, how),
      passDelayMs: options.sweepIntervalMs ?? sweepIntervalMs,
      deleted: (certificate) => keeper.deleted(certificate),
    })
    wakeTrust(this.caches, (key, how) => this.#controllers.trust.enqueue(key, how))
    if (this.#signingRequests)
      wakeSigning(this.caches, this.#signingRequests, (key) => this.#controllers.signing?.enqueue(key))
  }

  #controller(name: string, reconcile: Reconcile, workers: number): Controller {
    const { clock, random, log, metrics } = this.#options
    return new Controller({ name, reconcile, workers, clock, random, log, metrics: metrics.controller(name) })
  }

  /** Fills the caches and keeps them current. Resolves when all have been filled once; nothing is written. */
  async startCaches(signal: AbortSignal): Promise<void> {
    const informers = this.#informers()
    for (const informer of informers) informer.start(signal)
    await Promise.all(informers.map((informer) => informer.synced))
  }

  get synced(): boolean {
    return this.#informers().every((informer) => informer.hasSynced)
  }

  #informers(): Informer<KubeObject>[] {
    return [...Object.values(this.caches), this.#signingRequests].filter((cache) => cache !== undefined)
  }

  /** Begins to act: only with filled caches, and only one operator at a time. */
  startControllers(): void {
    for (const controller of Object.values(this.#controllers)) controller.start()
  }

  /** Takes up nothing more and waits, for seconds at most, for what is under way. */
  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#controllers).map((controller) => controller.stop()))
  }

  /** Keys that are due or under way; 0 means that nothing will happen before time passes or something changes. */
  get pending(): number {
    return Object.values(this.#controllers).reduce((sum, { load }) => sum + load.ready + load.processing, 0)
  }

  #connect(): void {
    const { authorities, certificates, configMaps, namespaces, profiles, secrets } = this.caches
    authorities.onChange((change) => this.#authorityChanged(change))
    certificates.onChange((change) => {
      this.#controllers.certificates.enqueue(change.key, priorityOf(change))
      this.#wakeRivals(change)
    })
    profiles.onChange((change) => this.#controllers.profiles.enqueue(change.key, priorityOf(change)))
    secrets.onChange((change) => this.#secretChanged(change))
    configMaps.onChange((change) => {
      if (change.initial) return
      this.#enqueueAuthorities(authorities.store.by('configMap', change.key))
      this.#enqueueCertificates(certificates.store.by('configMap', change.key))
    })
    namespaces?.onChange(({ before, after, initial }) => {
      const namespace = (after ?? before)?.metadata.name
      if (initial || namespace === undefined || isDeepStrictEqual(before?.metadata.labels, after?.metadata.labels))
        return
      this.#enqueueCertificates(certificates.store.by('namespace', namespace))
    })
  }

  #authorityChanged(change: Change<CertificateAuthority>): void {
    const key = change.key
    this.#controllers.authorities.enqueue(key, priorityOf(change))
    if (change.initial) return
    const { store } = this.caches.certificates
    if (change.before?.status?.crl?.number !== change.after?.status?.crl?.number)
      this.#enqueueCertificates(store.by('revocationList', key))
    if (sameForLeaves(change.before, change.after)) return
    this.#enqueueCertificates(store.by('authority', key))
    this.#enqueueAuthorities(this.caches.authorities.store.by('parent', key))
  }

  /** A certificate that comes or goes under a CA that gives each common name to one alone. */
  #wakeRivals({ before, after, initial }: Change<DatabaseCertificate>): void {
    if (initial || before?.status?.serialNumber === after?.status?.serialNumber) return
    for (const certificate of [before, after]) {
      const serial = certificate?.status?.serialNumber
      if (certificate === undefined || serial === undefined) continue
      this.#enqueueCertificates(otherHolders({ caches: this.caches }, certificate, serial))
    }
  }

  #secretChanged(change: Change<KubeObject>): void {
    if (change.initial) return
    const key = change.key
    this.#enqueueAuthorities(this.caches.authorities.store.by('secret', key))
    this.#enqueueCertificates(this.caches.certificates.store.by('secret', key))
  }

  #enqueueAuthorities(objects: readonly KubeObject[]): void {
    for (const object of objects) this.#controllers.authorities.enqueue(keyOf(object), { priority: 'normal' })
  }

  #enqueueCertificates(objects: readonly KubeObject[]): void {
    for (const object of objects) this.#controllers.certificates.enqueue(keyOf(object), { priority: 'normal' })
  }
}

/** A person's change of spec goes before what a start or another object brings up. */
const priorityOf = ({ before, after, initial }: Change<KubeObject>): { readonly priority: Priority } => {
  if (initial) return { priority: 'resync' }
  return { priority: before?.metadata.generation === after?.metadata.generation ? 'normal' : 'user' }
}

/**
 * Whether a CA means the same to what hangs under it: it exists, can sign, with this certificate, for these namespaces, under
 * this policy.
 */
const sameForLeaves = (before: CertificateAuthority | undefined, after: CertificateAuthority | undefined): boolean => {
  if (before === undefined || after === undefined) return false
  return (
    before.metadata.uid === after.metadata.uid &&
    isReady(before) === isReady(after) &&
    before.status?.certificate?.fingerprint === after.status?.certificate?.fingerprint &&
    before.status?.trustBundleHash === after.status?.trustBundleHash &&
    isDeepStrictEqual(before.spec.allowedNamespaces, after.spec.allowedNamespaces) &&
    isDeepStrictEqual(before.spec.policy, after.spec.policy)
  )
}
