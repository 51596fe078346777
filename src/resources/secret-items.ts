/** The keys of a Secret: what stands under each, and how it is encoded. */
import { z } from 'zod'
import { dataKey } from './fields.ts'
import { keyEncodings } from './keys.ts'
import type { Rule } from './rule.ts'
import { rule } from './rule.ts'

/** Every content, with the bytes it stands for. */
export const contents = {
  Certificate: 'PEM, the certificate alone',
  CertificateChain: 'PEM, the certificate and the intermediates above it, never the root',
  CertificateDER: 'DER, the certificate alone',
  PrivateKey: 'PEM, the private key in `encoding`',
  PrivateKeyDER: 'DER, the private key in `encoding`',
  EncryptedPrivateKey: 'PEM, PKCS #8 encrypted (PBES2) under the keystore password',
  KeyThenChain: 'PEM, private key and then chain in one file',
  ChainThenKey: 'PEM, chain and then private key in one file',
  TrustBundle: 'PEM, every CA to trust now; roots only',
  AuthorityCertificate: 'PEM, the signing CA alone',
  RevocationList: 'PEM, the revocation list (X509 CRL)',
  PKCS12Keystore: 'PKCS #12 with key and chain under `alias`',
  JKSKeystore: 'JKS with key and chain under `alias`',
  PKCS12Truststore: 'PKCS #12 with one trusted entry for each CA; `alias` names the current one',
  JKSTruststore: 'JKS with one trusted entry for each CA; `alias` names the current one',
  Password: 'the keystore password',
  AuthorityPrivateKey: "PEM, the CA's own key; same namespace only, and only if the CA says `allowKeyExport: true`",
} as const
export type Content = keyof typeof contents

const contentNames = Object.keys(contents) as [Content, ...Content[]]

export const keystoreContents = ['PKCS12Keystore', 'JKSKeystore', 'PKCS12Truststore', 'JKSTruststore'] as const
const pkcs12Contents = ['PKCS12Keystore', 'PKCS12Truststore'] as const
const encodedContents = ['PrivateKey', 'PrivateKeyDER', 'KeyThenChain', 'ChainThenKey', 'AuthorityPrivateKey'] as const

/** Contents that hold the certificate's own private key: impossible where only a request is known. */
export const privateContents = [
  'PrivateKey',
  'PrivateKeyDER',
  'EncryptedPrivateKey',
  'KeyThenChain',
  'ChainThenKey',
  'PKCS12Keystore',
  'JKSKeystore',
] as const

export const pkcs12Profiles = ['Modern2023', 'LegacyDES'] as const
export const pkcs12Profile = z.enum(pkcs12Profiles)

