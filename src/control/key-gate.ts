/**
 * Lets few expensive keys be made at a time, and gives the worker back to whoever would have to wait. Without it a burst
 * of RSA certificates holds every worker, and the certificate of another tenant, a millisecond's work, waits for all of it.
 */
export class KeyGate {
  readonly #limit: number
  readonly #wake: (key: string) => void
  /** In the order in which they came. */
  readonly #waiting = new Set<string>()
  #inside = 0

  /** `wake` is called with a key that found the gate closed, when it may try again. */
  constructor(limit: number, wake: (key: string) => void) {
    this.#limit = limit
    this.#wake = wake
  }

  /** How to leave again, or undefined while the gate is closed. */
  enter(key: string): (() => void) | undefined {
    if (this.#inside >= this.#limit) {
      this.#waiting.add(key)
      return undefined
    }
    this.#waiting.delete(key)
    this.#inside += 1
    let left = false
    return () => {
      if (left) return
      left = true
      this.#inside -= 1
      const [next] = this.#waiting
      if (next === undefined) return
      this.#waiting.delete(next)
      this.#wake(next)
    }
  }
}
