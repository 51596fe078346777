/** What comes of a look at what somebody has brought along. */

import type { Outcome } from '../control/report.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Reason } from '../resources/reasons.ts'

type Facts = Partial<NonNullable<CertificateAuthority['status']>>

export interface Report {
  readonly facts: Facts
  readonly outcome: Outcome
  /** What a person should hear of when the report says something new. */
  readonly warning?: { readonly reason: Reason; readonly note: string } | undefined
  /** ms at which time changes what is to be said. */
  readonly until?: number | undefined
}
