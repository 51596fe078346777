/** What is reported of a DatabaseCertificate. */
import { z } from 'zod'
import { fingerprint, statusTime, text } from './fields.ts'
import { failures, looked, observed } from './status.ts'

export const databaseCertificateStatus = z.object({
  ...looked,
  serialNumber: text(40, 'Serial number in upper-case hex.').optional(),
  fingerprint: fingerprint('The certificate.').optional(),
  notBefore: statusTime('Begin of validity.').optional(),
  notAfter: statusTime('End of validity.').optional(),
  renewAt: statusTime('When it is renewed.').optional(),
  authorityFingerprint: fingerprint('The CA certificate that signed it.').optional(),
  trustBundleHash: text(64, 'Hash of the set of CAs in the trust bundle of the Secret.').optional(),
  publicKeyHash: text(64, 'SHA-256 of the public key (SubjectPublicKeyInfo), 64 lower-case hex digits.').optional(),
  revision: z.int().min(0).optional().meta({ description: 'How many certificates have been issued for this object.' }),
  renewTrigger: text(
    256,
    'The spec.renewTrigger, with the annotation dbtls.dev/renew-trigger, that was acted on last.',
  ).optional(),
  ...failures,
  observed: observed({
    passwordResourceVersion: text(64, 'resourceVersion of the password Secret that was used.').optional(),
    requestResourceVersion: text(
      64,
      'resourceVersion of the object of spec.request; empty while it is gone.',
    ).optional(),
    policyHash: text(64, 'Hash of the policy of the CA that the certificate was judged under.').optional(),
    revocationListNumber: text(40, 'Number of the revocation list in the Secret.').optional(),
  }),
})
export type DatabaseCertificateStatus = z.output<typeof databaseCertificateStatus>
