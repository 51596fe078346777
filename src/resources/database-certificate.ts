/** DatabaseCertificate: one certificate and the Secret it lives in. */
import { z } from 'zod'
import { maintenanceWindows } from './maintenance-windows.ts'
import type { KubeObject, Resource } from '../cluster/port.ts'
import {
  authorityRef,
  configMapKeyRef,
  durationText,
  exactlyOne,
  objectName,
  renewsWithin,
  secretKeyRef,
  text,
} from './fields.ts'
import { encodingFits, privateKey } from './keys.ts'
import type { CustomKind } from './kind.ts'
import { ageColumn, messageColumn, readyColumn, reasonColumn, resourceOf } from './kind.ts'
import { authorityLayouts, knownLayout, rsaLayouts, traditionalLayouts } from './layout-names.ts'
import { dnsName, emailAddress, ipAddress, subject, uri } from './names.ts'
import { rule } from './rule.ts'
import type { Item } from './secret-items.ts'
import { celList, item, pkcs12Profile, privateContents, secretAnnotations, secretLabels } from './secret-items.ts'
import { usageRules } from './usages.ts'
import type { DatabaseCertificateStatus } from './database-certificate-status.ts'
import { databaseCertificateStatus } from './database-certificate-status.ts'

/** Usages a leaf may ask for one by one: keyCertSign and cRLSign are a CA's. */
export const leafUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'encipherOnly',
  'decipherOnly',
  'serverAuth',
  'clientAuth',
  'codeSigning',
  'emailProtection',
  'timeStamping',
  'OCSPSigning',
] as const

const list = <T extends z.ZodType>(element: T, description: string) =>
  z.array(element).max(200).optional().meta({ description })

interface SecretValue {
  type?: string
  layout?: string
  items?: { key: string }[]
}

const secret = z
  .object({
    name: objectName(
      'Name of the Secret. After a change a new Secret is made, and deletionPolicy says what becomes of the old one.',
    ),
    type: z.enum(['kubernetes.io/tls', 'Opaque']).optional().meta({
      description:
        'Type of the Secret. It cannot change while the Secret exists. Default: kubernetes.io/tls where the items have tls.crt and tls.key, else Opaque.',
    }),
    layout: z
      .string()
      .max(63)
      .optional()
      .meta({
        description:
          'What a database operator or chart expects, instead of items: keys, encodings, type, labels and annotations; as CloudNativePG, or CloudNativePG/replication for one Secret of several. The name alone stands for the first Secret that fits the role. type, labels and annotations given here go before it. See docs/layouts.md.',
        rules: [knownLayout],
      }),
    items: z
      .array(item)
      .max(64)
      .optional()
      .meta({
        description:
          'Keys of the Secret. Default: tls.crt (CertificateChain), tls.key (PrivateKey) and ca.crt (TrustBundle).',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['key'],
      }),
    labels: secretLabels.optional(),
    annotations: secretAnnotations.optional(),
    deletionPolicy: z
      .enum(['Delete', 'Retain'])
      .default('Delete')
      .meta({ description: 'Whether the Secret goes with this object.' }),
  })
  .meta({
    description: 'The Secret the certificate is kept in.',
    rules: [
      rule<SecretValue>({
        rule: "!has(self.layout) || self.layout == '' || !has(self.items) || size(self.items) == 0",
        message: 'a layout brings its own items: set layout or items, not both',
        fieldPath: '.items',
        reason: 'FieldValueForbidden',
        holds: ({ layout, items }) => (layout ?? '') === '' || (items ?? []).length === 0,
      }),
      rule<SecretValue>({
        rule: "!has(self.type) || self.type != 'kubernetes.io/tls' || !has(self.items) || size(self.items) == 0 || (self.items.exists(i, i.key == 'tls.crt') && self.items.exists(i, i.key == 'tls.key'))",
        message:
          'a Secret of type kubernetes.io/tls needs items with the keys tls.crt and tls.key: add them, or set type: Opaque',
        fieldPath: '.type',
        holds: ({ type, items = [] }) =>
          type !== 'kubernetes.io/tls' ||
          items.length === 0 ||
          ['tls.crt', 'tls.key'].every((key) => items.some((one) => one.key === key)),
      }),
    ],
  })

interface SpecValue {
  role?: string
  usages?: string[]
  subject?: { commonName?: string; literal?: string }
  dnsNames?: string[]
  ipAddresses?: string[]
  uris?: string[]
  emailAddresses?: string[]
  renewBefore?: string
  renewBeforePercentage?: number
  privateKey: { algorithm: string }
  request?: unknown
  secret: { type?: string; layout?: string; items?: { content: string; encoding?: string }[] }
}

/** Not a default of the schema: an absent duration may be shortened by the policy of a CA, one that was asked for may not. */
export const defaultDuration = '90d'

const names = ['dnsNames', 'ipAddresses', 'uris', 'emailAddresses'] as const

