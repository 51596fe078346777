/** Revokes an entry of the ledger as a person would: by its spec, and for good. */

import { isConflict, isForbidden, isNotFound } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { toTimestamp } from '../control/schedule.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { issuedCertificates, type IssuedCertificate, type RevocationReason } from '../resources/issued-certificate.ts'
import type { LedgerEntry } from './entry.ts'

/** A revocation has a manager of its own: an apply of the label must not take it away. */
const revocationManager = 'dbtls.dev/revocation'

/** `why`: a clause. `authority`: whom the event regards. */
export const revokeEntry = async (
  { cluster, caches, clock, events }: Pick<Context, 'cluster' | 'caches' | 'clock' | 'events'>,
  authority: CertificateAuthority,
  entry: LedgerEntry,
  { reason, why }: { readonly reason: RevocationReason; readonly why: string },
  signal: AbortSignal,
): Promise<void> => {
  const { name, namespace, uid } = entry.metadata
  // The version that was judged: somebody may have revoked it for a better reason meanwhile.
  const { resourceVersion } = caches.ledger.store.get(keyOf(entry))?.metadata ?? entry.metadata
  const revoked = {
    apiVersion: entry.apiVersion,
    kind: entry.kind,
    metadata: { name, namespace, uid, resourceVersion },
    spec: { revocation: { reason, time: toTimestamp(clock.now()) } },
  }
  await unlessChanged(async () => {
    caches.ledger.wrote(
      await cluster.apply(issuedCertificates, revoked as unknown as IssuedCertificate, {
        fieldManager: revocationManager,
        signal,
      }),
    )
    const note = `Revoked certificate ${entry.serialNumber} (${reason}): ${why}.`
    events.record({ regarding: authority, type: 'Normal', reason: 'Revoked', action: 'Revoke', note })
  })
}

/** Deleted or changed meanwhile, or its namespace is being deleted: the next event or pass finds what is left to do. */
export const unlessChanged = async (write: () => Promise<void>): Promise<void> => {
  try {
    await write()
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error) && !isForbidden(error)) throw error
  }
}
