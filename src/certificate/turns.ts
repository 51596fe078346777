/** Whose turn it is in a rotation. */

export interface Turns {
  /**
   * Whether a certificate that the former CA has signed is to be signed by the present one now. Keys are `namespace/name`.
   * Answered from memory, and asked of those certificates alone.
   */
  mayMove(authority: string, certificate: string): boolean
}

/** Nobody waits. */
export const everyTurn: Turns = { mayMove: () => true }
