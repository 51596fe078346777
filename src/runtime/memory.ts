/**
 * How the heap grows: to twice what lives, in bursts only (docs/adr/0025). V8 judges by the rate of allocation and by the machine's
 * memory, and lets a heap of this size grow by three tenths: a burst begins with a collection and goes on with one after the other. And
 * it keeps most of what the burst has left behind, because a program at rest allocates too little to cause a collection.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Instant, Timer } from './clock.ts'

/** `LargeBurst`: one that has made the heap as large as it shall be. */
export type Situation = 'Rest' | 'Burst' | 'LargeBurst'

/** The heap of this process. Sizes are in bytes. */
export interface Heap {
  /** How soon V8 collects: what it is told counts from the end of the next collection on. */
  adaptTo(situation: Situation): void
  /** Frees what nobody refers to, and gives it back to the system; nothing else runs meanwhile, some ms for each MB that lives. */
  collect(): Promise<void>
  /** There is more garbage in it than a program at rest shall keep. */
  readonly overgrown: boolean
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
/** What V8 itself allows where it favours memory, and what may be in both halves of the young generation. */
const restToLiving = 1.3
const youngBytes = 16 * 2 ** 20

const roomy = `--heap-growing-percent=${(enoughToLiving - 1) * 100}`
/** At rest the first flag gives memory back (docs/adr/0025). 0 %: by how much the heap may grow is V8's own judgement. */
const flagsOf: Readonly<Record<Situation, readonly string[]>> = {
  Rest: ['--optimize-for-size', roomy],
  Burst: ['--no-optimize-for-size', roomy],
  LargeBurst: ['--optimize-for-size', '--heap-growing-percent=0'],
}

export const v8Heap = (): Heap => {
  const mostBytes = getHeapStatistics().heap_size_limit * mostOfLimit
  const used = (): number => getHeapStatistics().used_heap_size
  let living = used()
  new PerformanceObserver((list) => {
    const collections = list.getEntries() as unknown as readonly { readonly detail: { readonly kind: number } }[]
    if (collections.some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) living = used()
  }).observe({ entryTypes: ['gc'] })
  setFlagsFromString('--expose-gc')
  // A global that exists in contexts made after the flag was set.
  const collect = runInNewContext('gc') as (options: object) => Promise<void>
  return {
    adaptTo: (situation) => {
      for (const flag of flagsOf[situation]) setFlagsFromString(flag)
    },
    collect: async () => {
      // As a task of its own, and thoroughly: otherwise V8 keeps pages that are empty until it finds the process idle, if ever.
      await collect({ type: 'major', execution: 'async', flavor: 'last-resort' })
      // Node tells the observer in a later task; who looks before would collect once more.
      living = used()
    },
    get overgrown() {
      return used() > restToLiving * living + youngBytes
    },
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
  #situation: Situation | undefined
  /** When the last burst was seen that nothing was collected after, on the monotonic clock; and what it left to be done. */
  #burst: { readonly at: Instant; readonly restAt: Instant } | undefined

  constructor(options: HeapKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#adaptTo('Rest')
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
      this.#adaptTo(heap.size < heap.enough ? 'Burst' : 'LargeBurst')
    } else if (this.#burst === undefined) {
      if (heap.overgrown) void heap.collect()
    } else if (rest() > burst && now - this.#burst.at < mostRestMs) {
      this.#burst = { ...this.#burst, restAt: now }
    } else if (now - this.#burst.restAt >= overMs) {
      this.#burst = undefined
      this.#adaptTo('Rest')
      void heap.collect()
    }
  }

  #adaptTo(situation: Situation): void {
    if (situation === this.#situation) return
    this.#situation = situation
    this.#options.heap.adaptTo(situation)
  }
}
