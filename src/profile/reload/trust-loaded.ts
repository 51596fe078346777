/**
 * Which trust bundle of each CA the servers of a profile have loaded, as far as that is known. Few servers tell, so it is recorded
 * when it was seen, or when nothing can be seen and the time has passed within which it must have happened. Pure but for the record.
 */

import { fromTimestamp, toTimestamp } from '../../control/schedule.ts'
import type { DatabaseTLSProfileStatus } from '../../resources/database-tls-profile-status.ts'
import type { Instant } from '../../runtime/clock.ts'
import { bundlesOf, type PlannedTrust } from './plan.ts'

type ReloadStatus = DatabaseTLSProfileStatus['reload']

export interface Change {
  /** Hash of the bundle that was delivered. */
  readonly delivered: string
  readonly since: Instant
}

export interface TrustRecord {
  /** CA, as `namespace/name` → hash of its bundle. What stands at first is taken for loaded. */
  readonly loaded: Map<string, string>
  readonly changes: Map<string, Change>
  /** Since when a person is to see to it whom nobody can watch; it is held for done. */
  readonly notes: Map<string, Instant>
}

/** Seen: servers have shown it. Passed: nobody can see it, and it is held for done. */
export type Loaded = 'Seen' | 'Passed' | undefined

export interface Notice {
  readonly trust: readonly PlannedTrust[]
  readonly now: Instant
  readonly loadedBy: (authority: string, change: Change) => Loaded
  /** A server was seen to lack what was delivered, whatever was recorded. */
  readonly isLacked: (authority: string) => boolean
  /** Whether a person has to see to what nobody can watch. */
  readonly isByHand: boolean
}

/** How long a person is reminded of what nobody can see to be done, ms. */
export const noteMs = 7 * 24 * 60 * 60_000

/** As an operator before this one left it, in memory or another process. */
export const recordOf = (status: ReloadStatus, trust: readonly PlannedTrust[]): TrustRecord => {
  const record: TrustRecord = { loaded: new Map(), changes: new Map(), notes: new Map() }
  for (const { name, trustBundleHash, delivered, since } of status?.authorities ?? []) {
    record.loaded.set(name, trustBundleHash)
    const at = fromTimestamp(since)
    if (at !== undefined && delivered !== undefined) record.changes.set(name, { delivered, since: at })
    else if (at !== undefined) record.notes.set(name, at)
  }
  // One hash for all CAs together, as versions before this one wrote it.
  const all = status?.trustBundleHash
  if (status?.authorities === undefined && all !== undefined && all !== bundlesOf(trust))
    for (const { authority } of trust) record.loaded.set(authority, all)
  return record
}

export const noticeTrust = (record: TrustRecord, notice: Notice): void => {
  const { loaded, changes, notes } = record
  const { trust, now, isLacked, loadedBy, isByHand } = notice
  const keys = new Set(trust.map(({ authority }) => authority))
  for (const map of [loaded, changes, notes]) for (const key of map.keys()) if (!keys.has(key)) map.delete(key)
  for (const { authority, hash } of trust) {
    if (hash === undefined) continue
    const known = loaded.get(authority)
    if (known === undefined || (known === hash && !isLacked(authority))) {
      loaded.set(authority, hash)
      changes.delete(authority)
      forgetNote(notes, authority, hash, notice)
      continue
    }
    const before = changes.get(authority)
    const change = before?.delivered === hash ? before : { delivered: hash, since: now }
    changes.set(authority, change)
    notes.delete(authority)
    const by = isLacked(authority) ? undefined : loadedBy(authority, change)
    if (by === undefined) continue
    loaded.set(authority, hash)
    changes.delete(authority)
    if (by === 'Passed' && isByHand) notes.set(authority, change.since)
  }
}

const forgetNote = (
  notes: TrustRecord['notes'],
  authority: string,
  delivered: string,
  { now, loadedBy, isByHand }: Notice,
): void => {
  const since = notes.get(authority)
  if (since === undefined) return
  if (!isByHand || now >= since + noteMs || loadedBy(authority, { delivered, since }) === 'Seen')
    notes.delete(authority)
}

/** What status keeps of it. */
export const trustStatusOf = (
  { loaded, changes, notes }: TrustRecord,
  trust: readonly PlannedTrust[],
): Pick<NonNullable<ReloadStatus>, 'trustBundleHash' | 'authorities'> => {
  const authorities = trust.flatMap(({ authority }) => {
    const trustBundleHash = loaded.get(authority)
    const change = changes.get(authority)
    const since = change?.since ?? notes.get(authority)
    if (trustBundleHash === undefined) return []
    return {
      ...{ name: authority, trustBundleHash },
      ...(change === undefined || change.delivered === trustBundleHash ? {} : { delivered: change.delivered }),
      ...(since === undefined ? {} : { since: toTimestamp(since) }),
    }
  })
  const all = bundlesOf(trust.map(({ authority }) => ({ authority, hash: loaded.get(authority) })))
  return {
    ...(all === undefined ? {} : { trustBundleHash: all }),
    ...(authorities.length === 0 ? {} : { authorities }),
  }
}
