/** Which revocations are on a list: from the ledger and the list before it. Pure. */

import { createHash } from 'node:crypto'
import type { LedgerEntry, Revocation } from '../ledger/entry.ts'
import { earliestRevocation } from '../pki/revocation/plan.ts'
import type { ParsedRevocationList, RevokedEntry } from '../pki/revocation/revocation-list.ts'

/** The key whose certificates a list speaks of. */
export interface ListKey {
  /** Lower-case hex; empty where the CA has none. */
  readonly keyId: string
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly publicKeyHash: string
}

interface Revoked extends LedgerEntry {
  readonly revocation: Revocation
}

const second = 1000
const wholeSeconds = (instant: number): number => Math.floor(instant / second) * second

/** What a person wrote must not keep the whole list from being made. */
const dated = (instant: number): number => wholeSeconds(Math.max(instant, earliestRevocation))

/** A CA of one name may have had several keys, each with a list of its own. */
const isSignedBy = ({ authorityKeyId }: LedgerEntry, { keyId }: ListKey): boolean =>
  authorityKeyId === undefined || keyId === '' || authorityKeyId === keyId

/** One for each serial number. Of several, which only hands other than ours can have made, one that is final. */
const revokedBy = (ledger: readonly LedgerEntry[], key: ListKey): Revoked[] => {
  const found = new Map<string, Revoked>()
  for (const entry of ledger) {
    if (!isRevoked(entry) || !isSignedBy(entry, key)) continue
    const other = found.get(entry.serialNumber)
    if (other === undefined || other.revocation.reason === 'certificateHold') found.set(entry.serialNumber, entry)
  }
  return [...found.values()]
}

const isRevoked = (entry: LedgerEntry): entry is Revoked => entry.revocation !== undefined

/**
 * The entries of a list made now. A certificate that has ended stays until a list made in the ordinary course after its
 * end has named it (RFC 5280 §3.3): not before one whole `durationMs` has gone by, nor before there was any list. What the
 * list before names for good and the ledger does not know, stays too: whoever can delete an entry cannot undo a revocation.
 */
export const listedEntries = (
  ledger: readonly LedgerEntry[],
  key: ListKey,
  previous: ParsedRevocationList | undefined,
  durationMs: number,
  now: number,
): RevokedEntry[] => {
  const from = Math.min(previous?.thisUpdate ?? now, now - durationMs)
  const isPast = ({ notAfter }: LedgerEntry): boolean => notAfter < from
  const before = new Map(previous?.revoked.map((entry) => [entry.serialNumber, entry]))
  const revoked = revokedBy(ledger, key).filter((entry) => !isPast(entry))
  const listed = revoked.map(({ serialNumber, revocation }) =>
    entryOf(serialNumber, revocation, before.get(serialNumber)?.revokedAt, now),
  )
  const known = new Map([...ledger, ...revokedBy(ledger, key)].map((entry) => [entry.serialNumber, entry]))
  const carried = [...before.values()].filter(({ serialNumber, reason }) => {
    if (reason === 'certificateHold') return false
    const entry = known.get(serialNumber)
    return entry === undefined || (entry.revocation === undefined && isSignedBy(entry, key) && !isPast(entry))
  })
  return [...listed, ...carried]
}

/** The date is that of the list before, where a person gave none: it does not move from list to list. */
const entryOf = (
  serialNumber: string,
  { reason, time, invalidityTime, seenAt }: Revocation,
  before: number | undefined,
  now: number,
): RevokedEntry => {
  const given = time !== undefined && time <= now ? time : undefined
  const revokedAt = dated(Math.min(given ?? before ?? seenAt ?? now, now))
  return {
    serialNumber,
    revokedAt,
    ...(reason === 'unspecified' ? {} : { reason }),
    ...(invalidityTime === undefined ? {} : { invalidityTime: Math.min(dated(invalidityTime), revokedAt) }),
  }
}

/** What a list does not say of the ledger, as a clause; undefined where it says all. Ends of certificates alone are no reason. */
export const outdated = (
  list: ParsedRevocationList,
  ledger: readonly LedgerEntry[],
  key: ListKey,
): string | undefined => {
  const listed = new Map(list.revoked.map((entry) => [entry.serialNumber, entry]))
  const revoked = revokedBy(ledger, key)
  const missing = revoked.filter((entry) => !(entry.notAfter < list.thisUpdate) && !listed.has(entry.serialNumber))
  if (missing.length > 0) return `${counted(missing.length)} been revoked`
  const changed = revoked.filter((entry) => {
    const found = listed.get(entry.serialNumber)
    return found !== undefined && saysOtherwise(found, entry.revocation, list.thisUpdate)
  })
  if (changed.length > 0) return `${counted(changed.length)} been revoked for another reason`
  const held = new Map(revoked.map((entry) => [entry.serialNumber, entry]))
  const freed = list.revoked.filter(
    ({ reason, serialNumber }) => reason === 'certificateHold' && !held.has(serialNumber),
  )
  return freed.length > 0 ? `${counted(freed.length)} been taken off hold` : undefined
}

const counted = (count: number): string => (count === 1 ? 'a certificate has' : `${count} certificates have`)

const saysOtherwise = (
  listed: RevokedEntry,
  { reason, time, invalidityTime }: Revocation,
  thisUpdate: number,
): boolean =>
  (listed.reason ?? 'unspecified') !== reason ||
  (listed.invalidityTime === undefined) !== (invalidityTime === undefined) ||
  (time !== undefined && time <= thisUpdate && listed.revokedAt !== dated(time))

/**
 * One value for all that a list of this time has to say of the ledger: the same as long as no new one is needed. Costs no
 * look at the list.
 */
export const contentHash = (ledger: readonly LedgerEntry[], key: ListKey, thisUpdate: number): string => {
  const lines = revokedBy(ledger, key)
    .filter(({ notAfter }) => !(notAfter < thisUpdate))
    .map(
      ({ serialNumber, revocation: { reason, time, invalidityTime } }) =>
        `${serialNumber} ${reason} ${time ?? ''} ${invalidityTime ?? ''}`,
    )
  return createHash('sha256')
    .update([key.publicKeyHash, ...lines.toSorted()].join('\n'))
    .digest('hex')
}
