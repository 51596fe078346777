/**
 * When a certificate is renewed because its time has come: when it is due, or in the first maintenance window after that
 * (`spec.rotation.windows`), where one opens early enough. Pure.
 *
 * Only a renewal by time waits. What is issued first, was revoked, or is asked for otherwise, is wanted now; and a Secret that is written
 * again with another chain or bundle keeps its certificate: whoever waited for that would trust the next CA too late, or
 * stay with one that has ended. When a bundle may change is said by the windows of the CA.
 */

import { type RenewalRule, renewalTime, spread } from '../control/schedule.ts'
import { isOpen, windowProblems } from '../control/windows.ts'
import type { MaintenanceWindow } from '../resources/maintenance-windows.ts'
import type { Instant } from '../runtime/clock.ts'
import { patientUntil } from './turns.ts'

export interface Renewal {
  /** By its lifetime alone. */
  readonly due: Instant
  /** It is to be renewed from then on. */
  readonly at: Instant
  /** It does not wait for a window, although there are some: none opens in time. */
  readonly outside: boolean
}

interface Wish {
  readonly renewal: RenewalRule
  readonly windows?: readonly MaintenanceWindow[]
}

interface Lifetime {
  readonly notBefore: Instant
  readonly notAfter: Instant
}

/** Whether it is renewed now. `queued`: its CA is replaced, and its turn has not come. */
export const isTime = (
  { at }: Pick<Renewal, 'at'>,
  { notAfter }: Pick<Lifetime, 'notAfter'>,
  now: Instant,
  queued: boolean,
): boolean => now >= (queued ? patientUntil(at, notAfter) : at)

const second = 1000
const hour = 3600 * second

export const windowsField = 'spec.rotation.windows'

export const renewalOf = ({ renewal, windows }: Wish, life: Lifetime, uid: string, now: Instant): Renewal => {
  const due = renewalTime(renewal, life.notBefore, life.notAfter, uid)
  if (windows === undefined || windows.length === 0) return { due, at: due, outside: false }
  // Whoever uses it has to have the next one some time before its end.
  const latest = life.notAfter - Math.min((life.notAfter - due) / 2, hour)
  const first = openingAfter(windows, due, uid)
  if (first === undefined || first.opens > latest) return { due, at: due, outside: true }
  const at = Math.min(first.at, latest)
  // A window that passed unused, as while the operator was away, is made good in the next one.
  if (now < at || isOpen(windows, now).open) return { due, at, outside: false }
  const next = openingAfter(windows, now, uid)
  return next === undefined || next.opens > latest
    ? { due, at, outside: true }
    : { due, at: Math.min(next.at, latest), outside: false }
}

interface Turn {
  readonly opens: Instant
  /** What waits for the same window is spread over half of it, at most an hour; the rest is for what fails. */
  readonly at: Instant
}

const openingAfter = (windows: readonly MaintenanceWindow[], instant: Instant, uid: string): Turn | undefined => {
  const { open, opensAt: opens } = isOpen(windows, instant)
  if (open) return { opens: instant, at: instant }
  if (opens === undefined) return undefined
  const { closesAt = opens } = isOpen(windows, opens)
  const at = opens + spread(uid) * Math.min((closesAt - opens) / 2, hour)
  return { opens, at: Math.floor(at / second) * second }
}

/** Why a certificate is renewed whose time has come. */
export const renewalReason = ({ outside }: Renewal): string =>
  outside ? outsideWindows : 'The certificate is due for renewal.'

export const outsideWindows = `The certificate is due for renewal, and none of ${windowsField} opens before its end.`

/** What has to be mended; it does not keep a certificate from being renewed that is due. */
export const windowsProblem = ({ windows }: Pick<Wish, 'windows'>): string | undefined => {
  const problems = windowProblems(windows, windowsField)
  return problems.length === 0 ? undefined : problems.join(' ')
}
