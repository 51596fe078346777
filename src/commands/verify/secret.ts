/** Reads a delivered Secret back as a consumer would: does the chain hold, is the key its own, do the keystores open? */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { shapedItems } from '../../database/layouts/shape.ts'
import { contentNeedsPrivateKey, type OutputItem as Item } from '../../material/contents.ts'
import { readJks } from '../../material/jks.ts'
import type { Keystore } from '../../material/keystore.ts'
import { readPkcs12 } from '../../material/pkcs12-reader.ts'
import { recoverMaterial } from '../../material/recover.ts'
import { chainProblems } from '../../pki/certificates/chain.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'
import { certificatesOf } from '../../pki/encoding/pem.ts'
import type { DatabaseCertificateSpec } from '../../resources/database-certificate.ts'
import type { Instant } from '../../runtime/clock.ts'

export interface Verification {
  /** What was looked at and found right: `chain`, `key`, `keystores`. */
  readonly verified: readonly string[]
  /** One sentence each; never a byte of a key. */
  readonly problems: readonly string[]
}

interface Found {
  /** None in a Secret of truststores, lists or passwords alone. */
  readonly leaf: ParsedCertificate | undefined
  readonly certificates: ParsedCertificate[]
  readonly roots: ParsedCertificate[]
  readonly problems: string[]
  readonly verified: Set<string>
}

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0

const takePem = (item: Item, bytes: Uint8Array, found: Found): void => {
  const parsed = certificatesOf(Buffer.from(bytes).toString('latin1')).map(parseCertificate)
  if (item.content === 'TrustBundle') {
    if (parsed.length === 0) found.problems.push(`${item.key} trusts nobody`)
    found.roots.push(...parsed)
    return
  }
  found.certificates.push(...parsed)
  if (!same(parsed[0]?.der, found.leaf?.der)) found.problems.push(`${item.key} begins with another certificate`)
}

const takeStore = async (item: Item, bytes: Uint8Array, password: string, found: Found): Promise<void> => {
  const store: Keystore = item.content.startsWith('JKS') ? readJks(bytes, password) : await readPkcs12(bytes, password)
  found.roots.push(...store.trusted.map(({ certificate }) => parseCertificate(certificate)))
  if (item.content.endsWith('Truststore')) {
    if (store.trusted.length === 0) found.problems.push(`${item.key} trusts nobody`)
  } else {
    const { leaf } = found
    const [entry] = store.keys
    found.certificates.push(...(entry?.chain ?? []).map(parseCertificate))
    if (!entry || !same(entry.chain[0], leaf?.der)) found.problems.push(`${item.key} holds another certificate`)
    else if (!leaf || !fits(entry.pkcs8, leaf))
      found.problems.push(`the key in ${item.key} is not that of its certificate`)
  }
  found.verified.add('keystores')
}

/** By OpenSSL, which had no part in making them. */
const fits = (pkcs8: Uint8Array, leaf: ParsedCertificate): boolean =>
  new X509Certificate(leaf.der).checkPrivateKey(
    createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }),
  )

const pemContents: ReadonlySet<string> = new Set([
  'Certificate',
  'CertificateChain',
  'KeyThenChain',
  'ChainThenKey',
  'TrustBundle',
])

/** What cannot be without a certificate of its own. */
const certificateContents: ReadonlySet<string> = new Set([
  'Certificate',
  'CertificateChain',
  'CertificateDER',
  'KeyThenChain',
  'ChainThenKey',
  'PKCS12Keystore',
  'JKSKeystore',
])

const takeItem = async (item: Item, bytes: Uint8Array, password: string | undefined, found: Found): Promise<void> => {
  if (pemContents.has(item.content)) takePem(item, bytes, found)
  if (!item.content.endsWith('store')) return
  if (password === undefined) found.problems.push(`${item.key} cannot be opened: its password is not known here`)
  else await takeStore(item, bytes, password, found)
}

/** `password` is that of spec.keystore.passwordSecretRef, where there is one. */
export const verifySecret = (
  spec: DatabaseCertificateSpec,
  data: ReadonlyMap<string, Uint8Array>,
  password: string | undefined,
  now: Instant,
): Promise<Verification> => verifyItems(shapedItems(spec), data, { password, now })

export interface VerifySettings {
  readonly password: string | undefined
  readonly now: Instant
  /** Besides what the Secret itself trusts, and has of the chain. */
  readonly roots?: readonly ParsedCertificate[]
  readonly intermediates?: readonly ParsedCertificate[]
}

/** The same for contents that no spec describes. */
export const verifyItems = async (
  items: readonly Item[],
  data: ReadonlyMap<string, Uint8Array>,
  { password, now, roots = [], intermediates = [] }: VerifySettings,
): Promise<Verification> => {
  const missing = items.filter(({ key }) => !data.has(key)).map(({ key }) => `${key} is missing`)
  const material = await recoverMaterial(items, data, password)
  if (!material.certificate && items.some(({ content }) => certificateContents.has(content)))
    return { verified: [], problems: [...missing, 'no certificate is in it'] }
  const leaf = material.certificate && parseCertificate(material.certificate)
  const found: Found = {
    leaf,
    certificates: [...intermediates],
    roots: [...roots],
    problems: missing,
    verified: new Set(),
  }
  for (const item of items) {
    const bytes = data.get(item.key)
    if (!bytes) continue
    try {
      await takeItem(item, bytes, material.password ?? password, found)
    } catch (error) {
      found.problems.push(`${item.key} cannot be read (${error instanceof Error ? error.name : 'unknown'})`)
    }
  }
  if (leaf && !material.privateKey && items.some(({ content }) => contentNeedsPrivateKey(content)))
    found.problems.push('no private key that belongs to the certificate is in it')
  judge(found, material.privateKey, now)
  const order = ['chain', 'key', 'keystores'].filter((name) => found.verified.has(name))
  return { verified: found.problems.length > 0 ? [] : order, problems: found.problems }
}

const judge = (
  { leaf, certificates, roots, problems, verified }: Found,
  key: Uint8Array | undefined,
  now: Instant,
): void => {
  if (!leaf) return
  if (roots.length > 0) {
    problems.push(...chainProblems(leaf, certificates, roots, now))
    verified.add('chain')
  }
  if (key === undefined) return
  if (!fits(key, leaf)) problems.push('the private key is not that of the certificate')
  verified.add('key')
}
