/**
 * Older ways to keep a private key under a passphrase, for keys that are brought along; nothing is written in them. PBES1
 * (RFC 8018 §6.1) and the schemes of PKCS#12 (RFC 7292 appendix C) wrap PKCS#8; the traditional form of OpenSSL
 * (RFC 1421 headers, EVP_BytesToKey with MD5) wraps PKCS#1 and SEC1.
 */

import { createHash } from 'node:crypto'
import { children, concat, DerError, type Element, expectTag, readSmallInteger, Tag } from '../encoding/der.ts'
import { decryptCbc, UnsupportedEncryption } from '../keys/pbes2.ts'
import { derivePkcs12, hashOver, KdfPurpose } from '../keys/pkcs12-kdf.ts'

/** These derivations run on the event loop, a slice at a time; OpenSSL writes 2048. */
const maxIterations = 1_000_000

/** Undefined where the passphrase does not open it. */
type Decrypt = (
  salt: Uint8Array,
  iterations: number,
  ciphertext: Uint8Array,
  passphrase: string,
) => Promise<Uint8Array | undefined>

/** Single DES is triple DES with one key three times; OpenSSL 3 no longer offers it by its own name. */
const tripled = (key: Uint8Array): Uint8Array => concat([key, key, key])

const des =
  (hash: 'md5' | 'sha1'): Decrypt =>
  async (salt, iterations, ciphertext, passphrase) => {
    const derived = await hashOver(hash, concat([Buffer.from(passphrase), salt]), iterations)
    return decryptCbc('des-ede3-cbc', tripled(derived.subarray(0, 8)), derived.subarray(8, 16), ciphertext)
  }

const tripleDes =
  (octets: 16 | 24): Decrypt =>
  async (salt, iterations, ciphertext, passphrase) => {
    const common = { hash: 'sha1', password: passphrase, salt, iterations } as const
    const key = await derivePkcs12({ ...common, purpose: KdfPurpose.key, size: octets })
    const iv = await derivePkcs12({ ...common, purpose: KdfPurpose.iv, size: 8 })
    return decryptCbc('des-ede3-cbc', octets === 24 ? key : concat([key, key.subarray(0, 8)]), iv, ciphertext)
  }

const schemes: ReadonlyMap<string, Decrypt | string> = new Map<string, Decrypt | string>([
  ['1.2.840.113549.1.5.1', 'PBE-MD2-DES'],
  ['1.2.840.113549.1.5.3', des('md5')],
  ['1.2.840.113549.1.5.4', 'PBE-MD2-RC2-64'],
  ['1.2.840.113549.1.5.6', 'PBE-MD5-RC2-64'],
  ['1.2.840.113549.1.5.10', des('sha1')],
  ['1.2.840.113549.1.5.11', 'PBE-SHA1-RC2-64'],
  ['1.2.840.113549.1.12.1.1', 'PBE-SHA1-RC4-128'],
  ['1.2.840.113549.1.12.1.2', 'PBE-SHA1-RC4-40'],
  ['1.2.840.113549.1.12.1.3', tripleDes(24)],
  ['1.2.840.113549.1.12.1.4', tripleDes(16)],
  ['1.2.840.113549.1.12.1.5', 'PBE-SHA1-RC2-128'],
  ['1.2.840.113549.1.12.1.6', 'PBE-SHA1-RC2-40'],
])

/**
 * Opens what the scheme `kind` with its parameters encrypted; undefined where the passphrase does not open it. Throws
 * UnsupportedEncryption, or DerError where the parameters are malformed.
 */
export const decryptLegacy = async (
  kind: string,
  parameters: Element,
  ciphertext: Uint8Array,
  passphrase: string,
): Promise<Uint8Array | undefined> => {
  const scheme = schemes.get(kind) ?? kind
  if (typeof scheme === 'string') throw new UnsupportedEncryption(`the scheme ${scheme}`)
  const [salt, count] = children(expectTag(parameters, Tag.sequence))
  if (salt === undefined || count === undefined) throw new DerError('a part is missing')
  const iterations = readSmallInteger(count)
  if (iterations < 1 || iterations > maxIterations)
    throw new DerError(`its number of iterations is not between 1 and ${maxIterations}`)
  return scheme(expectTag(salt, Tag.octetString).contents, iterations, ciphertext, passphrase)
}

interface TraditionalCipher {
  readonly cipher: string
  readonly keyOctets: number
  readonly ivOctets: number
}

const traditionalCiphers: ReadonlyMap<string, TraditionalCipher> = new Map([
  ['AES-128-CBC', { cipher: 'aes-128-cbc', keyOctets: 16, ivOctets: 16 }],
  ['AES-192-CBC', { cipher: 'aes-192-cbc', keyOctets: 24, ivOctets: 16 }],
  ['AES-256-CBC', { cipher: 'aes-256-cbc', keyOctets: 32, ivOctets: 16 }],
  ['DES-EDE3-CBC', { cipher: 'des-ede3-cbc', keyOctets: 24, ivOctets: 8 }],
  ['DES-CBC', { cipher: 'des-ede3-cbc', keyOctets: 8, ivOctets: 8 }],
])

/** A key under `Proc-Type: 4,ENCRYPTED`; undefined where the passphrase does not open it. Throws as decryptLegacy does. */
export const decryptTraditional = (
  headers: ReadonlyMap<string, string>,
  ciphertext: Uint8Array,
  passphrase: string,
): Uint8Array | undefined => {
  if (headers.get('Proc-Type')?.replaceAll(' ', '') !== '4,ENCRYPTED')
    throw new DerError('its headers are not those of an encrypted key')
  const [, name = '', hex = ''] = /^([A-Z0-9-]{3,32}),([0-9A-Fa-f]{0,64})$/.exec(headers.get('DEK-Info') ?? '') ?? []
  const found = traditionalCiphers.get(name)
  if (found === undefined) throw new UnsupportedEncryption(`the cipher ${name === '' ? 'of no name' : name}`)
  const iv = Buffer.from(hex, 'hex')
  if (iv.length !== found.ivOctets || hex.length !== 2 * found.ivOctets) throw new DerError('its IV has a wrong length')
  const key = bytesToKey(passphrase, iv.subarray(0, 8), found.keyOctets)
  return decryptCbc(found.cipher, name === 'DES-CBC' ? tripled(key) : key, iv, ciphertext)
}

/** EVP_BytesToKey with MD5 and one iteration. */
const bytesToKey = (passphrase: string, salt: Uint8Array, octets: number): Uint8Array => {
  let derived: Uint8Array = new Uint8Array()
  for (let last: Uint8Array = new Uint8Array(); derived.length < octets; derived = concat([derived, last]))
    last = createHash('md5').update(last).update(passphrase).update(salt).digest()
  return derived.subarray(0, octets)
}
