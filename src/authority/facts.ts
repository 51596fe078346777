/** What status says of an authority's certificate. Pure. */

import { toTimestamp } from '../control/schedule.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthorityStatus } from '../resources/certificate-authority-status.ts'
import { publicKeyHash } from './trust.ts'

export const certificateFacts = (
  certificate: ParsedCertificate,
  /** The signer's, where the certificate has none. */
  subjectKeyId = certificate.subjectKeyId,
): NonNullable<CertificateAuthorityStatus['certificate']> => ({
  serialNumber: certificate.serialNumber,
  fingerprint: certificate.fingerprint,
  subject: formatDistinguishedName(certificate.subject),
  subjectKeyId: Buffer.from(subjectKeyId ?? new Uint8Array()).toString('hex'),
  notBefore: toTimestamp(certificate.notBefore),
  notAfter: toTimestamp(certificate.notAfter),
  publicKeyHash: publicKeyHash(certificate),
})
