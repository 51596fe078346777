/**
 * Password-based encryption of PKCS#12 bags: PBES2 (RFC 8018 §6.2) and pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292
 * appendix C). 3DES comes from node:crypto: the platform's WebCrypto does not have it, and @peculiar/webcrypto would
 * only call the same node:crypto function through one more layer.
 */
import { createCipheriv, createDecipheriv, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import type { Element } from '../pki/der.ts'
import {
  children,
  concat,
  expectTag,
  integer,
  nullValue,
  octetString,
  oid,
  readOid,
  readSmallInteger,
  sequence,
  Tag,
} from '../pki/der.ts'
import type { Random } from './keystore.ts'
import { KeystoreError } from './keystore.ts'
import { derivePkcs12, KdfPurpose } from './pkcs12-kdf.ts'
import { Oid } from './pkcs12-oids.ts'

const pbkdf2OnThreadPool = promisify(pbkdf2)

export type Pkcs12Profile = 'Modern2023' | 'LegacyDES'

export interface Encrypted {
  /** DER AlgorithmIdentifier. */
  readonly algorithm: Uint8Array
  readonly ciphertext: Uint8Array
}

type Encrypt = (plaintext: Uint8Array, password: string, iterations: number, random: Random) => Promise<Encrypted>

const encryptPbes2: Encrypt = async (plaintext, password, iterations, random) => {
  const salt = random(16)
  const iv = random(16)
  const key = await pbkdf2OnThreadPool(Buffer.from(password, 'utf8'), salt, iterations, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const ciphertext = concat([cipher.update(plaintext), cipher.final()])
  // The PRF is written out because its default is HMAC-SHA1, and with NULL because OpenSSL and Java expect it.
  const prf = sequence(oid(Oid.hmacSha256), nullValue)
  const derivation = sequence(oid(Oid.pbkdf2), sequence(octetString(salt), integer(iterations), prf))
  const scheme = sequence(oid(Oid.aes256Cbc), octetString(iv))
  return { algorithm: sequence(oid(Oid.pbes2), sequence(derivation, scheme)), ciphertext }
}

const tripleDesKey = async (password: string, salt: Uint8Array, iterations: number) => {
  const common = { hash: 'sha1', password, salt, iterations } as const
  const key = await derivePkcs12({ ...common, purpose: KdfPurpose.key, size: 24 })
  const iv = await derivePkcs12({ ...common, purpose: KdfPurpose.iv, size: 8 })
  return { key, iv }
}

const encryptTripleDes: Encrypt = async (plaintext, password, iterations, random) => {
  const salt = random(8)
  const { key, iv } = await tripleDesKey(password, salt, iterations)
  const cipher = createCipheriv('des-ede3-cbc', key, iv)
  const ciphertext = concat([cipher.update(plaintext), cipher.final()])
  return {
    algorithm: sequence(oid(Oid.pbeSha3Des), sequence(octetString(salt), integer(iterations))),
    ciphertext,
  }
}

/** How a profile encrypts bags, and with what it authenticates the store. */
export const profiles: Readonly<
  Record<Pkcs12Profile, { encrypt: Encrypt; macHash: 'sha1' | 'sha256'; macOid: string; iterations: number }>
> = {
  Modern2023: { encrypt: encryptPbes2, macHash: 'sha256', macOid: Oid.sha256, iterations: 10_000 },
  LegacyDES: { encrypt: encryptTripleDes, macHash: 'sha1', macOid: Oid.sha1, iterations: 2048 },
}

/** How many iterations one store may still cost its reader. */
export interface IterationBudget {
  left: number
}

/** Reads an iteration count and takes it from the budget, so that a hostile store cannot keep a processor busy. */
export const spendIterations = (element: Element, budget: IterationBudget): number => {
  const iterations = readSmallInteger(element)
  if (iterations === 0) throw new KeystoreError('Malformed', 'the keystore names an iteration count of zero')
  budget.left -= iterations
  if (budget.left < 0) throw new KeystoreError('Malformed', 'the keystore asks for too many iterations')
  return iterations
}

const ciphers: ReadonlyMap<string, { name: string; keySize: number }> = new Map([
  [Oid.aes128Cbc, { name: 'aes-128-cbc', keySize: 16 }],
  [Oid.aes192Cbc, { name: 'aes-192-cbc', keySize: 24 }],
  [Oid.aes256Cbc, { name: 'aes-256-cbc', keySize: 32 }],
  [Oid.desEde3Cbc, { name: 'des-ede3-cbc', keySize: 24 }],
])

const prfs: ReadonlyMap<string, string> = new Map([
  [Oid.hmacSha1, 'sha1'],
  [Oid.hmacSha256, 'sha256'],
  [Oid.hmacSha384, 'sha384'],
  [Oid.hmacSha512, 'sha512'],
])

/** The members of a SEQUENCE; `at(i)` throws where one is missing. */
export const members = (element: Element | undefined): { at(index: number): Element; rest: readonly Element[] } => {
  if (!element) throw new KeystoreError('Malformed', 'the keystore lacks a structure it must have')
  const rest = children(expectTag(element, Tag.sequence))
  return {
    rest,
    at: (index) => {
      const member = rest[index]
      if (!member) throw new KeystoreError('Malformed', 'the keystore lacks a value it must have')
      return member
    },
  }
}

const unsupported = (what: string): KeystoreError =>
  new KeystoreError('Malformed', `the keystore is encrypted with ${what}, which is not supported`)

const pbes2Key = async (parameters: Element, password: string, budget: IterationBudget) => {
  const [derivation, scheme] = [members(members(parameters).at(0)), members(members(parameters).at(1))]
  const kdf = readOid(derivation.at(0))
  if (kdf !== Oid.pbkdf2) throw unsupported(`key derivation ${kdf}`)
  const cipher = ciphers.get(readOid(scheme.at(0)))
  if (!cipher) throw unsupported(`cipher ${readOid(scheme.at(0))}`)
  const pbkdf2Parameters = members(derivation.at(1))
  const salt = expectTag(pbkdf2Parameters.at(0), Tag.octetString).contents
  const iterations = spendIterations(pbkdf2Parameters.at(1), budget)
  // keyLength is optional and stands before the PRF, which is optional, too.
  const prfElement = pbkdf2Parameters.rest.slice(2).find((member) => member.tag === Tag.sequence)
  const prfOid = prfElement ? readOid(members(prfElement).at(0)) : Oid.hmacSha1
  const prf = prfs.get(prfOid)
  if (prf === undefined) throw unsupported(`pseudo-random function ${prfOid}`)
  const key = await pbkdf2OnThreadPool(Buffer.from(password, 'utf8'), salt, iterations, cipher.keySize, prf)
  return { cipher: cipher.name, key, iv: expectTag(scheme.at(1), Tag.octetString).contents }
}

const contentKey = async (algorithm: Element, password: string, budget: IterationBudget) => {
  const scheme = members(algorithm)
  const name = readOid(scheme.at(0))
  if (name === Oid.pbes2) return pbes2Key(scheme.at(1), password, budget)
  if (name !== Oid.pbeSha3Des) throw unsupported(`scheme ${name}`)
  const parameters = members(scheme.at(1))
  const salt = expectTag(parameters.at(0), Tag.octetString).contents
  const { key, iv } = await tripleDesKey(password, salt, spendIterations(parameters.at(1), budget))
  return { cipher: 'des-ede3-cbc', key, iv }
}

/** Decrypts what `algorithm` (an AlgorithmIdentifier) encrypted. Throws KeystoreError. */
export const decrypt = async (
  algorithm: Element,
  ciphertext: Uint8Array,
  password: string,
  budget: IterationBudget,
): Promise<Uint8Array> => {
  const { cipher, key, iv } = await contentKey(algorithm, password, budget)
  if (iv.length !== (cipher === 'des-ede3-cbc' ? 8 : 16))
    throw new KeystoreError('Malformed', 'the keystore names an initialisation vector of the wrong size')
  try {
    const decipher = createDecipheriv(cipher, key, iv)
    return concat([decipher.update(ciphertext), decipher.final()])
  } catch {
    throw new KeystoreError('WrongPassword', 'a part of the keystore is encrypted under another password')
  }
}
