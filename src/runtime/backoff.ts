import type { Clock } from './clock.ts'

export interface DelayShape {
  /** The first delay, ms. */
  readonly initialMs: number
  /** No delay is longer, ms. */
  readonly maxMs: number
  readonly factor: number
  /** 0…1: a delay is drawn evenly from the last `jitter` part below the exponential value, so that clients part ways. */
  readonly jitter: number
}

/** The delay before retry number `attempt` (0 is the first), ms. `random` gives [0, 1). */
export const exponentialDelay = (shape: DelayShape, attempt: number, random: () => number): number => {
  const whole = Math.min(shape.maxMs, shape.initialMs * shape.factor ** attempt)
  return whole * (1 - shape.jitter * random())
}

/** The delay after failure number `count` in a row (1 is the first), twice as long each time, ms. */
export const doubledDelay = (firstMs: number, mostMs: number, count: number): number =>
  Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(count - 1, 0), 20))

export interface BackoffOptions extends Partial<DelayShape> {
  /** After this long without a call of `next`, ms, the trouble is over and the next one starts small again. */
  readonly resetAfterMs?: number
  readonly clock: Clock
  readonly random: () => number
}

/** Delays between attempts of one loop. The defaults are those of client-go's reflector: 0.8 s to 30 s, reset after 2 min. */
export class Backoff {
  readonly #shape: DelayShape
  readonly #resetAfterMs: number
  readonly #clock: Clock
  readonly #random: () => number
  #attempt = 0
  #quietFrom = 0

  constructor({ clock, random, resetAfterMs = 120_000, ...shape }: BackoffOptions) {
    this.#shape = { initialMs: 800, maxMs: 30_000, factor: 2, jitter: 0.5, ...shape }
    this.#resetAfterMs = resetAfterMs
    this.#clock = clock
    this.#random = random
  }

  /** The next delay, ms. At least `atLeastMs`, for a server that names its own (Retry-After). */
  next(atLeastMs = 0): number {
    const now = this.#clock.monotonic()
    if (this.#attempt > 0 && now - this.#quietFrom >= this.#resetAfterMs) this.#attempt = 0
    const delay = Math.max(atLeastMs, exponentialDelay(this.#shape, this.#attempt, this.#random))
    this.#attempt += 1
    // The wait itself is not quiet time: otherwise a long Retry-After would reset the loop that it slows down.
    this.#quietFrom = now + delay
    return delay
  }

  /** Sleeps for `next()`; rejects with the signal's reason. */
  wait(signal?: AbortSignal, atLeastMs = 0): Promise<void> {
    return this.#clock.sleep(this.next(atLeastMs), signal)
  }

  reset(): void {
    this.#attempt = 0
  }
}
