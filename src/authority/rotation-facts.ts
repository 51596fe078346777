/** What status.rotation says of the two CAs of a rotation and of what is delivered with them. Pure. */

import type { CertificateAuthorityStatus } from '../resources/certificate-authority-status.ts'
import type { Bundle } from './outputs.ts'
import { formerTrust, otherNameOf } from './stage.ts'
import { trustHash } from './trust.ts'

type Rotation = NonNullable<CertificateAuthorityStatus['rotation']>
export type RotationFacts = Pick<Rotation, 'from' | 'to' | 'formerTrustBundleHash'>

/** Undefined fields are to be taken away. Nothing of a CA that does not rotate: what the last rotation said stays. */
export const materialFacts = ({
  stage,
  certificate: { fingerprint },
  other,
  trust,
}: Pick<Bundle, 'stage' | 'certificate' | 'other' | 'trust'>):
  | {
      readonly [field in keyof RotationFacts]-?: string | undefined
    }
  | undefined => {
  if (other === undefined) return undefined
  if (otherNameOf(stage) === 'next')
    return { from: fingerprint, to: other.certificate.fingerprint, formerTrustBundleHash: undefined }
  const formerTrustBundleHash = trustHash(formerTrust(trust, other.certificate.der))
  return { from: other.certificate.fingerprint, to: fingerprint, formerTrustBundleHash }
}

/**
 * A renewal in the middle of a rotation gives one of the two another certificate: those of leaves are told by it. What the
 * phase is, is not said here.
 */
export const rotationFacts = (
  status: CertificateAuthorityStatus | undefined,
  bundle: Pick<Bundle, 'stage' | 'certificate' | 'other' | 'trust'>,
): { readonly rotation?: Rotation } => {
  const facts = materialFacts(bundle)
  if (facts === undefined || status?.rotation === undefined) return {}
  const { from: _from, to: _to, formerTrustBundleHash: _hash, ...rest } = status.rotation
  const { from, to, formerTrustBundleHash } = facts
  const rotation = {
    ...rest,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(formerTrustBundleHash === undefined ? {} : { formerTrustBundleHash }),
  }
  return { rotation }
}
