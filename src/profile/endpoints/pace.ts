/** How often an endpoint is asked. */

const shortestMs = 5000

/**
 * How long until the next look, ms. A server that was given a new certificate is asked often at first, and ever less: a kubelet takes
 * up to two minutes to bring it there, a person any time.
 */
export const untilNextLook = (
  intervalMs: number,
  /** Since the certificate that it should serve changed; absent while it serves it. */
  waitingMs: number | undefined,
): number => (waitingMs === undefined ? intervalMs : Math.min(intervalMs, Math.max(shortestMs, waitingMs / 4)))
