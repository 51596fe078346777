/** The watch cache: a window of past events for those who resume, and the streams of those who listen now. */
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { KubeObject, WatchEvent } from '../port.ts'
import { expired } from './answers.ts'
import type { JsonRecord } from './json.ts'
import type { Predicate } from './selectors.ts'

/** One committed change. `before` is there for selectors: an object that leaves the selection is DELETED for its watcher. */
export interface Change {
  readonly version: number
  readonly kind: string
  readonly namespace: string
  readonly before?: JsonRecord | undefined
  /** The object as it is now; for a deletion, as it was last, with the version of the deletion. */
  readonly object: JsonRecord
  readonly deleted: boolean
}

export interface Subscription {
  readonly kind: string
  readonly namespace: string | undefined
  readonly selects: Predicate
  /** What the watcher gets of an object (metadata alone, or all). */
  readonly view: (object: JsonRecord) => KubeObject
  /** Changes up to this version are known to the watcher. */
  readonly after: number
  /** Sent first. */
  readonly initial: readonly WatchEvent<KubeObject>[]
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
}

const bookmarkMs = 60_000

const eventFor = (
  change: Change,
  { kind, namespace, selects, view }: Subscription,
): WatchEvent<KubeObject> | undefined => {
  if (change.kind !== kind || (namespace !== undefined && change.namespace !== namespace)) return undefined
  const was = change.before !== undefined && selects(change.before)
  const is = !change.deleted && selects(change.object)
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: view(change.object) }
  return was ? { type: 'DELETED', object: view(change.object) } : undefined
}

class Stream {
  readonly subscription: Subscription
  readonly #queue: WatchEvent<KubeObject>[]
  #wake: (() => void) | undefined
  #ended = false

  constructor(subscription: Subscription, backlog: readonly Change[]) {
    this.subscription = subscription
    this.#queue = [...subscription.initial]
    for (const change of backlog) this.offer(change)
  }

  offer(change: Change): void {
    const event = eventFor(change, this.subscription)
    if (event) this.push(event)
  }

  push(event: WatchEvent<KubeObject>): void {
    this.#queue.push(event)
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *events(): AsyncGenerator<WatchEvent<KubeObject>, void> {
    while (!this.#ended) {
      // Emptied as a whole: Array.shift on a long queue copies it for every event.
      for (const event of this.#queue.splice(0)) {
        if (this.#ended) return
        yield event
      }
      if (this.#queue.length > 0 || this.#ended) continue
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }
}

export class Watches {
  readonly #clock: Clock
  readonly #window: number
  readonly #streams = new Set<Stream>()
  #history: Change[] = []
  /** Changes after this version are all in the history. */
  #floor: number

  constructor(clock: Clock, version: number, window: number) {
    this.#clock = clock
    this.#floor = version
    this.#window = window
  }

  /** @throws ApiError 410 Expired where the history does not reach back to `version`. */
  check(version: number): void {
    if (version < this.#floor) throw expired(`too old resource version: ${version} (${this.#floor})`)
  }

  publish(changes: readonly Change[]): void {
    this.#history.push(...changes)
    // Trimmed in strides, so that a long run does not copy the window at every write.
    if (this.#history.length > this.#window * 2) {
      const cut = this.#history.length - this.#window
      this.#floor = this.#history[cut - 1]?.version ?? this.#floor
      this.#history = this.#history.slice(cut)
    }
    for (const change of changes) for (const stream of this.#streams) stream.offer(change)
  }

  /** Forgets the past, as a compaction does: a watch from before now answers 410. */
  compact(version: number): void {
    this.#history = []
    this.#floor = version
  }

  async *open(subscription: Subscription, version: () => number): AsyncGenerator<WatchEvent<KubeObject>, void> {
    if (subscription.signal?.aborted) return
    this.check(subscription.after)
    const stream = new Stream(
      subscription,
      this.#history.filter((change) => change.version > subscription.after),
    )
    const end = () => stream.end()
    this.#streams.add(stream)
    subscription.signal?.addEventListener('abort', end, { once: true })
    const timeout = subscription.timeoutMs === undefined ? undefined : this.#clock.setTimer(subscription.timeoutMs, end)
    let bookmark: Timer | undefined
    const remind = () => {
      bookmark = this.#clock.setTimer(bookmarkMs, () => {
        stream.push({ type: 'BOOKMARK', resourceVersion: String(version()), initialEventsEnd: false })
        remind()
      })
    }
    remind()
    try {
      yield* stream.events()
    } finally {
      this.#streams.delete(stream)
      subscription.signal?.removeEventListener('abort', end)
      timeout?.cancel()
      bookmark?.cancel()
    }
  }

  close(): void {
    for (const stream of this.#streams) stream.end()
  }
}
