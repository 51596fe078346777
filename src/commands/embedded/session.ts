/** An embedded cluster with the controllers on it: what `run` and `render` share. */
import { randomBytes, webcrypto } from 'node:crypto'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { ifFound } from '../../cluster/errors.ts'
import { keyOf } from '../../cluster/port.ts'
import type { Context } from '../../control/context.ts'
import { Operator } from '../../operator.ts'
import { localRules } from '../../profile/endpoints/permitted.ts'
import type { Secret } from '../../resources/core.ts'
import { secrets } from '../../resources/core.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { embeddedKinds } from '../shared/embedded-kinds.ts'
import type { Readiness } from '../shared/readiness.ts'
import { readinessOf } from '../shared/readiness.ts'
import type { Verification } from '../verify/secret.ts'
import { verifySecret } from '../verify/secret.ts'

export interface SessionInit {
  /** undefined: in memory. */
  readonly state: string | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly workers: number
  readonly namespaces: readonly string[] | undefined
  /** Told of everything the controllers do that a person may want to know. */
  readonly events: Pick<Context['events'], 'record'>
  /** Ask the servers of profiles what they serve; they are on this machine, or not far. */
  readonly asksServers?: boolean
  /** From a change of a Secret to that of the files of a server at most, ms. Default: what a kubelet takes. */
  readonly volumeDelayMs?: number | undefined
  /** The process ends when nothing is left to do. */
  readonly isLastPass?: boolean
}

export class Session {
  readonly cluster: EmbeddedCluster
  readonly operator: Operator
  readonly #init: SessionInit
  readonly #abort = new AbortController()

  /** @throws StateInUse */
  constructor(init: SessionInit) {
    this.#init = init
    const { clock, isLastPass, log, metrics, namespaces, volumeDelayMs, workers } = init
    this.cluster = new EmbeddedCluster({ directory: init.state, kinds: embeddedKinds(), clock })
    this.operator = new Operator({
      cluster: this.cluster,
      namespaces,
      clock,
      crypto: webcrypto,
      randomBytes: (size) => randomBytes(size),
      random: Math.random,
      log,
      metrics,
      events: init.events as Context['events'],
      workers,
      isLastPass,
      probes: init.asksServers === true ? { rules: localRules, shortestMs: 1000, arrivalMs: volumeDelayMs } : undefined,
    })
  }

  async start(): Promise<void> {
    await this.operator.startCaches(this.#abort.signal)
    this.operator.startControllers()
  }

  async stop(): Promise<void> {
    await this.operator.stop()
    this.#abort.abort()
    this.cluster.close()
  }

  /** Everything that can be Ready, in the order of kinds and names. */
  readiness(): Readiness[] {
    const { authorities, certificates, profiles } = this.operator.caches
    return [authorities, certificates, profiles].flatMap((informer) =>
      [...informer.store.values()].map((object) => readinessOf(object)).toSorted(byKey),
    )
  }

  /** Reads the certificate's Secret back. */
  async verify(certificate: DatabaseCertificate): Promise<Verification> {
    const { namespace = 'default' } = certificate.metadata
    const secret = await this.#secret(namespace, certificate.spec.secret.name)
    if (!secret) return { verified: [], problems: ['the Secret does not exist'] }
    const reference = certificate.spec.keystore?.passwordSecretRef
    const holder = reference && (await this.#secret(namespace, reference.name))
    const encoded = reference && holder?.data?.[reference.key ?? 'password']
    const password = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
    const data = Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)
    return verifySecret(certificate.spec, new Map(data), password, this.#init.clock.now())
  }

  async #secret(namespace: string, name: string): Promise<Secret | undefined> {
    return ifFound(this.cluster.get(secrets, { namespace, name }))
  }
}

const byKey = (a: Readiness, b: Readiness): number => (keyOf(a.object) < keyOf(b.object) ? -1 : 1)
