/**
 * A certificate that would end before the next CA signs. The owner of a CA has taken its key away, or it was revoked, so nothing is
 * signed by it; the next one signs what cannot wait, although not everybody may trust it yet: a certificate that has ended is trusted by
 * nobody. Pure.
 */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import { fromTimestamp } from '../control/schedule.ts'
import type { DatabaseCertificateStatus } from '../resources/database-certificate.ts'
import type { Instant } from '../runtime/clock.ts'

type Status = Pick<DatabaseCertificateStatus, 'authorityFingerprint' | 'notAfter' | 'notBefore'>

/** This share of the lifetime is left for consumers to take up what the next CA has signed. */
const lastShare = 0.1

/** The CA as it will be after the switch, for a certificate that cannot wait for it; any other one sees the CA as it is. */
export const seenBy = (material: AuthorityMaterial, status: Status | undefined, now: Instant): AuthorityMaterial => {
  const { keyless, givenUp, next, ...former } = material
  if ((keyless ?? givenUp) === undefined || next === undefined) return material
  if (status?.authorityFingerprint !== next.certificate.fingerprint && !isEnding(status, now)) return material
  const { signer, certificate, chain } = next
  return { ...former, signer, certificate, chain, early: true, former: { ...former, signer: undefined } }
}

const isEnding = (status: Status | undefined, now: Instant): boolean => {
  const [notBefore, notAfter] = [status?.notBefore, status?.notAfter].map(fromTimestamp)
  return notBefore !== undefined && notAfter !== undefined && now >= notAfter - (notAfter - notBefore) * lastShare
}
