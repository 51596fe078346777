/** What every keystore format asks of its entries, checked before anything is encrypted. */
import { children, DerError, readOnly, Tag } from '../pki/encoding/der.ts'
import { aliasProblem } from './aliases.ts'
import type { KeyEntry, TrustedEntry } from './keystore.ts'
import { KeystoreError } from './keystore.ts'
import { passwordProblem } from './passwords.ts'

/** True for PrivateKeyInfo (RFC 5208 §5); SEC1 and PKCS#1 keys have no AlgorithmIdentifier in second place. */
const isPkcs8 = (der: Uint8Array): boolean => {
  try {
    const [version, algorithm, key] = children(readOnly(der, Tag.sequence))
    return version?.tag === Tag.integer && algorithm?.tag === Tag.sequence && key?.tag === Tag.octetString
  } catch (error) {
    if (error instanceof DerError) return false
    throw error
  }
}

/** An alias of a manifest and, after it, as much of a fingerprint as there is. */
const maxEntryAlias = 256

const unwritable = (message: string): KeystoreError => new KeystoreError('Unwritable', message)

/** Throws KeystoreError `Unwritable` for entries that some reader would refuse or lose without a word. */
export const checkEntries = (key: KeyEntry | undefined, trusted: readonly TrustedEntry[], password: string): void => {
  if (!key && trusted.length === 0) throw unwritable('a keystore needs a key or at least one trusted certificate')
  const badPassword = passwordProblem(password)
  if (badPassword !== undefined) throw unwritable(`the keystore password cannot be used: ${badPassword}`)
  if (key?.chain.length === 0) throw unwritable('the key of a keystore needs its certificate')
  // Java opens a JKS with a SEC1 key and then says "corrupt private key".
  if (key && !isPkcs8(key.pkcs8)) throw unwritable('the key of a keystore must be PKCS#8')
  // Java keeps entries by lower-case alias: of two equal ones it silently loses one.
  const seen = new Set<string>()
  for (const alias of [...(key ? [key.alias] : []), ...trusted.map((entry) => entry.alias)]) {
    const problem = aliasProblem(alias, maxEntryAlias)
    if (problem !== undefined) throw unwritable(`the alias "${alias}" cannot be used: ${problem}`)
    if (seen.has(alias.toLowerCase())) throw unwritable(`the alias "${alias}" is used by two entries of one keystore`)
    seen.add(alias.toLowerCase())
  }
}
