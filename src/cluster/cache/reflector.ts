/**
 * Keeps a mirror of one kind: lists it, watches it, and lists again whenever the watch can no longer be trusted. An
 * explicit state machine moved by one `step`; waiting after errors is outside of it (as in kube-rs' watcher).
 *
 *   Empty ─▶ WatchListing ─────────────▶ Watching ◀─▶ Listed
 *     └────▶ Listing (page by page) ───────────────────▲
 *   and from each of them back to Empty, when the server has forgotten our resourceVersion or falls silent.
 */
import type { Backoff } from '../../runtime/backoff.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import { ApiError, isExpired, isInvalid } from '../errors.ts'
import type { Cluster, KubeObject, Resource, WatchEvent } from '../port.ts'
import { silentReason, WatchedStream } from './watched-stream.ts'

/** From Init to InitDone a list is told; what it does not name is gone. */
export type ReflectorEvent<T> =
  | { readonly type: 'Init' }
  | { readonly type: 'InitApply' | 'Apply' | 'Delete'; readonly object: T }
  | { readonly type: 'InitDone' | 'Bookmark'; readonly resourceVersion: string }

export type State<T extends KubeObject> =
  | { readonly phase: 'Empty' }
  | { readonly phase: 'Listing'; readonly continue?: string }
  | { readonly phase: 'WatchListing'; readonly stream: WatchedStream<T> }
  /** `idleCloses`: how often in a row the server closed a watch at once, without an event. */
  | { readonly phase: 'Listed'; readonly resourceVersion: string; readonly idleCloses: number }
  | {
      readonly phase: 'Watching'
      readonly resourceVersion: string
      readonly stream: WatchedStream<T>
      readonly idleCloses: number
    }

interface Step<T extends KubeObject> {
  readonly state: State<T>
  readonly events: readonly ReflectorEvent<T>[]
  /** The step failed; wait before the next one. */
  readonly error?: ApiError
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly cluster: Cluster
  readonly resource: Resource<T>
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly metadataOnly?: boolean | undefined
  readonly emit: (event: ReflectorEvent<T>) => void
  readonly clock: Clock
  /** [0, 1): spreads the ends of watches. */
  readonly random: () => number
  readonly backoff: Backoff
  readonly log: Logger
  readonly pageSize?: number | undefined
  /** Ask for the first state as a stream (WatchList); a server that cannot is asked for pages. Default true. */
  readonly streaming?: boolean | undefined
  /** A server that sends bookmarks each minute is dead when it has said nothing for this long. ms. */
  readonly silenceMs?: number | undefined
}

