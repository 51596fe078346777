/** Asks many servers again and again, at the pace of pace.ts. */

import type { Clock, Timer } from '../../runtime/clock.ts'
import { Pace, type PaceOptions } from './pace.ts'

export interface PatrolOptions extends Partial<Omit<PaceOptions, 'random'>> {
  readonly clock: Clock
  readonly random: () => number
  /** Asks one server and says whether it answered. To end soon when the signal says so. */
  readonly ask: (key: string, signal: AbortSignal) => Promise<boolean>
  /** Told of what `ask` throws, which ends nothing. */
  readonly failed: (key: string, error: unknown) => void
}

export class Patrol {
  readonly #options: PatrolOptions
  readonly #pace: Pace
  readonly #abort = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #timer: Timer | undefined

  constructor(options: PatrolOptions) {
    this.#options = options
    const { mostOpen = 32, mostDead = 8, firstWithinMs = 10_000, jitter = 0.1, random } = options
    this.#pace = new Pace({ mostOpen, mostDead, firstWithinMs, jitter, random })
  }

  /** Connections at this moment. */
  get open(): number {
    return this.#pace.open
  }

  /** Key of a server → ms between two looks. */
  want(wanted: ReadonlyMap<string, number>): void {
    this.#pace.want(wanted, this.#options.clock.monotonic())
    this.#go()
  }

  /** One more server, or one at another interval, ms. */
  set(key: string, intervalMs: number): void {
    this.#pace.set(key, intervalMs, this.#options.clock.monotonic())
    this.#go()
  }

  drop(key: string): void {
    this.#pace.drop(key)
    this.#go()
  }

  soon(key: string): void {
    this.#pace.soon(key, this.#options.clock.monotonic())
    this.#go()
  }

  /** Calls off what is under way and waits for it. */
  async stop(): Promise<void> {
    this.#abort.abort()
    this.#timer?.cancel()
    await Promise.all(this.#running)
  }

  #go(): void {
    if (this.#abort.signal.aborted) return
    const { clock } = this.#options
    for (let key = this.#pace.take(clock.monotonic()); key !== undefined; key = this.#pace.take(clock.monotonic())) {
      const asked = this.#ask(key).finally(() => this.#running.delete(asked))
      this.#running.add(asked)
    }
    this.#timer?.cancel()
    const next = this.#pace.untilNext(clock.monotonic())
    this.#timer = next === undefined ? undefined : clock.setTimer(next, () => this.#go())
  }

  async #ask(key: string): Promise<void> {
    const { clock, ask, failed } = this.#options
    let answered = false
    try {
      answered = await ask(key, this.#abort.signal)
    } catch (error) {
      failed(key, error)
    }
    this.#pace.done(key, answered, clock.monotonic())
    this.#go()
  }
}
