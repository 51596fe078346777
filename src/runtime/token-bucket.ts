/** A token bucket that lends: a caller reserves the next free token and learns how long to wait for it. */
export class TokenBucket {
  readonly #burst: number
  readonly #msPerToken: number
  /** Monotonic ms at which the bucket was, or will be, exactly full if nobody takes more. */
  #fullAt = -Infinity

  constructor(options: { readonly perSecond: number; readonly burst: number }) {
    if (!(options.perSecond > 0) || !(options.burst >= 1))
      throw new RangeError('a token bucket needs a rate and a burst')
    this.#burst = options.burst
    this.#msPerToken = 1000 / options.perSecond
  }

  /**
   * Takes a token and returns the ms until it is free, 0 where one is. Never more than `maxMs`: then nothing is taken, so
   * that a flood cannot push the time of the next token without end.
   */
  reserve(now: number, maxMs: number): number {
    const fullAt = Math.max(this.#fullAt, now) + this.#msPerToken
    const waitMs = fullAt - this.#burst * this.#msPerToken - now
    if (waitMs > maxMs) return maxMs
    this.#fullAt = fullAt
    return Math.max(0, waitMs)
  }
}
