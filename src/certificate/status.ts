/** From what was seen and made to the facts in status. Pure. */

import type { ObjectMeta } from '../cluster/port.ts'
import { noFailure } from '../control/failure.ts'
import { toTimestamp } from '../control/schedule.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { DatabaseCertificate, DatabaseCertificateStatus } from '../resources/database-certificate.ts'
import { type Observed, usable } from './observed.ts'
import type { Variant } from './variant.ts'
import type { Wanted } from './wanted.ts'

export const factsOf = (
  { status }: DatabaseCertificate,
  seen: Observed,
  wanted: Wanted,
  leaf: ParsedCertificate,
  secret: Pick<ObjectMeta, 'uid' | 'resourceVersion'>,
  { signedBy, trustHash }: Pick<Variant, 'signedBy' | 'trustHash'>,
): Partial<DatabaseCertificateStatus> => {
  const { policy } = usable(seen).authority
  return {
    serialNumber: leaf.serialNumber,
    fingerprint: leaf.fingerprint,
    notBefore: toTimestamp(leaf.notBefore),
    notAfter: toTimestamp(leaf.notAfter),
    authorityFingerprint: signedBy,
    trustBundleHash: trustHash,
    revision: revisionOf(status, leaf),
    publicKeyHash: publicKeyHash(leaf.spki),
    renewTrigger: wanted.renewTrigger === '' ? undefined : wanted.renewTrigger,
    ...noFailure,
    observed: observedOf(seen, policy?.hash, secret),
  }
}

/** The same of a Secret that holds no certificate. */
export const factsWithout = (
  seen: Observed,
  secret: Pick<ObjectMeta, 'uid' | 'resourceVersion'>,
): Partial<DatabaseCertificateStatus> => {
  const { material } = usable(seen).authority
  return {
    serialNumber: undefined,
    fingerprint: undefined,
    notBefore: undefined,
    notAfter: undefined,
    renewAt: undefined,
    publicKeyHash: undefined,
    authorityFingerprint: material.certificate.fingerprint,
    trustBundleHash: material.trustHash,
    ...noFailure,
    observed: observedOf(seen, undefined, secret),
  }
}

/**
 * Whether status has these already. A bundle may change that such a Secret holds nothing of, as a CA's in the stage that a second one is
 * trusted: its bytes stay, and a rotation waits until status tells of the new one.
 */
export const tellsWithout = (
  { status }: DatabaseCertificate,
  { authority }: Observed,
  { uid }: Pick<ObjectMeta, 'uid'>,
): boolean => {
  if (status === undefined || status.observed?.secretUid !== uid) return false
  if (authority.state !== 'usable') return true
  const { certificate, trustHash } = authority.material
  return status.authorityFingerprint === certificate.fingerprint && status.trustBundleHash === trustHash
}

const observedOf = (
  seen: Observed,
  policyHash: string | undefined,
  secret: Pick<ObjectMeta, 'uid' | 'resourceVersion'>,
): Versions => ({
  secretUid: secret.uid ?? '',
  secretResourceVersion: secret.resourceVersion ?? '',
  ...(seen.password?.state === 'found' ? { passwordResourceVersion: seen.password.resourceVersion } : {}),
  ...(seen.request === undefined ? {} : { requestResourceVersion: seen.request.version }),
  ...(policyHash === undefined ? {} : { policyHash }),
  ...(seen.revocationList?.state === 'found' ? { revocationListNumber: seen.revocationList.number } : {}),
})

/** One more where status does not name the certificate yet: also when a crash has kept it from being told. */
const revisionOf = (status: DatabaseCertificateStatus | undefined, leaf: ParsedCertificate): number =>
  status?.serialNumber === leaf.serialNumber ? (status.revision ?? 1) : (status?.revision ?? 0) + 1

type Versions = NonNullable<DatabaseCertificateStatus['observed']>

/**
 * What was seen of others, when nothing had to be written: versions stay as they were told last, for a foreign label is not
 * worth a write; what the certificate was judged under is told, so that a restart need not judge again.
 */
export const remembered = (told: Versions, { policyHash, revocationListNumber }: Partial<Versions> = {}): Versions => {
  const { policyHash: _policy, revocationListNumber: _list, ...versions } = told
  return {
    ...versions,
    ...(policyHash === undefined ? {} : { policyHash }),
    ...(revocationListNumber === undefined ? {} : { revocationListNumber }),
  }
}
