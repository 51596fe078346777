/**
 * Password-based encryption of keys and of the bags of keystores: PBES2 (RFC 8018 §6.2). It writes PBKDF2 with HMAC-SHA256
 * and AES-256-CBC, and reads AES and 3DES in CBC mode under PBKDF2 with HMAC of any SHA, or scrypt (RFC 7914).
 */

import { createCipheriv, createDecipheriv, pbkdf2, scrypt, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import {
  children,
  concat,
  DerError,
  type Element,
  expectTag,
  integer,
  nullValue,
  octetString,
  oid,
  readOid,
  readSmallInteger,
  sequence,
  Tag,
} from '../encoding/der.ts'

/** The encryption is well-formed, but of a kind that this program does not open; `what` names it within a sentence. */
export class UnsupportedEncryption extends Error {
  override readonly name = 'UnsupportedEncryption'
  readonly what: string
  constructor(what: string) {
    super(`${what} is not supported`)
    this.what = what
  }
}

export interface EncryptionParameters {
  /** 8 to 64 octets, fresh for every encryption. */
  readonly salt: Uint8Array
  /** 16 octets, fresh for every encryption. */
  readonly iv: Uint8Array
  readonly iterations: number
}

/** Parameters as they were read. Nothing limits `iterations` but the integer: whoever reads them says what is too many. */
export interface Pbes2 extends EncryptionParameters {
  readonly digest: string
  readonly cipher: Cipher
  /** Instead of PBKDF2; `iterations` then is the number of blocks it goes through, as a measure of the work. */
  readonly scrypt?: { readonly cost: number; readonly blockSize: number; readonly parallelization: number }
}

interface Cipher {
  readonly name: string
  readonly keyOctets: number
  readonly ivOctets: number
}

export const pbes2 = '1.2.840.113549.1.5.13'

const ids = {
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  hmacWithSha1: '1.2.840.113549.2.7',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const

const digests: ReadonlyMap<string, string> = new Map([
  [ids.hmacWithSha1, 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  [ids.hmacWithSha256, 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
])

const ciphers: ReadonlyMap<string, Cipher> = new Map([
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyOctets: 24, ivOctets: 8 }],
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyOctets: 16, ivOctets: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyOctets: 24, ivOctets: 16 }],
  [ids.aes256Cbc, { name: 'aes-256-cbc', keyOctets: 32, ivOctets: 16 }],
])

/** scrypt takes 128·N·r octets (RFC 7914 §2); OpenSSL's default is 16 MiB. */
const maxScryptOctets = 64 * 1024 * 1024

const derive = promisify(pbkdf2)
const deriveScrypt: (password: string, salt: Uint8Array, octets: number, options: ScryptOptions) => Promise<Buffer> =
  promisify(scrypt)

