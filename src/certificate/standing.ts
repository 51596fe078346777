/** Which CA of a rotation a certificate hangs on, as status of both says. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificateStatus } from '../resources/database-certificate.ts'

/** The one that signs now, the one that will, or the one that did and is still trusted. */
export type Standing = 'Present' | 'Next' | 'Former'

type Reported = Pick<DatabaseCertificateStatus, 'authorityFingerprint' | 'trustBundleHash'> | undefined

/** Undefined where its Secret holds another certificate of the CA, or another bundle, than goes with any of them. */
export const standingUnder = (status: Reported, signer: CertificateAuthority['status']): Standing | undefined => {
  const { phase, from, to, formerTrustBundleHash } = signer?.rotation ?? {}
  const { authorityFingerprint, trustBundleHash } = status ?? {}
  const hasPresentTrust = trustBundleHash === signer?.trustBundleHash
  if (hasPresentTrust && authorityFingerprint === signer?.certificate?.fingerprint) return 'Present'
  // Signed before the switch, because it would have ended (early.ts).
  if (hasPresentTrust && phase === 'TrustBoth' && to !== undefined && to === authorityFingerprint) return 'Next'
  if (from === undefined || formerTrustBundleHash === undefined || from !== authorityFingerprint) return undefined
  // A Secret that holds the present CA's own key has its roots in the present order.
  return hasPresentTrust || trustBundleHash === formerTrustBundleHash ? 'Former' : undefined
}
