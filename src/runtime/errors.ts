/**
 * The taxonomy of failure, which maps onto conditions and onto what the queue does next.
 * `reason` is the CamelCase reason of the condition; `message` says what is wrong and what to do.
 */

export abstract class ReconcileError extends Error {
  readonly reason: string
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Only a change of something watched (spec, a referenced object) can cure it: no retry, Stalled. */
export class Terminal extends ReconcileError {
  override readonly name = 'Terminal'
}

/** The same step may succeed later: per-item backoff. */
export class Retryable extends ReconcileError {
  override readonly name = 'Retryable'
}

/** Somebody else's turn: wait for a watch event, look again after `afterMs` at the latest. Not a failure. */
export class NotReady extends ReconcileError {
  override readonly name = 'NotReady'
  readonly afterMs: number | undefined
  constructor(reason: string, message: string, afterMs?: number) {
    super(reason, message)
    this.afterMs = afterMs
  }
}
