import { createHmac, hash } from 'node:crypto'
import {
  bmpString,
  contextConstructed,
  contextPrimitive,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
} from '../pki/encoding/der.ts'
import type { Pkcs12Profile } from './pkcs12-encryption.ts'
import type { KeyEntry, Random, TrustedEntry } from './keystore.ts'
import { profiles } from './pkcs12-encryption.ts'
import { derivePkcs12, KdfPurpose } from '../pki/keys/pkcs12-kdf.ts'
import { Oid } from './pkcs12-oids.ts'
import { checkEntries } from './entries.ts'

export type { Pkcs12Profile } from './pkcs12-encryption.ts'

export interface Pkcs12Input {
  readonly key?: KeyEntry
  readonly trusted?: readonly TrustedEntry[]
  /** ASCII: PBES2 takes UTF-8, the MAC UTF-16, and readers differ over everything else. */
  readonly password: string
  readonly profile: Pkcs12Profile
  /** Default 10,000 (Modern2023), 2,048 (LegacyDES). Each reader pays it up to three times at each start. */
  readonly iterations?: number
  readonly random: Random
}

const attribute = (name: string, value: Uint8Array): Uint8Array => sequence(oid(name), setOf(value))
const friendlyName = (alias: string): Uint8Array => attribute(Oid.friendlyName, bmpString(alias))

const bag = (type: string, value: Uint8Array, ...attributes: readonly Uint8Array[]): Uint8Array =>
  attributes.length === 0
    ? sequence(oid(type), contextConstructed(0, value))
    : sequence(oid(type), contextConstructed(0, value), setOf(...attributes))

const certBag = (certificate: Uint8Array, ...attributes: readonly Uint8Array[]): Uint8Array =>
  bag(Oid.certBag, sequence(oid(Oid.x509Certificate), contextConstructed(0, octetString(certificate))), ...attributes)

/** ContentInfo of type data (RFC 2315 §8). */
const data = (contents: Uint8Array): Uint8Array => sequence(oid(Oid.data), contextConstructed(0, octetString(contents)))

/** Binds the key to its leaf; any value will do as long as both bags carry the same. */
const localKeyId = (leaf: Uint8Array): Uint8Array =>
  attribute(Oid.localKeyId, octetString(hash('sha256', leaf, 'buffer').subarray(0, 20)))

const certificateBags = (key: KeyEntry | undefined, trusted: readonly TrustedEntry[]): Uint8Array[] => {
  const bags: Uint8Array[] = []
  const [leaf, ...intermediates] = key?.chain ?? []
  if (key && leaf) bags.push(certBag(leaf, friendlyName(key.alias), localKeyId(leaf)))
  for (const certificate of intermediates) bags.push(certBag(certificate))
  const trust = attribute(Oid.javaTrustedKeyUsage, oid(Oid.anyExtendedKeyUsage))
  for (const { alias, certificate } of trusted)
    bags.push(certBag(certificate, friendlyName(alias.toLowerCase()), trust))
  return bags
}

const macData = async (authenticatedSafe: Uint8Array, input: Pkcs12Input, iterations: number): Promise<Uint8Array> => {
  const { macHash, macOid } = profiles[input.profile]
  const salt = input.random(20)
  const size = macHash === 'sha1' ? 20 : 32
  const { password } = input
  const key = await derivePkcs12({ hash: macHash, purpose: KdfPurpose.mac, password, salt, iterations, size })
  const mac = createHmac(macHash, key).update(authenticatedSafe).digest()
  return sequence(sequence(sequence(oid(macOid), nullValue), octetString(mac)), octetString(salt), integer(iterations))
}

/** writePkcs12 without its checks: tests show with it what happens to readers of stores that it refuses. */
export const encodePkcs12 = async (input: Pkcs12Input): Promise<Uint8Array> => {
  const { key, trusted = [], password, random } = input
  const profile = profiles[input.profile]
  const iterations = input.iterations ?? profile.iterations
  const certificates = sequence(...certificateBags(key, trusted))
  const safe = await profile.encrypt(certificates, password, iterations, random)
  const contents = [
    sequence(
      oid(Oid.encryptedData),
      contextConstructed(
        0,
        sequence(integer(0), sequence(oid(Oid.data), safe.algorithm, contextPrimitive(0, safe.ciphertext))),
      ),
    ),
  ]
  const [leaf] = key?.chain ?? []
  if (key && leaf) {
    const shrouded = await profile.encrypt(key.pkcs8, password, iterations, random)
    const info = sequence(shrouded.algorithm, octetString(shrouded.ciphertext))
    contents.push(data(sequence(bag(Oid.shroudedKeyBag, info, friendlyName(key.alias), localKeyId(leaf)))))
  }
  const authenticatedSafe = sequence(...contents)
  return sequence(integer(3), data(authenticatedSafe), await macData(authenticatedSafe, input, iterations))
}

/**
 * A PKCS#12 store (RFC 7292), DER, for one key with its chain, trusted certificates, or both. Certificates are
 * encrypted first, then the key: the order in which OpenSSL and Java write them. Trusted entries get lower-case
 * aliases and Java's attribute, without which Java sees an empty store.
 * Throws KeystoreError `Unwritable` for entries that some reader would lose.
 */
export const writePkcs12 = async (input: Pkcs12Input): Promise<Uint8Array> => {
  checkEntries(input.key, input.trusted ?? [], input.password)
  return encodePkcs12(input)
}
