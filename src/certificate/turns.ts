/** Whose turn it is in a rotation. */

import type { Instant } from '../runtime/clock.ts'

export interface Turns {
  /**
   * Whether a certificate that the former CA has signed is to be signed by the present one now. Keys are `namespace/name`.
   * Answered from memory, and asked of those certificates alone.
   */
  mayMove(authority: string, certificate: string): boolean
  /**
   * Whether a certificate that is due by time alone is to be renewed now: while its CA replaces what the former one has signed,
   * both share one budget. Answered from memory.
   */
  mayRenew(authority: string, certificate: string): boolean
}

/** Nobody waits. */
export const everyTurn: Turns = { mayMove: () => true, mayRenew: () => true }

/**
 * So long a renewal by time waits for its turn: half of what is left to the certificate when it is due. The other half is for
 * what may fail, as without a rotation.
 */
export const patientUntil = (renewAt: Instant, notAfter: Instant): Instant =>
  renewAt + Math.max(0, (notAfter - renewAt) / 2)
