/**
 * Java's own keystore format, version 2. It has no specification; the layout is that of OpenJDK's JavaKeyStore and
 * KeyProtector. Its protection is weak (SHA-1, a keystream by hash): it is for readers that know nothing else.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import {
  children,
  concat,
  DerError,
  expectTag,
  nullValue,
  octetString,
  oid,
  readOid,
  readOnly,
  sequence,
  Tag,
} from '../pki/encoding/der.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { checkEntries } from './entries.ts'
import type { KeyEntry, Keystore, Random, TrustedEntry } from './keystore.ts'
import { KeystoreError, maxKeystoreBytes } from './keystore.ts'

const magic = 0xfeedfeed
const version = 2
const keyTag = 1
const trustedTag = 2
/** Sun's KeyProtector. */
const keyProtector = '1.3.6.1.4.1.42.2.17.1.1'
const whitener = 'Mighty Aphrodite'
const digestSize = 20
const saltSize = 20

const sha1 = (...parts: readonly Uint8Array[]): Uint8Array => hash('sha1', concat(parts), 'buffer')
const utf16 = (text: string): Uint8Array => Buffer.from(text, 'utf16le').swap16()

const u2 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)
const u4 = (value: number): Uint8Array => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}
const i8 = (value: number): Uint8Array => {
  const out = Buffer.alloc(8)
  out.writeBigInt64BE(BigInt(value))
  return out
}

/** DataOutput.writeUTF: each UTF-16 unit by itself in one to three octets, U+0000 in two. */
export const modifiedUtf8 = (text: string): Uint8Array => {
  const octets: number[] = []
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x01 && unit <= 0x7f) octets.push(unit)
    else if (unit <= 0x7ff) octets.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f))
    else octets.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))
  }
  return Uint8Array.from(octets)
}

export const readModifiedUtf8 = (octets: Uint8Array): string => {
  let text = ''
  for (let i = 0; i < octets.length;) {
    const first = octets[i] ?? 0
    const size = first < 0x80 ? 1 : first >> 5 === 0b110 ? 2 : first >> 4 === 0b1110 ? 3 : 0
    const rest = octets.subarray(i + 1, i + size)
    if (size === 0 || rest.length !== size - 1 || rest.some((octet) => octet >> 6 !== 0b10))
      throw new KeystoreError('Malformed', 'the JKS store has a name that is not modified UTF-8')
    const start = size === 1 ? first : first & (0xff >> (size + 1))
    text += String.fromCharCode(rest.reduce((unit, octet) => (unit << 6) | (octet & 0x3f), start))
    i += size
  }
  return text
}

const utf = (text: string): Uint8Array => {
  const octets = modifiedUtf8(text)
  return concat([u2(octets.length), octets])
}
const sized = (bytes: Uint8Array): Uint8Array => concat([u4(bytes.length), bytes])
const certificateRecord = (certificate: Uint8Array): Uint8Array => concat([utf('X.509'), sized(certificate)])

/** XOR with d1 ‖ d2 …, where d0 is the salt and each next one SHA-1(password ‖ the one before). Its own inverse. */
const applyKeystream = (bytes: Uint8Array, password: Uint8Array, salt: Uint8Array): Uint8Array => {
  const out = new Uint8Array(bytes.length)
  let digest = salt
  for (let i = 0; i < bytes.length; i += 1) {
    if (i % digestSize === 0) digest = sha1(password, digest)
    out[i] = (bytes[i] ?? 0) ^ (digest[i % digestSize] ?? 0)
  }
  return out
}

const protect = (pkcs8: Uint8Array, password: Uint8Array, salt: Uint8Array): Uint8Array =>
  sequence(
    sequence(oid(keyProtector), nullValue),
    octetString(concat([salt, applyKeystream(pkcs8, password, salt), sha1(password, pkcs8)])),
  )

/** When the entry was made, as Java wants to know: the certificate's notBefore, so that equal input gives equal bytes. */
const created = (certificate: Uint8Array): Uint8Array => i8(parseCertificate(certificate).notBefore)

const entryHeader = (tag: number, alias: string, certificate: Uint8Array): Uint8Array =>
  // Java finds no entry whose alias was stored with capitals.
  concat([u4(tag), utf(alias.toLowerCase()), created(certificate)])

export interface JksInput {
  readonly key?: KeyEntry
  readonly trusted?: readonly TrustedEntry[]
  /** Of the store and of its key: most readers know only one. */
  readonly password: string
  readonly random: Random
}

