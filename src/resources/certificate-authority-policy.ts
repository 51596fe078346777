/** `spec.policy` of a CertificateAuthority: what it signs. */
import { z } from 'zod'
import { durationText, matching } from './fields.ts'
import { keyAlgorithms } from './keys.ts'
import { dnsLabel, dnsText, emailAddress, ipRange } from './names.ts'

const policyMatch = (description: string) => z.enum(['Match', 'Supplied', 'Optional']).optional().meta({ description })

// A pattern that can never match anything refuses what its author meant to allow.
const namePattern = dnsText(
  matching(
    `^([*]|([*][.])?${dnsLabel}([.]${dnsLabel})*)$`,
    "must be a DNS name, or '*' in place of its first label, as *.data.svc",
  ),
)

const uriPattern = z
  .string()
  .min(1)
  .max(1024)
  .meta({
    rules: [
      matching(
        '^([!-)+-~]*[*]|[A-Za-z][-+.A-Za-z0-9]*:[!-)+-~]+)$',
        "must be an absolute URI, or the beginning of one and '*', as spiffe://cluster.local/ns/data/*",
      ),
    ],
  })

export const policy = z
  .object({
    subject: z
      .object({
        countries: policyMatch('C'),
        stateOrProvinces: policyMatch('ST'),
        organizations: policyMatch('O'),
        organizationalUnits: policyMatch('OU'),
        localities: policyMatch('L'),
        commonName: policyMatch('CN'),
        emailAddress: policyMatch('emailAddress'),
      })
      .optional()
      .meta({
        description:
          "For each attribute: Match (the same as the CA's), Supplied (must be there) or Optional. Once policy.subject is set, attributes not listed are refused. Absent: every subject.",
      }),
    allowedDNSNames: z
      .array(namePattern)
      .max(128)
      .optional()
      .meta({ description: 'Patterns; `*` stands for one label at the left. Absent: everything; empty: nothing.' }),
    allowedIPRanges: z
      .array(ipRange)
      .max(128)
      .optional()
      .meta({ description: 'Address ranges. Absent: everything; empty: nothing.' }),
    allowedURIs: z
      .array(uriPattern)
      .max(128)
      .optional()
      .meta({ description: 'Patterns; `*` at the end stands for anything. Absent: everything; empty: nothing.' }),
    allowedEmailAddresses: z
      .array(emailAddress)
      .max(128)
      .optional()
      .meta({ description: 'Addresses. Absent: everything; empty: nothing.' }),
    allowWildcards: z
      .boolean()
      .optional()
      .meta({ description: 'Whether `*.example` may be certified. Default: true.' }),
    maxDuration: durationText(
      'Longest lifetime of a certificate. Default: as long as the CA itself.',
      '10s',
    ).optional(),
    privateKey: z
      .object({
        algorithms: z
          .array(z.enum(keyAlgorithms))
          .max(3)
          .optional()
          .meta({ description: 'Algorithms that may be certified. Default: all.', 'x-kubernetes-list-type': 'set' }),
        minRSASize: z
          .int()
          .min(2048)
          .max(16384)
          .optional()
          .meta({ description: 'Smallest RSA key in bits. Default: 2048.' }),
      })
      .optional()
      .meta({ description: 'Keys that may be certified.' }),
    uniqueCommonName: z.boolean().optional().meta({
      description:
        'As unique_subject of openssl ca: an older certificate of the same name is superseded. Default: false.',
    }),
  })
  .meta({ description: 'What this CA signs; checked on the finished certificate.' })
