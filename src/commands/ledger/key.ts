/** The private key of a CA on its way into a folder: never without a passphrase unless somebody says so. */

import { randomBytes } from 'node:crypto'
import { decodePrivateKey, encryptPrivateKey, KeyError, spkiOf } from '../../pki/keys/keys.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { CommandError } from '../shared/failures.ts'
import type { Io } from '../shared/io.ts'
import { readPassphrase } from '../shared/passphrase.ts'

/** PBKDF2-HMAC-SHA256 iterations (OWASP 2023: at least 600,000). */
export const keyIterations = 600_000

/** `stored` is the PEM that the authority's Secret holds. Rejects with CommandError. */
export const exportedKey = async (
  io: Io,
  stored: string,
  { file, plain }: { readonly file: string | undefined; readonly plain: boolean },
): Promise<string> => {
  const block = blockOf(stored)
  if (block === undefined) throw new CommandError('the Secret of the authority holds no PEM private key')
  if (/ENCRYPTED/.test(block)) {
    if (file !== undefined || plain)
      throw new CommandError(
        'the private key is kept under the passphrase of the authority and stays under it: leave out --passphrase-file and --plain-key',
      )
    return `${block.replaceAll('\r\n', '\n')}\n`
  }
  const pkcs8 = decoded(block)
  if (plain) return encodePem('PRIVATE KEY', pkcs8)
  const passphrase = await readPassphrase(io, {
    file,
    prompt: 'A passphrase for the exported private key',
    confirm: true,
  })
  const parameters = { salt: randomBytes(16), iv: randomBytes(16), iterations: keyIterations }
  return encodePem('ENCRYPTED PRIVATE KEY', await encryptPrivateKey(pkcs8, passphrase, parameters))
}

/** SubjectPublicKeyInfo of the PEM private key in `stored`; undefined where it is encrypted, or none. Throws CommandError. */
export const openPublicKey = (stored: string): Uint8Array | undefined => {
  const block = blockOf(stored)
  return block === undefined || block.includes('ENCRYPTED') ? undefined : spkiOf(decoded(block))
}

const blockOf = (stored: string): string | undefined =>
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?-----END [A-Z0-9 ]*PRIVATE KEY-----/.exec(stored)?.[0]

const decoded = (block: string): Uint8Array => {
  try {
    return decodePrivateKey(block)
  } catch (error) {
    if (error instanceof KeyError) throw new CommandError(error.message, { cause: error })
    throw error
  }
}
