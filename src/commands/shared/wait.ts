/** Waiting for what an operator does. */

import { isTransient } from '../../cluster/errors.ts'
import type { Clock } from '../../runtime/clock.ts'

const lookMs = 500

/**
 * Looks until it has seen enough; false when `timeoutMs` have passed. An API server that is restarted meanwhile is
 * waited for like the rest. Rejects with what the last look said, if the time is up and it failed.
 */
export const lookUntil = async (
  clock: Clock,
  timeoutMs: number,
  look: () => Promise<boolean>,
  everyMs = lookMs,
): Promise<boolean> => {
  const end = clock.monotonic() + timeoutMs
  for (;;) {
    const over = clock.monotonic() >= end
    try {
      if (await look()) return true
    } catch (error) {
      // A 401 would be one for the rest of the time.
      if (over || !isTransient(error) || error.status === 401) throw error
    }
    if (over) return false
    await clock.sleep(Math.min(everyMs, Math.max(end - clock.monotonic(), 0)))
  }
}
