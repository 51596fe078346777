/** What is reported of a DatabaseCertificate. */
import { z } from 'zod'
import { conditions } from './conditions.ts'
import { fingerprint, statusTime, text } from './fields.ts'

export const failure = z
  .object({
    time: statusTime('When.'),
    reason: text(128, 'One word for programs.'),
    message: text(4096, 'A sentence for people.'),
  })
  .meta({ description: 'Why issuance failed the last time.' })

export const databaseCertificateStatus = z.object({
  observedGeneration: z.int().min(0).optional().meta({ description: 'metadata.generation that was looked at.' }),
  conditions: conditions.optional(),
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
  failedAttempts: z.int().min(0).optional().meta({ description: 'Failed attempts since the last success.' }),
  lastFailure: failure.optional(),
  nextAttemptAt: statusTime('When the next attempt is made.').optional(),
  observed: z
    .object({
      secretUid: text(64, 'uid of the Secret.').optional(),
      secretResourceVersion: text(64, 'resourceVersion of the Secret that was verified last.').optional(),
      passwordResourceVersion: text(64, 'resourceVersion of the password Secret that was used.').optional(),
      requestResourceVersion: text(
        64,
        'resourceVersion of the object of spec.request; empty while it is gone.',
      ).optional(),
      policyHash: text(64, 'Hash of the policy of the CA that the certificate was judged under.').optional(),
      revocationListNumber: text(40, 'Number of the revocation list in the Secret.').optional(),
    })
    .optional()
    .meta({ description: 'What was seen of other objects.' }),
})
export type DatabaseCertificateStatus = z.output<typeof databaseCertificateStatus>
