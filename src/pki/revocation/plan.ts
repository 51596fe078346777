/** What a revocation list is going to say, decided before it is signed. */

import type { RevocationReason } from './reason.ts'

/** Before it a UTCTime cannot say when (RFC 5280 §4.1.2.5.1), and openssl refuses a whole database for one such date. */
export const earliestRevocation = Date.UTC(1950, 0)

export interface RevokedEntry {
  /** Upper-case hex. */
  readonly serialNumber: string
  /** Milliseconds since the epoch, as all times here; fractions of a second are dropped. */
  readonly revokedAt: number
  /** Absent and unspecified are the same: nothing is written (RFC 5280 §5.3.1). */
  readonly reason?: RevocationReason
  /** Since when the key is known or suspected to be in other hands (RFC 5280 §5.3.2). */
  readonly invalidityTime?: number
}

export interface RevocationListPlan {
  /** DER Name, byte-equal to the CA's subject. */
  readonly issuer: Uint8Array
  /** The CA's subject key identifier. */
  readonly authorityKeyId: Uint8Array
  readonly thisUpdate: number
  readonly nextUpdate: number
  /** Larger than that of every list before it; at most 20 octets as an INTEGER (RFC 5280 §5.2.3). */
  readonly number: bigint
  /** In any order. */
  readonly revoked: readonly RevokedEntry[]
}
