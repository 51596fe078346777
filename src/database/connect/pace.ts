/**
 * When each server is asked again, and how many at a time. Pure: times and randomness come in.
 * A server that did not answer the last time waits for a place among the few that are kept for such ones, so that the dead,
 * which take all of a timeout, never hold up the living.
 */

import { KeyedHeap } from '../../runtime/heap.ts'

export interface PaceOptions {
  /** Connections at a time. */
  readonly mostOpen: number
  /** Of these, to servers that did not answer the last time. */
  readonly mostDead: number
  /** New servers are first asked within this, ms, or within their interval if that is shorter. */
  readonly firstWithinMs: number
  /** 0…1: this part of an interval is left out at random, so that servers part ways. */
  readonly jitter: number
  /** Gives [0, 1). */
  readonly random: () => number
}

interface Waiting {
  readonly key: string
  /** ms on a clock that never jumps. */
  readonly due: number
}

interface Known {
  intervalMs: number
  dead: boolean
  open: boolean
  /** Asked for while it was open: asked again at once. */
  again: boolean
}

const earlier = (a: Waiting, b: Waiting): boolean => a.due < b.due || (a.due === b.due && a.key < b.key)

export class Pace {
  readonly #options: PaceOptions
  readonly #known = new Map<string, Known>()
  readonly #alive = new KeyedHeap<Waiting>(earlier)
  readonly #dead = new KeyedHeap<Waiting>(earlier)
  #open = 0
  #openDead = 0

  constructor(options: PaceOptions) {
    if (!(options.mostDead >= 1) || !(options.mostOpen > options.mostDead))
      throw new RangeError('of the connections some are for the dead, at least one, and some for the living')
    this.#options = options
  }

  get open(): number {
    return this.#open
  }

  /** Asks these from now on, each every so many ms, and no others. */
  want(wanted: ReadonlyMap<string, number>, now: number): void {
    for (const [key, intervalMs] of wanted) this.set(key, intervalMs, now)
    for (const key of this.#known.keys()) if (!wanted.has(key)) this.drop(key)
  }

  /** Asks one more from now on, or one at another interval. */
  set(key: string, intervalMs: number, now: number): void {
    const known = this.#known.get(key)
    if (known === undefined) {
      const { firstWithinMs, random } = this.#options
      this.#known.set(key, { intervalMs, dead: false, open: false, again: false })
      this.#alive.put({ key, due: now + random() * Math.min(firstWithinMs, intervalMs) })
      return
    }
    known.intervalMs = intervalMs
    const heap = known.dead ? this.#dead : this.#alive
    const waiting = heap.get(key)
    if (waiting !== undefined && waiting.due > now + intervalMs) heap.put({ key, due: now + intervalMs })
  }

  /** Asks this one no more. */
  drop(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#alive.delete(key)
    this.#dead.delete(key)
    // One that is being asked is forgotten when it is done.
    if (!known.open) this.#known.delete(key)
    else known.intervalMs = Infinity
  }

  /** As soon as there is a place: something has changed there. */
  soon(key: string, now: number): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    if (known.open) known.again = true
    else (known.dead ? this.#dead : this.#alive).put({ key, due: now })
  }

  /** One to ask now; the caller says `done` of it later. Undefined where none is due, or no place is free. */
  take(now: number): string | undefined {
    const heap = this.#ready(now)
    const key = heap?.pop()?.key
    const known = key === undefined ? undefined : this.#known.get(key)
    if (known === undefined) return undefined
    known.open = true
    known.again = false
    this.#open += 1
    if (known.dead) this.#openDead += 1
    return key
  }

  /** The earliest, so that in a press none is passed over for ever. */
  #ready(now: number): KeyedHeap<Waiting> | undefined {
    if (this.#open >= this.#options.mostOpen) return undefined
    const alive = this.#alive.peek()?.due ?? Infinity
    const dead = this.#dueOfDead()
    if (Math.min(alive, dead) > now) return undefined
    return dead < alive ? this.#dead : this.#alive
  }

  #dueOfDead(): number {
    return this.#openDead < this.#options.mostDead ? (this.#dead.peek()?.due ?? Infinity) : Infinity
  }

  /** `answered`: the server said something, whatever it was. */
  done(key: string, answered: boolean, now: number): void {
    const known = this.#known.get(key)
    if (known?.open !== true) return
    known.open = false
    this.#open -= 1
    if (known.dead) this.#openDead -= 1
    known.dead = !answered
    if (known.intervalMs === Infinity) {
      this.#known.delete(key)
      return
    }
    const { jitter, random } = this.#options
    const due = known.again ? now : now + known.intervalMs * (1 - jitter * random())
    ;(known.dead ? this.#dead : this.#alive).put({ key, due })
  }

  /** ms until `take` may have one; undefined where only `done`, `want` or `soon` can change that. */
  untilNext(now: number): number | undefined {
    if (this.#open >= this.#options.mostOpen) return undefined
    const due = Math.min(this.#alive.peek()?.due ?? Infinity, this.#dueOfDead())
    return due === Infinity ? undefined : Math.max(0, due - now)
  }
}
