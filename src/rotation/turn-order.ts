/**
 * Whose turn it is to move to the new CA, or to be renewed beside that. Pure.
 *
 * Within a group (the certificates of one profile, or one alone) a rank moves when every lower one has: servers and peers
 * before clients, since servers are those whose reload may fail; what routes to servers (mongos) before them. Of servers
 * that form one cluster, one at a time.
 */

export interface Mover {
  /** `namespace/name` of a DatabaseCertificate. */
  readonly key: string
  /** Those that have an order among them: the profile's `namespace/name`, or undefined for one that stands alone. */
  readonly group?: string
  /** Lower ones first. */
  readonly rank: number
  /** Members of one cluster of servers with a certificate each. */
  readonly cluster?: string
}

export interface Moving extends Mover {
  /** When it was given its turn, ms. */
  readonly since: number
}

export interface TurnQueue {
  readonly now: number
  /** Still of the former CA, and not told yet. */
  readonly waiting: readonly Mover[]
  /** Told, and not yet Ready and served under the new one. */
  readonly moving: readonly Moving[]
  readonly maxParallel: number
  /** After so long somebody who does not finish holds up only those of his own group and cluster, and nobody else's turn. */
  readonly patienceMs: number
}

/** Keys of those who are told now, in order; those already moving go on. */
export const nextTurns = ({ now, waiting, moving, maxParallel, patienceMs }: TurnQueue): string[] => {
  const slow = (one: Moving): boolean => Math.abs(now - one.since) > patienceMs
  let free = maxParallel - moving.filter((one) => !slow(one)).length
  const lowest = lowestRanks([...waiting, ...moving])
  const occupied = new Set(moving.flatMap(({ cluster }) => cluster ?? []))
  const told: string[] = []
  for (const one of waiting.toSorted(byRankThenKey)) {
    if (free <= 0) break
    if (one.group !== undefined && one.rank > (lowest.get(one.group) ?? one.rank)) continue
    if (one.cluster !== undefined && occupied.has(one.cluster)) continue
    if (one.cluster !== undefined) occupied.add(one.cluster)
    told.push(one.key)
    free -= 1
  }
  return told
}

const lowestRanks = (movers: readonly Mover[]): ReadonlyMap<string, number> => {
  const lowest = new Map<string, number>()
  for (const { group, rank } of movers)
    if (group !== undefined) lowest.set(group, Math.min(rank, lowest.get(group) ?? rank))
  return lowest
}

const byRankThenKey = (a: Mover, b: Mover): number => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
