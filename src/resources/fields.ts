/** Fields that several kinds share: names, references, durations, subjects, keys. */
import { isIP } from 'node:net'
import { z } from 'zod'
import type { KeyAlgorithm } from '../pki/plan.ts'
import { durationMaxLength, durationMessage, isDuration, parseDuration } from './duration.ts'
import type { Rule } from './rule.ts'
import { celCount, celMilliseconds, celIsDuration, countSet, rule } from './rule.ts'

/** A string of at most `max` characters. */
export const text = (max: number, description: string) => z.string().max(max).meta({ description })

/** A rule that is one regular expression, the same text in RE2 and in JavaScript. */
const matching = (pattern: string, message: string): Rule => {
  const expression = new RegExp(pattern)
  return rule<string>({ rule: `self.matches(r'${pattern}')`, message, holds: (self) => expression.test(self) })
}

const subdomain = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'

/** The name of an object: a DNS subdomain (RFC 1123) of at most 253 characters. */
export const objectName = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .meta({
      description,
      rules: [
        matching(
          subdomain,
          "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
        ),
      ],
    })

/** Authorities are named in label values, which end at 63 characters. */
export const authorityName = z
  .string()
  .min(1)
  .max(63)
  .meta({
    description: 'Name of the CertificateAuthority.',
    rules: [
      matching(
        subdomain,
        "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
      ),
    ],
  })

export const namespaceName = (description: string) =>
  z
    .string()
    .min(1)
    .max(63)
    .meta({
      description,
      rules: [
        matching(
          '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
          "must be the name of a namespace: lower-case letters, digits and '-', with a letter or digit at both ends",
        ),
      ],
    })

/** A key of a Secret or ConfigMap, which becomes a file name. */
export const dataKey = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .meta({
      description,
      rules: [
        rule<string>({
          rule: "self.matches(r'^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",
          message: "must be a file name of letters, digits, '-', '_' and '.', and must not be '.' or begin with '..'",
          holds: (self) => /^[-._a-zA-Z0-9]+$/.test(self) && self !== '.' && !self.startsWith('..'),
        }),
      ],
    })

/** A duration in text. `min` is written as a user would write it. */
export const durationText = (description: string, min = '0s') => {
  const rules: Rule[] = [rule<string>({ rule: celIsDuration('self'), message: durationMessage, holds: isDuration })]
  if (min !== '0s')
    rules.push(
      rule<string>({
        rule: `!${celIsDuration('self')} || ${celMilliseconds('self')} >= ${parseDuration(min)}`,
        message: `must be at least ${min}`,
        holds: (self) => !isDuration(self) || parseDuration(self) >= parseDuration(min),
      }),
    )
  return z.string().max(durationMaxLength).meta({ description, rules })
}

/** `renewBefore < duration`, on the node that holds both. */
export const renewsWithinDuration = rule<{ duration: string; renewBefore?: string }>({
  rule: `!has(self.renewBefore) || !${celIsDuration('self.renewBefore')} || !${celIsDuration('self.duration')} || ${celMilliseconds('self.renewBefore')} < ${celMilliseconds('self.duration')}`,
  message:
    'renewBefore must be shorter than duration: a certificate that is due as soon as it is issued would be issued for ever',
  fieldPath: '.renewBefore',
  holds: ({ duration, renewBefore }) =>
    renewBefore === undefined ||
    !isDuration(renewBefore) ||
    !isDuration(duration) ||
    parseDuration(renewBefore) < parseDuration(duration),
})

export const secretKeyRef = (description: string, key: string) =>
  z
    .object({
      name: objectName('Name of the Secret, in the same namespace.'),
      key: dataKey('Key in the Secret.').default(key),
    })
    .meta({ description })

export const configMapKeyRef = (description: string, key: string) =>
  z
    .object({
      name: objectName('Name of the ConfigMap, in the same namespace.'),
      key: dataKey('Key in the ConfigMap.').default(key),
    })
    .meta({ description })

export const authorityRef = z
  .object({
    name: authorityName,
    namespace: namespaceName(
      'Namespace of the CertificateAuthority; it must allow this one. Default: the namespace of this object.',
    ).optional(),
  })
  .meta({ description: 'The CertificateAuthority that signs.' })
export type AuthorityRef = z.output<typeof authorityRef>

// RFC 5280 appendix A: upper bounds of the attributes, in characters.
const rdns = (max: number, description: string) => z.array(z.string().min(1).max(max)).max(8).meta({ description })

interface SubjectValue {
  literal?: string
  commonName?: string
  emailAddress?: string
  organizations?: string[]
  organizationalUnits?: string[]
  countries?: string[]
  stateOrProvinces?: string[]
  localities?: string[]
}

const attributeNames = [
  'commonName',
  'organizations',
  'organizationalUnits',
  'countries',
  'stateOrProvinces',
  'localities',
  'emailAddress',
] as const

/** Whether any attribute beside `literal` holds something; empty strings and lists count as not set. */
const hasAttributes = (subject: SubjectValue): boolean =>
  attributeNames.some((name) => (subject[name] ?? '').length > 0)

