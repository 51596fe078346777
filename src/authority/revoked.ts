/**
 * Whether a CA was revoked, by the ledger of the one that signed it: the one above, or its own. While another one takes its place
 * that is no reason to stand still: the sooner the other one signs, the better.
 */

import type { Caches } from '../control/context.ts'
import { findEntry } from '../ledger/record.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { RevocationReason } from '../resources/issued-certificate.ts'
import { signerOf } from './names.ts'
import type { OtherName } from './stage.ts'

/** Undefined: not at all. `serialNumber`: of a certificate of this CA. */
export const isRevokedFor = (
  caches: Pick<Caches, 'ledger'>,
  authority: CertificateAuthority,
  serialNumber: string | undefined,
): RevocationReason | undefined => {
  if (serialNumber === undefined) return undefined
  return findEntry(caches as Caches, signerOf(authority), serialNumber)?.revocation?.reason
}

/** For good; a hold may be taken back, and is waited for. */
export const isFinal = (reason: RevocationReason | undefined): boolean =>
  reason !== undefined && reason !== 'certificateHold'

/** It is revoked for good, and what follows it lies ready. */
export const isGivenUp = (reason: RevocationReason | undefined, other: OtherName | undefined): boolean =>
  other === 'next' && isFinal(reason)
