/** What is said of a published revocation list; its entries, tens of thousands perhaps, are not kept. */

import { parseRevocationList } from '../pki/revocation/revocation-list.ts'

export interface RevocationListView {
  readonly der: Uint8Array
  readonly number: bigint | undefined
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly entries: number
}

export const viewOf = (der: Uint8Array): RevocationListView => {
  const { number, thisUpdate, nextUpdate, revoked } = parseRevocationList(der)
  return { der, number, thisUpdate, nextUpdate, entries: revoked.length }
}
