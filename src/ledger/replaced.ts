/**
 * Which certificate has taken the place of which. One sentence: a certificate is superseded when its own holder reports
 * another one, or when a newer holder reports one that took its common name. What was signed and never delivered, and a
 * holder that has given the name up, replace nothing. Pure.
 */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { issuedAt, type LedgerEntry } from './entry.ts'

/** Whether the authority gives each common name to one holder alone. */
export const isUnique = (authority: CertificateAuthority | undefined): boolean =>
  authority?.spec.policy?.uniqueCommonName === true

/** An object that certificates are issued for, as it is now. */
export interface Holder {
  readonly uid: string
  readonly serialNumber: string | undefined
  /** `namespace/name` of the CA that it asks for its name; absent: of none, because it is going, or is a CA itself. */
  readonly asks?: string | undefined
  /** metadata.creationTimestamp */
  readonly createdAt?: string | undefined
}

/** Who holds a certificate now, as far as is known in memory. */
export interface Holders {
  /** The objects of this `namespace/name`, of either kind. */
  find(key: string): readonly Holder[]
}

/** Of two DatabaseCertificates that want one name, the newer one has it. */
export const isNewerHolder = (a: Omit<Holder, 'serialNumber'>, b: Omit<Holder, 'serialNumber'>): boolean => {
  const [created, other] = [a.createdAt ?? '', b.createdAt ?? '']
  return created === other ? a.uid > b.uid : created > other
}

/** The object that reports the entry now: its certificate is in use, whatever its mark. */
export const reporterOf = ({ holderKey, serialNumber }: LedgerEntry, holders: Holders): Holder | undefined =>
  holderKey === undefined ? undefined : holders.find(holderKey).find((holder) => holder.serialNumber === serialNumber)

/** The entry that has taken the place of this one, as things are with these holders. */
export type FindSuccessor = (entry: LedgerEntry, holders: Holders) => LedgerEntry | undefined

/** The entry of a serial number in the ledger of any CA, by `namespace/name`. */
export type FindIn = (authority: string, serialNumber: string) => LedgerEntry | undefined

export interface Rules {
  /** policy.uniqueCommonName: a name passes from one holder to another. */
  readonly uniqueCommonName?: boolean
  /** Where holders are looked for that have gone to another CA. */
  readonly findIn?: FindIn
}

/** Over the whole ledger of one CA, whose serial numbers are its own. */
export const successorsIn = (
  entries: readonly LedgerEntry[],
  { uniqueCommonName = false, findIn = () => undefined }: Rules = {},
): FindSuccessor => {
  const named = groupBy(entries, ({ supersedes }) => supersedes)
  const takenBy = uniqueCommonName ? takersIn(entries, named) : () => undefined
  return (entry, holders) => {
    const { holderKey, serialNumber } = entry
    const reporter = reporterOf(entry, holders)
    const own =
      holderKey === undefined || reporter !== undefined
        ? undefined
        : named.get(serialNumber)?.find((successor) => successor.holderKey === holderKey)
    return own ?? takenBy(entry, holders) ?? (reporter === undefined ? movedTo(entry, holders, findIn) : undefined)
  }
}

/** What its holder reports of another CA, which it asks now. */
const movedTo = (entry: LedgerEntry, holders: Holders, findIn: FindIn): LedgerEntry | undefined => {
  const { holderKey, authority } = entry
  if (holderKey === undefined) return undefined
  for (const { asks, serialNumber } of holders.find(holderKey)) {
    if (asks === undefined || asks === authority || serialNumber === undefined) continue
    const there = findIn(asks, serialNumber)
    // Entries are dated to the second.
    if (there?.holderKey === holderKey && !(issuedAt(there) < issuedAt(entry))) return there
  }
  return undefined
}

/** There may be several of one name, from the time before the CA gave each to one alone. */
const takersIn = (
  entries: readonly LedgerEntry[],
  named: ReadonlyMap<string, readonly LedgerEntry[]>,
): FindSuccessor => {
  const isDelivered = deliveriesIn(entries)
  const takers = groupBy(entries, ({ takesName, commonName }) => (takesName ? commonName : undefined))
  for (const some of takers.values()) some.sort((a, b) => issuedAt(a) - issuedAt(b))
  return (entry, holders) => {
    const { commonName, isCa, serialNumber } = entry
    if (commonName === undefined || isCa) return undefined
    const reporter = reporterOf(entry, holders)
    const hasTaken = (taker: LedgerEntry): boolean => {
      // Nobody reports what was signed for a request: it is in use from the first moment, and takes no name from a holder.
      if (taker.holderKey === undefined) return reporter === undefined
      return holders
        .find(taker.holderKey)
        .some((holder) => isDelivered(taker, holder) && (reporter === undefined || isNewerHolder(holder, reporter)))
    }
    return (
      named.get(serialNumber)?.find((taker) => taker.commonName === commonName && hasTaken(taker)) ??
      takers.get(commonName)?.find((taker) => issuedAt(entry) < issuedAt(taker) && hasTaken(taker))
    )
  }
}

/** Whether the holder reports the entry, or a renewal of it under the same name. */
const deliveriesIn = (entries: readonly LedgerEntry[]): ((entry: LedgerEntry, holder: Holder) => boolean) => {
  const bySerial = new Map(entries.map((entry) => [entry.serialNumber, entry]))
  const known = new Map<string, ReadonlySet<string>>()
  const renewedBy = (serialNumber: string): ReadonlySet<string> => {
    const before = known.get(serialNumber)
    if (before !== undefined) return before
    const found = new Set<string>()
    const last = bySerial.get(serialNumber)
    for (
      let at = last;
      at !== undefined && !found.has(at.serialNumber);
      at = at.supersedes === undefined ? undefined : bySerial.get(at.supersedes)
    ) {
      if (at.holderKey !== last?.holderKey || at.commonName !== last?.commonName) break
      found.add(at.serialNumber)
    }
    known.set(serialNumber, found)
    return found
  }
  return ({ authority, serialNumber }, holder) =>
    holder.asks === authority && holder.serialNumber !== undefined && renewedBy(holder.serialNumber).has(serialNumber)
}

const groupBy = (
  entries: readonly LedgerEntry[],
  keyOf: (entry: LedgerEntry) => string | undefined,
): Map<string, LedgerEntry[]> => {
  const groups = new Map<string, LedgerEntry[]>()
  for (const entry of entries) {
    const key = keyOf(entry)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return groups
}
