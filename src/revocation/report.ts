/** What the status of a CA says of its revocation list, beside the conditions of the CA itself. */

import { isDeepStrictEqual } from 'node:util'
import type { Context } from '../control/context.ts'
import { writeStatus } from '../control/report.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Condition, timestamp } from '../resources/conditions.ts'
import type { Reason } from '../resources/reasons.ts'

/** A condition of its own: a CA that signs is Ready, whatever becomes of its list. */
export const listCondition = 'RevocationListCurrent'

export type ListStatus = NonNullable<NonNullable<CertificateAuthority['status']>['crl']>

export interface Finding {
  readonly status: 'True' | 'False'
  readonly reason: Reason
  readonly message: string
}

/** The conditions with ours as found, or without it. Pure. */
export const withListCondition = (
  conditions: readonly Condition[] | undefined,
  finding: Finding | undefined,
  now: number,
): readonly Condition[] => {
  const before = conditions ?? []
  const present = before.find(({ type }) => type === listCondition)
  if (finding === undefined) return present === undefined ? before : before.filter((one) => one !== present)
  const { status, reason, message } = finding
  const lastTransitionTime = present?.status === status ? present.lastTransitionTime : timestamp(now)
  const condition: Condition = {
    type: listCondition,
    status,
    lastTransitionTime,
    reason,
    message: message.slice(0, 4096),
  }
  if (isDeepStrictEqual(present, condition)) return before
  return present === undefined ? [...before, condition] : before.map((one) => (one === present ? condition : one))
}

/** One request, and none where nothing changed; `crl` undefined leaves it as it is. Answers whether it wrote. */
export const report = async (
  context: Context,
  authority: CertificateAuthority,
  crl: ListStatus | undefined,
  finding: Finding | undefined,
  signal: AbortSignal,
): Promise<boolean> => {
  const { caches, clock } = context
  const { status } = authority
  if (status === undefined && finding === undefined) return false
  const wanted = {
    ...status,
    conditions: withListCondition(status?.conditions, finding, clock.now()),
    ...(crl === undefined ? {} : { crl }),
  }
  return writeStatus(context, certificateAuthorities, caches.authorities, authority, wanted, signal)
}
