/** From what was seen and made to the facts in status. Pure. */

import type { ObjectMeta } from '../cluster/port.ts'
import { noFailure } from '../control/failure.ts'
import { renewalTime, toTimestamp } from '../control/schedule.ts'
import type { ParsedCertificate } from '../pki/parse.ts'
import type { DatabaseCertificate, DatabaseCertificateStatus } from '../resources/database-certificate.ts'
import type { Observed } from './observed.ts'
import type { Wanted } from './wanted.ts'

export const usable = (
  seen: Observed,
): { wanted: Wanted; authority: Extract<Observed['authority'], { state: 'usable' }> } => {
  if (!('wanted' in seen.resolved) || seen.authority.state !== 'usable')
    throw new Error('a cure that needs an authority was chosen without one')
  return { wanted: seen.resolved.wanted, authority: seen.authority }
}

export const factsOf = (
  { metadata, status }: DatabaseCertificate,
  seen: Observed,
  wanted: Wanted,
  leaf: ParsedCertificate,
  secret: Pick<ObjectMeta, 'uid' | 'resourceVersion'>,
): Partial<DatabaseCertificateStatus> => {
  const { material } = usable(seen).authority
  return {
    serialNumber: leaf.serialNumber,
    fingerprint: leaf.fingerprint,
    notBefore: toTimestamp(leaf.notBefore),
    notAfter: toTimestamp(leaf.notAfter),
    renewAt: toTimestamp(renewalTime(wanted.renewal, leaf.notBefore, leaf.notAfter, metadata.uid ?? '')),
    authorityFingerprint: material.certificate.fingerprint,
    trustBundleHash: material.trustHash,
    revision: revisionOf(status, leaf),
    renewTrigger: wanted.renewTrigger === '' ? undefined : wanted.renewTrigger,
    ...noFailure,
    observed: {
      secretUid: secret.uid ?? '',
      secretResourceVersion: secret.resourceVersion ?? '',
      ...(seen.password?.state === 'found' ? { passwordResourceVersion: seen.password.resourceVersion } : {}),
    },
  }
}

/** One more where status does not name the certificate yet: also when a crash has kept it from being told. */
const revisionOf = (status: DatabaseCertificateStatus | undefined, leaf: ParsedCertificate): number =>
  status?.serialNumber === leaf.serialNumber ? (status.revision ?? 1) : (status?.revision ?? 0) + 1
