/** Names a certificate can carry: its subject and its alternative names. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { NameError, parseDistinguishedName } from '../pki/names/names.ts'
import { matching } from './fields.ts'
import { type Rule, rule, twinOnly } from './rule.ts'

const noControls = matching(
  '^[^\\x00-\\x1f\\x7f-\\x9f]*$',
  'must not hold control characters, such as a line break, tab or NUL: remove them',
)

// RFC 5280 appendix A: upper bounds of the attributes, in characters.
const rdns = (max: number, description: string) =>
  z
    .array(
      z
        .string()
        .min(1)
        .max(max)
        .meta({ rules: [noControls] }),
    )
    .max(8)
    .meta({ description })

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

const literalProblem = (literal: string): string | undefined => {
  if (literal === '') return undefined
  try {
    parseDistinguishedName(literal)
    return undefined
  } catch (error) {
    if (error instanceof NameError) return error.message
    throw error
  }
}

/** CEL has no parser of names. On a cluster the operator finds what this finds without one, and is Stalled. */
const readable = twinOnly<string>({
  message: 'must be a distinguished name (RFC 4514), as CN=Orders CA,O=Acme',
  holds: (self) => literalProblem(self) === undefined,
  detail: (self) => literalProblem(self) ?? '',
})

export const subject = z
  .object({
    commonName: z
      .string()
      .max(64)
      .meta({
        description: 'CN. For a client it is the database user; a server repeats one of its names.',
        rules: [noControls],
      })
      .optional(),
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
    literal: z
      .string()
      .max(1024)
      .meta({
        description:
          'The whole name as RFC 4514 text, `CN=Orders CA,O=Acme`: the text begins with the last RDN of the DER. Instead of the other members.',
        rules: [readable],
      })
      .optional(),
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

export const dnsLabel = '([A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)'

/** netip.ParseAddr without zones and without IPv4 inside IPv6, which is what CEL's isIP() takes. */
export const isAddress = (value: string): boolean => {
  const family = isIP(value)
  if (family !== 6) return family === 4
  return !value.includes('%') && !/^\[::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}\]$/.test(new URL(`http://[${value}]`).hostname)
}

/** Text as long as DNS allows (RFC 1035 §2.3.4), under rules. */
export const dnsText = (...rules: Rule[]) => z.string().min(1).max(253).meta({ rules })

export const dnsName = dnsText(
  matching(
    `^(\\*\\.)?${dnsLabel}(\\.${dnsLabel})*$`,
    "must be a DNS name: labels of at most 63 letters, digits, '-' and '_', a wildcard only as the whole first label, no dot at the end; write international names in their xn-- form",
  ),
  // Verifiers look for an address among the addresses alone (RFC 9525 §6.5): as a DNS name it would never match.
  rule<string>({
    rule: '!isIP(self)',
    message: 'is an IP address: use ipAddresses',
    holds: (self) => !isAddress(self),
  }),
)

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
