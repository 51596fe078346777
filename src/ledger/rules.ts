/** What follows for the entries of a CA's ledger from time, from each other and from the spec of the CA. Pure. */

import type { EntryState, LedgerEntry } from './entry.ts'

const minute = 60_000

/** From a renewal to the revocation of what it replaced: time for the new Secret to reach its pods and to be loaded, ms. */
export const supersedeGraceMs = 10 * minute

/** From a deletion to the revocation that follows from it: time for a `kubectl replace` or a slip to be mended, ms. */
export const deleteGraceMs = minute

/** An entry made so much later than its certificate came back from a backup, ms. Certificates are backdated by 5 minutes. */
const restoredAfterMs = 60 * minute

/** Of very short certificates so many lifetimes are kept, where `keepExpiredFor` would keep more. */
const lifetimesKept = 100

/** Who holds a certificate now, as far as is known in memory. */
export interface Holders {
  /** uid of the object of this `namespace/name`, of either kind, and the serial number that it reports. */
  find(key: string): readonly { readonly uid: string; readonly serialNumber: string | undefined }[]
}

/**
 * By the entry that is replaced: the one that names it. Serial numbers are those of one CA; `uniqueCommonName` is its policy's:
 * a name then passes from one holder to another.
 */
export const replacements = (
  entries: readonly LedgerEntry[],
  uniqueCommonName = false,
): ReadonlyMap<LedgerEntry, LedgerEntry> => {
  const bySerial = new Map<string, LedgerEntry>()
  for (const entry of entries) if (entry.supersedes !== undefined) bySerial.set(entry.supersedes, entry)
  const found = new Map<LedgerEntry, LedgerEntry>()
  if (bySerial.size === 0) return found
  for (const entry of entries) {
    const successor = bySerial.get(entry.serialNumber)
    // A person may have put the certificate of another holder into a Secret: to replace that takes nothing from its holder.
    if (successor?.holderKey === undefined || entry.holderKey === undefined) continue
    const passedOn = uniqueCommonName && entry.commonName !== undefined && entry.commonName === successor.commonName
    if (passedOn || successor.holderKey === entry.holderKey) found.set(entry, successor)
  }
  if (uniqueCommonName) addNamesakes(entries, found)
  return found
}

/** There may be several of one name, from the time before the CA gave each to one alone. */
const addNamesakes = (entries: readonly LedgerEntry[], found: Map<LedgerEntry, LedgerEntry>): void => {
  const takers = new Map<string, LedgerEntry>()
  for (const entry of entries) {
    if (!entry.takesName || entry.commonName === undefined) continue
    const known = takers.get(entry.commonName)
    if (known === undefined || known.createdAt < entry.createdAt) takers.set(entry.commonName, entry)
  }
  if (takers.size === 0) return
  for (const entry of entries) {
    const taker = entry.commonName === undefined || entry.isCa ? undefined : takers.get(entry.commonName)
    if (taker !== undefined && entry.createdAt < taker.createdAt && !found.has(entry)) found.set(entry, taker)
  }
}

/**
 * What status and label should say. An entry is marked once in its life, Superseded or Expired, and once more when it is
 * revoked: a mark is a write, and there is an entry for every certificate.
 */
export const wantedMark = (entry: LedgerEntry, isReplaced: boolean, now: number): EntryState => {
  if (entry.revocation !== undefined) return 'Revoked'
  if (entry.state !== 'Valid') return entry.state
  if (isReplaced) return 'Superseded'
  return entry.notAfter < now ? 'Expired' : 'Valid'
}

/** Not expired, not revoked, and not a CA's own: copies of those are in trust stores that nobody here knows. */
const isRevocable = (entry: LedgerEntry, now: number): boolean =>
  entry.revocation === undefined && !entry.isCa && entry.notAfter > now

/**
 * Replaced long enough ago, by a certificate that its holder has reported since; the holder is still to be asked live.
 * `next`: when to look again.
 */
export const supersededForRevocation = (
  replaced: ReadonlyMap<LedgerEntry, LedgerEntry>,
  holders: Holders,
  now: number,
): { readonly due: readonly LedgerEntry[]; readonly next: number | undefined } => {
  const due: LedgerEntry[] = []
  let next: number | undefined
  for (const [entry, { createdAt, holderKey }] of replaced) {
    // Of a certificate that no object stands for, nobody says whether it has been delivered.
    if (!isRevocable(entry, now) || holderKey === undefined) continue
    const from = createdAt + supersedeGraceMs
    if (from <= now && isDelivered(entry, holders, holderKey)) due.push(entry)
    else next = Math.min(next ?? from, from)
  }
  return { due, next }
}

const isDelivered = ({ serialNumber }: LedgerEntry, holders: Holders, successorKey: string | undefined): boolean => {
  const found = holders.find(successorKey ?? '')
  return (
    found.some((holder) => holder.serialNumber !== undefined) && !found.some((one) => one.serialNumber === serialNumber)
  )
}

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

export const isRestored = ({ createdAt, notBefore, isRestored: saysSo }: LedgerEntry): boolean =>
  saysSo || !(createdAt - notBefore < restoredAfterMs)

/** What the API server says of the holder now. */
export type LiveHolder =
  | { readonly state: 'absent' }
  | { readonly state: 'unknown' }
  | {
      readonly state: 'present'
      readonly uid: string
      readonly serialNumber: string | undefined
      readonly isReady: boolean
    }

/** Whether the holder of an orphan is gone for good. Wait: look again, because nothing takes a revocation back. */
export const verdictOf = (entry: LedgerEntry, live: LiveHolder): 'Revoke' | 'Keep' | 'Wait' => {
  if (live.state === 'absent') return 'Revoke'
  if (live.state === 'unknown') return 'Wait'
  if (live.uid === entry.holder || live.serialNumber === entry.serialNumber) return 'Keep'
  // Of the same name, and made anew: it may take up the Secret that is there.
  return live.isReady && live.serialNumber !== undefined ? 'Revoke' : 'Wait'
}

/** Whether the successor has been delivered: a holder reports a certificate only when its Secret holds it. */
export const verdictOfReplaced = (entry: LedgerEntry, live: LiveHolder): 'Revoke' | 'Wait' =>
  live.state === 'present' && live.serialNumber !== undefined && live.serialNumber !== entry.serialNumber
    ? 'Revoke'
    : 'Wait'

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
    else if (!isInUse(entry, holders)) due.push(entry)
  }
  return { due, next }
}

const keptMs = (entry: LedgerEntry, keepExpiredForMs: number): number => {
  const from = isRestored(entry) ? entry.notBefore : entry.createdAt
  return Math.min(keepExpiredForMs, lifetimesKept * Math.max(entry.notAfter - from, 0))
}

const isInUse = ({ holderKey, serialNumber }: LedgerEntry, holders: Holders): boolean =>
  holderKey !== undefined && holders.find(holderKey).some((holder) => holder.serialNumber === serialNumber)

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
