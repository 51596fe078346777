/** A watch that somebody looks after: it ends when it is closed, when its owner stops, and when it has been silent too long. */
import type { Clock, Timer } from '../../runtime/clock.ts'
import { ApiError } from '../errors.ts'
import type { KubeObject, WatchEvent } from '../port.ts'

export interface WatchedStreamOptions<T extends KubeObject> {
  readonly open: (signal: AbortSignal) => AsyncIterable<WatchEvent<T>>
  readonly clock: Clock
  /** Without an event or bookmark for this long the stream is taken for dead. ms. */
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/** reason of the ApiError for a stream that said nothing for too long. */
export const silentReason = 'WatchSilent'

export class WatchedStream<T extends KubeObject> {
  readonly #clock: Clock
  readonly #controller = new AbortController()
  readonly #events: AsyncIterator<WatchEvent<T>>
  readonly #unlink: () => void
  #timer: Timer
  #lastEventAt: number
  #failure: ApiError | undefined
  /** Rejects the `next` that is being waited for, for an iterator that does not listen to its signal. */
  #interrupt: ((error: ApiError) => void) | undefined
  readonly openedAt: number
  /** May grow or shrink; counts from the next look of the watchdog on. */
  silenceMs: number
  /** Events and bookmarks so far. */
  received = 0

  constructor({ open, clock, silenceMs, signal }: WatchedStreamOptions<T>) {
    this.#clock = clock
    this.silenceMs = silenceMs
    this.openedAt = clock.monotonic()
    this.#lastEventAt = this.openedAt
    this.#events = open(this.#controller.signal)[Symbol.asyncIterator]()
    this.#timer = clock.setTimer(silenceMs, () => this.#watchdog())
    const onAbort = (): void =>
      this.#fail(new ApiError({ status: 0, reason: 'Aborted', message: 'the watch was stopped' }))
    signal.addEventListener('abort', onAbort, { once: true })
    this.#unlink = () => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  }

  /** The next event, or undefined when the server closed the stream. Rejects with ApiError; then the stream is over. */
  async next(): Promise<WatchEvent<T> | undefined> {
    if (this.#failure) throw this.#failure
    const result = await new Promise<IteratorResult<WatchEvent<T>>>((resolve, reject) => {
      this.#interrupt = reject
      this.#events.next().then(resolve, reject)
    })
    this.#interrupt = undefined
    if (result.done === true) return undefined
    this.received += 1
    this.#lastEventAt = this.#clock.monotonic()
    return result.value
  }

  close(): void {
    this.#timer.cancel()
    this.#unlink()
    this.#controller.abort()
    // The iterator may be inside a `next` that never ends; nobody waits for its return either.
    this.#events.return?.()?.then(undefined, () => undefined)
  }

  #watchdog(): void {
    const quietMs = this.#clock.monotonic() - this.#lastEventAt
    if (quietMs < this.silenceMs) {
      this.#timer = this.#clock.setTimer(this.silenceMs - quietMs, () => this.#watchdog())
      return
    }
    const seconds = Math.round(quietMs / 1000)
    this.#fail(new ApiError({ status: 0, reason: silentReason, message: `the watch was silent for ${seconds} s` }))
  }

  #fail(error: ApiError): void {
    this.#failure = error
    this.#interrupt?.(error)
    this.close()
  }
}
