/**
 * Keeps those that do not answer from taking all places: a profile whose servers kept somebody waiting the last time is seen to only
 * in one of the few places that such ones share.
 */

import type { Clock } from '../../runtime/clock.ts'

/** Profiles that are seen to at a time, … */
export const reloadWorkers = 16
/** … and of them those that were slow the last time. */
const mostSlow = 6
/** What answers is done within this, ms: statements take a second or two, and proofs a few more. */
const slowMs = 5000

export class Slowness {
  /** ms after which one that found no place tries again. */
  readonly againMs = 2000
  readonly #clock: Clock
  readonly #slow = new Set<string>()
  #open = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** undefined: there is no place for it now. */
  async within<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    const isSlow = this.#slow.has(key)
    if (isSlow && this.#open >= mostSlow) return undefined
    if (isSlow) this.#open += 1
    const began = this.#clock.monotonic()
    this.#slow.delete(key)
    try {
      return await work()
    } finally {
      if (isSlow) this.#open -= 1
      if (this.#clock.monotonic() - began >= slowMs) this.#slow.add(key)
    }
  }

  /** A server of it did not answer. */
  note(key: string): void {
    this.#slow.add(key)
  }

  forget(key: string): void {
    this.#slow.delete(key)
  }
}
