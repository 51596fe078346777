/**
 * When holders came to report other certificates, as far as this process saw it. A certificate may reach its Secret long
 * after it was recorded, and until pods have loaded it the one before is what they serve.
 */

import type { Clock } from '../runtime/clock.ts'
import type { LedgerEntry } from './entry.ts'

/** So long a delivery is of interest, ms: until the pass after it, with much to spare. */
const rememberedMs = 24 * 3600 * 1000

type Entry = Pick<LedgerEntry, 'holderKey' | 'serialNumber'>

export class Deliveries {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** What was delivered before this process began is counted from then, because it may have been a moment before. */
  readonly #since: number
  /** By holder and serial number, monotonic: when it was reported first, and when no more. */
  readonly #got = new Map<string, number>()
  readonly #left = new Map<string, number>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
    this.#since = clock.monotonic()
  }

  /** `holderKey` reports `serialNumber` in the place of `former`. */
  add(holderKey: string, former: string | undefined, serialNumber: string | undefined): void {
    const now = this.#clock.monotonic()
    this.#forget(now)
    if (former !== undefined) this.#left.set(keyOf(holderKey, former), now)
    if (serialNumber !== undefined) this.#got.set(keyOf(holderKey, serialNumber), now)
  }

  /** ms since the later of: the entry is not reported any more, and what replaces it is. */
  ago({ holderKey, serialNumber }: Entry, successor: Entry): number {
    const left = holderKey === undefined ? undefined : this.#left.get(keyOf(holderKey, serialNumber))
    const got =
      successor.holderKey === undefined ? undefined : this.#got.get(keyOf(successor.holderKey, successor.serialNumber))
    const known = [left, got].filter((at) => at !== undefined)
    return this.#clock.monotonic() - Math.max(this.#since, ...known)
  }

  #forget(now: number): void {
    for (const times of [this.#got, this.#left])
      for (const [key, at] of times) {
        // In the order in which they came.
        if (at >= now - rememberedMs) break
        times.delete(key)
      }
  }
}

const keyOf = (holderKey: string, serialNumber: string): string => `${holderKey} ${serialNumber}`
