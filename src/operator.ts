/**
 * The operator, whole: caches, controllers, and which change makes which object be looked at again. The same for a real
 * cluster and for the embedded one.
 */

import type { webcrypto } from 'node:crypto'
import { Keyring } from './authority/keyring.ts'
import { AuthorityReconciler } from './authority/reconcile.ts'
import { wakeAuthorities } from './authority/wakes.ts'
import { createCaches } from './caches.ts'
import { KeyWithdrawal, wakeWithdrawal } from './certificate/key-withdrawal.ts'
import { CertificateReconciler } from './certificate/reconcile.ts'
import { wakeCertificates } from './certificate/wakes.ts'
import type { Informer } from './cluster/cache/informer.ts'
import type { EventRecorder } from './cluster/events.ts'
import { type Cluster, keyOf, type KubeObject } from './cluster/port.ts'
import { ClockGuard } from './control/clock-guard.ts'
import type { Caches, Context } from './control/context.ts'
import { registerResourceMetrics } from './control/metrics.ts'
import { registerRotationMetrics } from './control/rotation-metrics.ts'
import type { Enqueue } from './control/wakes.ts'
import { LedgerKeeper, sweepIntervalMs } from './ledger/keeper.ts'
import { LiveEndpoints, type LiveOptions } from './profile/endpoints/live.ts'
import { Permission } from './profile/endpoints/permitted.ts'
import { ProfileReconciler } from './profile/reconcile.ts'
import { ProfileReloads, type ReloadOptions } from './profile/reload/reloads.ts'
import { reloadWorkers } from './profile/reload/slowness.ts'
import { wakeProfiles, wakeReloads } from './profile/wakes.ts'
import { registerRevocationMetrics } from './revocation/metrics.ts'
import { RevocationReconciler } from './revocation/reconcile.ts'
import { RevocationLists } from './revocation/stored.ts'
import { wakeRevocations } from './revocation/wakes.ts'
import { rotatingRelative } from './rotation/family.ts'
import type { Rules } from './rotation/phases.ts'
import { RotationReconciler } from './rotation/reconcile.ts'
import { wakeRotations } from './rotation/wakes.ts'
import type { Clock } from './runtime/clock.ts'
import { Controller, type Reconcile } from './runtime/controller.ts'
import type { Logger } from './runtime/log.ts'
import type { Metrics } from './runtime/metrics.ts'
import { createRequestCache } from './signing/cache.ts'
import type { CertificateSigningRequest } from './signing/kind.ts'
import { SigningReconciler, wakeSigning } from './signing/reconcile.ts'
import type { Sources } from './trust/content.ts'
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
  /** The process ends when nothing is left to do: see KeeperOptions. */
  readonly isLastPass?: boolean | undefined
  /** Sign approved CertificateSigningRequests of `dbtls.dev/<namespace>.<ca>`. Default: false. */
  readonly signsRequests?: boolean | undefined
  /** What the phases of a rotation wait for. Default: everything; a test leaves something out, to see what comes of it. */
  readonly rotationRules?: Rules | undefined
  /** Which servers are asked what they serve, and told to read renewed certificates. Default: none. */
  readonly probes?: (Pick<LiveOptions, 'rules' | 'shortestMs'> & Pick<ReloadOptions, 'arrivalMs'>) | undefined
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
    readonly rotations: Controller
    readonly trust: Controller
    readonly withdrawal: Controller
    readonly signing?: Controller
    readonly reloads?: Controller
  }
  readonly #endpoints: LiveEndpoints | undefined
  readonly #signingRequests: Informer<CertificateSigningRequest> | undefined

  constructor(options: OperatorOptions) {
    this.#options = options
    const { cluster, namespaces, clock, random, log } = options
    this.caches = createCaches({ cluster, namespaces, clock, random, log })
    registerResourceMetrics(options.metrics.registry, this.caches)
    registerRotationMetrics(options.metrics.registry, this.caches)
    registerRevocationMetrics(options.metrics.registry, this.caches)
    const context = contextOf(options, this.caches)
    const keyring = new Keyring(context)
    this.trustOf = (authority) => keyring.trustOf(authority)
    const lists = new RevocationLists(cluster, this.caches, keyring)
    const authorities = new AuthorityReconciler(context, keyring, (authority) =>
      rotatingRelative(this.caches, authority),
    )
    const revocations = new RevocationReconciler(context, keyring)
    const rotations = new RotationReconciler(context, keyring, {
      lastWords: (authority, signal) => revocations.reconcile(keyOf(authority), { signal }),
      namespaces,
      asksServers: options.probes !== undefined,
      rules: options.rotationRules,
      told: (key) => this.#controllers.certificates.enqueue(key),
    })
    const withdrawal = new KeyWithdrawal(context, (key) => this.#controllers.certificates.enqueue(key))
    const certificates = new CertificateReconciler(context, keyring, {
      rsaKeys: Math.max(1, Math.min(mostRsaKeys, Math.floor(options.workers / 2))),
      again: (key) => this.#controllers.certificates.enqueue(key),
      readRevocationList: (authority, signal) => lists.delivered(authority, signal),
      keyStays: withdrawal.stays,
      turns: rotations.turns,
    })
    const keeper = new LedgerKeeper(context, {
      sweepIntervalMs: options.sweepIntervalMs,
      isLastPass: options.isLastPass,
      listed: (authority, signal) => lists.serialNumbers(authority, signal),
    })
    const sources: Sources = {
      keyring,
      readRevocationList: (authority, signal) => lists.delivered(authority, signal),
    }
    const trust = new TrustReconciler(context, { ...sources, namespaces })
    this.#endpoints =
      options.probes &&
      new LiveEndpoints(context, {
        ...{ ...options.probes, keyring, random, registry: options.metrics.registry },
        // Endpoints are asked side by side, and one look tells of them all.
        wake: (key) => this.#controllers.profiles.enqueue(key, { afterMs: 500 }),
      })
    const reloads =
      options.probes &&
      new ProfileReloads(context, {
        permits: new Permission(options.probes.rules),
        arrivalMs: options.probes.arrivalMs,
        trustOf: this.trustOf,
        wake: (key) => this.#controllers.profiles.enqueue(key),
        enqueue: (key, afterMs) => this.#controllers.reloads?.enqueue(key, { afterMs }),
        told: (key) => this.#endpoints?.told(key),
      })
    const profiles = new ProfileReconciler(context, { sources, endpoints: this.#endpoints, reloads })
    this.#signingRequests =
      options.signsRequests === true ? createRequestCache({ cluster, clock, random, log }) : undefined
    const signing = this.#signingRequests && new SigningReconciler(context, keyring, this.#signingRequests)
    this.#controllers = {
      authorities: this.#controller(
        'certificateauthority',
        rotations.apart((key, about) => authorities.reconcile(key, about)),
        4,
      ),
      certificates: this.#controller(
        'databasecertificate',
        (key, about) => certificates.reconcile(key, about),
        options.workers,
      ),
      profiles: this.#controller('databasetlsprofile', (key, about) => profiles.reconcile(key, about), 4),
      ledger: this.#controller('ledger', (key, about) => keeper.reconcile(key, about), 1),
      marks: this.#controller('ledgermarks', (key, about) => keeper.reconcileRevoked(key, about), 1),
      revocations: this.#controller('revocationlist', (key, about) => revocations.reconcile(key, about), 1),
      // One at a time: of CAs that hang together only one may begin.
      rotations: this.#controller('rotation', (key, about) => rotations.reconcile(key, about), 1),
      trust: this.#controller('trusttarget', (key, about) => trust.reconcile(key, about), 2),
      withdrawal: this.#controller('keywithdrawal', (key, about) => withdrawal.reconcile(key, about), 2),
      ...(reloads && {
        reloads: this.#controller('profilereload', (key, about) => reloads.reconcile(key, about), reloadWorkers),
      }),
      ...(signing && { signing: this.#controller('signingrequest', (key, about) => signing.reconcile(key, about), 1) }),
    }
    this.#wake(keeper)
  }

  #wake(keeper: LedgerKeeper): void {
    const controllers = this.#controllers
    const into =
      (controller: Controller | undefined): Enqueue =>
      (key, how) =>
        controller?.enqueue(key, how)
    wakeAuthorities(this.caches, into(controllers.authorities))
    wakeCertificates(this.caches, into(controllers.certificates))
    wakeProfiles(this.caches, into(controllers.profiles))
    wakeRevocations(this.caches, {
      list: into(controllers.revocations),
      marks: into(controllers.marks),
      pass: into(controllers.ledger),
      certificate: into(controllers.certificates),
      authority: into(controllers.authorities),
      passDelayMs: this.#options.sweepIntervalMs ?? sweepIntervalMs,
      deleted: (certificate) => keeper.deleted(certificate),
      delivered: (certificate, former) => keeper.delivered(certificate, former),
    })
    wakeTrust(this.caches, into(controllers.trust))
    wakeRotations(this.caches, into(controllers.rotations))
    wakeReloads(this.caches, into(controllers.reloads))
    wakeWithdrawal(this.caches, into(controllers.withdrawal))
    if (this.#signingRequests)
      wakeSigning(this.caches, this.#signingRequests, (key) => controllers.signing?.enqueue(key))
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

  /**
   * Makes due now what would come in its own time: the pass over the ledger of each CA, or the marks and the list that follow
   * from what a pass revoked. `pending` tells when it is done.
   */
  bringForward(what: 'passes' | 'lists'): void {
    const { ledger, marks, revocations } = this.#controllers
    for (const authority of this.caches.authorities.store.values())
      for (const controller of what === 'passes' ? [ledger] : [marks, revocations]) controller.enqueue(keyOf(authority))
  }

  /** Takes up nothing more and waits, for seconds at most, for what is under way. */
  async stop(): Promise<void> {
    await Promise.all([
      this.#endpoints?.stop(),
      ...Object.values(this.#controllers).map((controller) => controller.stop()),
    ])
  }

  /** Keys that are due or under way; 0 means that nothing will happen before time passes or something changes. */
  get pending(): number {
    return Object.values(this.#controllers).reduce((sum, { load }) => sum + load.ready + load.processing, 0)
  }
}

const contextOf = ({ cluster, clock, crypto, events, log, randomBytes }: OperatorOptions, caches: Caches): Context => ({
  cluster,
  caches,
  clock,
  crypto,
  random: randomBytes,
  log,
  events,
  clockGuard: new ClockGuard(clock),
})
