/**
 * Password-based encryption of PKCS#12 bags: PBES2 (RFC 8018 §6.2) and pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292
 * appendix C). 3DES comes from node:crypto, because the platform's WebCrypto does not have it.
 */
import { createCipheriv } from 'node:crypto'
import type { Element } from '../pki/encoding/der.ts'
import {
  children,
  concat,
  expectTag,
  integer,
  octetString,
  oid,
  readOid,
  readSmallInteger,
  sequence,
  Tag,
} from '../pki/encoding/der.ts'
import { decryptCbc, decryptPbes2, encryptPbes2, pbes2, readPbes2, UnsupportedEncryption } from '../pki/keys/pbes2.ts'
import type { Random } from './keystore.ts'
import { KeystoreError } from './keystore.ts'
import { derivePkcs12, KdfPurpose } from '../pki/keys/pkcs12-kdf.ts'
import { Oid } from './pkcs12-oids.ts'

export type Pkcs12Profile = 'Modern2023' | 'LegacyDES'

export interface Encrypted {
  /** DER AlgorithmIdentifier. */
  readonly algorithm: Uint8Array
  readonly ciphertext: Uint8Array
}

type Encrypt = (plaintext: Uint8Array, password: string, iterations: number, random: Random) => Promise<Encrypted>

const encryptAes: Encrypt = (plaintext, password, iterations, random) =>
  encryptPbes2(plaintext, password, { salt: random(16), iv: random(16), iterations })

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
  Modern2023: { encrypt: encryptAes, macHash: 'sha256', macOid: Oid.sha256, iterations: 10_000 },
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
  spend(iterations, budget)
  return iterations
}

const spend = (iterations: number, budget: IterationBudget): void => {
  budget.left -= iterations
  if (budget.left < 0) throw new KeystoreError('Malformed', 'the keystore asks for too many iterations')
}

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

type Open = (ciphertext: Uint8Array, password: string) => Promise<Uint8Array | undefined>

/** Reads how something is encrypted, and pays for the work of opening it. */
const opener = (algorithm: Element, budget: IterationBudget): Open => {
  const scheme = members(algorithm)
  const name = readOid(scheme.at(0))
  if (name === pbes2) {
    const parameters = readPbes2(scheme.at(1))
    spend(parameters.iterations, budget)
    return (ciphertext, password) => decryptPbes2(parameters, ciphertext, password)
  }
  if (name !== Oid.pbeSha3Des) throw new UnsupportedEncryption(`the scheme ${name}`)
  const parameters = members(scheme.at(1))
  const salt = expectTag(parameters.at(0), Tag.octetString).contents
  const iterations = spendIterations(parameters.at(1), budget)
  return async (ciphertext, password) => {
    const { key, iv } = await tripleDesKey(password, salt, iterations)
    return decryptCbc('des-ede3-cbc', key, iv, ciphertext)
  }
}

const openerOf = (algorithm: Element, budget: IterationBudget): Open => {
  try {
    return opener(algorithm, budget)
  } catch (error) {
    if (!(error instanceof UnsupportedEncryption)) throw error
    throw new KeystoreError('Malformed', `the keystore is encrypted with ${error.what}, which is not supported`)
  }
}

/** Decrypts what `algorithm` (an AlgorithmIdentifier) encrypted. Throws KeystoreError or DerError. */
export const decrypt = async (
  algorithm: Element,
  ciphertext: Uint8Array,
  password: string,
  budget: IterationBudget,
): Promise<Uint8Array> => {
  const plaintext = await openerOf(algorithm, budget)(ciphertext, password)
  if (plaintext === undefined)
    throw new KeystoreError('WrongPassword', 'a part of the keystore is encrypted under another password')
  return plaintext
}
