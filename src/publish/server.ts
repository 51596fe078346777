/** The port at which certificates and revocation lists are published. */

import type { Cluster } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type RevocationListView, viewOf } from './revocation-list.ts'
import { RevocationLists } from '../revocation/stored.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import type { Registry } from '../runtime/metrics.ts'
import { listen, type ListeningServer } from '../server/http.ts'
import type { RateLimits } from '../server/rate-limit.ts'
import { Publisher } from './handler.ts'
import { publishMetrics } from './metrics.ts'

/** Behind a proxy or a node's address translation many clients have one address, so one may ask for a good part of all. */
export const publishLimits: RateLimits = {
  perClient: { perSecond: 100, burst: 400 },
  total: { perSecond: 500, burst: 1000 },
  clients: 10_000,
}

export interface PublishOptions {
  readonly address: string
  readonly cluster: Cluster
  readonly caches: Caches
  /** DER roots of an authority that only stands for them. */
  readonly rootsOf: (authority: CertificateAuthority) => Promise<readonly Uint8Array[]>
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly limits?: RateLimits
}

/** Rejects where the address is taken or forbidden. */
export const listenToPublish = (options: PublishOptions): Promise<ListeningServer> => {
  const { address, cluster, caches, rootsOf, clock, log, registry, limits = publishLimits } = options
  const lists = new RevocationLists(cluster, caches)
  // The client of the cluster ends each read in time by itself.
  const { signal } = new AbortController()
  const read = new WeakMap<Uint8Array, RevocationListView>()
  const revocationListOf = async (authority: CertificateAuthority): Promise<RevocationListView | undefined> => {
    const der = (await lists.read(authority, signal))?.der
    if (der === undefined) return undefined
    const view = read.get(der) ?? viewOf(der)
    read.set(der, view)
    return view
  }
  const publisher = new Publisher({ cluster, caches, rootsOf, revocationListOf, now: () => clock.now(), log })
  return listen({ address, handler: publisher.handler, log, clock, limits, onAnswered: publishMetrics(registry) })
}
