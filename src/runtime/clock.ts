/**
 * Time as an argument. Everything that waits or dates takes a Clock, so that tests move time by hand and a person's
 * wall clock never decides who leads.
 */

/** Milliseconds since the epoch, wall clock. */
export type Instant = number

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock: dates of certificates. */
  now(): Instant
  /** Milliseconds on a clock that never jumps: lease expiry, latencies, backoff. */
  monotonic(): number
  /** Resolves after `ms`, however long (safe past 2^31 ms), or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `callback` once after `ms`, however long. Does not keep the process alive. */
  setTimer(ms: number, callback: () => void): Timer
}