export const celList = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(', ')}]`

interface ItemValue {
  key: string
  content: string
  alias?: string
  pkcs12Profile?: string
  encoding?: string
}

/** A member of an item that only some contents know. */
const only = (member: 'alias' | 'pkcs12Profile' | 'encoding', allowed: readonly string[]): Rule =>
  rule<ItemValue>({
    rule: `!has(self.${member}) || self.content in ${celList(allowed)}`,
    message: `${member} goes with ${allowed.join(', ')} only`,
    fieldPath: `.${member}`,
    reason: 'FieldValueForbidden',
    holds: (self) => self[member] === undefined || allowed.includes(self.content),
  })

const alias = z
  .string()
  .min(1)
  .max(128)
  .meta({
    description:
      'Name of the entry in a keystore or truststore; JKS writes it in lower case. Default: tls for a key, ca for a CA.',
    rules: [
      rule<string>({
        rule: "self.matches(r'^[!-~]([ -~]*[!-~])?$')",
        message: 'must be printable ASCII without spaces at the ends',
        holds: (self) => /^[!-~]([ -~]*[!-~])?$/.test(self),
      }),
    ],
  })

const profile = pkcs12Profile
  .optional()
  .meta({ description: 'Algorithms of this PKCS #12 file. Default: keystore.pkcs12Profile.' })

export const item = z
  .object({
    key: dataKey('Key in the Secret.'),
    content: z.enum(contentNames).meta({ description: 'What stands under the key; see Secret contents.' }),
    alias: alias.optional(),
    pkcs12Profile: profile,
    encoding: z
      .enum(keyEncodings)
      .optional()
      .meta({ description: 'Form of the private key in this item. Default: privateKey.encoding.' }),
  })
  .meta({
    rules: [only('alias', keystoreContents), only('pkcs12Profile', pkcs12Contents), only('encoding', encodedContents)],
  })
export type Item = z.output<typeof item>

const trustContents = [
  'TrustBundle',
  'AuthorityCertificate',
  'RevocationList',
  'PKCS12Truststore',
  'JKSTruststore',
] as const

/** An item of a trust bundle: nothing private. */
export const trustItem = z
  .object({
    key: dataKey('Key in the ConfigMap or Secret.'),
    content: z.enum(trustContents).meta({ description: 'What stands under the key; see Secret contents.' }),
    alias: alias.optional(),
    pkcs12Profile: profile,
  })
  .meta({ rules: [only('alias', keystoreContents), only('pkcs12Profile', pkcs12Contents)] })

const ours =
  "labels and annotations of dbtls, of the API server's service accounts, of Argo CD, Flux, Helm, Sealed Secrets, Cluster API, Jenkins and of tools that copy Secrets cannot be set here"

// What would let a certificate's author do with a Secret what RBAC does not let him: have it copied elsewhere, pruned, handed
// out as a credential, or filled with a service account's token.
const refusedPrefixes = [
  'argocd.argoproj.io/',
  'kubernetes.io/service-account.',
  'meta.helm.sh/',
  'kubectl.kubernetes.io/',
  'kustomize.toolkit.fluxcd.io/',
  'helm.toolkit.fluxcd.io/',
  'reflector.v1.k8s.emberstack.com/',
  'replicator.v1.mittwald.de/',
  'kubed.appscode.com/',
  'sealedsecrets.bitnami.com/',
  'cluster.x-k8s.io/',
  'jenkins.io/',
] as const
/** A label or annotation that cannot be set in a spec. */
export const isReservedKey = (key: string): boolean =>
  key === 'app.kubernetes.io/managed-by' ||
  key.startsWith('dbtls.dev/') ||
  key.includes('.dbtls.dev/') ||
  refusedPrefixes.some((prefix) => key.startsWith(prefix))

const celRefused = [
  "k == 'app.kubernetes.io/managed-by'",
  "k.startsWith('dbtls.dev/')",
  "k.contains('.dbtls.dev/')",
  ...refusedPrefixes.map((prefix) => `k.startsWith('${prefix}')`),
].join(' || ')

const notReserved = rule<Record<string, string>>({
  rule: `self.all(k, !(${celRefused}))`,
  message: ours,
  reason: 'FieldValueForbidden',
  holds: (self) => !Object.keys(self).some(isReservedKey),
})

const qualifiedName =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/
const isQualifiedName = (key: string): boolean =>
  qualifiedName.test(key) && (key.indexOf('/') < 0 || key.indexOf('/') <= 253)

const validKeys = rule<Record<string, string>>({
  rule: 'self.all(k, !format.qualifiedName().validate(k).hasValue())',
  message:
    "each key must be a name of at most 63 letters, digits, '-', '_' and '.', with an optional DNS prefix and '/'",
  holds: (self) => Object.keys(self).every(isQualifiedName),
})

const labelValue = z
  .string()
  .max(63)
  .meta({
    rules: [
      rule<string>({
        rule: "self.matches(r'^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$')",
        message: "must be the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        holds: (self) => /^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$/.test(self),
      }),
    ],
  })

const map = (value: z.ZodString, description: string) =>
  z.record(z.string(), value).meta({ description, maxProperties: 32, rules: [validKeys, notReserved] })

export const secretLabels = map(labelValue, 'Labels of the Secret, besides those of dbtls.')
export const secretAnnotations = map(z.string().max(4096), 'Annotations of the Secret, besides those of dbtls.')
