/**
 * Bookkeeping of the ledger, off the path of any issuance, as `openssl ca -updatedb` is: entries whose certificate has
 * been replaced are marked Superseded. Who superseded whom is on record from the first moment (`spec.supersedes`), so
 * the mark may come later, in one quiet pass.
 */

import { isConflict, isNotFound } from '../cluster/errors.ts'
import { type Context, fieldManager, marks } from '../control/context.ts'
import { issuedCertificates, type IssuedCertificate } from '../resources/issued-certificate.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import type { LedgerEntry } from './entry.ts'

/** Between two passes over one CA's ledger, and from a renewal to its mark, ms. */
export const sweepIntervalMs = 10 * 60 * 1000

/** Entries marked in one pass; what is left over is for the next one, so that a mass renewal does not become a burst of writes. */
const marksPerPass = 1000

/** Entries that another entry of the same holder names as replaced, and that are not marked yet. Pure. */
export const superseded = (entries: readonly LedgerEntry[]): LedgerEntry[] => {
  const replaced = new Set(
    entries.flatMap(({ holder, supersedes }) =>
      holder === undefined || supersedes === undefined ? [] : [`${holder} ${supersedes}`],
    ),
  )
  return entries.filter(
    ({ holder, serialNumber, state }) => state === 'Valid' && replaced.has(`${holder} ${serialNumber}`),
  )
}

export class LedgerKeeper {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  /** `key` is the CA's. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches } = this.#context
    const due = superseded(caches.ledger.store.by('authority', key))
    for (const entry of due.slice(0, marksPerPass)) await this.#mark(entry, signal)
    return due.length > marksPerPass ? { requeueAfterMs: 1000 } : {}
  }

  /** The label for selectors, then the status; whichever is missing after a crash is written at the next pass. */
  async #mark(entry: LedgerEntry, signal: AbortSignal): Promise<void> {
    const { cluster, caches } = this.#context
    const { name, namespace, uid } = entry.metadata
    const head = { apiVersion: entry.apiVersion, kind: entry.kind }
    const options = { fieldManager, signal }
    try {
      const labelled = await cluster.apply(
        issuedCertificates,
        {
          ...head,
          metadata: { name, namespace, uid, labels: { [marks.state]: 'Superseded' } },
        } as unknown as IssuedCertificate,
        { ...options, force: true },
      )
      const { resourceVersion } = labelled.metadata
      const status = { ...head, metadata: { name, namespace, uid, resourceVersion }, status: { state: 'Superseded' } }
      caches.ledger.wrote(
        await cluster.updateStatus(issuedCertificates, status as unknown as IssuedCertificate, options),
      )
    } catch (error) {
      // Deleted or revoked meanwhile: the next event brings it back here if anything is left to do.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
}
