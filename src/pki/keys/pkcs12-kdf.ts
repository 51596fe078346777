/** Key derivations that are a loop over a hash: PKCS#12 (RFC 7292 appendix B.2), and PBKDF1 by way of `hashOver`. */

import { hash } from 'node:crypto'
import { setImmediate as letOthersRun } from 'node:timers/promises'
import { concat } from '../encoding/der.ts'

/** RFC 7292 appendix B.3: what the derived bytes are for. */
export const KdfPurpose = { key: 1, iv: 2, mac: 3 } as const

export interface KdfParameters {
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  readonly purpose: (typeof KdfPurpose)[keyof typeof KdfPurpose]
  readonly password: string
  readonly salt: Uint8Array
  readonly iterations: number
  /** Octets wanted. */
  readonly size: number
}

/**
 * No function of node:crypto does this derivation on its thread pool: other work gets its turn after each slice of this
 * many hashes, which is well below a millisecond.
 */
const hashesPerSlice = 1000

/** BMPString with two zero octets at the end (RFC 7292 appendix B.1). */
const bmpPassword = (password: string): Uint8Array => Buffer.from(`${password}\0`, 'utf16le').swap16()

/** `pattern` over and over, as many whole blocks of `block` octets as it needs; nothing for an empty pattern. */
const repeated = (pattern: Uint8Array, block: number): Uint8Array => {
  const out = new Uint8Array(block * Math.ceil(pattern.length / block))
  for (let i = 0; i < out.length; i += 1) out[i] = pattern[i % pattern.length] ?? 0
  return out
}

/** Each block of `state` plus `addend` plus one, modulo 2^(8·block) (RFC 7292 appendix B.2, step 6C). */
const advance = (state: Uint8Array, addend: Uint8Array): void => {
  for (let start = 0; start < state.length; start += addend.length) {
    let carry = 1
    for (let i = addend.length - 1; i >= 0; i -= 1) {
      carry += (state[start + i] ?? 0) + (addend[i] ?? 0)
      state[start + i] = carry & 0xff
      carry >>= 8
    }
  }
}

/** The hash of the hash of … `input`, `iterations` times: also what PBKDF1 derives (RFC 8018 §5.1). */
export const hashOver = async (
  algorithm: KdfParameters['hash'] | 'md5',
  input: Uint8Array,
  iterations: number,
): Promise<Uint8Array> => {
  const digest = hash(algorithm, input, 'buffer')
  for (let done = 1; done < iterations; done += 1) {
    if (done % hashesPerSlice === 0) await letOthersRun()
    // As a string of one character an octet a digest costs a third of a new Buffer for each, most of which is its birth.
    digest.write(hash(algorithm, digest, 'binary'), 'binary')
  }
  return digest
}

/** The key derivation of PKCS#12, RFC 7292 appendix B.2. */
export const derivePkcs12 = async (parameters: KdfParameters): Promise<Uint8Array> => {
  const block = parameters.hash === 'sha1' || parameters.hash === 'sha256' ? 64 : 128
  const diversifier = new Uint8Array(block).fill(parameters.purpose)
  const state = concat([repeated(parameters.salt, block), repeated(bmpPassword(parameters.password), block)])
  const derived: Uint8Array[] = []
  for (let have = 0; have < parameters.size;) {
    const digest = await hashOver(parameters.hash, concat([diversifier, state]), parameters.iterations)
    derived.push(digest)
    have += digest.length
    if (have < parameters.size) advance(state, repeated(digest, block))
  }
  return concat(derived).subarray(0, parameters.size)
}
