/** When the certificate of a CA is signed anew with the same key. Pure. */

import { renewalTime, renewalWindow } from '../control/schedule.ts'
import type { StoredAuthority } from './stored.ts'
import type { Wanted } from './wanted.ts'

type Rotating = Pick<StoredAuthority, 'stage'> & {
  readonly certificate: Pick<StoredAuthority['certificate'], 'notBefore' | 'notAfter'>
}

/** This share of the renewal window is left for a rotation that has not come about in time. */
const lastShare = 0.1

/** Whether it has ended, and another one is to come in its place. */
export const isOver = (
  { replaced, asked }: Pick<Wanted, 'replaced' | 'asked'>,
  { stage, certificate: { notAfter } }: Rotating,
  now: number,
): boolean => stage === 'Plain' && now >= notAfter && (replaced || asked)

/**
 * ms; Infinity where it is not. While another CA is to follow this one, or does already, the key is used again only before
 * the certificate would end: a rotation that waits must not cost the CA. One that has ended is followed by the other one, as
 * long as another one comes after it: what signs already has nobody but itself, and one that rotates meanwhile may need this one.
 * What somebody has asked for counts only then: before, nobody knows when it comes.
 */
export const dueForRenewal = (
  wanted: Pick<Wanted, 'renewal' | 'replaced' | 'asked' | 'heldUp'>,
  rotating: Rotating,
  uid: string,
  now: number,
): number => {
  const { renewal, replaced, heldUp } = wanted
  const { stage, certificate } = rotating
  const { notBefore, notAfter } = certificate
  if (isOver(wanted, rotating, now) && heldUp !== true) return Infinity
  const due = renewalTime(renewal, notBefore, notAfter, uid)
  if (stage === 'Plain' && !replaced) return due
  if (now >= notAfter && (stage === 'Next' || stage === 'Both')) return Infinity
  const window = Math.min(renewalWindow(renewal, notAfter - notBefore), notAfter - notBefore)
  return Math.max(due, Math.floor(notAfter - window * lastShare))
}
