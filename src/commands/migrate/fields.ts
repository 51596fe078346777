/**
 * Every field of cert-manager's Certificate, Issuer and ClusterIssuer (cert-manager.io/v1, its CRDs of 1.21), and what becomes of
 * it. docs/migrate-cert-manager.md has these tables; a field that is in none of them is told of where it is met.
 */

/**
 * Carried: it says the same in what is written. Partly: not every value; the mapping tells of those that are not. Lost: dbtls
 * has nothing like it. Idle: nothing that is in a certificate or a Secret depends on it, or it says what dbtls does anyway.
 */
export type Fate = 'Carried' | 'Partly' | 'Lost' | 'Idle'

export interface Field {
  /** `spec.otherNames[].oid`; what stands below a path that ends here shares its fate. */
  readonly path: string
  readonly fate: Fate
  /** In the table of the documentation. */
  readonly becomes: string
  /** Printed where the field is set, with fate Lost or Idle. */
  readonly note?: string
}

const carried = (path: string, becomes: string): Field => ({ path, fate: 'Carried', becomes })
const partly = (path: string, becomes: string): Field => ({ path, fate: 'Partly', becomes })
const lost = (path: string, note: string): Field => ({ path, fate: 'Lost', becomes: `nothing: ${note}`, note })
const idle = (path: string, note: string): Field => ({ path, fate: 'Idle', becomes: `not needed: ${note}`, note })

const metadata: readonly Field[] = [
  carried('metadata.name', '`metadata.name`'),
  carried('metadata.namespace', '`metadata.namespace`'),
  partly('metadata.labels', '`metadata.labels`, but for those by which Helm, Argo CD and Flux know what is theirs'),
  partly(
    'metadata.annotations',
    'nothing: they are for cert-manager and for the tools that applied it; each is named but `kubectl.kubernetes.io/last-applied-configuration`',
  ),
  partly(
    'metadata.ownerReferences',
    'nothing: whoever is named there would make the object again, and has to be told first',
  ),
]

