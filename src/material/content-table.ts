/**
 * What a Secret can hold: each content is one line of the table below, which says how it is encoded and what it is made
 * of. What it is made of decides everything else: whether a password is needed, which problems an item can have (items.ts), and
 * which change of input calls for a new encoding (hash.ts).
 */
import { algorithmOfSpki, encodePrivateKey, encryptPrivateKey, spkiOf } from '../pki/keys/keys.ts'
import { encodeCertificates, encodePem } from '../pki/encoding/pem.ts'
import { defaultKeyAlias, defaultTrustAlias, trustAliases } from './aliases.ts'
import { writeJks } from './jks.ts'
import type { Random, TrustedEntry } from './keystore.ts'
import type { Pkcs12Profile } from './pkcs12.ts'
import { writePkcs12 } from './pkcs12.ts'
import { revocationListPem } from './revocation-lists.ts'

export type ContentName =
  | 'Certificate'
  | 'CertificateChain'
  | 'CertificateDER'
  | 'PrivateKey'
  | 'PrivateKeyDER'
  | 'EncryptedPrivateKey'
  | 'KeyThenChain'
  | 'ChainThenKey'
  | 'TrustBundle'
  | 'AuthorityCertificate'
  | 'RevocationList'
  | 'PKCS12Keystore'
  | 'JKSKeystore'
  | 'PKCS12Truststore'
  | 'JKSTruststore'
  | 'Password'
  | 'AuthorityPrivateKey'

/** Traditional: PKCS #1 of an RSA key, SEC1 of an ECDSA key, whichever it is; only layouts ask for it. */
export type KeyEncoding = 'PKCS8' | 'PKCS1' | 'SEC1' | 'Traditional'

/** One key of a Secret and what stands under it. */
export interface OutputItem {
  readonly key: string
  readonly content: ContentName
  /** Of the key entry (default `tls`) or of the current CA's entry (default `ca`). */
  readonly alias?: string | undefined
  readonly pkcs12Profile?: Pkcs12Profile | undefined
  readonly encoding?: KeyEncoding | undefined
}

/** Everything contents are made of; all certificates, keys and lists are DER. */
export interface Ingredients {
  readonly certificate: Uint8Array
  /** Intermediates in the order of the chain, no root. */
  readonly chain: readonly Uint8Array[]
  /** The CA that signed the certificate. */
  readonly authority: Uint8Array
  /** Roots, the current one first. */
  readonly trust: readonly Uint8Array[]
  /** PKCS#8. */
  readonly privateKey?: Uint8Array | undefined
  readonly password?: string | undefined
  readonly revocationList?: Uint8Array | undefined
  /** PKCS#8. */
  readonly authorityPrivateKey?: Uint8Array | undefined
}

export interface EncodeSettings {
  readonly encoding: KeyEncoding
  readonly pkcs12Profile: Pkcs12Profile
}

export type Ingredient = keyof Ingredients

type Has<K extends Ingredient> = { readonly [P in K]-?: NonNullable<Ingredients[P]> }

interface Choices {
  readonly alias: string
  readonly pkcs12Profile: Pkcs12Profile
  readonly encoding: KeyEncoding
  readonly random: Random
}

export interface Content {
  readonly uses: readonly Ingredient[]
  /** Which of an item's choices the bytes depend on; `alias` is the default one. */
  readonly alias?: string
  readonly profiled?: boolean
  readonly encoded?: boolean
  readonly encode: (from: Ingredients, choices: Choices) => Uint8Array | Promise<Uint8Array>
}

/** An item that cannot be encoded from what there is. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
}

const words: Readonly<Record<Ingredient, string>> = {
  certificate: 'a certificate',
  chain: 'a chain',
  authority: 'the certificate of the signing CA',
  trust: 'a CA to trust',
  privateKey: 'the private key',
  password: 'a keystore password',
  revocationList: 'a revocation list',
  authorityPrivateKey: 'the private key of the CA',
}

/** A store or bundle without any CA would make its reader trust nothing, or everything. */
const lacks = (from: Ingredients, name: Ingredient): boolean =>
  from[name] === undefined || (name === 'trust' && from.trust.length === 0)

const complete = <K extends Ingredient>(from: Ingredients, uses: readonly K[]): from is Ingredients & Has<K> =>
  !uses.some((name) => lacks(from, name))

/** Ties what `encode` may read to what `uses` declares. */
const content = <K extends Ingredient>(
  uses: readonly K[],
  encode: (from: Has<K>, choices: Choices) => Uint8Array | Promise<Uint8Array>,
  choices: Pick<Content, 'alias' | 'profiled' | 'encoded'> = {},
): Content => ({
  uses,
  encode: (from, chosen) => {
    if (complete(from, uses)) return encode(from, chosen)
    const missing = uses.filter((name) => lacks(from, name)).map((name) => words[name])
    throw new ContentError(`it is made of ${missing.join(' and ')}, which is not there`)
  },
  ...choices,
})

/** PBKDF2 rounds of an encrypted private key: its password stands beside it, so more would only slow its readers. */
const privateKeyIterations = 10_000

const text = (value: string): Uint8Array => Buffer.from(value, 'utf8')
const chainPem = ({ certificate, chain }: Has<'certificate' | 'chain'>): string =>
  encodeCertificates([certificate, ...chain])