const rules = [
  renewsWithin(defaultDuration),
  rule<SpecValue>({
    rule: '!has(self.role) || !has(self.usages) || size(self.usages) == 0',
    message: 'role stands for its usages: set role or usages, not both',
    fieldPath: '.usages',
    reason: 'FieldValueForbidden',
    holds: ({ role, usages = [] }) => role === undefined || usages.length === 0,
  }),
  ...usageRules,
  rule<SpecValue>({
    rule: '!has(self.renewBefore) || !has(self.renewBeforePercentage)',
    message: 'set renewBefore or renewBeforePercentage, not both',
    fieldPath: '.renewBeforePercentage',
    reason: 'FieldValueForbidden',
    holds: ({ renewBefore, renewBeforePercentage }) => renewBefore === undefined || renewBeforePercentage === undefined,
  }),
  rule<SpecValue>({
    rule: `has(self.request) || (has(self.secret.layout) && self.secret.layout in ${celList(authorityLayouts)}) || (has(self.subject) && ((has(self.subject.commonName) && self.subject.commonName != '') || (has(self.subject.literal) && self.subject.literal != ''))) || ${names.map((name) => `(has(self.${name}) && size(self.${name}) > 0)`).join(' || ')}`,
    message: 'a certificate needs a name: set subject.commonName, dnsNames, ipAddresses, uris or emailAddresses',
    reason: 'FieldValueRequired',
    holds: (self) =>
      self.request !== undefined ||
      authorityLayouts.includes(self.secret.layout ?? '') ||
      (self.subject?.commonName ?? '') !== '' ||
      (self.subject?.literal ?? '') !== '' ||
      names.some((name) => (self[name] ?? []).length > 0),
  }),
  rule<SpecValue>({
    rule: `!has(self.request) || !has(self.secret.items) || !self.secret.items.exists(i, i.content in ${celList(privateContents)})`,
    message:
      'with a request the private key is not here: leave out items that hold it (PrivateKey, keystores and the like)',
    fieldPath: '.secret.items',
    reason: 'FieldValueForbidden',
    holds: ({ request, secret: { items = [] } }) =>
      request === undefined || !items.some(({ content }) => (privateContents as readonly string[]).includes(content)),
  }),
  rule<SpecValue>({
    rule: "!has(self.request) || !has(self.secret.layout) || self.secret.layout == ''",
    message: 'with a request the private key is not here, which a layout has: leave out layout and say items',
    fieldPath: '.secret.layout',
    reason: 'FieldValueForbidden',
    holds: ({ request, secret: { layout = '' } }) => request === undefined || layout === '',
  }),
  rule<SpecValue>({
    rule: `!has(self.secret.layout) || !(self.secret.layout in ${celList(rsaLayouts)}) || self.privateKey.algorithm == 'RSA'`,
    message: 'this layout has the private key as PKCS1, which is a form of RSA keys: set privateKey.algorithm: RSA',
    fieldPath: '.privateKey.algorithm',
    holds: ({ privateKey: { algorithm }, secret: { layout = '' } }) =>
      !rsaLayouts.includes(layout) || algorithm === 'RSA',
  }),
  rule<SpecValue>({
    rule: `!has(self.secret.layout) || !(self.secret.layout in ${celList(traditionalLayouts)}) || self.privateKey.algorithm != 'Ed25519'`,
    message: 'whoever reads this layout takes RSA and ECDSA keys alone: set privateKey.algorithm: ECDSA',
    fieldPath: '.privateKey.algorithm',
    holds: ({ privateKey: { algorithm }, secret: { layout = '' } }) =>
      !traditionalLayouts.includes(layout) || algorithm !== 'Ed25519',
  }),
  rule<SpecValue>({
    rule: "!has(self.request) || !has(self.secret.type) || self.secret.type != 'kubernetes.io/tls'",
    message: 'with a request there is no tls.key, which kubernetes.io/tls demands: set type: Opaque',
    fieldPath: '.secret.type',
    reason: 'FieldValueForbidden',
    holds: ({ request, secret: { type } }) => request === undefined || type !== 'kubernetes.io/tls',
  }),
  rule<SpecValue>({
    rule: "!has(self.secret.items) || self.secret.items.all(i, !has(i.encoding) || i.encoding == 'PKCS8' || i.content == 'AuthorityPrivateKey' || (i.encoding == 'PKCS1' ? self.privateKey.algorithm == 'RSA' : self.privateKey.algorithm == 'ECDSA'))",
    message: 'PKCS1 is a form of RSA keys and SEC1 of ECDSA keys; use PKCS8, which fits every algorithm',
    fieldPath: '.secret.items',
    holds: ({ privateKey: { algorithm }, secret: { items = [] } }) =>
      items.every(
        ({ content, encoding }) =>
          encoding === undefined || content === 'AuthorityPrivateKey' || encodingFits(encoding, algorithm),
      ),
  }),
]