/** Of a certificate that is no CA. */
export const certificateFields: readonly Field[] = [
  ...metadata,
  partly(
    'spec.subject.organizations',
    '`subject.organizations`. cert-manager puts several values into one RDN, dbtls each into its own; from the next renewal on',
  ),
  partly('spec.subject.countries', '`subject.countries`, of two letters'),
  partly('spec.subject.organizationalUnits', '`subject.organizationalUnits`'),
  partly('spec.subject.localities', '`subject.literal`, which keeps the order that cert-manager has them in'),
  partly('spec.subject.provinces', '`subject.literal`'),
  partly('spec.subject.streetAddresses', '`subject.literal`'),
  partly('spec.subject.postalCodes', '`subject.literal`'),
  carried('spec.subject.serialNumber', '`subject.literal`'),
  carried('spec.literalSubject', '`subject.literal`'),
  carried('spec.commonName', '`subject.commonName`, or in `subject.literal`'),
  carried('spec.duration', '`duration`; both have 90 days where none is given'),
  carried('spec.renewBefore', '`renewBefore`; both take a third of the lifetime where none is given'),
  carried('spec.renewBeforePercentage', '`renewBeforePercentage`'),
  partly('spec.renewal.policy', '`RenewBefore` is what dbtls does; nothing is like `Disabled`'),
  carried('spec.renewal.windows[].cron', '`rotation.windows[].cron`, names of months and days as numbers'),
  partly('spec.renewal.windows[].windowDuration', '`rotation.windows[].duration`'),
  carried('spec.renewal.windows[].timezone', '`rotation.windows[].timeZone`'),
  carried('spec.dnsNames', '`dnsNames`'),
  carried('spec.ipAddresses', '`ipAddresses`'),
  carried('spec.uris', '`uris`'),
  carried('spec.emailAddresses', '`emailAddresses`'),
  lost('spec.otherNames', 'otherName is not signed by dbtls; the present certificate keeps it until its renewal'),
  carried('spec.secretName', '`secret.name`'),
  partly(
    'spec.secretTemplate.annotations',
    '`secret.annotations`; those that dbtls does not write stay on the Secret as they are',
  ),
  partly('spec.secretTemplate.labels', '`secret.labels`; likewise'),
  carried('spec.keystores.jks.create', 'items `keystore.jks` and `truststore.jks`'),
  carried('spec.keystores.jks.alias', '`alias` of `keystore.jks`; without one `certificate`, as cert-manager has it'),
  partly('spec.keystores.jks.passwordSecretRef', '`keystore.passwordSecretRef`, one for both keystores'),
  partly(
    'spec.keystores.jks.password',
    '`keystore.passwordSecretRef`: a password stands in a Secret, which is yours to make; it is not printed',
  ),
  carried('spec.keystores.pkcs12.create', 'items `keystore.p12` and `truststore.p12`'),
  partly(
    'spec.keystores.pkcs12.profile',
    '`keystore.pkcs12Profile`: `Modern2023` and `LegacyDES` as they are; `Modern2026` becomes `Modern2023`, `LegacyRC2`, the default, `LegacyDES`',
  ),
  partly('spec.keystores.pkcs12.passwordSecretRef', '`keystore.passwordSecretRef`, one for both keystores'),
  partly('spec.keystores.pkcs12.password', 'as for `jks`'),
  carried('spec.issuerRef.name', '`authorityRef`: the CertificateAuthority made of that issuer'),
  carried('spec.issuerRef.kind', '`authorityRef.namespace` for a ClusterIssuer'),
  carried('spec.issuerRef.group', 'nothing for cert-manager.io; of another group there is no equivalent'),
  carried('spec.isCA', 'a `CertificateAuthority`; see the next table'),
  partly(
    'spec.usages',
    '`role` where they are those of one, else `usages`. Without equivalent: any, cert sign, crl sign, the ipsec and the sgc ones, and what a key of the algorithm cannot do (RFC 8813 §3)',
  ),
  carried(
    'spec.privateKey.rotationPolicy',
    '`privateKey.rotation`; `Always` where none is given, as cert-manager has had it since 1.18',
  ),
  carried(
    'spec.privateKey.encoding',
    '`privateKey.encoding`; PKCS1, the default, is SEC1 for ECDSA, as cert-manager writes it',
  ),
  carried('spec.privateKey.algorithm', '`privateKey.algorithm`; RSA, where none is given'),
  partly(
    'spec.privateKey.size',
    '`privateKey.size`; RSA of another size than 2048, 3072 or 4096 is replaced by the next larger one, at once',
  ),
  idle(
    'spec.signatureAlgorithm',
    "it concerns the request alone; a CA signs with the algorithm of its own key, with dbtls as with cert-manager's CA issuer",
  ),
  idle('spec.encodeUsagesInRequest', 'dbtls makes no request of its own'),
  idle('spec.revisionHistoryLimit', 'there are no CertificateRequests; the ledger keeps what was issued'),
  partly(
    'spec.additionalOutputFormats[].type',
    'items `key.der` (PrivateKeyDER) and `tls-combined.pem` (KeyThenChain)',
  ),
  lost('spec.nameConstraints', 'only a CA has them; cert-manager takes no notice of it without isCA either'),
  idle('status', 'dbtls has a status of its own'),
]

const inCertificate = 'its certificate says it, and stays as it is'