/** writeJks without its checks: tests show with it what happens to readers of stores that it refuses. */
export const encodeJks = ({ key, trusted = [], password, random }: JksInput): Uint8Array => {
  const secret = utf16(password)
  const [leaf] = key?.chain ?? []
  const entries: Uint8Array[] = []
  if (key && leaf) {
    const shrouded = sized(protect(key.pkcs8, secret, random(saltSize)))
    const chain = concat([u4(key.chain.length), ...key.chain.map(certificateRecord)])
    entries.push(concat([entryHeader(keyTag, key.alias, leaf), shrouded, chain]))
  }
  for (const { alias, certificate } of trusted)
    entries.push(concat([entryHeader(trustedTag, alias, certificate), certificateRecord(certificate)]))
  const body = concat([u4(magic), u4(version), u4(entries.length), ...entries])
  return concat([body, sha1(secret, Buffer.from(whitener), body)])
}

/**
 * A JKS store for one key with its chain, trusted certificates, or both. Apart from the salt of the key, equal input
 * gives equal bytes. Throws KeystoreError `Unwritable` for entries that some reader would lose.
 */
export const writeJks = (input: JksInput): Uint8Array => {
  checkEntries(input.key, input.trusted ?? [], input.password)
  return encodeJks(input)
}

const malformed = (message: string): KeystoreError => new KeystoreError('Malformed', message)

/** Reads big-endian fields one after the other; every length is checked before it is used. */
class Cursor {
  #at = 0
  readonly #bytes: Buffer
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }
  take(size: number): Buffer {
    if (this.#at + size > this.#bytes.length) throw malformed('the JKS store is cut off')
    this.#at += size
    return this.#bytes.subarray(this.#at - size, this.#at)
  }
  u4(): number {
    return this.take(4).readUInt32BE()
  }
  utf(): string {
    return readModifiedUtf8(this.take(this.take(2).readUInt16BE()))
  }
  certificate(): Uint8Array {
    const type = this.utf()
    if (type !== 'X.509') throw malformed('the JKS store has a certificate that is not X.509')
    return this.take(this.u4())
  }
  get finished(): boolean {
    return this.#at === this.#bytes.length
  }
}

const reveal = (encryptedPrivateKeyInfo: Uint8Array, password: Uint8Array): Uint8Array => {
  const [algorithm, sealed] = children(readOnly(encryptedPrivateKeyInfo, Tag.sequence))
  const [name] = algorithm ? children(expectTag(algorithm, Tag.sequence)) : []
  if (!sealed || !name || readOid(name) !== keyProtector) throw malformed('the JKS store has a key of an unknown kind')
  const { contents } = expectTag(sealed, Tag.octetString)
  if (contents.length < saltSize + digestSize) throw malformed('the JKS store has a key that is cut off')
  const salt = contents.subarray(0, saltSize)
  const pkcs8 = applyKeystream(contents.subarray(saltSize, -digestSize), password, salt)
  if (!timingSafeEqual(sha1(password, pkcs8), contents.subarray(-digestSize)))
    throw new KeystoreError('WrongPassword', 'a key of the JKS store is under another password')
  return pkcs8
}

const readEntries = (body: Uint8Array, password: Uint8Array): Keystore => {
  const cursor = new Cursor(body)
  cursor.take(8)
  const count = cursor.u4()
  const keys: KeyEntry[] = []
  const trusted: TrustedEntry[] = []
  for (let entry = 0; entry < count; entry += 1) {
    const tag = cursor.u4()
    const alias = cursor.utf()
    cursor.take(8)
    if (tag === trustedTag) trusted.push({ alias, certificate: cursor.certificate() })
    else if (tag === keyTag) {
      const pkcs8 = reveal(cursor.take(cursor.u4()), password)
      const chain: Uint8Array[] = []
      for (let left = cursor.u4(); left > 0; left -= 1) chain.push(cursor.certificate())
      keys.push({ alias, pkcs8, chain })
    } else throw malformed(`the JKS store has an entry of the unknown kind ${tag}`)
  }
  if (!cursor.finished) throw malformed('bytes follow the last entry of the JKS store')
  return { keys, trusted }
}

/** Reads a JKS store after its check value. Throws KeystoreError, never anything else, on whatever bytes. */
export const readJks = (bytes: Uint8Array, password: string): Keystore => {
  if (bytes.length > maxKeystoreBytes) throw malformed(`a JKS store of ${bytes.length} bytes is too large`)
  if (bytes.length < 12 + digestSize) throw malformed('the JKS store is cut off')
  const cursor = new Cursor(bytes)
  if (cursor.u4() !== magic || cursor.u4() !== version) throw malformed('not a JKS store of version 2')
  const body = bytes.subarray(0, -digestSize)
  const secret = utf16(password)
  if (!timingSafeEqual(sha1(secret, Buffer.from(whitener), body), bytes.subarray(-digestSize)))
    throw new KeystoreError('WrongPassword', 'the password does not open the JKS store')
  try {
    return readEntries(body, secret)
  } catch (error) {
    if (error instanceof DerError) throw malformed(`the JKS store has a key that is not DER: ${error.message}`)
    throw error
  }
}