export const databaseCertificateSpec = z
  .object({
    authorityRef,
    role: z.enum(['Server', 'Client', 'Peer']).optional().meta({
      description:
        'Sets key usage and extended key usage; Peer is both server and client. Default, without usages: Server.',
    }),
    usages: z.array(z.enum(leafUsages)).max(16).optional().meta({
      description: 'Key usages and extended key usages one by one, instead of role.',
      'x-kubernetes-list-type': 'set',
    }),
    subject: subject.optional(),
    dnsNames: list(dnsName, 'DNS names (subject alternative names). `*` only as the whole first label.'),
    ipAddresses: list(ipAddress, 'IP addresses.'),
    uris: list(uri, 'URIs, as spiffe://cluster.local/ns/data/sa/app.'),
    emailAddresses: list(emailAddress, 'E-mail addresses.'),
    duration: durationText(
      `Lifetime of a certificate. It never outlives its CA. Longer than the CA's policy.maxDuration it is refused. Default: ${defaultDuration}, or policy.maxDuration where that is shorter.`,
      '10s',
    ).optional(),
    renewBefore: durationText(
      'How long before its end it is renewed. Default: a third of the real lifetime, with jitter.',
    ).optional(),
    renewBeforePercentage: z
      .int()
      .min(1)
      .max(99)
      .optional()
      .meta({ description: 'The same as a share of the lifetime that is left, in percent.' }),
    renewTrigger: text(256, 'Any change of this text renews now.').optional(),
    rotation: z
      .object({
        windows: maintenanceWindows(
          'It is renewed, and replaced when its CA rotates, only within one of these, unless it would end before the next one. None: at any time.',
        ),
      })
      .optional()
      .meta({ description: 'When the certificate may be replaced.' }),
    privateKey: privateKey.prefault({}),
    request: z
      .object({
        inline: text(32768, 'PEM of the request (PKCS #10).').optional(),
        secretRef: secretKeyRef('The request in a Secret.', 'tls.csr').optional(),
        configMapRef: configMapKeyRef('The request in a ConfigMap.', 'tls.csr').optional(),
      })
      .optional()
      .meta({
        description:
          "A request made elsewhere: no key is made here; the request is kept in the ledger and signed again at each renewal. Subject and names are the request's; subject and name lists beside it, where given, only say what it may ask for. Lifetime is duration's; usages are those of role or usages where given, else the request's.",
        rules: [exactlyOne('inline', 'secretRef', 'configMapRef')],
      }),
    secret,
    keystore: z
      .object({
        passwordSecretRef: secretKeyRef(
          'Password of keystores, truststores and EncryptedPrivateKey. Without it a password is made once and kept.',
          'password',
        ).optional(),
        pkcs12Profile: pkcs12Profile.default('Modern2023').meta({
          description: 'Algorithms of PKCS #12 files: AES-256 and SHA-256, or 3DES and SHA-1 for very old readers.',
        }),
      })
      .prefault({})
      .meta({ description: 'Keystores and truststores.' }),
  })
  .meta({ description: 'The certificate and its Secret.', rules })
export type DatabaseCertificateSpec = z.output<typeof databaseCertificateSpec>

export type { DatabaseCertificateStatus }

export interface DatabaseCertificate extends KubeObject {
  readonly spec: DatabaseCertificateSpec
  readonly status?: DatabaseCertificateStatus
}

export const databaseCertificates: Resource<DatabaseCertificate> = resourceOf(
  'DatabaseCertificate',
  'databasecertificates',
)

export const databaseCertificateKind: CustomKind<DatabaseCertificate> = {
  resource: databaseCertificates,
  singular: 'databasecertificate',
  shortNames: ['dbcert'],
  description: 'One certificate and the Secret it lives in, renewed before it ends.',
  spec: databaseCertificateSpec,
  status: databaseCertificateStatus,
  rules: [],
  columns: [
    readyColumn,
    reasonColumn,
    { name: 'Authority', type: 'string', jsonPath: '.spec.authorityRef.name' },
    { name: 'Secret', type: 'string', jsonPath: '.spec.secret.name' },
    { name: 'NotAfter', type: 'string', jsonPath: '.status.notAfter' },
    { name: 'RenewAt', type: 'string', jsonPath: '.status.renewAt' },
    { name: 'Serial', type: 'string', jsonPath: '.status.serialNumber', priority: 1 },
    messageColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.authorityRef.name', '.spec.secret.name'],
}

const defaultItems: readonly Item[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
]

/** The items of a Secret without a layout, with the default where none are given. */
export const itemsOf = (spec: DatabaseCertificateSpec): readonly Item[] => {
  if (spec.secret.items && spec.secret.items.length > 0) return spec.secret.items
  return spec.request ? defaultItems.filter((one) => one.content !== 'PrivateKey') : defaultItems
}

/** The type of a Secret without a layout: as given, else kubernetes.io/tls where its two keys are there. */
export const secretTypeOf = (spec: DatabaseCertificateSpec): 'kubernetes.io/tls' | 'Opaque' => {
  if (spec.secret.type) return spec.secret.type
  const keys = new Set(itemsOf(spec).map((one) => one.key))
  return keys.has('tls.crt') && keys.has('tls.key') ? 'kubernetes.io/tls' : 'Opaque'
}

/** The role in force; undefined where usages are listed one by one. */
export const roleOf = (
  spec: Pick<DatabaseCertificateSpec, 'role' | 'usages'>,
): 'Server' | 'Client' | 'Peer' | undefined => {
  if (spec.role) return spec.role
  return spec.usages && spec.usages.length > 0 ? undefined : 'Server'
}
