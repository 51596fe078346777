import { createHmac, createPrivateKey, timingSafeEqual, X509Certificate } from 'node:crypto'
import type { Element } from '../pki/encoding/der.ts'
import {
  children,
  DerError,
  expectTag,
  readElement,
  readOid,
  readOnly,
  readSmallInteger,
  Tag,
} from '../pki/encoding/der.ts'
import { chainFrom } from './chain.ts'
import type { KeyEntry, Keystore, TrustedEntry } from './keystore.ts'
import { KeystoreError, maxKeystoreBytes } from './keystore.ts'
import type { IterationBudget } from './pkcs12-encryption.ts'
import { decrypt, members, spendIterations } from './pkcs12-encryption.ts'
import type { KdfParameters } from '../pki/keys/pkcs12-kdf.ts'
import { derivePkcs12, KdfPurpose } from '../pki/keys/pkcs12-kdf.ts'
import { Oid } from './pkcs12-oids.ts'

/** Half of what Java allows for one derivation, here for a whole store: about a second of one core. */
const maxIterationsPerStore = 2_500_000

const macHashes: ReadonlyMap<string, Pick<KdfParameters, 'hash' | 'size'>> = new Map([
  [Oid.sha1, { hash: 'sha1', size: 20 }],
  [Oid.sha256, { hash: 'sha256', size: 32 }],
  [Oid.sha384, { hash: 'sha384', size: 48 }],
  [Oid.sha512, { hash: 'sha512', size: 64 }],
])

const malformed = (message: string): KeystoreError => new KeystoreError('Malformed', message)

/** The one element inside an explicit `[0]`. */
const explicit0 = (element: Element): Element => readOnly(expectTag(element, 0xa0).contents)

const verifyMac = async (
  macData: Element | undefined,
  contents: Uint8Array,
  password: string,
  budget: IterationBudget,
): Promise<void> => {
  if (!macData) throw malformed('the PKCS#12 store has no MAC, so that nothing protects it from changes')
  const mac = members(macData)
  const digestInfo = members(mac.at(0))
  const algorithm = readOid(members(digestInfo.at(0)).at(0))
  const known = macHashes.get(algorithm)
  if (!known) throw malformed(`the PKCS#12 store has a MAC by ${algorithm}, which is not supported`)
  const salt = expectTag(mac.at(1), Tag.octetString).contents
  const iterationsElement = mac.rest[2]
  const iterations = iterationsElement ? spendIterations(iterationsElement, budget) : 1
  const key = await derivePkcs12({ ...known, purpose: KdfPurpose.mac, password, salt, iterations })
  const expected = createHmac(known.hash, key).update(contents).digest()
  const found = expectTag(digestInfo.at(1), Tag.octetString).contents
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    throw new KeystoreError('WrongPassword', 'the password does not open the PKCS#12 store')
}

interface Bag {
  readonly type: string
  readonly value: Element
  readonly alias: string | undefined
  readonly localKeyId: string | undefined
  readonly javaTrusted: boolean
}

const bmpText = (element: Element): string => {
  const octets = Buffer.from(expectTag(element, Tag.bmpString).contents)
  if (octets.length % 2 !== 0) throw malformed('the PKCS#12 store has a friendly name of an odd number of octets')
  return octets.swap16().toString('utf16le')
}

const parseBag = (element: Element): Bag => {
  const bag = members(element)
  const attributes = new Map<string, Element>()
  for (const attribute of bag.rest[2] ? children(expectTag(bag.rest[2], Tag.set)) : []) {
    const [value] = children(expectTag(members(attribute).at(1), Tag.set))
    if (value) attributes.set(readOid(members(attribute).at(0)), value)
  }
  const name = attributes.get(Oid.friendlyName)
  const id = attributes.get(Oid.localKeyId)
  return {
    type: readOid(bag.at(0)),
    value: explicit0(bag.at(1)),
    alias: name && bmpText(name),
    localKeyId: id && Buffer.from(expectTag(id, Tag.octetString).contents).toString('hex'),
    javaTrusted: attributes.has(Oid.javaTrustedKeyUsage),
  }
}

