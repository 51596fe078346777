/** `spec.policy` of a CA in the terms of the pki room. Pure. */

import type { SigningPolicy } from '../pki/policy/policy.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { parseDuration } from '../resources/duration.ts'

export const signingPolicyOf = ({ spec }: Pick<CertificateAuthority, 'spec'>): SigningPolicy | undefined => {
  if (spec.policy === undefined) return undefined
  const { maxDuration, ...rules } = spec.policy
  return { ...rules, ...(maxDuration === undefined ? {} : { maxDuration: parseDuration(maxDuration) }) }
}
