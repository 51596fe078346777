/** Requests for the tests, honest and forged. Not imported by the program. */

import { createPrivateKey, sign } from 'node:crypto'
import {
  bitString,
  boolean,
  contextConstructed,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
} from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { distinguishedName } from '../names/names.ts'

export const extension = (id: string, value: Uint8Array, critical = false): Uint8Array =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value))

export const attribute = (id: string, ...values: Uint8Array[]): Uint8Array => sequence(oid(id), setOf(...values))

export const extensionRequest = (...extensions: Uint8Array[]): Uint8Array =>
  attribute('1.2.840.113549.1.9.14', sequence(...extensions))

const identifiers = {
  RSA: sequence(oid('1.2.840.113549.1.1.11'), nullValue),
  ECDSA: sequence(oid('1.2.840.10045.4.3.2')),
  Ed25519: sequence(oid('1.3.101.112')),
}

export interface RequestChanges {
  readonly version?: number
  readonly subject?: Uint8Array
  readonly spki?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
  readonly attributes?: readonly Uint8Array[]
  readonly identifier?: Uint8Array
  readonly hash?: string | null
  readonly signature?: (signature: Uint8Array) => Uint8Array
}

/** DER of a request that `key` signs, whatever it says. */
export const makeRequest = (key: KeyPair, changes: RequestChanges = {}): Uint8Array => {
  const { extensions = [], attributes = extensions.length === 0 ? [] : [extensionRequest(...extensions)] } = changes
  const info = sequence(
    integer(changes.version ?? 0),
    changes.subject ?? distinguishedName({ commonName: 'orders' }),
    changes.spki ?? key.spki,
    contextConstructed(0, ...attributes),
  )
  const { algorithm } = key.algorithm
  const hash = changes.hash === undefined ? (algorithm === 'Ed25519' ? null : 'sha256') : changes.hash
  const privateKey = createPrivateKey({ key: Buffer.from(key.pkcs8), format: 'der', type: 'pkcs8' })
  const signature = new Uint8Array(sign(hash, info, privateKey))
  return sequence(
    info,
    changes.identifier ?? identifiers[algorithm],
    bitString(changes.signature === undefined ? signature : changes.signature(signature)),
  )
}
