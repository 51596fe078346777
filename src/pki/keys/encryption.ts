/** Private keys under a passphrase: PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 §3) with PBES2. */

import { children, DerError, expectTag, octetString, readOnly, sequence, Tag } from '../encoding/der.ts'
import { decodePrivateKey, KeyError } from './encodings.ts'
import {
  decryptPbes2,
  encryptPbes2,
  type EncryptionParameters,
  type Pbes2,
  pbes2,
  readAlgorithm,
  readPbes2,
  UnsupportedEncryption,
} from './pbes2.ts'

/** The passphrase does not open the key. Also what a damaged ciphertext looks like: PBES2 has no integrity of its own. */
export class WrongPassphrase extends KeyError {
  override readonly name: string = 'WrongPassphrase'
  constructor() {
    super('The passphrase does not open the private key.')
  }
}

/** A key that asks for more work than this is an attack on the processor, not protection. */
const maxIterations = 5_000_000

/** DER EncryptedPrivateKeyInfo: PBKDF2 with HMAC-SHA256 on the thread pool, AES-256-CBC. PEM label `ENCRYPTED PRIVATE KEY`. */
export const encryptPrivateKey = async (
  pkcs8: Uint8Array,
  passphrase: string,
  parameters: EncryptionParameters,
): Promise<Uint8Array> => {
  const { salt, iv, iterations } = parameters
  if (salt.length < 8 || salt.length > 64 || iv.length !== 16)
    throw new KeyError('The salt or the IV has a wrong length.')
  if (!Number.isSafeInteger(iterations) || iterations < 1 || iterations > maxIterations)
    throw new KeyError(`The number of iterations is not between 1 and ${maxIterations}.`)
  const { algorithm, ciphertext } = await encryptPbes2(pkcs8, passphrase, parameters)
  return sequence(algorithm, octetString(ciphertext))
}

/**
 * PKCS#8 DER of an EncryptedPrivateKeyInfo with PBES2, PBKDF2 and AES-CBC or 3DES-CBC, in the normal form of
 * decodePrivateKey. Rejects with WrongPassphrase, or with KeyError where the encryption is another one.
 */
export const decryptPrivateKey = async (der: Uint8Array, passphrase: string): Promise<Uint8Array> => {
  const { parameters, ciphertext } = readEncrypted(der)
  if (parameters.iterations > maxIterations)
    throw new KeyError(
      `The private key asks for ${parameters.iterations} iterations; at most ${maxIterations} are accepted.`,
    )
  return openedKey(await decryptPbes2(parameters, ciphertext, passphrase))
}

/** PKCS#8 DER of what decryption gave. Throws WrongPassphrase, or KeyError where the key in it is none that is supported. */
export const openedKey = (plaintext: Uint8Array | undefined): Uint8Array => {
  // One wrong passphrase in 256 leaves something that looks like padding.
  if (plaintext === undefined || !isStructure(plaintext)) throw new WrongPassphrase()
  return decodePrivateKey(plaintext)
}

const isStructure = (bytes: Uint8Array): boolean => {
  try {
    return children(readOnly(bytes, Tag.sequence)).length > 1
  } catch {
    return false
  }
}

const readEncrypted = (der: Uint8Array): { readonly parameters: Pbes2; readonly ciphertext: Uint8Array } => {
  try {
    const [algorithm, ciphertext] = children(readOnly(der, Tag.sequence))
    if (algorithm === undefined || ciphertext === undefined) throw new DerError('a part is missing')
    const [kind, parameters] = readAlgorithm(algorithm)
    if (kind !== pbes2) throw new UnsupportedEncryption(`the scheme ${kind}`)
    return { parameters: readPbes2(parameters), ciphertext: expectTag(ciphertext, Tag.octetString).contents }
  } catch (error) {
    if (error instanceof DerError) throw new KeyError(`The encrypted private key cannot be read: ${error.message}.`)
    if (error instanceof UnsupportedEncryption)
      throw new KeyError(
        `The private key is encrypted with ${error.what}, which is not supported; ` +
          'convert it with "openssl pkcs8 -topk8" (PBES2, PBKDF2, AES).',
      )
    throw error
  }
}