const keyForm = (pkcs8: Uint8Array, encoding: KeyEncoding) => {
  if (encoding !== 'Traditional') return encodePrivateKey(pkcs8, encoding)
  return encodePrivateKey(pkcs8, algorithmOfSpki(spkiOf(pkcs8))?.algorithm === 'RSA' ? 'PKCS1' : 'SEC1')
}
const keyPem = (pkcs8: Uint8Array, encoding: KeyEncoding): string => {
  const { label, der } = keyForm(pkcs8, encoding)
  return encodePem(label, der)
}
const encryptedKeyPem = async (pkcs8: Uint8Array, password: string, random: Random): Promise<string> => {
  const salt = random(16)
  const iv = random(16)
  const der = await encryptPrivateKey(pkcs8, password, { salt, iv, iterations: privateKeyIterations })
  return encodePem('ENCRYPTED PRIVATE KEY', der)
}

const withoutRepeats = (certificates: readonly Uint8Array[]): Uint8Array[] => [
  ...new Map(certificates.map((der) => [Buffer.from(der).toString('base64'), der])).values(),
]

/** A JKS and a PKCS#12 store of the same Secret hold the same entries. */
const keyEntry = ({ certificate, chain, privateKey }: Has<'certificate' | 'chain' | 'privateKey'>, alias: string) => ({
  alias,
  pkcs8: privateKey,
  chain: [certificate, ...chain],
})

/** Sorted by alias, so that one set of CAs makes one truststore whatever order they came in. */
const trustedEntries = (trust: readonly Uint8Array[], alias: string): TrustedEntry[] => {
  const roots = withoutRepeats(trust)
  const [current] = roots
  const aliases = current ? trustAliases(alias, roots, current) : []
  return roots
    .map((certificate, index) => ({ alias: aliases[index] ?? alias, certificate }))
    .toSorted((a, b) => (a.alias < b.alias ? -1 : 1))
}

const keyParts = ['certificate', 'chain', 'privateKey'] as const
const keystoreParts = [...keyParts, 'password'] as const

export const contents: Readonly<Record<ContentName, Content>> = {
  Certificate: content(['certificate'], ({ certificate }) => text(encodeCertificates([certificate]))),
  CertificateChain: content(['certificate', 'chain'], (from) => text(chainPem(from))),
  CertificateDER: content(['certificate'], ({ certificate }) => certificate),
  PrivateKey: content(['privateKey'], (from, { encoding }) => text(keyPem(from.privateKey, encoding)), {
    encoded: true,
  }),
  PrivateKeyDER: content(['privateKey'], (from, { encoding }) => keyForm(from.privateKey, encoding).der, {
    encoded: true,
  }),
  EncryptedPrivateKey: content(['privateKey', 'password'], async ({ privateKey, password }, { random }) =>
    text(await encryptedKeyPem(privateKey, password, random)),
  ),
  KeyThenChain: content(keyParts, (from, { encoding }) => text(keyPem(from.privateKey, encoding) + chainPem(from)), {
    encoded: true,
  }),
  ChainThenKey: content(keyParts, (from, { encoding }) => text(chainPem(from) + keyPem(from.privateKey, encoding)), {
    encoded: true,
  }),
  TrustBundle: content(['trust'], ({ trust }) => text(encodeCertificates(withoutRepeats(trust)))),
  AuthorityCertificate: content(['authority'], ({ authority }) => text(encodeCertificates([authority]))),
  RevocationList: content(['revocationList'], ({ revocationList }) => text(revocationListPem(revocationList))),
  PKCS12Keystore: content(
    keystoreParts,
    (from, { alias, pkcs12Profile: profile, random }) =>
      writePkcs12({ key: keyEntry(from, alias), password: from.password, profile, random }),
    { alias: defaultKeyAlias, profiled: true },
  ),
  JKSKeystore: content(
    keystoreParts,
    (from, { alias, random }) => writeJks({ key: keyEntry(from, alias), password: from.password, random }),
    { alias: defaultKeyAlias },
  ),
  PKCS12Truststore: content(
    ['trust', 'password'],
    ({ trust, password }, { alias, pkcs12Profile: profile, random }) =>
      writePkcs12({ trusted: trustedEntries(trust, alias), password, profile, random }),
    { alias: defaultTrustAlias, profiled: true },
  ),
  JKSTruststore: content(
    ['trust', 'password'],
    ({ trust, password }, { alias, random }) => writeJks({ trusted: trustedEntries(trust, alias), password, random }),
    { alias: defaultTrustAlias },
  ),
  Password: content(['password'], ({ password }) => text(password)),
  AuthorityPrivateKey: content(
    ['authorityPrivateKey'],
    (from, { encoding }) => text(keyPem(from.authorityPrivateKey, encoding)),
    { encoded: true },
  ),
}

/** The choices of an item that its bytes depend on, defaults filled in; the others are undefined. */
export const effectiveChoices = (item: OutputItem, settings: EncodeSettings) => {
  const { alias, profiled, encoded } = contents[item.content]
  return {
    alias: alias === undefined ? undefined : (item.alias ?? alias),
    pkcs12Profile: profiled ? (item.pkcs12Profile ?? settings.pkcs12Profile) : undefined,
    encoding: encoded ? (item.encoding ?? settings.encoding) : undefined,
  }
}
