/** From what lies in the Secret of a CA to the facts in its status. Pure. */

import type { ObjectMeta } from '../cluster/port.ts'
import { noFailure } from '../control/failure.ts'
import { renewalTime, toTimestamp } from '../control/schedule.ts'
import { windowProblems } from '../control/windows.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { CertificateAuthority, CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import type { RevocationReason } from '../resources/issued-certificate.ts'
import { certificateFacts } from './facts.ts'
import type { Observed } from './observed.ts'
import type { Bundle } from './outputs.ts'
import { isGivenUp } from './revoked.ts'
import { trustHash } from './trust.ts'
import type { Wanted } from './wanted.ts'

/** `secret`: undefined where status knows it already; a foreign label moves its version, and that is not worth a write. */
export const factsOf = (
  { metadata }: CertificateAuthority,
  seen: Pick<Observed, 'passphrase'>,
  { renewal }: Pick<Wanted, 'renewal'>,
  { certificate, trust }: Pick<Bundle, 'certificate' | 'trust'>,
  secret: Pick<ObjectMeta, 'uid' | 'resourceVersion'> | undefined,
): Partial<CertificateAuthorityStatus> => ({
  certificate: certificateFacts(certificate),
  renewAt: toTimestamp(renewalTime(renewal, certificate.notBefore, certificate.notAfter, metadata.uid ?? '')),
  trustBundleHash: trustHash(trust),
  ...noFailure,
  ...(secret === undefined ? {} : { observed: versionsOf(seen, secret) }),
})

const versionsOf = (
  { passphrase }: Pick<Observed, 'passphrase'>,
  { uid = '', resourceVersion = '' }: Pick<ObjectMeta, 'uid' | 'resourceVersion'>,
): CertificateAuthorityStatus['observed'] => ({
  secretUid: uid,
  secretResourceVersion: resourceVersion,
  ...(passphrase?.state === 'found' ? { passphraseResourceVersion: passphrase.resourceVersion } : {}),
})

/** Of the condition Ready. */
export const readyMessage = (
  authority: Pick<CertificateAuthority, 'spec'>,
  { certificate: { subject, notAfter }, other }: Pick<Bundle, 'certificate' | 'other'>,
  revoked: RevocationReason | undefined,
): string =>
  [
    isGivenUp(revoked, other?.name)
      ? `"${formatDistinguishedName(subject)}" was revoked (${revoked}) and signs nothing; the next one does when it is trusted everywhere (status.rotation says who is waited for).`
      : `"${formatDistinguishedName(subject)}" can sign, and is valid until ${toTimestamp(notAfter)}.`,
    ...windowNotes(authority),
  ].join(' ')

/** What has to be mended before the next rotation, and is no reason to sign nothing. In sentences. */
export const windowNotes = ({ spec }: Pick<CertificateAuthority, 'spec'>): string[] => {
  const problems = windowProblems(spec.rotation?.windows, 'spec.rotation.windows')
  return problems.length === 0 ? [] : [...problems, 'Such a window never opens.']
}
