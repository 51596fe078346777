/** Private keys under a passphrase: PKCS#8 EncryptedPrivateKeyInfo with PBES2 (RFC 8018) and PBKDF2. */

import { createCipheriv, createDecipheriv, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import {
  children,
  DerError,
  type Element,
  expectTag,
  integer,
  nullValue,
  octetString,
  oid,
  readOid,
  readOnly,
  readSmallInteger,
  sequence,
  Tag,
} from './der.ts'
import { decodePrivateKey, KeyError } from './key-encodings.ts'

/** The passphrase does not open the key. Also what a damaged ciphertext looks like: PBES2 has no integrity of its own. */
export class WrongPassphrase extends KeyError {
  override readonly name: string = 'WrongPassphrase'
  constructor() {
    super('The passphrase does not open the private key.')
  }
}

export interface EncryptionParameters {
  /** 8 to 64 octets, fresh for every encryption. */
  readonly salt: Uint8Array
  /** 16 octets, fresh for every encryption. */
  readonly iv: Uint8Array
  readonly iterations: number
}

/** A key that asks for more work than this is an attack on the processor, not protection. */
const maxIterations = 5_000_000

const ids = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  hmacWithSha1: '1.2.840.113549.2.7',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const

const digests = new Map<string, string>([
  [ids.hmacWithSha1, 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  [ids.hmacWithSha256, 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
])

interface Cipher {
  readonly name: string
  readonly keyOctets: number
  readonly ivOctets: number
}

const ciphers = new Map<string, Cipher>([
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyOctets: 24, ivOctets: 8 }],
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyOctets: 16, ivOctets: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyOctets: 24, ivOctets: 16 }],
  [ids.aes256Cbc, { name: 'aes-256-cbc', keyOctets: 32, ivOctets: 16 }],
])

const derive = promisify(pbkdf2)

/** DER EncryptedPrivateKeyInfo: PBKDF2 with HMAC-SHA256 on the thread pool, AES-256-CBC. PEM label `ENCRYPTED PRIVATE KEY`. */
export const encryptPrivateKey = async (
  pkcs8: Uint8Array,
  passphrase: string,
  { salt, iv, iterations }: EncryptionParameters,
): Promise<Uint8Array> => {
  if (salt.length < 8 || salt.length > 64 || iv.length !== 16)
    throw new KeyError('The salt or the IV has a wrong length.')
  if (!Number.isSafeInteger(iterations) || iterations < 1 || iterations > maxIterations)
    throw new KeyError(`The number of iterations is not between 1 and ${maxIterations}.`)
  const key = await derive(passphrase, salt, iterations, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()])
  const kdf = sequence(
    oid(ids.pbkdf2),
    sequence(octetString(salt), integer(iterations), sequence(oid(ids.hmacWithSha256), nullValue)),
  )
  const scheme = sequence(oid(ids.pbes2), sequence(kdf, sequence(oid(ids.aes256Cbc), octetString(iv))))
  return sequence(scheme, octetString(encrypted))
}

/**
 * PKCS#8 DER of an EncryptedPrivateKeyInfo with PBES2, PBKDF2 and AES-CBC or 3DES-CBC, in the normal form of
 * decodePrivateKey. Rejects with WrongPassphrase, or with KeyError where the encryption is another one.
 */
export const decryptPrivateKey = async (der: Uint8Array, passphrase: string): Promise<Uint8Array> => {
  const { salt, iterations, digest, cipher, iv, encrypted } = readEncrypted(der)
  const key = await derive(passphrase, salt, iterations, cipher.keyOctets, digest)
  try {
    const decipher = createDecipheriv(cipher.name, key, iv)
    return decodePrivateKey(new Uint8Array(Buffer.concat([decipher.update(encrypted), decipher.final()])))
  } catch {
    throw new WrongPassphrase()
  }
}

interface Encrypted extends EncryptionParameters {
  readonly digest: string
  readonly cipher: Cipher
  readonly encrypted: Uint8Array
}

const readEncrypted = (der: Uint8Array): Encrypted => {
  try {
    const [scheme, encrypted] = members(readOnly(der, Tag.sequence), 2)
    const [kind, parameters] = algorithm(scheme)
    if (kind !== ids.pbes2)
      throw new KeyError(`The private key is encrypted by ${kind}; convert it with "openssl pkcs8 -topk8" (PBES2).`)
    const [kdf, encryption] = members(parameters, 2)
    const [kdfKind, kdfParameters] = algorithm(kdf)
    if (kdfKind !== ids.pbkdf2)
      throw new KeyError(
        `The key derivation ${kdfKind === ids.scrypt ? 'scrypt' : kdfKind} of the private key is not supported; convert it to PBKDF2.`,
      )
    const [cipherKind, iv] = algorithm(encryption)
    const cipher = ciphers.get(cipherKind)
    if (cipher === undefined) throw new KeyError(`The cipher ${cipherKind} of the private key is not supported.`)
    if (expectTag(iv, Tag.octetString).contents.length !== cipher.ivOctets)
      throw new DerError('the IV has a wrong length')
    return {
      ...readPbkdf2(kdfParameters, cipher),
      cipher,
      iv: iv.contents,
      encrypted: expectTag(encrypted, Tag.octetString).contents,
    }
  } catch (error) {
    if (error instanceof DerError) throw new KeyError(`The encrypted private key cannot be read: ${error.message}.`)
    throw error
  }
}

const readPbkdf2 = (parameters: Element, cipher: Cipher): Pick<Encrypted, 'salt' | 'iterations' | 'digest'> => {
  const [salt, count, ...optional] = children(expectTag(parameters, Tag.sequence))
  if (salt === undefined || count === undefined) throw new DerError('the key derivation has no salt or count')
  const iterations = readSmallInteger(count)
  if (iterations < 1 || iterations > maxIterations)
    throw new KeyError(`The private key asks for ${iterations} iterations; at most ${maxIterations} are accepted.`)
  const keyLength = optional.find(({ tag }) => tag === Tag.integer)
  if (keyLength !== undefined && readSmallInteger(keyLength) !== cipher.keyOctets)
    throw new DerError('the key derivation has a wrong key length')
  const prf = optional.find(({ tag }) => tag === Tag.sequence)
  const [prfKind] = prf === undefined ? [ids.hmacWithSha1] : [readOid(members(prf, 1)[0])]
  const digest = digests.get(prfKind)
  if (digest === undefined)
    throw new KeyError(`The key derivation of the private key uses ${prfKind}, which is not supported.`)
  return { salt: expectTag(salt, Tag.octetString).contents, iterations, digest }
}

const algorithm = (element: Element): [string, Element] => {
  const [kind, parameters] = members(element, 2)
  return [readOid(kind), parameters]
}

/** At least `count` members of a SEQUENCE. */
function members(element: Element, count: 1): [Element]
function members(element: Element, count: 2): [Element, Element]
function members(element: Element, count: number): Element[] {
  const found = children(expectTag(element, Tag.sequence))
  if (found.length < count) throw new DerError('a part is missing')
  return found
}
