/** Fields that several kinds share: names of objects, references, durations, dates. */
import { z } from 'zod'
import { durationMaxLength, durationMessage, isDuration, parseDuration } from './duration.ts'
import type { Rule } from './rule.ts'
import { celCount, celIsDuration, celMilliseconds, countSet, rule } from './rule.ts'

/** A string of at most `max` characters. */
export const text = (max: number, description: string) => z.string().max(max).meta({ description })

/** A rule that is one regular expression, the same text in RE2 and in JavaScript. */
export const matching = (pattern: string, message: string): Rule => {
  const expression = new RegExp(pattern)
  return rule<string>({ rule: `self.matches(r'${pattern}')`, message, holds: (self) => expression.test(self) })
}

const subdomain = matching(
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  "must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
)

/** The name of an object: a DNS subdomain (RFC 1123) of at most 253 characters. */
export const objectName = (description: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .meta({ description, rules: [subdomain] })

/** Authorities are named in label values, which end at 63 characters. */
export const authorityName = z
  .string()
  .min(1)
  .max(63)
  .meta({ description: 'Name of the CertificateAuthority.', rules: [subdomain] })

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

/** `renewBefore < duration`, on the node that holds both. `absent` stands for a duration that is not set. */
export const renewsWithin = (absent?: string): Rule => {
  const duration = absent === undefined ? 'self.duration' : `(has(self.duration) ? self.duration : '${absent}')`
  return rule<{ duration?: string; renewBefore?: string }>({
    rule: `!has(self.renewBefore) || !${celIsDuration('self.renewBefore')} || !${celIsDuration(duration)} || ${celMilliseconds('self.renewBefore')} < ${celMilliseconds(duration)}`,
    message:
      'renewBefore must be shorter than duration: a certificate that is due as soon as it is issued would be issued for ever',
    fieldPath: '.renewBefore',
    holds: ({ duration: given, renewBefore }) => {
      const longest = given ?? absent
      return (
        renewBefore === undefined ||
        longest === undefined ||
        !isDuration(renewBefore) ||
        !isDuration(longest) ||
        parseDuration(renewBefore) < parseDuration(longest)
      )
    },
  })
}

export const renewsWithinDuration = renewsWithin()

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

const host = '([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\\[[0-9a-f:]+\\])'

/** Where lists of certificates are fetched. Over https it would need the certificate that is being judged (RFC 5280 §8). */
export const httpURL = (description: string) =>
  z
    .string()
    .max(1024)
    .meta({
      description,
      rules: [
        matching(
          `^http://${host}(:[0-9]{1,5})?(/[-._~A-Za-z0-9]+)*/?$`,
          'must be an address as http://pki.data.svc/lists: http, not https, which verifiers could not open before they trust anybody; the host in lower case, no query',
        ),
      ],
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

const namespacesFrom = z.enum(['Same', 'All', 'Names', 'Selector']).meta({
  description:
    'Same: the namespace of this object alone. All: every namespace. Names, Selector: those given beside it.',
})

/** Within a list, where there is no default: see the test of CRDs. */
export const listedNamespaceSelection = (description: string) => selectionFrom(namespacesFrom, description)

export const namespaceSelection = (description: string) => selectionFrom(namespacesFrom.default('Same'), description)

const selectionFrom = <From extends z.ZodType<string>>(choice: From, description: string) =>
  z
    .object({
      from: choice,
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
