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

/**
 * One timer of the platform never runs longer than this: setTimeout beyond 2^31−1 ms (24.8 days) fires after 1 ms, and
 * a shorter piece also notices soon that the machine was suspended.
 */
export const longestTimerMs = 12 * 60 * 60 * 1000

/** Chains platform timers until `ms` have passed on the monotonic clock. NaN and negative durations fire at once. */
const startTimer = (ms: number, callback: () => void, keepAlive: boolean): Timer => {
  const deadline = performance.now() + Math.max(0, Number.isNaN(ms) ? 0 : ms)
  let handle: NodeJS.Timeout
  const arm = (): void => {
    const left = Math.max(0, deadline - performance.now())
    handle = setTimeout(() => (deadline - performance.now() < 1 ? callback() : arm()), Math.min(left, longestTimerMs))
    if (!keepAlive) handle.unref()
  }
  arm()
  return { cancel: () => clearTimeout(handle) }
}

/** A sleep made of any timer; shared by the real and the manual clock. */
export const sleepWith = (start: (callback: () => void) => Timer, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = start(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/** The machine's clocks. `sleep` keeps the process alive, because somebody awaits it; `setTimer` does not. */
export const systemClock = (): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleepWith((callback) => startTimer(ms, callback, true), signal),
  setTimer: (ms, callback) => startTimer(ms, callback, false),
})

/**
 * Keeps the process alive until it is released. Timers here do not, so a program that waits for one alone would end in the
 * middle of its wait.
 */
export const keepAlive = (): { release(): void } => {
  const held = setInterval(() => undefined, longestTimerMs)
  return { release: () => clearInterval(held) }
}