const celHasAttributes = attributeNames.map((name) => `has(self.${name}) && size(self.${name}) > 0`).join(' || ')

export const subject = z
  .object({
    commonName: text(64, 'CN. For a client it is the database user; a server repeats one of its names.').optional(),
    organizations: rdns(64, 'O, one attribute for each.').optional(),
    organizationalUnits: rdns(64, 'OU, one attribute for each.').optional(),
    countries: z
      .array(
        z
          .string()
          .max(2)
          .meta({ rules: [matching('^[A-Za-z]{2}$', 'must be a country code of two letters (ISO 3166), as DE')] }),
      )
      .max(8)
      .meta({ description: 'C, one attribute for each.' })
      .optional(),
    stateOrProvinces: rdns(128, 'ST, one attribute for each.').optional(),
    localities: rdns(128, 'L, one attribute for each.').optional(),
    emailAddress: z
      .string()
      .max(255)
      .meta({
        description: 'emailAddress (PKCS #9), for requests and policies that still want it in the subject.',
        rules: [matching('^([!-?A-~]+@[-.A-Za-z0-9]+)?$', 'must be an e-mail address in ASCII')],
      })
      .optional(),
    literal: text(
      1024,
      'The whole name as RFC 4514 text, `CN=Orders CA,O=Acme`: the text begins with the last RDN of the DER. Instead of the other members.',
    ).optional(),
  })
  .meta({
    description: 'The distinguished name.',
    rules: [
      rule<SubjectValue>({
        rule: `!has(self.literal) || self.literal == '' || !(${celHasAttributes})`,
        message: 'literal is the whole name: leave out the other members, or leave out literal',
        fieldPath: '.literal',
        reason: 'FieldValueForbidden',
        holds: (self) => (self.literal ?? '') === '' || !hasAttributes(self),
      }),
    ],
  })
export type Subject = z.output<typeof subject>

interface PrivateKeyValue {
  algorithm: string
  size?: number
  encoding?: string
}

const sizes: Readonly<Record<string, readonly number[]>> = {
  RSA: [2048, 3072, 4096],
  ECDSA: [256, 384, 521],
  Ed25519: [],
}

/** Rules of every private key: a size of its algorithm. */
export const keySizeRule = rule<PrivateKeyValue>({
  rule: "!has(self.size) || (self.algorithm == 'RSA' ? self.size in [2048, 3072, 4096] : self.algorithm == 'ECDSA' && self.size in [256, 384, 521])",
  message: 'must be 2048, 3072 or 4096 for RSA and 256, 384 or 521 for ECDSA; leave it out for Ed25519',
  fieldPath: '.size',
  holds: ({ algorithm, size }) => size === undefined || (sizes[algorithm]?.includes(size) ?? false),
})

export const keyEncodingRule = rule<PrivateKeyValue>({
  rule: "!has(self.encoding) || self.encoding == 'PKCS8' || (self.encoding == 'PKCS1' && self.algorithm == 'RSA') || (self.encoding == 'SEC1' && self.algorithm == 'ECDSA')",
  message: 'PKCS1 is a form of RSA keys and SEC1 of ECDSA keys; use PKCS8, which fits every algorithm',
  fieldPath: '.encoding',
  holds: ({ algorithm, encoding }) => encoding === undefined || encodingFits(encoding, algorithm),
})

export const encodingFits = (encoding: string, algorithm: string): boolean =>
  encoding === 'PKCS8' || (encoding === 'PKCS1' ? algorithm === 'RSA' : algorithm === 'ECDSA')

export const keyAlgorithms = ['RSA', 'ECDSA', 'Ed25519'] as const
export const keyEncodings = ['PKCS8', 'PKCS1', 'SEC1'] as const

export const keyAlgorithm = z.enum(keyAlgorithms).default('ECDSA').meta({ description: 'Algorithm of the key.' })
export const keySize = z
  .int()
  .min(256)
  .max(4096)
  .optional()
  .meta({ description: 'RSA: 2048, 3072 or 4096 bits (default 2048). ECDSA: 256, 384 or 521 (default 256).' })

/** The key a spec asks for, with the size its algorithm has by default. */
export const keyAlgorithmOf = (key: {
  algorithm: (typeof keyAlgorithms)[number]
  size?: number | undefined
}): KeyAlgorithm => {
  if (key.algorithm === 'Ed25519') return { algorithm: 'Ed25519' }
  const size = key.size ?? (key.algorithm === 'RSA' ? 2048 : 256)
  return { algorithm: key.algorithm, size } as KeyAlgorithm
}

const label = '([A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)'

export const dnsName = z
  .string()
  .min(1)
  .max(253)
  .meta({
    rules: [
      matching(
        `^(\\*\\.)?${label}(\\.${label})*$`,
        "must be a DNS name: labels of at most 63 letters, digits, '-' and '_', a wildcard only as the whole first label, no dot at the end; write international names in their xn-- form",
      ),
    ],
  })

