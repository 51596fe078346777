/**
 * A private key that somebody brings along, as PEM in any of the forms that tools write: PKCS#8, PKCS#1 and SEC1, plain or
 * under a passphrase. Messages are sentences and never hold a byte of it.
 */

import { createECDH } from 'node:crypto'
import {
  children,
  DerError,
  type Element,
  expectTag,
  readBitString,
  readOnly,
  readUnsignedInteger,
  Tag,
} from '../encoding/der.ts'
import { decodePrivateKey, encodePrivateKey, KeyError, spkiOf } from '../keys/encodings.ts'
import { decryptPrivateKey, openedKey, WrongPassphrase } from '../keys/encryption.ts'
import { algorithmOfSpki } from '../keys/keys.ts'
import { decryptLegacy, decryptTraditional } from './key-encryption.ts'
import { pbes2, readAlgorithm, UnsupportedEncryption } from '../keys/pbes2.ts'
import { decodePem, type PemBlock, PemError } from '../encoding/pem.ts'
import { publicKeyProblem } from '../keys/weak-keys.ts'

/** The key is encrypted, and nothing was given to open it with. */
export class PassphraseMissing extends KeyError {
  override readonly name: string = 'PassphraseMissing'
  constructor() {
    super('The private key is encrypted, and no passphrase is given.')
  }
}

/** The key can be read, and is too weak, or of a kind that nothing is signed with. */
export class UnfitKey extends KeyError {
  override readonly name: string = 'UnfitKey'
}

export interface ImportedKey {
  /** DER PrivateKeyInfo in the normal form of decodePrivateKey. */
  readonly pkcs8: Uint8Array
  /** DER SubjectPublicKeyInfo, computed from the private half. */
  readonly spki: Uint8Array
  readonly encrypted: boolean
}

/**
 * Reads the one private key of `pem`; parameters and certificates beside it are passed over. Passphrases are tried in
 * order, where the key is encrypted. Rejects with KeyError: WrongPassphrase, PassphraseMissing, UnfitKey, or what else is wrong.
 */
export const importPrivateKey = async (pem: Uint8Array, passphrases: readonly string[]): Promise<ImportedKey> => {
  const block = keyBlock(pem)
  const encrypted = isEncrypted(block)
  const pkcs8 = encrypted ? await opened(block, passphrases) : decodePrivateKey(block.der)
  const spki = spkiOf(pkcs8)
  const unfit = publicKeyProblem(spki)
  if (unfit !== undefined) throw new UnfitKey(unfit)
  const problem = halvesProblem(pkcs8, spki)
  if (problem !== undefined) throw new KeyError(problem)
  return { pkcs8, spki, encrypted }
}

/** Kinds of keys that have a form of their own, and what can be done about them. */
const foreign: ReadonlyMap<string, string> = new Map([
  ['DSA PRIVATE KEY', 'The private key is a DSA key; RSA, EC and Ed25519 keys are supported.'],
  [
    'OPENSSH PRIVATE KEY',
    'The private key is in OpenSSH\'s own form; convert a copy of it with "ssh-keygen -p -m PKCS8 -f FILE".',
  ],
])

const keyBlock = (pem: Uint8Array): PemBlock => {
  const blocks = blocksOf(pem).filter(({ label }) => label.endsWith('PRIVATE KEY'))
  const [block] = blocks
  if (block === undefined)
    throw new KeyError(
      pem[0] === 0x30
        ? 'The private key is DER and not PEM; convert it with "openssl pkey -inform DER -in FILE".'
        : 'The text holds no PEM private key.',
    )
  if (blocks.length > 1) throw new KeyError('The text holds more than one private key; keep one.')
  const refusal = foreign.get(block.label)
  if (refusal !== undefined) throw new KeyError(refusal)
  return block
}

const blocksOf = (pem: Uint8Array): PemBlock[] => {
  try {
    return decodePem(Buffer.from(pem).toString('utf8'), { headers: true })
  } catch (error) {
    // Without the label: who looks for leaked keys looks for its words.
    if (error instanceof PemError)
      throw new KeyError(`The private key cannot be read: ${error.message.replace(/ \([A-Z0-9 ]+\)/, '')}.`)
    throw error
  }
}

