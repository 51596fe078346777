import type { Clock, Instant, Timer } from './clock.ts'
import { sleepWith } from './clock.ts'

interface Pending {
  readonly due: number
  readonly order: number
  readonly callback: () => void
}

/** Lets what can go on without time passing go on, also where it gives way to other work once or twice. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => void setImmediate(resolve))
}

/**
 * A clock that a test moves by hand. Wall and monotonic time advance together; `setNow` makes the wall clock jump alone,
 * as an administrator or NTP would.
 */
export class ManualClock implements Clock {
  #now: Instant
  #monotonic = 0
  #order = 0
  readonly #pending = new Set<Pending>()

  /** `now`: the wall clock at the start, ms since the epoch. */
  constructor(now: Instant = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  now(): Instant {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((callback) => this.setTimer(ms, callback), signal)
  }

  setTimer(ms: number, callback: () => void): Timer {
    this.#order += 1
    const pending = { due: this.#monotonic + Math.max(0, Number.isNaN(ms) ? 0 : ms), order: this.#order, callback }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  /** Moves the wall clock alone; timers do not notice. */
  setNow(now: Instant): void {
    this.#now = now
  }

  get timers(): number {
    return this.#pending.size
  }

  /** Milliseconds until the next timer, or undefined where none is set. */
  untilNextTimer(): number | undefined {
    const next = this.#next()
    return next && Math.max(0, next.due - this.#monotonic)
  }

  /** Moves time by `ms` and fires what falls due, in order, letting promises settle before, between and after. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settle()
    for (let next = this.#next(); next !== undefined && next.due <= end; next = this.#next()) {
      this.#fire(next)
      await settle()
    }
    this.#moveTo(end)
  }

  /** As `advance`, but in one synchronous step: promise callbacks run after it. */
  advanceSync(ms: number): void {
    const end = this.#monotonic + ms
    for (let next = this.#next(); next !== undefined && next.due <= end; next = this.#next()) this.#fire(next)
    this.#moveTo(end)
  }

  #fire(next: Pending): void {
    this.#pending.delete(next)
    this.#moveTo(next.due)
    next.callback()
  }

  #moveTo(monotonic: number): void {
    if (monotonic <= this.#monotonic) return
    this.#now += monotonic - this.#monotonic
    this.#monotonic = monotonic
  }

  #next(): Pending | undefined {
    let first: Pending | undefined
    for (const pending of this.#pending)
      if (!first || pending.due < first.due || (pending.due === first.due && pending.order < first.order))
        first = pending
    return first
  }
}
