/**
 * What has to be as it was, besides Secret, password and CA, for a certificate to need nothing: the trigger, the ledger's
 * word, the CA's policy, the request and the revocation list. Answered from memory; what a certificate does not use costs
 * nothing.
 */

import type { Context } from '../control/context.ts'
import { shapedItems } from '../database/layouts/shape.ts'
import { findEntry } from '../ledger/record.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { requestVersion } from './gather-request.ts'
import { exportsKey, mayExport } from './key-export.ts'
import { policyOf } from './judge.ts'
import { renewTriggerOf } from './renew-trigger.ts'
import { commonNameHolder } from './rivals.ts'

export const isUndisturbed = (
  context: Pick<Context, 'caches'>,
  certificate: DatabaseCertificate,
  authority: CertificateAuthority,
  /** resourceVersion of the object with the request, where it was looked at since the status was written. */
  verifiedRequest: string | undefined,
): boolean => {
  const { spec, status } = certificate
  if ((status?.renewTrigger ?? '') !== renewTriggerOf(certificate)) return false
  const { namespace = 'default', name } = authority.metadata
  const serial = status?.serialNumber
  const entry = serial === undefined ? undefined : findEntry(context.caches, { namespace, name }, serial)
  if (entry?.state === 'Revoked') return false
  if (commonNameHolder(context, certificate, entry?.commonName) !== undefined) return false
  const home = certificate.metadata.namespace ?? 'default'
  if (exportsKey(shapedItems(spec)) && !mayExport(authority, home)) return false
  // An authority in trouble changes nothing about a certificate that needs nothing.
  if (isReady(authority) && !isJudged(certificate, authority)) return false
  if (spec.request?.secretRef === undefined && spec.request?.configMapRef === undefined) return true
  const version = requestVersion(context, certificate)
  return version === status?.observed?.requestResourceVersion || version === verifiedRequest
}

/** Under the present policy, and with the present revocation list where an item holds it. */
const isJudged = ({ spec, status }: DatabaseCertificate, authority: CertificateAuthority): boolean => {
  const { policyHash, revocationListNumber } = status?.observed ?? {}
  if (policyOf(authority)?.hash !== policyHash) return false
  return !holdsRevocationList(spec) || revocationListNumber === numberOf(authority)
}

export const holdsRevocationList = (spec: DatabaseCertificate['spec']): boolean =>
  shapedItems(spec).some(({ content }) => content === 'RevocationList')

const numberOf = ({ status }: CertificateAuthority): string | undefined => listNumberOf(status?.crl)?.toString()
