/**
 * An account that one server has refused is shown to no other, and seldom again: databases, and the directories behind them, lock
 * an account after a few wrong passwords. Pure.
 */

import { doubledDelay } from '../../runtime/backoff.ts'
import type { Instant } from '../../runtime/clock.ts'

export interface Barred {
  /** How often in turn it was refused. */
  readonly count: number
  readonly until: Instant
}

/** 10, 20, 40 … minutes; at most two hours. */
export const barredMs = (count: number): number => doubledDelay(600_000, 7_200_000, count)

/** After it was shown to a server; one that could not be asked says nothing of it. */
export const barredAfter = (
  former: Barred | undefined,
  { told, failure }: { readonly told: boolean; readonly failure?: { readonly reason: string } | undefined },
  now: Instant,
): Barred | undefined => {
  const { reason } = failure ?? {}
  if (reason === 'LoginRefused') {
    const count = (former?.count ?? 0) + 1
    return { count, until: now + barredMs(count) }
  }
  return told || reason === 'PrivilegeMissing' || reason === 'StatementFailed' ? undefined : former
}