/** netip.ParseAddr without zones and without IPv4 inside IPv6, which is what CEL's isIP() takes. */
export const isAddress = (value: string): boolean => {
  const family = isIP(value)
  if (family !== 6) return family === 4
  return !value.includes('%') && !/^\[::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}\]$/.test(new URL(`http://[${value}]`).hostname)
}

export const ipAddress = z
  .string()
  .max(45)
  .meta({
    rules: [
      rule<string>({
        rule: 'isIP(self)',
        message: 'must be an IPv4 or IPv6 address, as 192.0.2.1 or 2001:db8::1, without prefix length or zone',
        holds: isAddress,
      }),
    ],
  })

const isRange = (value: string): boolean => {
  const [address = '', prefix = '', ...rest] = value.split('/')
  if (rest.length > 0 || !isAddress(address) || !/^(0|[1-9][0-9]{0,2})$/.test(prefix)) return false
  return Number(prefix) <= (isIP(address) === 4 ? 32 : 128)
}

export const ipRange = z
  .string()
  .max(49)
  .meta({
    rules: [
      rule<string>({
        rule: 'isCIDR(self)',
        message: 'must be an address range, as 10.0.0.0/8 or 2001:db8::/32',
        holds: isRange,
      }),
    ],
  })

export const uri = z
  .string()
  .max(2048)
  .meta({
    rules: [
      matching(
        '^[A-Za-z][-+.A-Za-z0-9]*:[!-~]+$',
        'must be an absolute URI in ASCII, as spiffe://cluster.local/ns/data/sa/app',
      ),
    ],
  })

export const emailAddress = z
  .string()
  .max(254)
  .meta({ rules: [matching('^[!-?A-~]+@[-.A-Za-z0-9]+$', 'must be an e-mail address in ASCII, as dba@example.com')] })

export const httpURL = (description: string) =>
  z
    .string()
    .max(1024)
    .meta({
      description,
      rules: [matching('^https?://[!-~]+$', 'must begin with http:// or https:// and hold no spaces')],
    })

const labelSelector = z
  .object({
    matchLabels: z
      .record(z.string(), z.string().max(63))
      .meta({ description: 'Labels that must have these values.', maxProperties: 32 })
      .optional(),
    matchExpressions: z
      .array(
        z.object({
          key: text(317, 'Name of the label.'),
          operator: z
            .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
            .meta({ description: 'How key and values relate.' }),
          values: z.array(z.string().max(63)).max(64).meta({ description: 'For In and NotIn.' }).optional(),
        }),
      )
      .max(32)
      .meta({ description: 'All of them must hold.' })
      .optional(),
  })
  .meta({ description: 'Labels of the namespaces.' })

interface NamespacesValue {
  from: string
  names?: string[]
  selector?: unknown
}

export const namespaceSelection = (description: string) =>
  z
    .object({
      from: z.enum(['Same', 'All', 'Names', 'Selector']).default('Same').meta({
        description:
          'Same: the namespace of this object alone. All: every namespace. Names, Selector: those given beside it.',
      }),
      names: z
        .array(namespaceName('A namespace.'))
        .max(256)
        .meta({ description: 'With from: Names.', 'x-kubernetes-list-type': 'set' })
        .optional(),
      selector: labelSelector.optional(),
    })
    .meta({
      description,
      rules: [
        rule<NamespacesValue>({
          rule: "(self.from == 'Names') == (has(self.names) && size(self.names) > 0)",
          message: 'names go with from: Names, and only with it',
          fieldPath: '.names',
          holds: ({ from, names }) => (from === 'Names') === (names !== undefined && names.length > 0),
        }),
        rule<NamespacesValue>({
          rule: "(self.from == 'Selector') == has(self.selector)",
          message: 'selector goes with from: Selector, and only with it',
          fieldPath: '.selector',
          holds: ({ from, selector }) => (from === 'Selector') === (selector !== undefined),
        }),
      ],
    })
export type NamespaceSelection = z.output<ReturnType<typeof namespaceSelection>>

/** Exactly one of the members of `self` is set. */
export const exactlyOne = (...members: readonly string[]): Rule =>
  rule<Record<string, unknown>>({
    rule: `${celCount(...members.map((member) => `self.${member}`))} == 1`,
    message: `set exactly one of ${members.join(', ')}`,
    holds: (self) => countSet(...members.map((member) => self[member])) === 1,
  })

/** A point in time in a spec, as `2026-01-31T12:00:00Z`. */
export const timeText = (description: string) =>
  z
    .string()
    .max(20)
    .meta({
      description,
      rules: [
        matching(
          '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$',
          'must be a time in UTC, as 2026-01-31T12:00:00Z',
        ),
      ],
    })

/** A date in a status, RFC 3339. */
export const statusTime = (description: string) => z.string().max(40).meta({ description, format: 'date-time' })

export const serialNumber = (description: string) =>
  z
    .string()
    .max(40)
    .meta({
      description,
      rules: [
        matching('^([0-9A-F]{2}){1,20}$', 'must be upper-case hex with an even number of digits, as openssl prints it'),
      ],
    })

export const fingerprint = (description: string) =>
  text(64, `${description} SHA-256 of the DER, 64 lower-case hex digits.`)