/** Of a Certificate with isCA: its Secret is that of a CertificateAuthority, and nothing in it is changed. */
export const authorityFields: readonly Field[] = [
  ...metadata,
  ...[
    'spec.subject',
    'spec.literalSubject',
    'spec.commonName',
    'spec.dnsNames',
    'spec.ipAddresses',
    'spec.uris',
    'spec.emailAddresses',
    'spec.otherNames',
    'spec.nameConstraints',
    'spec.usages',
    'spec.isCA',
  ].map((path) => carried(path, inCertificate)),
  carried('spec.privateKey.algorithm', 'the key in the Secret is used as it is'),
  carried('spec.privateKey.size', 'likewise'),
  carried('spec.privateKey.encoding', 'likewise'),
  idle('spec.privateKey.rotationPolicy', 'dbtls never replaces the key of a CA that was brought along'),
  carried('spec.secretName', '`source.secret.name`'),
  lost('spec.duration', 'dbtls does not renew a CA that was brought along'),
  lost('spec.renewBefore', 'dbtls does not renew a CA that was brought along'),
  lost('spec.renewBeforePercentage', 'dbtls does not renew a CA that was brought along'),
  lost('spec.renewal', 'dbtls does not renew a CA that was brought along'),
  lost('spec.secretTemplate', 'labels and annotations stay on the Secret, which is not written any more'),
  lost(
    'spec.keystores',
    'keystores stay in the Secret and are not kept up; spec.trustBundle of the CertificateAuthority has truststores',
  ),
  lost('spec.additionalOutputFormats', 'they stay in the Secret and are not kept up'),
  carried(
    'spec.issuerRef',
    'nothing: who signed it is in its certificate, and the CA above it in `ca.crt` of the Secret',
  ),
  idle('spec.signatureAlgorithm', 'nothing is requested for it any more'),
  idle('spec.encodeUsagesInRequest', 'nothing is requested for it any more'),
  idle('spec.revisionHistoryLimit', 'there are no CertificateRequests'),
  idle('status', 'dbtls has a status of its own'),
]

const published =
  'what dbtls signs says where dbtls publishes: set spec.publish.url, and spec.crl, which needs a CA with the key usage cRLSign'

export const issuerFields: readonly Field[] = [
  ...metadata,
  carried('spec.ca.secretName', '`source.secret.name`'),
  lost('spec.ca.crlDistributionPoints', published),
  lost('spec.ca.issuingCertificateURLs', published),
  lost('spec.ca.ocspServers', 'dbtls answers no OCSP requests; it has revocation lists (spec.crl)'),
  lost(
    'spec.selfSigned',
    'a certificate that signs itself belongs to no CA. CAs that such an issuer has made are taken over',
  ),
  lost('spec.acme', 'ACME needs names that the whole Internet can ask for; its certificates stay with cert-manager'),
  lost('spec.vault', 'Vault holds the key and signs by itself; its certificates stay with cert-manager'),
  lost('spec.venafi', 'Venafi holds the key and signs by itself; its certificates stay with cert-manager'),
  idle('status', 'dbtls has a status of its own'),
]

/** Leaves of a value with their paths: `spec.dnsNames` for a list of texts, `spec.renewal.windows[].cron` in one of objects. */
export const pathsIn = (value: unknown, path = ''): string[] => {
  if (Array.isArray(value)) {
    return [...new Set(value.flatMap((one) => (isMembers(one) ? pathsIn(one, `${path}[]`) : [path])))]
  }
  if (!isMembers(value)) return value === null || value === undefined || value === '' ? [] : [path]
  // An empty one may be what was chosen, as `selfSigned: {}`.
  if (Object.keys(value).length === 0) return [path]
  return Object.keys(value).flatMap((name) => pathsIn(value[name], path === '' ? name : `${path}.${name}`))
}

export type Members = Readonly<Record<string, unknown>>
export const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The member of that name; undefined where the value has none of its own. */
export const own = (value: unknown, ...names: readonly string[]): unknown =>
  names.reduce<unknown>(
    (inner, name) => (isMembers(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
    value,
  )

/** Whether the path is one of an object in which the table knows fields. */
export const isAbove = (fields: readonly Field[], path: string): boolean =>
  fields.some((field) => ['.', '['].some((next) => field.path.startsWith(`${path}${next}`)))

/** Of the table, for a path that `pathsIn` gives. */
export const fieldOf = (fields: readonly Field[], path: string): Field | undefined =>
  fields.find((field) => path === field.path || ['.', '['].some((next) => path.startsWith(`${field.path}${next}`)))
