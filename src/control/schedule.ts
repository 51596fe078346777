/** When a certificate is renewed, and how long a failed attempt waits: pure arithmetic in milliseconds. */

import { doubledDelay } from '../runtime/backoff.ts'
import type { Instant } from '../runtime/clock.ts'

const second = 1000

export interface RenewalRule {
  /** Explicit `renewBefore` in ms; wins over the percentage. */
  readonly renewBefore?: number | undefined
  /** Renew when this share of the real lifetime is left (1–99). */
  readonly renewBeforePercentage?: number | undefined
}

/** FNV-1a, 32 bit: spreads uids evenly and is the same in every process. */
export const spread = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  // FNV's low bits mix better than its high ones for short strings; fold both halves together.
  const folded = (hash ^ (hash >>> 15)) >>> 0
  return folded / 2 ** 32
}

/** How long before notAfter a certificate of this real lifetime is due, before jitter. */
export const renewalWindow = (rule: RenewalRule, lifetime: number): number => {
  if (rule.renewBefore !== undefined) return rule.renewBefore
  if (rule.renewBeforePercentage !== undefined) return (lifetime * rule.renewBeforePercentage) / 100
  return lifetime / 3
}

/**
 * The instant of renewal, in whole seconds because status stores seconds. Jitter takes up to a tenth of the window
 * further ahead, the same for one uid every time: a thousand certificates of one `kubectl apply` do not fall due in one
 * second, and a restart does not move them. Never in the first fifth of the life, so that a window as long
 * as the life cannot renew in a loop.
 */
export const renewalTime = (rule: RenewalRule, notBefore: Instant, notAfter: Instant, uid: string): Instant => {
  const lifetime = notAfter - notBefore
  const window = Math.min(renewalWindow(rule, lifetime), lifetime)
  const due = notAfter - window - spread(uid) * Math.min(window, lifetime - window) * 0.1
  const earliest = notBefore + lifetime * 0.2
  return Math.floor(Math.max(due, earliest) / second) * second
}

/** Certificates are backdated by 5 minutes and clocks may disagree by as much, ms. */
const toleratedLeadMs = 600 * second

/** Whether it begins so far ahead that the clock must have been set back since it was signed; nobody accepts it until then. */
export const isAhead = (notBefore: Instant, now: Instant): boolean => notBefore > now + toleratedLeadMs

export const longestFailureBackoffMs = 3600 * second

/** Wait after the n-th failed issuance in a row: 10 s, doubling, at most an hour. */
export const failureBackoff = (failedAttempts: number): number =>
  doubledDelay(10 * second, longestFailureBackoffMs, failedAttempts)

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const toTimestamp = (instant: Instant): string =>
  new Date(Math.floor(instant / second) * second).toISOString().replace('.000Z', 'Z')

export const fromTimestamp = (text: string | undefined): Instant | undefined => {
  const instant = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(instant) ? undefined : instant
}
