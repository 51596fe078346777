/** Manifests in short: what a test does not say is the default a user gets. */

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly annotations?: Record<string, string>
    readonly labels?: Record<string, string>
  }
  readonly spec?: Record<string, unknown>
  readonly [field: string]: unknown
}

export const authority = (namespace: string, name: string, spec: Record<string, unknown> = {}): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'CertificateAuthority',
  metadata: { name, namespace },
  spec: { source: { selfSigned: {} }, subject: { commonName: name }, ...spec },
})

/** Signed by `ca` of the same namespace into Secret `<name>-tls`, valid for `<name>.db.svc`. */
export const certificate = (
  namespace: string,
  name: string,
  { secret = {}, ...spec }: Record<string, unknown> & { readonly secret?: Record<string, unknown> } = {},
): Manifest => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseCertificate',
  metadata: { name, namespace },
  spec: {
    authorityRef: { name: 'ca' },
    dnsNames: [`${name}.db.svc`],
    ...spec,
    secret: { name: `${name}-tls`, ...secret },
  },
})

export const opaqueSecret = (
  namespace: string,
  name: string,
  stringData: Record<string, string>,
  annotations: Record<string, string> = {},
): Manifest => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace, annotations },
  type: 'Opaque',
  stringData,
})

/** A key in every form there is, under the password of Secret `password`. */
export const everyItem = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey' },
  { key: 'ca.crt', content: 'TrustBundle' },
  { key: 'leaf.crt', content: 'Certificate' },
  { key: 'leaf.der', content: 'CertificateDER' },
  { key: 'key.der', content: 'PrivateKeyDER' },
  { key: 'encrypted.key', content: 'EncryptedPrivateKey' },
  { key: 'key-cert.pem', content: 'KeyThenChain' },
  { key: 'cert-key.pem', content: 'ChainThenKey' },
  { key: 'authority.crt', content: 'AuthorityCertificate' },
  { key: 'keystore.p12', content: 'PKCS12Keystore', alias: 'server' },
  { key: 'keystore.jks', content: 'JKSKeystore', alias: 'server' },
  { key: 'truststore.p12', content: 'PKCS12Truststore', alias: 'root' },
  { key: 'truststore.jks', content: 'JKSTruststore', alias: 'root' },
  { key: 'password', content: 'Password' },
] as const

export const yamlOf = (...manifests: readonly unknown[]): string =>
  manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
