/**
 * Holds signing back while the clocks of this process and of the API server disagree. A clock that jumps ahead makes
 * every certificate fall due at once, and what is signed then is valid for nobody else. The ledger's entry, which comes
 * back with the server's `creationTimestamp` before anything is delivered, tells the difference at no extra cost.
 */

import { type Clock, type Instant } from '../runtime/clock.ts'

/** Certificates are backdated by 5 minutes, and clients allow about as much. */
export const toleratedSkewMs = 10 * 60 * 1000

/** While the clocks disagree, one signature is tried after so long to see whether they still do: then after twice that, and so on. */
export const probeIntervalMs = 60 * 1000
export const longestProbeIntervalMs = 10 * 60 * 1000

export const clocksDisagree =
  'The clocks of this operator and of the API server disagree. Correct them; nothing is signed meanwhile.'

export class ClockSkew extends Error {
  override readonly name = 'ClockSkew'
}

export class ClockGuard {
  readonly #clock: Clock
  /** Monotonic. Undefined while the clocks agree, as far as is known. */
  #nextProbe: number | undefined
  #interval = probeIntervalMs

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** ms for which nothing should be signed, or undefined. After each interval the first who asks may try; the others wait for its outcome. */
  hold(): number | undefined {
    if (this.#nextProbe === undefined) return undefined
    const now = this.#clock.monotonic()
    if (this.#nextProbe > now) return this.#nextProbe - now
    this.#interval = Math.min(this.#interval * 2, longestProbeIntervalMs)
    this.#nextProbe = now + this.#interval
    return undefined
  }

  /** ms for which nothing should follow from the time alone, for those who have nothing to try: as `hold`, and takes no turn. */
  get heldFor(): number | undefined {
    return this.#nextProbe === undefined
      ? undefined
      : Math.max(this.#nextProbe - this.#clock.monotonic(), probeIntervalMs)
  }

  /** Compares with the time at which the server says to have created an object just now. Throws ClockSkew. */
  judge(createdAt: string | undefined): void {
    const server: Instant = Date.parse(createdAt ?? '')
    const skew = this.#clock.now() - server
    if (Number.isNaN(skew)) return
    if (Math.abs(skew) <= toleratedSkewMs) {
      this.#nextProbe = undefined
      this.#interval = probeIntervalMs
      return
    }
    this.#nextProbe ??= this.#clock.monotonic() + this.#interval
    const minutes = Math.round(Math.abs(skew) / 60_000)
    throw new ClockSkew(
      `The clock of this operator is ${minutes} minutes ${skew > 0 ? 'ahead of' : 'behind'} the API server's. Correct it; nothing is signed meanwhile.`,
    )
  }
}