/** The bags of one ContentInfo (RFC 7292 §4.1). */
const safeBags = async (contentInfo: Element, password: string, budget: IterationBudget): Promise<Bag[]> => {
  const info = members(contentInfo)
  const type = readOid(info.at(0))
  const content = explicit0(info.at(1))
  if (type === Oid.data) {
    const safe = readOnly(expectTag(content, Tag.octetString).contents, Tag.sequence)
    return children(safe).map(parseBag)
  }
  if (type !== Oid.encryptedData) throw malformed(`the PKCS#12 store has contents of type ${type}, not supported`)
  const encrypted = members(members(content).at(1))
  const ciphertext = expectTag(encrypted.at(2), 0x80).contents
  const safe = await decrypt(encrypted.at(1), ciphertext, password, budget)
  return children(readOnly(safe, Tag.sequence)).map(parseBag)
}

interface CertificateBag extends Bag {
  readonly certificate: Uint8Array
}

const certificateBags = (bags: readonly Bag[]): CertificateBag[] =>
  bags
    .filter((bag) => bag.type === Oid.certBag && readOid(members(bag.value).at(0)) === Oid.x509Certificate)
    .map((bag) => ({
      ...bag,
      certificate: expectTag(explicit0(members(bag.value).at(1)), Tag.octetString).contents,
    }))

const belongsTo = (certificate: Uint8Array, pkcs8: Uint8Array): boolean => {
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    return new X509Certificate(certificate).checkPrivateKey(key)
  } catch {
    return false
  }
}

const readKeys = async (
  bags: readonly Bag[],
  certificates: readonly CertificateBag[],
  password: string,
  budget: IterationBudget,
): Promise<KeyEntry[]> => {
  const keys: KeyEntry[] = []
  for (const bag of bags.filter(({ type }) => type === Oid.shroudedKeyBag)) {
    const info = members(bag.value)
    const ciphertext = expectTag(info.at(1), Tag.octetString).contents
    const plaintext = await decrypt(info.at(0), ciphertext, password, budget)
    // Some writers pad the key before they encrypt it: only the element itself counts.
    const pkcs8 = expectTag(readElement(plaintext), Tag.sequence).encoded
    const leaf =
      certificates.find(({ localKeyId }) => localKeyId !== undefined && localKeyId === bag.localKeyId) ??
      certificates.find(({ certificate }) => belongsTo(certificate, pkcs8))
    const others = certificates.filter((other) => other !== leaf).map(({ certificate }) => certificate)
    const chain = leaf ? chainFrom(leaf.certificate, others) : []
    keys.push({ alias: bag.alias ?? String(keys.length + 1), pkcs8, chain })
  }
  return keys
}

const readVerified = async (bytes: Uint8Array, password: string): Promise<Keystore> => {
  const pfx = members(readOnly(bytes, Tag.sequence))
  if (readSmallInteger(pfx.at(0)) !== 3) throw malformed('the PKCS#12 store is not of version 3')
  const authSafe = members(pfx.at(1))
  if (readOid(authSafe.at(0)) !== Oid.data) throw malformed('the PKCS#12 store is signed, which is not supported')
  const contents = expectTag(explicit0(authSafe.at(1)), Tag.octetString).contents
  const budget = { left: maxIterationsPerStore }
  await verifyMac(pfx.rest[2], contents, password, budget)
  const bags: Bag[] = []
  for (const contentInfo of members(readOnly(contents)).rest)
    bags.push(...(await safeBags(contentInfo, password, budget)))
  const certificates = certificateBags(bags)
  const trusted: TrustedEntry[] = certificates
    .filter(({ javaTrusted }) => javaTrusted)
    .map(({ alias, certificate }, index) => ({ alias: alias ?? String(index + 1), certificate }))
  return { keys: await readKeys(bags, certificates, password, budget), trusted }
}

/**
 * Reads a PKCS#12 store (RFC 7292) in DER with PBES2 or 3DES and an HMAC, as Java would list it: keys come only from
 * shrouded bags, trusted certificates only from bags with Java's attribute. The MAC is verified before anything is
 * decrypted. Throws KeystoreError, never anything else, on whatever bytes.
 */
export const readPkcs12 = async (bytes: Uint8Array, password: string): Promise<Keystore> => {
  if (bytes.length > maxKeystoreBytes) throw malformed(`a PKCS#12 store of ${bytes.length} bytes is too large`)
  try {
    return await readVerified(bytes, password)
  } catch (error) {
    if (error instanceof DerError) throw new KeystoreError('Malformed', `not a PKCS#12 store: ${error.message}`)
    throw error
  }
}
