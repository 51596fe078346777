/** What a keystore holds, whatever its format, and what can be wrong with one. */

/** Draws `size` random bytes; salts and IVs come from it. */
export type Random = (size: number) => Uint8Array

export interface KeyEntry {
  readonly alias: string
  /** PrivateKeyInfo, DER (RFC 5208 §5). */
  readonly pkcs8: Uint8Array
  /** DER certificates, leaf first, without the root. */
  readonly chain: readonly Uint8Array[]
}

export interface TrustedEntry {
  readonly alias: string
  /** DER. */
  readonly certificate: Uint8Array
}

export interface Keystore {
  readonly keys: readonly KeyEntry[]
  readonly trusted: readonly TrustedEntry[]
}

/**
 * WrongPassword: the check value does not fit the password; a store altered in place looks the same.
 * Malformed: not a store of that format, or one that is beyond the limits.
 * Unwritable: the entries cannot be kept in a store so that every reader gets them back.
 */
export type KeystoreErrorReason = 'WrongPassword' | 'Malformed' | 'Unwritable'

export class KeystoreError extends Error {
  override readonly name = 'KeystoreError'
  readonly reason: KeystoreErrorReason
  constructor(reason: KeystoreErrorReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** A Secret holds 1 MiB at most; a store read from a file may be somewhat larger, and nothing sane is larger than this. */
export const maxKeystoreBytes = 8 * 1024 * 1024
