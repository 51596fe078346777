/** What every controller is given: the cluster, the caches it reads, time, randomness, and where it tells what it did. */

import type { webcrypto } from 'node:crypto'
import type { Informer } from '../cluster/cache/informer.ts'
import type { EventRecorder } from '../cluster/events.ts'
import type { Cluster, KubeObject, PartialObject } from '../cluster/port.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Namespace } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import type { ClockGuard } from './clock-guard.ts'

export interface Caches {
  readonly authorities: Informer<CertificateAuthority>
  readonly certificates: Informer<DatabaseCertificate>
  readonly profiles: Informer<DatabaseTLSProfile>
  readonly ledger: Informer<LedgerEntry>
  /** Name, uid, resourceVersion and two marks of every Secret in sight: contents are read live, and only when they may have changed. */
  readonly secrets: Informer<PartialObject>
  /** The same of every ConfigMap. */
  readonly configMaps: Informer<PartialObject>
  /** Absent where the operator may see only listed namespaces. */
  readonly namespaces: Informer<Namespace> | undefined
}

export interface Context {
  readonly cluster: Cluster
  readonly caches: Caches
  readonly clock: Clock
  readonly crypto: webcrypto.Crypto
  readonly random: (size: number) => Uint8Array
  readonly log: Logger
  readonly events: EventRecorder
  readonly clockGuard: ClockGuard
}

/** The object as a cache has it, unless it is gone or going. */
export const existing = <T extends KubeObject>(cache: Informer<T>, key: string): T | undefined => {
  const found = cache.store.get(key)
  return found?.metadata.deletionTimestamp === undefined ? found : undefined
}

/** Labels and annotations that the operator writes. */
export const marks = {
  managedBy: 'app.kubernetes.io/managed-by',
  managedByValue: 'dbtls',
  /** `Kind/name` of the resource that a Secret belongs to, in the Secret's own namespace. */
  owner: 'dbtls.dev/owner',
  /** Set by a person on a Secret that dbtls did not create, so that it may take it over. */
  adopt: 'dbtls.dev/adopt',
  /** Set by a person on a Secret with an account: names of the profiles that may send it to servers, separated by commas. */
  reloadCredentials: 'dbtls.dev/reload-credentials',
  inputsHash: 'dbtls.dev/inputs-hash',
  dataHash: 'dbtls.dev/data-hash',
  renewTrigger: 'dbtls.dev/renew-trigger',
  requestedDuration: 'dbtls.dev/requested-duration',
  serialNumber: 'dbtls.dev/serial-number',
  /** On an adopted Secret: serial number of the certificate that was in it, while that is in use. */
  takenOver: 'dbtls.dev/taken-over',
  /** On the Secret of a CA: never handed out by `run` and `render`. */
  private: 'dbtls.dev/private',
  /** On a ConfigMap or Secret of a trust bundle: `namespace/name` of the authority as an annotation, `namespace.name` as a label. */
  trustOf: 'dbtls.dev/trust-of',
  /** On a Secret that holds the private key of a CA: for whom, and where (certificate/key-mark.ts). */
  authorityKey: 'dbtls.dev/authority-key',
  /** The keys in it that are dbtls's, separated by commas; another key is somebody else's. */
  keys: 'dbtls.dev/keys',
  /** Set on a CertificateAuthority, with the reason: it signs nothing meanwhile. A restore holds what is not complete yet. */
  hold: 'dbtls.dev/hold',
  /** On what a restore made: the id of the backup. */
  restoredFrom: 'dbtls.dev/restored-from',
  /** Label on what a profile made: its name, shortened where a label cannot hold it. `owner` decides. */
  profile: 'dbtls.dev/profile',
  authority: 'dbtls.dev/authority',
  state: 'dbtls.dev/state',
  /** On the Secret of a CA: how far its material is in a rotation (authority/stage.ts). */
  rotationStage: 'dbtls.dev/rotation-stage',
  /** There, too: its owner had everybody trust both CAs before he replaced the key. */
  rotationOverlap: 'dbtls.dev/rotation-overlap',
  /** There, too: the text of spec.rotation.trigger that was acted on last. Status may be lost, and nothing is to rotate twice. */
  rotationTrigger: 'dbtls.dev/rotation-trigger',
  /** On a pod template: for which certificates and CAs its pods were restarted. */
  restartedFor: 'dbtls.dev/restarted-for',
} as const

/** Field manager of server-side apply; a stable name, because it owns what it wrote. */
export const fieldManager = 'dbtls.dev/operator'
