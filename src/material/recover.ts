/** Finds leaf and private key again in a stored Secret, so that another form of it needs no new certificate. */
import { readElement, readOnly, Tag } from '../pki/encoding/der.ts'
import { decodePrivateKey, decryptPrivateKey, spkiOf } from '../pki/keys/keys.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { decodePem } from '../pki/encoding/pem.ts'
import type { ContentName, OutputItem } from './content-table.ts'
import { readJks } from './jks.ts'
import type { Keystore } from './keystore.ts'
import { passwordProblem } from './passwords.ts'
import { readPkcs12 } from './pkcs12-reader.ts'

export interface Recovered {
  /** DER. */
  readonly certificate?: Uint8Array
  /** PKCS#8; only one that belongs to the certificate. */
  readonly privateKey?: Uint8Array
  readonly password?: string
}

/** Contents in which the first certificate is no leaf, or the key is not the leaf's. */
const ofAuthorities: ReadonlySet<ContentName> = new Set<ContentName>([
  'TrustBundle',
  'AuthorityCertificate',
  'AuthorityPrivateKey',
  'RevocationList',
  'PKCS12Truststore',
  'JKSTruststore',
  'Password',
])

/** Encrypted parts cost milliseconds for each password: nobody needs more of them in one Secret. */
const maxSealed = 16
const maxGuessedPasswords = 4

type Sealed = (password: string) => Promise<Plain> | Plain

interface Plain {
  readonly certificates: readonly Uint8Array[]
  /** PKCS#8. */
  readonly keys: readonly Uint8Array[]
}

interface Parts {
  readonly certificates: Uint8Array[]
  readonly keys: Uint8Array[]
  readonly sealed: Sealed[]
}

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const asList = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])

const ofStore = ({ keys }: Keystore): Plain => ({
  certificates: keys.flatMap(({ chain }) => chain.slice(0, 1)),
  keys: keys.flatMap(({ pkcs8 }) => asList(attempt(() => decodePrivateKey(pkcs8)))),
})

const sealedKey =
  (der: Uint8Array): Sealed =>
  async (password) => ({ certificates: [], keys: [await decryptPrivateKey(der, password)] })

const isCertificate = (der: Uint8Array): boolean => attempt(() => parseCertificate(der)) !== undefined

const partsOfDer = (der: Uint8Array): Parts => {
  const parts: Parts = { certificates: [], keys: [], sealed: [] }
  if (isCertificate(der)) parts.certificates.push(der)
  else {
    const key = attempt(() => decodePrivateKey(der))
    const first = attempt(() => readElement(readOnly(der, Tag.sequence).contents))
    if (key) parts.keys.push(key)
    // EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier, a PKCS#12 store with its version.
    else if (first?.tag === Tag.sequence) parts.sealed.push(sealedKey(der))
    else if (first) parts.sealed.push(async (password) => ofStore(await readPkcs12(der, password)))
  }
  return parts
}

/** Block by block, so that one damaged block does not hide the others. */
const partsOfPem = (text: string): Parts => {
  const parts: Parts = { certificates: [], keys: [], sealed: [] }
  for (const piece of text.split(/(?=-----BEGIN )/)) {
    const [block] = attempt(() => decodePem(piece)) ?? []
    if (!block) continue
    const { label, der } = block
    if (label === 'CERTIFICATE' && isCertificate(der)) parts.certificates.push(der)
    else if (label === 'ENCRYPTED PRIVATE KEY') parts.sealed.push(sealedKey(der))
    else if (label.endsWith('PRIVATE KEY')) parts.keys.push(...asList(attempt(() => decodePrivateKey(der))))
  }
  return parts
}

const partsOf = (bytes: Uint8Array): Parts => {
  if (bytes[0] === 0xfe && bytes[1] === 0xed)
    return { certificates: [], keys: [], sealed: [(password) => ofStore(readJks(bytes, password))] }
  if (bytes[0] === Tag.sequence) return partsOfDer(bytes)
  return partsOfPem(Buffer.from(bytes).toString('latin1'))
}

interface Entry {
  readonly bytes: Uint8Array
  /** No item says what it is: an entry of an earlier form of the Secret, or someone else's. */
  readonly unnamed: boolean
}

const entriesOf = (items: readonly OutputItem[], data: ReadonlyMap<string, Uint8Array>): Entry[] => {
  const named = items
    .filter(({ content }) => !ofAuthorities.has(content))
    .flatMap(({ key }) => asList(data.get(key)))
    .map((bytes) => ({ bytes, unnamed: false }))
  const known = new Set(items.map(({ key }) => key))
  const unnamed = [...data].filter(([key]) => !known.has(key)).map(([, bytes]) => ({ bytes, unnamed: true }))
  return [...named, ...unnamed]
}

