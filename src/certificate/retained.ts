/**
 * Secrets that outlive the DatabaseCertificate they were made for (`deletionPolicy: Retain`, or taken over from somebody): what
 * they hold goes on being used, and nobody here replaces it any more. Told from the caches alone.
 */

import type { PartialObject } from '../cluster/port.ts'
import { type Caches, marks } from '../control/context.ts'
import type { LedgerEntry } from '../ledger/entry.ts'

const prefix = 'DatabaseCertificate/'

/** The marks to keep in memory of such a Secret; none of any other one. `object`: as the API server has it. */
export const retainedMarks = ({ metadata }: PartialObject): readonly string[] => {
  const { annotations = {}, ownerReferences = [] } = metadata
  const isRetained = annotations[marks.owner]?.startsWith(prefix) === true && ownerReferences.length === 0
  return isRetained ? [marks.owner, marks.serialNumber] : []
}

/** Index of the cache of Secrets: `namespace/name` of the DatabaseCertificate. */
export const byRetained = ({ metadata }: PartialObject): string[] => {
  const owner = metadata.annotations?.[marks.owner]
  return owner?.startsWith(prefix) === true ? [`${metadata.namespace}/${owner.slice(prefix.length)}`] : []
}

/** The Secret that holds this certificate. */
export const retainedWith = (
  { secrets }: Pick<Caches, 'secrets'>,
  { holderKey, serialNumber }: Pick<LedgerEntry, 'holderKey' | 'serialNumber'>,
): PartialObject | undefined =>
  holderKey === undefined
    ? undefined
    : secrets.store
        .by('retained', holderKey)
        .find(
          (secret) =>
            byRetained(secret).includes(holderKey) &&
            secret.metadata.annotations?.[marks.serialNumber] === serialNumber,
        )
