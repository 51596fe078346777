/** What follows for the entries of a CA's ledger from time, from each other and from the spec of the CA. Pure. */

import { type EntryState, isRestored, issuedAt, type LedgerEntry } from './entry.ts'
import { type FindSuccessor, type Holder, type Holders, reporterOf } from './replaced.ts'

const minute = 60_000

/** From a renewal to the revocation of what it replaced: time for the new Secret to reach its pods and to be loaded, ms. */
export const supersedeGraceMs = 10 * minute

/** From a deletion to the revocation that follows from it: time for a `kubectl replace` or a slip to be mended, ms. */
export const deleteGraceMs = minute

/** Of very short certificates so many lifetimes are kept, where `keepExpiredFor` would keep more. */
const lifetimesKept = 100

/** By the entry that is replaced: the one that has taken its place. */
export const replacements = (
  entries: readonly LedgerEntry[],
  holders: Holders,
  successorOf: FindSuccessor,
): ReadonlyMap<LedgerEntry, LedgerEntry> => {
  const found = new Map<LedgerEntry, LedgerEntry>()
  for (const entry of entries) {
    const successor = successorOf(entry, holders)
    if (successor !== undefined) found.set(entry, successor)
  }
  return found
}

/**
 * What status and label should say. An entry is marked once in its life, Superseded or Expired, and once more when it is
 * revoked: a mark is a write, and there is an entry for every certificate. Superseded comes off again from what is in use:
 * its holder has the name back, or a person has put the certificate back.
 */
export const wantedMark = (
  entry: LedgerEntry,
  { isReplaced, isInUse }: { readonly isReplaced: boolean; readonly isInUse: boolean },
  now: number,
): EntryState => {
  if (entry.revocation !== undefined) return 'Revoked'
  const comesBack = entry.state === 'Superseded' && isInUse && !isReplaced
  if (entry.state !== 'Valid' && !comesBack) return entry.state
  if (isReplaced) return 'Superseded'
  return entry.notAfter < now ? 'Expired' : 'Valid'
}

/** Not expired, not revoked, and not a CA's own: copies of those are in trust stores that nobody here knows. */
const isRevocable = (entry: LedgerEntry, now: number): boolean =>
  entry.revocation === undefined && !entry.isCa && entry.notAfter > now

/**
 * Replaced long enough ago, by a certificate whose holder reports one; the holders are still to be asked live.
 * `deliveredAgo`: ms since the successor is in use. `next`: when to look again.
 */
export const supersededForRevocation = (
  replaced: ReadonlyMap<LedgerEntry, LedgerEntry>,
  {
    holders,
    deliveredAgo,
  }: { readonly holders: Holders; readonly deliveredAgo: (entry: LedgerEntry, successor: LedgerEntry) => number },
  now: number,
): { readonly due: readonly LedgerEntry[]; readonly next: number | undefined } => {
  const due: LedgerEntry[] = []
  let next: number | undefined
  for (const [entry, successor] of replaced) {
    const { createdAt, holderKey } = successor
    // Of a certificate that no object stands for, nobody says whether it has been delivered.
    if (!isRevocable(entry, now) || holderKey === undefined) continue
    const from = Math.max(createdAt, now - deliveredAgo(entry, successor)) + supersedeGraceMs
    if (from <= now && reportsAny(holders.find(holderKey))) due.push(entry)
    else next = Math.min(next ?? from, from)
  }
  return { due, next }
}

const reportsAny = (found: readonly Holder[]): boolean => found.some(({ serialNumber }) => serialNumber !== undefined)

/** A holder that was deleted before our eyes. */
export interface Deletion {
  readonly uid: string
  readonly serialNumber: string | undefined
}

/**
 * Entries whose holder memory does not know any more. An entry that came back from a backup names a holder of that time,
 * whose successor may not have been applied yet: its holder has to be seen going.
 */
export const orphans = (
  entries: readonly LedgerEntry[],
  holders: Holders,
  deleted: ReadonlyMap<string, Deletion>,
  now: number,
): LedgerEntry[] =>
  entries.filter((entry) => {
    const { holder, holderKey } = entry
    if (holder === undefined || holderKey === undefined || !isRevocable(entry, now)) return false
    if (holders.find(holderKey).some(({ uid, serialNumber }) => uid === holder || serialNumber === entry.serialNumber))
      return false
    if (!isRestored(entry)) return true
    const seen = deleted.get(holderKey)
    return seen !== undefined && (seen.uid === holder || seen.serialNumber === entry.serialNumber)
  })

/** What the API server says of the holder now. */
export type LiveHolder =
  | { readonly state: 'absent' }
  | { readonly state: 'unknown' }
  | (Holder & { readonly state: 'present'; readonly isReady: boolean })

/** Whether the holder of an orphan is gone for good. Wait: look again, because nothing takes a revocation back. */
export const verdictOf = (entry: LedgerEntry, live: LiveHolder): 'Revoke' | 'Keep' | 'Wait' => {
  if (live.state === 'absent') return 'Revoke'
  if (live.state === 'unknown') return 'Wait'
  if (live.uid === entry.holder || live.serialNumber === entry.serialNumber) return 'Keep'
  // Of the same name, and made anew: it may take up the Secret that is there.
  return live.isReady && live.serialNumber !== undefined ? 'Revoke' : 'Wait'
}

/**
 * The same rule once more over what the API server says of the holders, by `namespace/name`, in the place of what memory
 * says. Wait where one of them is not to be seen, where nobody stands for the successor, or where another one is it.
 */
export const verdictOfReplaced = (
  entry: LedgerEntry,
  successor: LedgerEntry,
  successorOf: FindSuccessor,
  live: ReadonlyMap<string, LiveHolder>,
): 'Revoke' | 'Wait' => {
  const seen = (key: string): readonly Holder[] => {
    const found = live.get(key)
    return found?.state === 'present' ? [found] : []
  }
  if ([...live.values()].some(({ state }) => state === 'unknown')) return 'Wait'
  if (!reportsAny(seen(successor.holderKey ?? ''))) return 'Wait'
  return successorOf(entry, { find: seen }) === successor ? 'Revoke' : 'Wait'
}

export interface Retention {
  readonly keepExpiredForMs: number
  readonly holders: Holders
}

/** Entries that have been kept for long enough. Of a revoked one the revocation list is still to be asked. */
export const prunable = (
  entries: readonly LedgerEntry[],
  { keepExpiredForMs, holders }: Retention,
  now: number,
): { readonly due: readonly LedgerEntry[]; readonly next: number | undefined } => {
  const due: LedgerEntry[] = []
  let next: number | undefined
  for (const entry of entries) {
    const at = entry.notAfter + keptMs(entry, keepExpiredForMs)
    if (Number.isNaN(at)) continue
    if (at >= now) next = Math.min(next ?? at, at)
    // What its holder could not replace yet is still known by its entry.
    else if (reporterOf(entry, holders) === undefined) due.push(entry)
  }
  return { due, next }
}

const keptMs = (entry: LedgerEntry, keepExpiredForMs: number): number =>
  Math.min(keepExpiredForMs, lifetimesKept * Math.max(entry.notAfter - issuedAt(entry), 0))

/** When the first certificate ends that is not marked yet. */
export const nextExpiry = (entries: readonly LedgerEntry[], now: number): number | undefined =>
  earliest(
    entries.filter(({ state, notAfter }) => state === 'Valid' && notAfter >= now).map(({ notAfter }) => notAfter),
  )

const earliest = (instants: readonly number[]): number | undefined => {
  let first: number | undefined
  for (const instant of instants) first = first === undefined || instant < first ? instant : first
  return first
}
