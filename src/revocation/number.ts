/** The CRL number (RFC 5280 §5.2.3): strictly increasing for one CA, whatever was lost. Pure. */

import type { LedgerEntry } from '../ledger/entry.ts'

export interface KnownNumbers {
  /** Of the list in the ConfigMap, where the CA's key signed it. */
  readonly listed: bigint | undefined
  /** status.crl */
  readonly reported: bigint | undefined
  /** The largest that this process has tried to publish. */
  readonly tried: bigint | undefined
}

/**
 * One more than the largest known. The status may be one behind its ConfigMap, where a process died in between; it is
 * never further behind, because it is brought up to one less before a list is published. Without the ConfigMap that one is
 * left out. Where nothing is known, 1 for a new CA; for one that
 * has signed before, whose status and ConfigMap may have been lost, the seconds since the epoch: no list made one by one
 * has come so far.
 */
export const nextNumber = ({ listed, reported, tried }: KnownNumbers, signedBefore: boolean, now: number): bigint => {
  const unseen = listed === undefined ? 1n : 0n
  const known = [listed, reported === undefined ? undefined : reported + unseen, tried].filter(
    (number) => number !== undefined,
  )
  if (known.length === 0) return signedBefore ? BigInt(Math.floor(now / 1000)) : 1n
  return known.reduce((largest, number) => (number > largest ? number : largest)) + 1n
}

/** A new CA makes its first list within moments, ms. */
const beginningMs = 60_000

/** Whether the ledger knows more of the CA than its beginning: entries of an object before this one, of a backup, or older ones. */
export const hasSignedBefore = (
  ledger: readonly LedgerEntry[],
  authority: { readonly uid: string },
  now: number,
): boolean =>
  ledger.some((entry) => {
    if (entry.authorityUid !== authority.uid || entry.isRestored) return true
    const isItsOwn = entry.isCa && entry.holder === authority.uid
    return !isItsOwn && !(entry.createdAt >= now - beginningMs)
  })