/** `algorithm` is the DER AlgorithmIdentifier. The key is derived on the thread pool. */
export const encryptPbes2 = async (
  plaintext: Uint8Array,
  password: string,
  { salt, iv, iterations }: EncryptionParameters,
): Promise<{ readonly algorithm: Uint8Array; readonly ciphertext: Uint8Array }> => {
  const key = await derive(password, salt, iterations, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const ciphertext = concat([cipher.update(plaintext), cipher.final()])
  // The PRF is written out because its default is HMAC-SHA1, and with NULL because OpenSSL and Java expect it.
  const prf = sequence(oid(ids.hmacWithSha256), nullValue)
  const kdf = sequence(oid(ids.pbkdf2), sequence(octetString(salt), integer(iterations), prf))
  const scheme = sequence(oid(ids.aes256Cbc), octetString(iv))
  return { algorithm: sequence(oid(pbes2), sequence(kdf, scheme)), ciphertext }
}

/** Undefined where the password does not open it; a damaged ciphertext looks the same: PBES2 has no integrity of its own. */
export const decryptPbes2 = async (
  parameters: Pbes2,
  ciphertext: Uint8Array,
  password: string,
): Promise<Uint8Array | undefined> =>
  decryptCbc(parameters.cipher.name, await deriveKey(parameters, password), parameters.iv, ciphertext)

const deriveKey = ({ salt, iterations, digest, cipher, scrypt: blocks }: Pbes2, password: string): Promise<Buffer> =>
  blocks === undefined
    ? derive(password, salt, iterations, cipher.keyOctets, digest)
    : deriveScrypt(password, salt, cipher.keyOctets, { ...blocks, maxmem: 2 * maxScryptOctets })

/** CBC with the padding of RFC 8018 §6.1.1. Undefined where the padding is not there. */
export const decryptCbc = (
  cipher: string,
  key: Uint8Array,
  iv: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined => {
  const decipher = createDecipheriv(cipher, key, iv)
  try {
    return concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    return undefined
  }
}

/** Reads PBES2-params, what follows the identifier `pbes2`. Throws DerError or UnsupportedEncryption. */
export const readPbes2 = (parameters: Element): Pbes2 => {
  const [kdf, scheme] = members(parameters, 2)
  const [kdfKind, kdfParameters] = readAlgorithm(kdf)
  if (kdfKind !== ids.pbkdf2 && kdfKind !== ids.scrypt) throw unsupported('key derivation', kdfKind)
  const [cipherKind, iv] = readAlgorithm(scheme)
  const cipher = ciphers.get(cipherKind)
  if (cipher === undefined) throw unsupported('cipher', cipherKind)
  if (expectTag(iv, Tag.octetString).contents.length !== cipher.ivOctets)
    throw new DerError('the IV has a wrong length')
  const derivation = kdfKind === ids.scrypt ? readScrypt(kdfParameters, cipher) : readPbkdf2(kdfParameters, cipher)
  return { ...derivation, cipher, iv: iv.contents }
}

/** The identifier and the parameters of an AlgorithmIdentifier that has both. Throws DerError. */
export const readAlgorithm = (element: Element): [string, Element] => {
  const [kind, parameters] = members(element, 2)
  return [readOid(kind), parameters]
}

const readPbkdf2 = (parameters: Element, cipher: Cipher): Pick<Pbes2, 'salt' | 'iterations' | 'digest'> => {
  const [salt, count, ...optional] = members(parameters, 2)
  const iterations = readSmallInteger(count)
  if (iterations === 0) throw new DerError('the key derivation has an iteration count of zero')
  const keyLength = optional.find(({ tag }) => tag === Tag.integer)
  if (keyLength !== undefined && readSmallInteger(keyLength) !== cipher.keyOctets)
    throw new DerError('the key derivation has a wrong key length')
  const prf = optional.find(({ tag }) => tag === Tag.sequence)
  const prfKind = prf === undefined ? ids.hmacWithSha1 : readOid(members(prf, 1)[0])
  const digest = digests.get(prfKind)
  if (digest === undefined) throw unsupported('pseudo-random function', prfKind)
  return { salt: expectTag(salt, Tag.octetString).contents, iterations, digest }
}

/** scrypt-params (RFC 7914 §7.1). */
const readScrypt = (parameters: Element, cipher: Cipher): Pick<Pbes2, 'salt' | 'iterations' | 'digest' | 'scrypt'> => {
  const [salt, ...numbers] = members(parameters, 2)
  const [cost = 0, blockSize = 0, parallelization = 0, keyLength = cipher.keyOctets] = numbers.map(readSmallInteger)
  if (keyLength !== cipher.keyOctets) throw new DerError('the key derivation has a wrong key length')
  if (128 * cost * blockSize > maxScryptOctets || parallelization > 16)
    throw new UnsupportedEncryption(`scrypt that needs more than ${maxScryptOctets / 1024 / 1024} MiB or 16 rounds`)
  if (cost < 2 || (cost & (cost - 1)) !== 0 || blockSize < 1 || parallelization < 1)
    throw new DerError('the parameters of scrypt are out of range')
  return {
    salt: expectTag(salt, Tag.octetString).contents,
    iterations: cost * blockSize * parallelization,
    digest: 'sha256',
    scrypt: { cost, blockSize, parallelization },
  }
}

const unsupported = (part: string, kind: string): UnsupportedEncryption =>
  new UnsupportedEncryption(`the ${part} ${kind}`)

/** The members of a SEQUENCE that has at least `count`. */
function members(element: Element, count: 1): [Element, ...Element[]]
function members(element: Element, count: 2): [Element, Element, ...Element[]]
function members(element: Element, count: number): Element[] {
  const found = children(expectTag(element, Tag.sequence))
  if (found.length < count) throw new DerError('a part is missing')
  return found
}
