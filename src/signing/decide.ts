/** What a CertificateSigningRequest needs from its CA. Pure. */

import type { CertificateSigningRequest } from './kind.ts'

/** The CA as the caches have it. */
export type AuthoritySeen = 'absent' | 'trustOnly' | 'notReady' | 'ready'

export type Verdict =
  /** Nothing: it is not for us, not approved, denied, or answered. */
  | { readonly act: 'nothing' }
  /** Until the CA comes or can sign: its change wakes the request. */
  | { readonly act: 'wait' }
  | { readonly act: 'fail'; readonly reason: string; readonly message: string }
  | { readonly act: 'sign' }

export const decide = ({ metadata, status }: CertificateSigningRequest, authority: AuthoritySeen): Verdict => {
  const holds = (type: string): boolean =>
    (status?.conditions ?? []).some((one) => one.type === type && one.status === 'True')
  const answered = (status?.certificate ?? '') !== '' || holds('Failed') || holds('Denied')
  if (answered || !holds('Approved') || metadata.deletionTimestamp !== undefined) return { act: 'nothing' }
  if (authority === 'trustOnly')
    return {
      act: 'fail',
      reason: 'AuthorityNotAllowed',
      message: 'The CertificateAuthority of this signer is only trusted; it signs nothing.',
    }
  return { act: authority === 'ready' ? 'sign' : 'wait' }
}
