/** Where the contents of a Secret stand once it is mounted. */
import type { Content, Item } from '../../resources/secret-items.ts'

/**
 * Paths. They hold letters, digits, `-`, `_`, `.` and `/` alone (the rule of mountPath and of keys), so no dialect needs them
 * quoted.
 */
export interface Files {
  readonly certificate: string
  readonly key: string
  /** PEM of the CAs that signed what is in the same Secret. */
  readonly trust: string
  /** Key and chain in one file. */
  readonly combined: string
  readonly keyDER: string
  readonly keystore: string
  readonly truststore: string
  /** Of both stores, in Java's words. */
  readonly storeType: StoreType
  /** Key of the Secret under which their password stands. */
  readonly passwordKey: string
  /** Whether `combined` is there; a layout may leave it out. */
  readonly hasCombined: boolean
}

export type StoreType = 'PKCS12' | 'JKS'

export const plainPath = /^\/[-_./A-Za-z0-9]*$/

/** The names by which a content is known where a layout leaves it out. */
const usual = {
  certificate: [['CertificateChain', 'Certificate'], 'tls.crt'],
  key: [['PrivateKey'], 'tls.key'],
  trust: [['TrustBundle', 'AuthorityCertificate'], 'ca.crt'],
  combined: [['KeyThenChain', 'ChainThenKey'], 'tls.pem'],
  keyDER: [['PrivateKeyDER'], 'tls.pk8'],
  keystore: [['PKCS12Keystore', 'JKSKeystore'], 'keystore.p12'],
  truststore: [['PKCS12Truststore', 'JKSTruststore'], 'truststore.p12'],
} as const satisfies Record<
  Exclude<keyof Files, 'storeType' | 'passwordKey' | 'hasCombined'>,
  readonly [readonly Content[], string]
>

export const filesOf = (folder: string, items: readonly Pick<Item, 'key' | 'content'>[]): Files => {
  const at = (name: keyof typeof usual): string => {
    const [contents, fallback] = usual[name]
    const found = contents.flatMap((wanted) => items.filter(({ content }) => content === wanted))[0]
    return below(folder, found?.key ?? fallback)
  }
  const held = new Set(items.map(({ content }) => content))
  return {
    certificate: at('certificate'),
    key: at('key'),
    trust: at('trust'),
    combined: at('combined'),
    keyDER: at('keyDER'),
    keystore: at('keystore'),
    truststore: at('truststore'),
    passwordKey: items.find(({ content }) => content === 'Password')?.key ?? 'keystore-password',
    hasCombined: held.has('KeyThenChain') || held.has('ChainThenKey'),
    storeType: held.has('JKSKeystore') && !held.has('PKCS12Keystore') ? 'JKS' : 'PKCS12',
  }
}

/** `below('/etc/dbtls/', 'peer')` → /etc/dbtls/peer. */
export const below = (folder: string, name: string): string => `${folder.replace(/\/+$/, '')}/${name}`

const pem: readonly Item[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey', encoding: 'PKCS8' },
  { key: 'ca.crt', content: 'TrustBundle' },
]
/** tls.crt, tls.key and ca.crt; the key in the form that was asked for. */
export const pemItems: readonly Item[] = pem.map(({ key, content }) => ({ key, content }))

/** The same, and key and chain in one file, the key in the only form that Java and Kafka read. */
export const combinedItems: readonly Item[] = [
  ...pemItems,
  { key: 'tls.pem', content: 'KeyThenChain', encoding: 'PKCS8' },
]

/** What a JVM reads; the password is generated and stands beside them. */
export const javaItems = (alias = 'client', trustAlias = 'ca'): readonly Item[] => [
  { key: 'keystore.p12', content: 'PKCS12Keystore', alias },
  { key: 'truststore.p12', content: 'PKCS12Truststore', alias: trustAlias },
]

/** For every client `items`, and for one in Java `more` besides. */
export const clientItems =
  (items: readonly Item[], more: readonly Item[] = javaItems()) =>
  ({ java }: { readonly java: boolean }): readonly Item[] =>
    java ? [...items, ...more] : items
