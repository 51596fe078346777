/** What a CA asks of its revocation list with every default resolved. Pure. */

import { renewalTime } from '../control/schedule.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { parseDuration } from '../resources/duration.ts'

export interface ListPolicy {
  /** From the making of a list to its nextUpdate, ms. */
  readonly durationMs: number
  readonly renewBeforeMs: number
}

/** Undefined where no list is to be made. */
export const listPolicy = ({ spec }: Pick<CertificateAuthority, 'spec'>): ListPolicy | undefined =>
  spec.crl?.enabled === true
    ? { durationMs: parseDuration(spec.crl.duration), renewBeforeMs: parseDuration(spec.crl.renewBefore) }
    : undefined

/** When the list after this one is made, spread over CAs by uid; never in the first fifth of its time. */
export const dueAt = ({ durationMs, renewBeforeMs }: ListPolicy, nextUpdate: number, uid: string): number =>
  renewalTime({ renewBefore: renewBeforeMs }, nextUpdate - durationMs, nextUpdate, uid)
