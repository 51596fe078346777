/** IssuedCertificate: one entry of a CA's database. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { KubeObject, Resource } from '../cluster/port.ts'
import {
  authorityName,
  fingerprint,
  namespaceName,
  objectName,
  serialNumber,
  statusTime,
  text,
  timeText,
} from './fields.ts'
import type { CustomKind } from './kind.ts'
import { ageColumn, resourceOf } from './kind.ts'
import { rule } from './rule.ts'

/** RFC 5280 §5.3.1, without removeFromCRL, which only delta lists know. */
export const revocationReasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
] as const
export type RevocationReason = (typeof revocationReasons)[number]

const revocation = z
  .object({
    reason: z
      .enum(revocationReasons)
      .default('unspecified')
      .meta({ description: 'Reason code (RFC 5280 §5.3.1). Only certificateHold can be undone.' }),
    time: timeText(
      'When it was revoked. Default: when the operator saw it first; a time in the future counts as that, too.',
    ).optional(),
    invalidityTime: timeText('Since when the key is known or suspected to be in other hands.').optional(),
  })
  .meta({
    description: 'The certificate is revoked. The only part of the spec that may change.',
    rules: [
      // Both are written in one form only, so that the order of the texts is the order of the times.
      rule<{ time?: string; invalidityTime?: string }>({
        rule: '!has(self.time) || !has(self.invalidityTime) || self.invalidityTime <= self.time',
        message:
          'the key cannot have come into other hands after the revocation: invalidityTime must not be after time',
        fieldPath: '.invalidityTime',
        holds: ({ time, invalidityTime }) =>
          time === undefined || invalidityTime === undefined || invalidityTime <= time,
      }),
    ],
  })

interface SpecValue {
  revocation?: { reason: string }
}

const fixed = ['authorityRef', 'serialNumber', 'certificate'] as const
const fixedOptional = ['certificateRef', 'request', 'supersedes', 'indexLine'] as const

const immutable = (member: string, optional: boolean) =>
  rule<Record<string, unknown>>({
    rule: optional
      ? `has(self.${member}) == has(oldSelf.${member}) && (!has(self.${member}) || self.${member} == oldSelf.${member})`
      : `self.${member} == oldSelf.${member}`,
    message: 'an entry of the ledger cannot be changed; only spec.revocation may be added',
    fieldPath: `.${member}`,
    reason: 'FieldValueForbidden',
    holds: (self, old) => isDeepStrictEqual(self[member], old[member]),
  })

export const issuedCertificateSpec = z
  .object({
    authorityRef: z
      .object({
        name: authorityName,
        uid: text(64, 'Its uid.'),
        fingerprint: fingerprint('The CA certificate that signed.'),
      })
      .meta({ description: 'The CertificateAuthority that signed.' }),
    serialNumber: serialNumber('Serial number in upper-case hex, as openssl prints it.'),
    certificate: text(65536, 'PEM of the certificate. Empty only beside indexLine.'),
    indexLine: text(
      16384,
      'Line of the index.txt it was taken over from, where that folder did not hold the certificate itself: its serial number stays taken, and its revocation on the list.',
    ).optional(),
    certificateRef: z
      .object({
        namespace: namespaceName('Its namespace.'),
        name: objectName('Its name.'),
        uid: text(64, 'Its uid.'),
      })
      .optional()
      .meta({ description: 'The DatabaseCertificate it was issued for.' }),
    request: text(32768, 'PEM of the request, where the key was made elsewhere.').optional(),
    supersedes: z
      .object({
        serialNumber: serialNumber('Serial number of the certificate before it.'),
        namesakes: z.boolean().optional().meta({
          description:
            'Whether it replaced every older certificate with its common name, too: the CA gives each name to one (policy.uniqueCommonName).',
        }),
      })
      .optional()
      .meta({ description: 'The certificate this one replaced.' }),
    revocation: revocation.optional(),
  })
  .meta({
    description: 'What was signed, and for whom.',
    rules: [
      ...fixed.map((member) => immutable(member, false)),
      ...fixedOptional.map((member) => immutable(member, true)),
      rule<SpecValue>({
        rule: "!has(oldSelf.revocation) || oldSelf.revocation.reason == 'certificateHold' || (has(self.revocation) && self.revocation == oldSelf.revocation)",
        message: 'a revocation is final; only one with reason certificateHold can be changed or taken back',
        fieldPath: '.revocation',
        reason: 'FieldValueForbidden',
        holds: (self, old) =>
          old.revocation === undefined ||
          old.revocation.reason === 'certificateHold' ||
          isDeepStrictEqual(self.revocation, old.revocation),
      }),
    ],
  })
export type IssuedCertificateSpec = z.output<typeof issuedCertificateSpec>

export const issuedCertificateStatus = z.object({
  state: z
    .enum(['Valid', 'Superseded', 'Revoked', 'Expired'])
    .optional()
    .meta({ description: 'Absent means Valid: an issuance costs no write here.' }),
  notBefore: statusTime('Begin of validity.').optional(),
  notAfter: statusTime('End of validity.').optional(),
  subject: text(2048, 'Distinguished name, RFC 4514.').optional(),
  revokedAt: statusTime('When the revocation was seen first.').optional(),
})
export type IssuedCertificateStatus = z.output<typeof issuedCertificateStatus>

export interface IssuedCertificate extends KubeObject {
  readonly spec: IssuedCertificateSpec
  readonly status?: IssuedCertificateStatus
}

export const issuedCertificates: Resource<IssuedCertificate> = resourceOf('IssuedCertificate', 'issuedcertificates')

export const issuedCertificateKind: CustomKind<IssuedCertificate> = {
  resource: issuedCertificates,
  singular: 'issuedcertificate',
  shortNames: ['dbissued'],
  description:
    "One entry of a CA's database: what was signed, for whom, and whether it was revoked. Written by the operator.",
  spec: issuedCertificateSpec,
  status: issuedCertificateStatus,
  rules: [],
  columns: [
    { name: 'Authority', type: 'string', jsonPath: '.spec.authorityRef.name' },
    { name: 'Serial', type: 'string', jsonPath: '.spec.serialNumber' },
    { name: 'Certificate', type: 'string', jsonPath: '.spec.certificateRef.name' },
    { name: 'State', type: 'string', jsonPath: '.status.state' },
    { name: 'Revoked', type: 'string', jsonPath: '.spec.revocation.reason', priority: 1 },
    { name: 'NotAfter', type: 'string', jsonPath: '.status.notAfter', priority: 1 },
    ageColumn,
  ],
  selectableFields: ['.spec.serialNumber', '.spec.authorityRef.name', '.status.state'],
}
