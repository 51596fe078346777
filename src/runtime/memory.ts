/**
 * How the heap grows: by much in a burst, by little otherwise (docs/adr/0025). V8 judges by the rate of allocation and by the
 * machine's memory. Left alone it keeps most of what a burst has left behind, because a program at rest allocates too little to cause
 * a collection; told to favour memory at all times, it spends a quarter of a burst's processor time on collections.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Instant, Timer } from './clock.ts'

export type Favour = 'Speed' | 'Memory'

/** The heap of this process. Sizes are in bytes. */
export interface Heap {
  /** How it grows from now on. */
  favour(what: Favour): void
  /** Frees what nobody refers to, and gives it back to the system; nothing else runs meanwhile, some ms for each MB that lives. */
  collect(): Promise<void>
  /** What it occupies, garbage included. */
  readonly size: number
  /** From this size on, bursts have to do with little growth, too. */
  readonly enough: number
}

const enoughBytes = 96 * 2 ** 20
/** Garbage may be as much as what lives: with less, much is marked again and again for little. */
const enoughToLiving = 2
/** Of what V8 may have at all: behind it, it collects at every turn. */
const mostOfLimit = 3 / 4

export const v8Heap = (): Heap => {
  const mostBytes = getHeapStatistics().heap_size_limit * mostOfLimit
  let living = 0
  new PerformanceObserver((list) => {
    const collections = list.getEntries() as unknown as readonly { readonly detail: { readonly kind: number } }[]
    if (collections.some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR))
      living = getHeapStatistics().used_heap_size
  }).observe({ entryTypes: ['gc'] })
  setFlagsFromString('--expose-gc')
  // A global that exists in contexts made after the flag was set.
  const collect = runInNewContext('gc') as (options: object) => Promise<void>
  return {
    favour: (what) => setFlagsFromString(what === 'Memory' ? '--optimize-for-size' : '--no-optimize-for-size'),
    // As a task of its own, and thoroughly: otherwise V8 keeps pages that are empty until it finds the process idle, if ever.
    collect: () => collect({ type: 'major', execution: 'async', flavor: 'last-resort' }),
    get size() {
      return getHeapStatistics().total_heap_size
    },
    get enough() {
      return Math.min(Math.max(enoughBytes, enoughToLiving * living), mostBytes)
    },
  }
}

export interface HeapKeeperOptions {
  readonly heap: Heap
  readonly clock: Clock
  /** What there is to do at this moment, in tasks. */
  readonly load: () => number
  /** A burst: more tasks than these. */
  readonly burst: number
  /** What bursts leave to be done, in tasks: it begins none, and lasts with the one that left it. */
  readonly rest: () => number
}

const lookMs = 250
/** Tasks come again within moments while a burst lasts. */
const overMs = 2000
/** A server that takes nothing must not keep what a burst has left behind. */
const mostRestMs = 60_000

export class HeapKeeper {
  readonly #options: HeapKeeperOptions
  #timer: Timer | undefined
  #favours: Favour | undefined
  /** When the last burst was seen that nothing was collected after, on the monotonic clock; and what it left to be done. */
  #burst: { readonly at: Instant; readonly restAt: Instant } | undefined

  constructor(options: HeapKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#favour('Memory')
    this.#lookAgain()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #lookAgain(): void {
    this.#timer = this.#options.clock.setTimer(lookMs, () => {
      this.#look()
      this.#lookAgain()
    })
  }

  #look(): void {
    const { heap, clock, load, burst, rest } = this.#options
    const now = clock.monotonic()
    if (load() > burst) {
      this.#burst = { at: now, restAt: now }
      this.#favour(heap.size < heap.enough ? 'Speed' : 'Memory')
    } else if (this.#burst === undefined) {
      return
    } else if (rest() > burst && now - this.#burst.at < mostRestMs) {
      this.#burst = { ...this.#burst, restAt: now }
    } else if (now - this.#burst.restAt >= overMs) {
      this.#burst = undefined
      this.#favour('Memory')
      void heap.collect()
    }
  }

  #favour(what: Favour): void {
    if (what === this.#favours) return
    this.#favours = what
    this.#options.heap.favour(what)
  }
}