/** A CA's certificate under a key that no item names comes from a bundle; it is not the leaf. */
const isLeaf = (der: Uint8Array, unnamed: boolean): boolean => {
  const parsed = attempt(() => parseCertificate(der))
  return parsed !== undefined && !(unnamed && parsed.isCa)
}

const belongsTo = (pkcs8: Uint8Array, certificate: Uint8Array): boolean =>
  attempt(() => Buffer.compare(spkiOf(pkcs8), parseCertificate(certificate).spki) === 0) ?? false

class Findings {
  readonly #leaves: Uint8Array[] = []
  readonly #keys: Uint8Array[] = []

  add({ certificates, keys }: Plain, unnamed: boolean): void {
    this.#leaves.push(...certificates.slice(0, 1).filter((der) => isLeaf(der, unnamed)))
    this.#keys.push(...keys)
  }

  pair(): { certificate: Uint8Array; privateKey: Uint8Array } | undefined {
    for (const certificate of this.#leaves) {
      const privateKey = this.#keys.find((key) => belongsTo(key, certificate))
      if (privateKey) return { certificate, privateKey }
    }
    return undefined
  }

  /** Two leaves in one Secret, and no key for either: the one an item names first. */
  get certificate(): Uint8Array | undefined {
    return this.#leaves[0]
  }
}

const asPassword = (bytes: Uint8Array | undefined): string[] => {
  if (bytes === undefined || bytes.length > 1024) return []
  const text = Buffer.from(bytes).toString('latin1')
  return passwordProblem(text) === undefined ? [text] : []
}

/** Opens sealed parts one by one until `done`; returns the password that opened one. */
const openSealed = async (
  sealed: readonly { readonly open: Sealed; readonly unnamed: boolean }[],
  passwords: readonly string[],
  findings: Findings,
  done: () => boolean,
): Promise<string | undefined> => {
  let opened: string | undefined
  for (const { open, unnamed } of sealed.slice(0, maxSealed)) {
    if (done()) break
    // The one that opened the first part most likely opens the next.
    for (const password of new Set([...asList(opened), ...passwords])) {
      const plain = await Promise.resolve()
        .then(() => open(password))
        .catch(() => undefined)
      if (!plain) continue
      findings.add(plain, unnamed)
      opened = password
      break
    }
  }
  return opened
}

/**
 * Reads the leaf, its private key and the keystore password from a Secret, in whatever form they are there: PEM, DER,
 * encrypted, combined, PKCS#12, JKS. `items` say which entries to look at first; the entries they do not name are
 * looked at, too, because they may be those of the items of yesterday. `password` helps where the Secret does not hold
 * it. Unreadable entries are passed over; it never rejects. The leaf is not judged: whether it is ours, and still
 * wanted, is for the caller to say.
 */
export const recoverMaterial = async (
  items: readonly OutputItem[],
  data: ReadonlyMap<string, Uint8Array>,
  password?: string,
): Promise<Recovered> => {
  const entries = entriesOf(items, data)
  const findings = new Findings()
  const sealed: { open: Sealed; unnamed: boolean }[] = []
  for (const { bytes, unnamed } of entries) {
    const parts = partsOf(bytes)
    findings.add(parts, unnamed)
    sealed.push(...parts.sealed.map((open) => ({ open, unnamed })))
  }
  const stored = items
    .filter(({ content }) => content === 'Password')
    .flatMap(({ key }) => asPassword(data.get(key)))
    .slice(0, 1)
  const given = asList(password)
  const guessed = entries.filter(({ unnamed }) => unnamed).flatMap(({ bytes }) => asPassword(bytes))
  const passwords = [...stored, ...given, ...guessed.slice(0, maxGuessedPasswords)]
  // A generated password must survive its item's new key: a store that it opens tells which text it is.
  const passwordKnown = stored.length > 0 || given.length > 0
  let opened: string | undefined
  const done = (): boolean =>
    findings.pair() !== undefined && (passwordKnown || opened !== undefined || guessed.length === 0)
  opened = await openSealed(sealed, passwords, findings, done)
  return { ...(findings.pair() ?? certificateOnly(findings)), ...passwordOf(stored[0] ?? opened) }
}

const certificateOnly = ({ certificate }: Findings): Recovered => (certificate ? { certificate } : {})
const passwordOf = (password: string | undefined): Recovered => (password === undefined ? {} : { password })
