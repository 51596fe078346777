/**
 * Group commit: writes that arrive together share one transaction and one fsync, and each still succeeds or fails
 * alone. Nobody hears of a write before it is durable.
 */
import { ApiError } from '../errors.ts'
import type { Storage } from './storage.ts'

interface Waiting {
  /** Runs inside the transaction; handles its own rollback. */
  readonly work: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** As many as keep the event loop free for other work in between. */
const largest = 64

export class Batches {
  readonly #storage: Storage
  readonly #committed: () => void
  readonly #rolledBack: () => void
  #waiting: Waiting[] = []
  #scheduled: NodeJS.Immediate | undefined
  #closed = false

  /** `committed` runs after each commit and before the writers hear of it. */
  constructor(storage: Storage, committed: () => void, rolledBack: () => void) {
    this.#storage = storage
    this.#committed = committed
    this.#rolledBack = rolledBack
  }

  submit<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(closed())
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
      this.#schedule()
    })
  }

  /** Commits what waits, then refuses everything. */
  close(): void {
    if (this.#closed) return
    clearImmediate(this.#scheduled)
    while (this.#waiting.length > 0) this.#flush()
    clearImmediate(this.#scheduled)
    this.#closed = true
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined
      this.#flush()
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #flush(): void {
    const batch = this.#waiting.splice(0, largest)
    const settle: (() => void)[] = []
    try {
      this.#storage.transaction(() => {
        for (const { work, resolve, reject } of batch) {
          try {
            const value = work()
            settle.push(() => resolve(value))
          } catch (error) {
            settle.push(() => reject(error))
          }
        }
      })
    } catch (error) {
      this.#rolledBack()
      const failure = new ApiError({
        status: 500,
        reason: 'InternalError',
        message: `the state file cannot be written: ${error instanceof Error ? error.message : String(error)}`,
        cause: error,
      })
      for (const { reject } of batch) reject(failure)
      return
    }
    this.#committed()
    for (const tell of settle) tell()
  }
}

export const closed = (): ApiError =>
  new ApiError({ status: 503, reason: 'ServiceUnavailable', message: 'the embedded cluster is closed' })
