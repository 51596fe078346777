/** Events for people (`kubectl describe`, `kubectl events`): events.k8s.io/v1, best effort, never in the way of the work. */
import { createHash } from 'node:crypto'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { redactText } from '../runtime/redact.ts'
import { ApiError, isAlreadyExists, isForbidden, isInvalid, isNotFound } from './errors.ts'
import type { Event } from './kinds.ts'
import { events, microTime } from './kinds.ts'
import type { Cluster, KubeObject } from './port.ts'
import { SpamFilter } from './spam-filter.ts'

export interface Occurrence {
  /** Whom it is about. */
  readonly regarding: KubeObject
  readonly type: 'Normal' | 'Warning'
  /** CamelCase, ≤ 128 characters: why. */
  readonly reason: string
  /** CamelCase, ≤ 128 characters: what was done or refused. */
  readonly action: string
  /** A sentence; cut at 1,024 bytes. Never a key, password or PEM. */
  readonly note: string
}

export interface EventRecorder {
  /** Returns at once; failures are counted, not thrown. */
  record(occurrence: Occurrence): void
  /** Sends what waits, for a few seconds at most. Never rejects. */
  stop(): Promise<void>
}

export interface ClusterEventsOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  /** Which replica; ≤ 128 characters. */
  readonly reportingInstance: string
  /** Default `dbtls.dev/operator`. */
  readonly reportingController?: string
  /** Repeats within this time of the last one are counted in the first one's series. ms. */
  readonly windowMs?: number
  /** A series' count is written at most this often. ms. */
  readonly seriesFlushMs?: number
  /** Events that wait for the server; further ones are dropped. */
  readonly maxQueue?: number
  /** Whether there are objects to work on: events then wait a little. Default: never. */
  readonly busy?: () => boolean
}

/** An occurrence without the object it is about, which would be kept alive. */
interface Told extends Omit<Occurrence, 'regarding'> {
  readonly regarding: NonNullable<Event['regarding']>
}

/** One event that may still repeat. */
interface Series {
  /** Two occurrences with one key are one event that happened twice. */
  readonly key: string
  readonly first: Told
  /** Epoch ms of the first. */
  readonly firstAt: number
  /** What the server is sent: made when its turn comes, which in a burst is after the work. */
  event: Event | undefined
  count: number
  /** On the monotonic clock. */
  lastAt: number
  /** Epoch ms. */
  lastObservedAt: number
  /** What the server has been told. */
  writtenCount: number
  created: boolean
}

const fieldManager = 'dbtls.dev/operator'
const maxNoteBytes = 1_024
/** What is kept of a note until it is sent: enough for secrets to be recognised before it is cut to size. */
const keptNoteLength = 4 * maxNoteBytes
const maxSeries = 1_000
const maxAttempts = 3
/** While there is work to do, two events are at most so many looks apart: one costs the server a sixth of what a certificate does. */
const busyLooks = 5
const busyLookMs = 100

export class ClusterEvents implements EventRecorder {
  readonly #options: ClusterEventsOptions
  readonly #windowMs: number
  readonly #seriesFlushMs: number
  readonly #maxQueue: number
  readonly #spam: SpamFilter
  readonly #series = new Map<string, Series>()
  readonly #queue = new Set<Series>()
  readonly #stopping = new AbortController()
  /** Aborted while somebody waits for what is queued. */
  #hurry = new AbortController()
  #draining = false
  #pump: Promise<void> | undefined
  #timer: Timer | undefined
  #dropped = 0

  constructor(options: ClusterEventsOptions) {
    this.#options = options
    this.#windowMs = options.windowMs ?? 360_000
    this.#seriesFlushMs = options.seriesFlushMs ?? 60_000
    this.#maxQueue = options.maxQueue ?? 10_000
    this.#spam = new SpamFilter(options.clock)
  }

  /** Events that were lost: the queue was full, an object too talkative, or the server would not have them. */
  get dropped(): number {
    return this.#dropped
  }

  /** Events and counts that wait for their turn. */
  get waiting(): number {
    return this.#queue.size
  }

