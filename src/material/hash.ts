import { createHash, createHmac, hash, pbkdf2Sync } from 'node:crypto'
import { decodePrivateKey } from '../pki/keys/keys.ts'
import { fingerprintOf } from './aliases.ts'
import type { EncodeSettings, Ingredient, Ingredients, OutputItem } from './content-table.ts'
import { contents, effectiveChoices } from './content-table.ts'

/** Raise it when a writer starts to make other bytes from the same input: every Secret is then encoded once more. */
export const formatVersion = 1

/**
 * Ties the password to the hash without giving it away: the hash stands in an annotation, which more people may read
 * than the Secret's data. The private key is taken in its normal form, because it may come back from any encoding.
 * Without a private key to key it with, guessing costs as much per try as at the store itself.
 */
const passwordMark = (password: string, { privateKey, certificate }: Ingredients): string =>
  privateKey === undefined
    ? pbkdf2Sync(password, hash('sha256', certificate, 'buffer'), 10_000, 32, 'sha256').toString('hex')
    : createHmac('sha256', hash('sha256', decodePrivateKey(privateKey), 'buffer'))
        .update(password, 'utf8')
        .digest('hex')

const marks: Readonly<Record<Ingredient, (from: Ingredients) => unknown>> = {
  certificate: ({ certificate }) => fingerprintOf(certificate),
  chain: ({ chain }) => chain.map(fingerprintOf),
  authority: ({ authority }) => fingerprintOf(authority),
  trust: ({ trust }) => trust.map(fingerprintOf),
  // The certificate names its public key, and the private key belongs to that.
  privateKey: ({ privateKey }) => privateKey !== undefined,
  password: (from) => (from.password === undefined ? false : passwordMark(from.password, from)),
  revocationList: ({ revocationList }) => (revocationList === undefined ? false : fingerprintOf(revocationList)),
  // Its certificate does not always stand in the same Secret, but names the key all the same.
  authorityPrivateKey: ({ authority, authorityPrivateKey }) =>
    authorityPrivateKey !== undefined && fingerprintOf(authority),
}

/**
 * SHA-256, hex, of everything the bytes of a Secret depend on. Equal hash: the stored bytes are still right and stay,
 * although encoding anew would give others (keystores are salted). Another hash with the same leaf: encode again, issue
 * nothing. In it, as versioned canonical JSON:
 * - the version of the writers;
 * - each item with the alias, PKCS#12 profile and key encoding that count for it, defaults filled in; sorted by key,
 *   because the order of a Secret's keys means nothing;
 * - the leaf, always, and of the other ingredients those that some item uses: fingerprints of chain, authority, trust
 *   (their order counts) and revocation list, and a keyed digest of the password.
 * A new CA to trust therefore leaves a Secret without any truststore or bundle alone, and so does a new default profile
 * one without PKCS#12.
 */
export const inputsHash = (
  items: readonly OutputItem[],
  ingredients: Ingredients,
  settings: EncodeSettings,
): string => {
  const used = new Set<Ingredient>(['certificate', ...items.flatMap((item) => contents[item.content].uses)])
  const described = items
    .map((item) => {
      const { alias = null, pkcs12Profile = null, encoding = null } = effectiveChoices(item, settings)
      return [item.key, item.content, alias, pkcs12Profile, encoding]
    })
    .toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
  const from = [...used].toSorted().map((name) => [name, marks[name](ingredients)])
  return hash('sha256', JSON.stringify([formatVersion, described, from]), 'hex')
}

const length = (size: number): Uint8Array => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(size)
  return out
}

/**
 * SHA-256, hex, of a Secret's data as it was written: tells whether someone changed it since. Keys in order, each key
 * and value behind its length, so that no two Secrets share a hash by moving bytes between keys.
 */
export const dataHash = (data: ReadonlyMap<string, Uint8Array>): string => {
  const digest = createHash('sha256')
  for (const key of [...data.keys()].toSorted()) {
    const name = Buffer.from(key, 'utf8')
    const value = data.get(key) ?? new Uint8Array()
    digest.update(length(name.length)).update(name).update(length(value.length)).update(value)
  }
  return digest.digest('hex')
}
