/**
 * Events (events.k8s.io/v1) for people: best effort, folded into series when they repeat, and never in the way of the work
 * they tell about.
 */

import { createHash } from 'node:crypto'
import { type Event, events } from './kinds.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { redactText } from '../runtime/redact.ts'
import { isNotFound } from './errors.ts'
import { type Cluster, keyOf, type KubeObject } from './port.ts'

export interface Occurrence {
  readonly regarding: KubeObject
  readonly type: 'Normal' | 'Warning'
  /** CamelCase. */
  readonly reason: string
  /** What was being done, CamelCase. */
  readonly action: string
  readonly note: string
}

export interface EventRecorder {
  /** Returns at once; the event is written in the background, or dropped when too many wait. */
  record(occurrence: Occurrence): void
  /** Writes what waits, for a second or two at most. */
  stop(): Promise<void>
}

export interface ClusterEventsOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  /** This process: the pod. */
  readonly reportingInstance: string
  readonly onDropped?: () => void
}

const fieldManager = 'dbtls.dev/operator'
const reportingController = 'dbtls.dev/operator'
const maxNoteBytes = 1024
const maxWaiting = 10_000
const maxInFlight = 4
/** Repeats within this time fold into the series of the first. */
const seriesWindowMs = 6 * 60 * 1000
const maxSeries = 5_000

interface Series {
  readonly event: Event
  count: number
  /** Monotonic. */
  lastAt: number
  /** The event as the server has it, once it is written. */
  written: Event | undefined
}

export class ClusterEvents implements EventRecorder {
  readonly #options: ClusterEventsOptions
  readonly #series = new Map<string, Series>()
  readonly #waiting = new Map<string, Series>()
  #inFlight = 0
  #dropped = 0
  #idle = Promise.withResolvers<void>()

  constructor(options: ClusterEventsOptions) {
    this.#options = options
    this.#idle.resolve()
  }

  get dropped(): number {
    return this.#dropped
  }

  record(occurrence: Occurrence): void {
    const { clock } = this.#options
    const id = identityOf(occurrence)
    const now = clock.monotonic()
    const known = this.#series.get(id)
    if (known !== undefined && now - known.lastAt <= seriesWindowMs) {
      known.count += 1
      known.lastAt = now
      this.#series.delete(id)
      this.#series.set(id, known)
      // A series is told about when it begins and each time it doubles, not at every repeat.
      if ((known.count & (known.count - 1)) === 0) this.#enqueue(id, known)
      return
    }
    const series: Series = { event: this.#event(occurrence, id), count: 1, lastAt: now, written: undefined }
    this.#series.delete(id)
    this.#series.set(id, series)
    for (const oldest of this.#series.keys()) {
      if (this.#series.size <= maxSeries) break
      this.#series.delete(oldest)
    }
    this.#enqueue(id, series)
  }

  async stop(): Promise<void> {
    await Promise.race([this.#idle.promise, this.#options.clock.sleep(2_000)])
  }

  #enqueue(id: string, series: Series): void {
    if (this.#waiting.size >= maxWaiting) {
      this.#dropped += 1
      this.#options.onDropped?.()
      return
    }
    if (this.#waiting.size === 0 && this.#inFlight === 0) this.#idle = Promise.withResolvers<void>()
    this.#waiting.set(id, series)
    this.#pump()
  }

  #pump(): void {
    while (this.#inFlight < maxInFlight) {
      const next = this.#waiting.entries().next()
      if (next.done === true) break
      const [id, series] = next.value
      this.#waiting.delete(id)
      this.#inFlight += 1
      void this.#write(series).finally(() => {
        this.#inFlight -= 1
        this.#pump()
        if (this.#inFlight === 0 && this.#waiting.size === 0) this.#idle.resolve()
      })
    }
  }

  async #write(series: Series): Promise<void> {
    const { cluster, clock, log } = this.#options
    const options = { fieldManager, signal: AbortSignal.timeout(5_000) }
    try {
      if (series.written !== undefined && series.count > 1) {
        const { name, namespace } = series.event.metadata
        const live = await cluster.get(events, { name, namespace }, { signal: options.signal })
        const repeated = { count: series.count, lastObservedTime: microTime(clock.now()) }
        series.written = await cluster.update(events, { ...live, series: repeated }, options)
        return
      }
      series.written = await cluster.create(events, series.event, options)
    } catch (error) {
      if (isNotFound(error)) series.written = undefined
      log.debug('an event could not be written', { error })
    }
  }

  #event({ regarding, type, reason, action, note }: Occurrence, id: string): Event {
    const { clock, reportingInstance } = this.#options
    const { name, namespace = 'default', uid, resourceVersion } = regarding.metadata
    const now = clock.now()
    const hash = createHash('sha256').update(`${id} ${now}`).digest('hex').slice(0, 16)
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 236)}.${hash}`, namespace },
      eventTime: microTime(now),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      action,
      reason,
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      note: truncated(redactText(note), maxNoteBytes),
      type,
    }
  }
}

const identityOf = ({ regarding, type, reason, action, note }: Occurrence): string =>
  `${regarding.kind} ${keyOf(regarding)} ${regarding.metadata.uid} ${type} ${reason} ${action} ${note}`

/** At most `bytes` of UTF-8, never ending inside a character. */
export const truncated = (text: string, bytes: number): string => {
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return text
  return `${encoded
    .subarray(0, bytes - 3)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`
}

/** metav1.MicroTime. */
const microTime = (instant: number): string => new Date(instant).toISOString().replace('Z', '000Z')
