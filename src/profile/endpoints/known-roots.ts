/**
 * The CAs that looks are judged by, as they were read from Secrets. A read that fails is tried again in a while: else a profile
 * would not be judged before something else of it changes.
 */

import { doubledDelay } from '../../runtime/backoff.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'

export interface KnownRootsOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Has a profile looked at again, `namespace/name`. */
  readonly wake: (profile: string) => void
}

type Read = () => Promise<readonly Uint8Array[]>

interface Entry {
  readonly hash: string
  /** Profiles that wait for it. */
  readonly waiting: Set<string>
  /** DER; undefined while they are being read. */
  roots?: readonly Uint8Array[]
}

/** Of reads in a row that have failed. */
interface Failure {
  count: number
  readonly waiting: Set<string>
  timer: Timer | undefined
}

const firstMs = 5000
const mostMs = 5 * 60_000

export class KnownRoots {
  readonly #options: KnownRootsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #failures = new Map<string, Failure>()
  #stopped = false

  constructor(options: KnownRootsOptions) {
    this.#options = options
  }

  /**
   * What `read` answers, DER, the same array as long as `hash` is the same; undefined while it is not known: the profile is then
   * woken when it is, or to try again.
   */
  of(profile: string, slot: string, hash: string, read: Read): readonly Uint8Array[] | undefined {
    const known = this.#entries.get(slot)
    if (known?.hash === hash) {
      if (known.roots === undefined) known.waiting.add(profile)
      return known.roots
    }
    const fresh: Entry = { hash, waiting: new Set([profile]) }
    this.#entries.set(slot, fresh)
    void this.#read(slot, fresh, read)
    return undefined
  }

  /** Wakes nobody any more who waits for another try. */
  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#failures.values()) timer?.cancel()
    this.#failures.clear()
  }

  async #read(slot: string, into: Entry, read: Read): Promise<void> {
    try {
      into.roots = await read()
    } catch (error) {
      this.#options.log.debug('the roots of a CA cannot be had yet', { authority: slot, error: String(error) })
      if (this.#entries.get(slot) === into) this.#entries.delete(slot)
      this.#wakeLater(slot, into.waiting)
      return
    }
    const failure = this.#failures.get(slot)
    failure?.timer?.cancel()
    this.#failures.delete(slot)
    for (const profile of new Set([...into.waiting, ...(failure?.waiting ?? [])])) this.#options.wake(profile)
    into.waiting.clear()
  }

  /** They look, and that reads again. One timer a slot, however many look meanwhile. */
  #wakeLater(slot: string, profiles: ReadonlySet<string>): void {
    if (this.#stopped) return
    const failure = this.#failures.get(slot) ?? { count: 0, waiting: new Set<string>(), timer: undefined }
    this.#failures.set(slot, failure)
    for (const profile of profiles) failure.waiting.add(profile)
    if (failure.timer !== undefined) return
    failure.count += 1
    failure.timer = this.#options.clock.setTimer(doubledDelay(firstMs, mostMs, failure.count), () => {
      failure.timer = undefined
      const waiting = [...failure.waiting]
      failure.waiting.clear()
      for (const profile of waiting) this.#options.wake(profile)
    })
  }
}