const isEncrypted = ({ label, headers }: PemBlock): boolean =>
  headers !== undefined || label === 'ENCRYPTED PRIVATE KEY'

const opened = async (block: PemBlock, passphrases: readonly string[]): Promise<Uint8Array> => {
  if (passphrases.length === 0) throw new PassphraseMissing()
  for (const passphrase of passphrases) {
    try {
      return await openedWith(block, passphrase)
    } catch (error) {
      if (!(error instanceof WrongPassphrase)) throw explained(error)
    }
  }
  throw new WrongPassphrase()
}

const openedWith = async ({ der, headers }: PemBlock, passphrase: string): Promise<Uint8Array> => {
  if (headers !== undefined) return openedKey(decryptTraditional(headers, der, passphrase))
  const [algorithm, ciphertext] = children(readOnly(der, Tag.sequence))
  if (algorithm === undefined || ciphertext === undefined) throw new DerError('a part is missing')
  const [kind, parameters] = readAlgorithm(algorithm)
  if (kind === pbes2) return decryptPrivateKey(der, passphrase)
  return openedKey(await decryptLegacy(kind, parameters, expectTag(ciphertext, Tag.octetString).contents, passphrase))
}

const explained = (error: unknown): unknown => {
  if (error instanceof UnsupportedEncryption)
    return new KeyError(
      `The private key is encrypted with ${error.what}, which is not supported; convert it with "openssl pkcs8 -topk8" (PBES2, PBKDF2, AES).`,
    )
  return error instanceof DerError ? new KeyError(`The encrypted private key cannot be read: ${error.message}.`) : error
}

/**
 * A file can name a public half that is not the one of its private half: OpenSSL believes it, the key passes for that of
 * the certificate, and what it signs verifies nowhere.
 */
const halvesProblem = (pkcs8: Uint8Array, spki: Uint8Array): string | undefined => {
  try {
    const algorithm = algorithmOfSpki(spki)
    if (algorithm?.algorithm === 'RSA') return rsaProblem(encodePrivateKey(pkcs8, 'PKCS1').der)
    return algorithm?.algorithm === 'ECDSA' ? ecProblem(pkcs8, spki, algorithm.size) : undefined
  } catch (error) {
    if (error instanceof KeyError || error instanceof DerError) return `The private key is malformed: ${error.message}`
    return 'The private key is malformed: it is no number of its curve.'
  }
}

const curveNames = { 256: 'prime256v1', 384: 'secp384r1', 521: 'secp521r1' } as const

const ecProblem = (pkcs8: Uint8Array, spki: Uint8Array, size: 256 | 384 | 521): string | undefined => {
  const [, scalar] = children(readOnly(encodePrivateKey(pkcs8, 'SEC1').der, Tag.sequence))
  const half = createECDH(curveNames[size])
  half.setPrivateKey(expectTag(scalar as Element, Tag.octetString).contents)
  const bits = children(readOnly(spki, Tag.sequence))[1]
  return bits !== undefined && half.getPublicKey().equals(readBitString(bits))
    ? undefined
    : 'The private key is damaged: its public half belongs to another key.'
}

/** RFC 8017 §3.2: n = p·q, and e·d ≡ 1 modulo p − 1 and q − 1. */
const rsaProblem = (rsaPrivateKey: Uint8Array): string | undefined => {
  const numbers = children(readOnly(rsaPrivateKey, Tag.sequence)).map((element) =>
    BigInt(`0x${Buffer.from(readUnsignedInteger(element)).toString('hex')}`),
  )
  const [, n = 0n, e = 0n, d = 0n, p = 0n, q = 0n] = numbers
  const fits = p > 1n && q > 1n && p * q === n && (e * d) % (p - 1n) === 1n && (e * d) % (q - 1n) === 1n
  return fits ? undefined : 'The private key is damaged: the numbers of the RSA key do not belong together.'
}
