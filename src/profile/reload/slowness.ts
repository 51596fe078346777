/**
 * Keeps those that do not answer from taking all places: who kept somebody waiting the last time is seen to only in one of the few
 * places that such ones share, and whoever keeps another place for too long goes on among them, or comes back later.
 */

import type { Clock } from '../../runtime/clock.ts'

/** Profiles that are seen to at a time, … */
export const reloadWorkers = 16
/** … and of them those that are slow. */
const mostSlow = 6
/** What answers is done within this, ms: statements take a second or two, and proofs a few more. */
const slowMs = 5000
/** What one server may take at most, with its statement and every proof, ms; behind one name there may be hundreds. */
const longestMs = 60_000

/** Why work was called off that lasted as long as any may. */
export class TooLong extends Error {
  override readonly name = 'TooLong'
  constructor() {
    super(`it was not done within ${longestMs / 1000} s`)
  }
}

export class Slowness {
  /** ms after which one that found no place tries again. */
  readonly againMs = 2000
  readonly #clock: Clock
  readonly #slow = new Set<string>()
  #open = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * The signal that `work` is given says when to end: for that of the caller, for want of a place, or with TooLong as its reason.
   * undefined: there is no place for it now.
   */
  async within<T>(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    let isSlow = this.#slow.has(key)
    if (isSlow && this.#open >= mostSlow) return undefined
    if (isSlow) this.#open += 1
    this.#slow.delete(key)
    const off = new AbortController()
    const noPlace = new Error('there is no place for it now')
    const timers = [
      this.#clock.setTimer(slowMs, () => {
        this.#slow.add(key)
        if (isSlow) return
        isSlow = this.#open < mostSlow
        if (isSlow) this.#open += 1
        else off.abort(noPlace)
      }),
      this.#clock.setTimer(longestMs, () => off.abort(new TooLong())),
    ]
    try {
      return await work(AbortSignal.any([signal, off.signal]))
    } catch (error) {
      if (off.signal.reason === noPlace && !signal.aborted) return undefined
      throw error
    } finally {
      for (const timer of timers) timer.cancel()
      if (isSlow) this.#open -= 1
    }
  }

  /** It did not answer. */
  note(key: string): void {
    this.#slow.add(key)
  }

  /** A profile, with its servers. */
  forget(profile: string): void {
    for (const key of this.#slow) if (key === profile || key.startsWith(`${profile} `)) this.#slow.delete(key)
  }
}