/** A watch that ends without an event within this time, twice in a row, is a server in trouble, not a clean close. */
const shortWatchMs = 1_000
/** Within this time a server that knows WatchList sends the next object or the end of the first state. */
const initialSilenceMs = 30_000

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #silenceMs: number
  #streaming: boolean

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#silenceMs = options.silenceMs ?? 150_000
    this.#streaming = options.streaming ?? true
  }

  /** Resolves when the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { backoff, emit, log, resource, namespace } = this.#options
    let state: State<T> = { phase: 'Empty' }
    while (!signal.aborted) {
      const step: Step<T> = await this.step(state, signal)
      if ('stream' in state && (!('stream' in step.state) || step.state.stream !== state.stream)) state.stream.close()
      state = step.state
      // After the stop nobody is told anything any more.
      if (signal.aborted) break
      for (const event of step.events) emit(event)
      if (!step.error) continue
      const { status, reason, message, retryAfterMs } = step.error
      log.warn('watching failed; it goes on', {
        resource: resource.plural,
        namespace,
        status,
        reason,
        problem: message,
      })
      await backoff.wait(signal, retryAfterMs).catch(() => undefined)
    }
    if ('stream' in state) state.stream.close()
  }

  /** One move. Public for tests. */
  async step(state: State<T>, signal: AbortSignal): Promise<Step<T>> {
    try {
      switch (state.phase) {
        case 'Empty':
          return this.#begin(signal)
        case 'Listing':
          return await this.#page(state, signal)
        case 'WatchListing':
          return await this.#initialEvent(state)
        case 'Listed':
          return this.#resume(state, signal)
        case 'Watching':
          return await this.#event(state)
      }
    } catch (error) {
      return this.#failed(state, asApiError(error))
    }
  }

  #begin(signal: AbortSignal): Step<T> {
    // Init goes out before the request, so that the store knows which of our writes the answer must contain.
    const events = [{ type: 'Init' }] as const
    if (!this.#streaming) return { state: { phase: 'Listing' }, events }
    const stream = this.#open({ sendInitialEvents: true }, initialSilenceMs, signal)
    return { state: { phase: 'WatchListing', stream }, events }
  }

  async #page(state: State<T> & { phase: 'Listing' }, signal: AbortSignal): Promise<Step<T>> {
    const { cluster, resource, pageSize = 500 } = this.#options
    const page = await cluster.list(resource, {
      ...this.#selection(),
      limit: pageSize,
      ...(state.continue === undefined ? {} : { continue: state.continue }),
      signal,
    })
    const events = page.items.map((object) => ({ type: 'InitApply', object }) as const)
    if (page.continue !== undefined) return { state: { phase: 'Listing', continue: page.continue }, events }
    const { resourceVersion } = page
    return {
      state: { phase: 'Listed', resourceVersion, idleCloses: 0 },
      events: [...events, { type: 'InitDone', resourceVersion }],
    }
  }

  async #initialEvent(state: State<T> & { phase: 'WatchListing' }): Promise<Step<T>> {
    const { stream } = state
    const event = await stream.next()
    if (event === undefined) throw unexpected('the server closed the stream before the first state was complete')
    if (event.type !== 'BOOKMARK')
      return { state, events: [{ type: event.type === 'DELETED' ? 'Delete' : 'InitApply', object: event.object }] }
    // A server that does not know sendInitialEvents sends bookmarks without the mark.
    if (!event.initialEventsEnd) throw notServed('the server marks no end of the first state')
    const { resourceVersion } = event
    stream.silenceMs = this.#silenceMs
    return {
      state: { phase: 'Watching', resourceVersion, stream, idleCloses: 0 },
      events: [{ type: 'InitDone', resourceVersion }],
    }
  }

  #resume(state: State<T> & { phase: 'Listed' }, signal: AbortSignal): Step<T> {
    const { resourceVersion, idleCloses } = state
    const stream = this.#open({ resourceVersion }, this.#silenceMs, signal)
    return { state: { phase: 'Watching', resourceVersion, stream, idleCloses }, events: [] }
  }

  async #event(state: State<T> & { phase: 'Watching' }): Promise<Step<T>> {
    const { stream } = state
    const event = await stream.next()
    if (event === undefined) return this.#closed(state)
    const resourceVersion =
      event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? '')
    return { state: { phase: 'Watching', resourceVersion, stream, idleCloses: 0 }, events: [toReflectorEvent(event)] }
  }

  /** Servers close a watch after a while: it is resumed at once, unless they do nothing else. */
  #closed({ resourceVersion, stream, idleCloses }: State<T> & { phase: 'Watching' }): Step<T> {
    const short = stream.received === 0 && this.#options.clock.monotonic() - stream.openedAt < shortWatchMs
    const state = { phase: 'Listed', resourceVersion, idleCloses: short ? idleCloses + 1 : 0 } as const
    if (state.idleCloses < 2) return { state, events: [] }
    return { state, events: [], error: unexpected('the server closes each watch at once') }
  }

  #failed(state: State<T>, error: ApiError): Step<T> {
    if (state.phase === 'WatchListing' || state.phase === 'Empty') {
      if (isNotServed(error) || error.reason === silentReason) this.#streaming = false
      return { state: { phase: 'Empty' }, events: [], error }
    }
    if (state.phase === 'Listing') {
      const again = isTooLarge(error) || isExpired(error) || isInvalid(error)
      return { state: again ? { phase: 'Empty' } : state, events: [], error }
    }
    const forgotten = error.reason === silentReason || isTooLarge(error) || isExpired(error) || isInvalid(error)
    if (forgotten) return { state: { phase: 'Empty' }, events: [], error }
    return { state: { phase: 'Listed', resourceVersion: state.resourceVersion, idleCloses: 0 }, events: [], error }
  }

  #open(
    from: { readonly resourceVersion: string } | { readonly sendInitialEvents: true },
    silenceMs: number,
    signal: AbortSignal,
  ): WatchedStream<T> {
    const { cluster, resource, clock, random } = this.#options
    // Between four and five minutes: not all watches of a fleet come back in the same second.
    const timeoutSeconds = 240 + Math.floor(random() * 60)
    return new WatchedStream({
      open: (streamSignal) =>
        cluster.watch(resource, { ...this.#selection(), ...from, timeoutSeconds, signal: streamSignal }),
      clock,
      silenceMs,
      signal,
    })
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string; metadataOnly?: boolean } {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#options
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(metadataOnly === undefined ? {} : { metadataOnly }),
    }
  }
}

const toReflectorEvent = <T extends KubeObject>(event: WatchEvent<T>): ReflectorEvent<T> => {
  if (event.type === 'BOOKMARK') return { type: 'Bookmark', resourceVersion: event.resourceVersion }
  return { type: event.type === 'DELETED' ? 'Delete' : 'Apply', object: event.object }
}

const notServedReason = 'WatchListNotServed'

const notServed = (message: string): ApiError => new ApiError({ status: 0, reason: notServedReason, message })

const unexpected = (message: string): ApiError => new ApiError({ status: 0, reason: 'WatchClosed', message })

/** 422 where the WatchList feature is off, 400 or 405 from what is not quite an API server. */
const isNotServed = (error: ApiError): boolean =>
  error.status === 405 || error.reason === notServedReason || isInvalid(error)

/** The server has not seen our resourceVersion yet, or never will (etcd restored from a backup). */
const isTooLarge = (error: ApiError): boolean =>
  error.causes.some(({ reason }) => reason === 'ResourceVersionTooLarge') ||
  error.message.includes('Too large resource version')

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError({ status: 0, reason: 'Unknown', message: 'the watch failed unexpectedly', cause: error })
