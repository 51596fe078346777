/**
 * The mechanics every decider shares: an ordered list of small named checks over one plain value and the time.
 * All of them are evaluated, so that a person sees every problem and not only the first; the strongest cure acts.
 */

import type { Instant } from '../runtime/clock.ts'
import type { Reason } from '../resources/reasons.ts'

/**
 * What a finding asks for, strongest first. Stall: only a change of something watched can help. Wait: somebody else's
 * turn. Issue: sign anew. Encode: write the same certificate in another form or again.
 */
export const cures = ['Stall', 'Wait', 'Issue', 'Encode'] as const
export type Cure = (typeof cures)[number]

export interface Finding {
  readonly reason: Reason
  /** A sentence for a person: what is wrong and what to do. Never key material. */
  readonly message: string
  readonly cure: Cure
  /** ms at which time alone changes what is found. */
  readonly until?: Instant
}

export type Check<Seen> = (seen: Seen, now: Instant) => Finding | undefined

export interface Decision {
  readonly cure: Cure | 'None'
  /** Every finding, in the order of the checks. */
  readonly findings: readonly Finding[]
  /** Those whose cure acts; empty for None. */
  readonly acting: readonly Finding[]
}

export const evaluate = <Seen>(checks: readonly Check<Seen>[], seen: Seen, now: Instant): Decision => {
  const findings = checks.flatMap((check) => check(seen, now) ?? [])
  const cure = cures.find((candidate) => findings.some((finding) => finding.cure === candidate)) ?? 'None'
  return { cure, findings, acting: findings.filter((finding) => finding.cure === cure) }
}

export const stall = (reason: Reason, message: string): Finding => ({ reason, message, cure: 'Stall' })
export const wait = (reason: Reason, message: string): Finding => ({ reason, message, cure: 'Wait' })
export const issue = (reason: Reason, message: string): Finding => ({ reason, message, cure: 'Issue' })
export const encode = (reason: Reason, message: string): Finding => ({ reason, message, cure: 'Encode' })

/** One condition message of several findings. */
export const sentences = (findings: readonly Finding[]): string => findings.map(({ message }) => message).join(' ')
