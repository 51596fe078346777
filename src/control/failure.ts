/** A failed issuance: what status says about it, and how long the next attempt waits. */

import { ApiError, isForbidden, isInvalid } from '../cluster/errors.ts'
import type { Instant } from '../runtime/clock.ts'
import { ReconcileError, Retryable } from '../runtime/errors.ts'
import { failureBackoff, fromTimestamp, longestFailureBackoffMs, toTimestamp } from './schedule.ts'

export interface FailureStatus {
  readonly observedGeneration?: number | undefined
  readonly failedAttempts?: number | undefined
  readonly lastFailure?: { readonly time: string; readonly reason: string; readonly message: string } | undefined
  readonly nextAttemptAt?: string | undefined
}

/** What a success leaves of earlier failures. */
export const noFailure = { failedAttempts: undefined, lastFailure: undefined, nextAttemptAt: undefined } as const

const maxMessage = 1024

export const failed = (
  status: FailureStatus | undefined,
  error: unknown,
  now: Instant,
): { readonly facts: FailureStatus; readonly waitMs: number; readonly message: string } => {
  const failedAttempts = (status?.failedAttempts ?? 0) + 1
  const waitMs = failureBackoff(failedAttempts)
  const cause = (error instanceof Error ? error.message : String(error)).slice(0, maxMessage)
  const next = toTimestamp(now + waitMs)
  return {
    facts: {
      failedAttempts,
      lastFailure: { time: toTimestamp(now), reason: 'IssuanceFailed', message: cause },
      nextAttemptAt: next,
    },
    waitMs,
    message: `Issuance failed ${failedAttempts} time${failedAttempts === 1 ? '' : 's'}; next attempt at ${next}. ${cause}`,
  }
}

/**
 * ms until a failed issuance may be tried again, or undefined for now: a changed spec ends the wait, and so does a clock
 * that was set back, for no wait is longer than an hour.
 */
export const untilNextAttempt = (
  {
    metadata,
    status,
  }: { readonly metadata: { readonly generation?: number }; readonly status?: FailureStatus | undefined },
  now: Instant,
): number | undefined => {
  if (status?.observedGeneration !== metadata.generation) return undefined
  const left = (fromTimestamp(status?.nextAttemptAt) ?? now) - now
  return left > 0 && left <= longestFailureBackoffMs ? left : undefined
}

/** The cluster refuses to keep what was written: a quota, an admission policy, a missing right. */
export const isRefused = (error: unknown): error is Retryable => error instanceof Retryable && isForbidden(error.cause)

/**
 * Whether an issuance failed for a reason of its own, or because the ledger does not take it: that waits as status says.
 * Conflicts and a server in trouble are left to the queue.
 */
export const isFailedIssuance = (error: unknown): boolean => {
  if (error instanceof ReconcileError) return false
  return !(error instanceof ApiError) || isForbidden(error) || isInvalid(error)
}
