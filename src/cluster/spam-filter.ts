/** client-go's limit on events of one object: a burst of 25, then one in five minutes. */
import type { Clock } from '../runtime/clock.ts'

const burst = 25
const refillMs = 300_000
const maxObjects = 10_000

interface Bucket {
  tokens: number
  at: number
}

export class SpamFilter {
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  allows(object: string): boolean {
    const now = this.#clock.monotonic()
    const former = this.#buckets.get(object) ?? { tokens: burst, at: now }
    const tokens = Math.min(burst, former.tokens + (now - former.at) / refillMs)
    // The one that was quiet longest leads the map, and is the one whose bucket is forgotten.
    this.#buckets.delete(object)
    this.#buckets.set(object, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > maxObjects) this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    return tokens >= 1
  }
}