  record(occurrence: Occurrence): void {
    if (this.#stopping.signal.aborted) return
    const told = toldOf(occurrence)
    const key = foldKey(told)
    const [now, at] = [this.#options.clock.monotonic(), this.#options.clock.now()]
    const open = this.#series.get(key)
    if (open && now - open.lastAt <= this.#windowMs) {
      open.count += 1
      open.lastAt = now
      open.lastObservedAt = at
      this.#remember(open)
      this.#schedule()
      return
    }
    if (!this.#spam.allows(keyOfRegarding(told)) || this.#queue.size >= this.#maxQueue) return void (this.#dropped += 1)
    const series: Series = {
      ...{ key, first: told, firstAt: at, event: undefined },
      ...{ count: 1, lastAt: now, lastObservedAt: at, writtenCount: 0, created: false },
    }
    this.#remember(series)
    this.#enqueue(series)
    this.#schedule()
  }

  /** Resolves when everything recorded so far has been sent or given up. */
  async flush(): Promise<void> {
    this.#hurry.abort()
    for (const series of this.#series.values()) if (series.count > series.writtenCount) this.#enqueue(series)
    await this.#pump
    this.#hurry = new AbortController()
  }

  /** Flushes for at most `limitMs`, then gives up. */
  async stop(limitMs = 3_000): Promise<void> {
    const over = Promise.withResolvers<void>()
    const timer = this.#options.clock.setTimer(limitMs, over.resolve)
    await Promise.race([this.flush(), over.promise])
    timer.cancel()
    this.#timer?.cancel()
    this.#stopping.abort()
  }

  /** The one that was quiet longest leads the map, and is the one that is forgotten: what it has counted is written first. */
  #remember(series: Series): void {
    this.#series.delete(series.key)
    this.#series.set(series.key, series)
    if (this.#series.size <= maxSeries) return
    const [oldest] = this.#series
    if (oldest === undefined) return
    this.#series.delete(oldest[0])
    if (oldest[1].count > oldest[1].writtenCount) this.#enqueue(oldest[1])
  }

  #enqueue(series: Series): void {
    this.#queue.add(series)
    if (this.#draining) return
    this.#draining = true
    this.#pump = this.#drain()
  }

  /** One at a time, and few while there is work: events must not crowd out the writes they tell about. */
  async #drain(): Promise<void> {
    for (const series of this.#queue) {
      this.#queue.delete(series)
      await this.#giveWay()
      if (this.#stopping.signal.aborted) this.#dropped += 1
      else await this.#send(series)
    }
    this.#draining = false
  }

  async #giveWay(): Promise<void> {
    const busy = (): boolean => this.#options.busy?.() === true && !this.#hurry.signal.aborted
    for (let look = 0; look < busyLooks && busy(); look += 1) {
      const signal = AbortSignal.any([this.#stopping.signal, this.#hurry.signal])
      await this.#options.clock.sleep(busyLookMs, signal).catch(() => undefined)
    }
  }

  async #send(series: Series): Promise<void> {
    const { clock } = this.#options
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#write(series)
        return
      } catch (error) {
        const hopeless = isForbidden(error) || isInvalid(error) || isNotFound(error)
        if (hopeless || attempt >= maxAttempts || this.#stopping.signal.aborted) return this.#lost(series, error)
        const pause = (error instanceof ApiError ? error.retryAfterMs : undefined) ?? 500 * attempt
        await clock.sleep(Math.min(pause, 5_000), this.#stopping.signal).catch(() => undefined)
      }
    }
  }

  async #write(series: Series): Promise<void> {
    const { cluster } = this.#options
    const options = { fieldManager, signal: this.#stopping.signal, metadataOnly: true }
    const { count, lastObservedAt } = series
    const event = (series.event ??= this.#toEvent(series))
    if (!series.created) {
      // The name is derived from the content: after an answer that got lost the second try finds the first.
      await cluster.create(events, event, options).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error
      })
      series.created = true
      series.writtenCount = 1
    }
    if (count > series.writtenCount) {
      // An apply needs no read before it, and makes the event anew where the server's time to live took it.
      const repeated = { ...event, series: { count, lastObservedTime: microTime(lastObservedAt) } }
      await cluster.apply(events, repeated, { ...options, force: true })
      series.writtenCount = count
    }
  }

  #lost(series: Series, error: unknown): void {
    this.#dropped += 1
    // A repeat shall try to create it, not to count it; a count waits for the next repeat, or a server that refuses it
    // would be asked for ever.
    if (!series.created) this.#forget(series)
    series.writtenCount = series.count
    const { reason, message: problem } = error instanceof ApiError ? error : { reason: 'Unknown', message: '' }
    this.#options.log.debug('an event was lost', { event: series.first.reason, reason, problem })
  }

  /** Its key may be that of a successor by now. */
  #forget(series: Series): void {
    if (this.#series.get(series.key) === series) this.#series.delete(series.key)
  }

  /** Counts are written a while after a repeat, so that a hundred repeats are one write. */
  #schedule(): void {
    this.#timer ??= this.#options.clock.setTimer(this.#seriesFlushMs, () => {
      this.#timer = undefined
      this.#flushSeries()
    })
  }

  #flushSeries(): void {
    const now = this.#options.clock.monotonic()
    for (const [key, series] of this.#series) {
      if (series.count > series.writtenCount) this.#enqueue(series)
      else if (now - series.lastAt > this.#windowMs) this.#series.delete(key)
    }
    if (this.#series.size > 0) this.#schedule()
  }

  #toEvent({ key, first, firstAt }: Series): Event {
    const { reportingInstance, reportingController = 'dbtls.dev/operator' } = this.#options
    const { regarding, type, reason, action, note } = first
    const { name = '', namespace = 'default' } = regarding
    const eventTime = microTime(firstAt)
    const digest = createHash('sha256').update(`${key}\n${eventTime}`).digest('hex').slice(0, 16)
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 230).replace(/[-.]+$/, '')}.${digest}`, namespace },
      eventTime,
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      action: action.slice(0, 128),
      reason: reason.slice(0, 128),
      type,
      note: cutBytes(redactText(note), maxNoteBytes),
      regarding,
    }
  }
}

const toldOf = ({ regarding, note, ...told }: Occurrence): Told => {
  const { name, namespace, uid, resourceVersion } = regarding.metadata
  return {
    ...told,
    note: note.slice(0, keptNoteLength),
    regarding: {
      ...{ apiVersion: regarding.apiVersion, kind: regarding.kind, name },
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  }
}

const keyOfRegarding = ({ regarding }: Told): string =>
  [regarding.kind, regarding.namespace ?? '', regarding.name, regarding.uid ?? ''].join('/')

const foldKey = (told: Told): string =>
  JSON.stringify([keyOfRegarding(told), told.type, told.reason, told.action, told.note])

/** At most `limit` bytes of UTF-8, never half a character. */
export const cutBytes = (text: string, limit: number): string => {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= limit) return text
  let end = limit - 3
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return `${bytes.subarray(0, end).toString('utf8')}…`
}
