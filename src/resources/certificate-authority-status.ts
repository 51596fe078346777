/** What is reported of a CertificateAuthority. */
import { z } from 'zod'
import { fingerprint, statusTime, text } from './fields.ts'
import { failures, looked, observed } from './status.ts'

export const certificateAuthorityStatus = z.object({
  ...looked,
  certificate: z
    .object({
      serialNumber: text(40, 'Serial number in upper-case hex.'),
      fingerprint: fingerprint('The certificate.'),
      subject: text(2048, 'Distinguished name, RFC 4514.'),
      subjectKeyId: text(64, 'Subject key identifier in lower-case hex.'),
      publicKeyHash: text(
        64,
        'SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hex digits: the same after a renewal with the same key.',
      ),
      notBefore: statusTime('Begin of validity.'),
      notAfter: statusTime('End of validity.'),
    })
    .optional()
    .meta({ description: 'The certificate that signs now.' }),
  renewAt: statusTime('When the CA certificate is renewed.').optional(),
  trustBundleHash: text(64, 'Hash of the set of CAs to trust.').optional(),
  rotation: z
    .object({
      phase: z
        .enum(['Idle', 'Prepared', 'TrustBoth', 'Signing', 'DropSoak', 'Dropped'])
        .meta({ description: 'Where the rotation stands.' }),
      startedAt: statusTime('When it began.').optional(),
      phaseStartedAt: statusTime('When this phase began.').optional(),
      mode: z.enum(['NewKey', 'ReuseKey']).optional().meta({ description: 'Of the one under way, or the last one.' }),
      cause: z.enum(['Trigger', 'Expiry', 'Replaced', 'Abort']).optional().meta({
        description:
          'What began it; Replaced: the owner of a CA that was brought along gave it another key, or took something out of a bundle that is only trusted.',
      }),
      soakStartedAt: statusTime('When all that this phase waits for, but time, was first seen.').optional(),
      trigger: text(256, 'The spec.rotation.trigger that was acted on last.').optional(),
      abort: text(256, 'The spec.rotation.abort that was acted on last.').optional(),
      from: fingerprint('The former CA. Of a bundle that is only trusted: its hash before.').optional(),
      to: fingerprint(
        'The next CA. Of a bundle that is only trusted: its hash, without what was taken out.',
      ).optional(),
      formerTrustBundleHash: text(
        64,
        'Hash of the same CAs to trust in the order of those certificates that the former one has signed.',
      ).optional(),
      finishedAt: statusTime('When the last one ended.').optional(),
      pending: z
        .object({
          consumers: z.int().min(0).meta({ description: 'Secrets that do not hold the trust bundle yet.' }),
          certificates: z.int().min(0).meta({ description: 'Certificates that the former CA signed.' }),
          reloads: z
            .int()
            .min(0)
            .optional()
            .meta({ description: 'Profiles with servers that have not taken up what was delivered.' }),
          endpoints: z
            .int()
            .min(0)
            .optional()
            .meta({ description: 'Servers that have not shown what the phase waits for.' }),
          notProvable: z.int().min(0).optional().meta({
            description:
              'Servers that ask for no client certificate or cannot be asked, so that nobody can see whom they trust.',
          }),
        })
        .optional()
        .meta({ description: 'What the phase waits for.' }),
      message: text(4096, 'A sentence for people.').optional(),
    })
    .optional()
    .meta({ description: 'Replacement of the CA.' }),
  crl: z
    .object({
      number: z.int().min(0).meta({ description: 'CRL number; 2^53 - 1 where it is larger.' }),
      largeNumber: text(49, 'The CRL number in decimal digits, where `number` cannot hold it.').optional(),
      thisUpdate: statusTime('When it was made.'),
      nextUpdate: statusTime('When the next one is due at the latest.'),
      entries: z.int().min(0).meta({ description: 'Revoked certificates in it.' }),
      contentHash: text(64, 'Hash of the revocations it was made from, and of the key that signed it.').optional(),
      configMapUid: text(64, 'uid of its ConfigMap.').optional(),
      configMapResourceVersion: text(64, 'resourceVersion of its ConfigMap that was verified last.').optional(),
    })
    .optional()
    .meta({
      description: 'The revocation list made last; it stays after spec.crl is taken away, so that its number goes on.',
    }),
  trustTargets: z
    .object({
      wanted: z.int().min(0).meta({ description: 'ConfigMaps and Secrets that spec.trustBundle.targets asks for.' }),
      current: z.int().min(0).meta({ description: 'Those that hold the present trust bundle.' }),
      message: text(4096, 'What keeps the others, in sentences.').optional(),
      observed: text(64, 'Hash of the versions that were verified last.').optional(),
    })
    .optional()
    .meta({ description: 'Where the trust bundle is written.' }),
  ...failures,
  observed: observed({
    passphraseResourceVersion: text(64, 'resourceVersion of the passphrase Secret that was used.').optional(),
  }),
})
export type CertificateAuthorityStatus = z.output<typeof certificateAuthorityStatus>
