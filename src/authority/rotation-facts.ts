/** What status.rotation says of the two CAs of a rotation and of what is delivered with them. Pure. */

import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthorityStatus } from '../resources/certificate-authority-status.ts'
import { formerTrust, otherNameOf, type Stage } from './stage.ts'
import { trustHash } from './trust.ts'

type Rotation = NonNullable<CertificateAuthorityStatus['rotation']>

/** Undefined fields are to be taken away. */
export interface RotationFacts {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly formerTrustBundleHash: string | undefined
}

/** What lies in the Secret of a CA. */
interface Pair {
  readonly stage: Stage
  readonly certificate: ParsedCertificate
  /** DER roots. */
  readonly trust: readonly Uint8Array[]
  readonly other?: { readonly certificate: ParsedCertificate } | undefined
}

export const rotationFacts = ({ stage, certificate: { fingerprint }, other, trust }: Pair): RotationFacts => {
  if (other === undefined) return { from: undefined, to: undefined, formerTrustBundleHash: undefined }
  if (otherNameOf(stage) === 'next')
    return { from: fingerprint, to: other.certificate.fingerprint, formerTrustBundleHash: undefined }
  const formerTrustBundleHash = trustHash(formerTrust(trust, other.certificate.der))
  return { from: other.certificate.fingerprint, to: fingerprint, formerTrustBundleHash }
}

/** What status says, with these facts in the place of those that it had. */
export const withFacts = (rotation: Rotation, { from, to, formerTrustBundleHash }: RotationFacts): Rotation => {
  const { from: _from, to: _to, formerTrustBundleHash: _hash, ...rest } = rotation
  return {
    ...rest,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(formerTrustBundleHash === undefined ? {} : { formerTrustBundleHash }),
  }
}

/**
 * A renewal in the middle of a rotation gives one of the two another certificate: those of leaves are told by it. What the
 * phase is, is not said here; and nothing of a CA that does not rotate: what the last rotation said stays.
 */
export const renewedRotation = (
  status: CertificateAuthorityStatus | undefined,
  pair: Pair,
): { readonly rotation?: Rotation } =>
  pair.other === undefined || status?.rotation === undefined
    ? {}
    : { rotation: withFacts(status.rotation, rotationFacts(pair)) }
