/** Names of keystore entries. */
import { hash } from 'node:crypto'

export const defaultKeyAlias = 'tls'
export const defaultTrustAlias = 'ca'

/**
 * A sentence about "it", or undefined. ASCII, because readers fold case by different rules outside of it; no blank at
 * either end, because configuration files lose it.
 */
export const aliasProblem = (alias: string, maxLength = 128): string | undefined => {
  if (alias.length === 0) return 'it is empty; give at least one character.'
  if (alias.length > maxLength) return `it has ${alias.length} characters; use at most ${maxLength}.`
  if (!/^[\x20-\x7e]*$/.test(alias))
    return 'it has a character that is not printable ASCII; use letters, digits and -_.'
  if (alias !== alias.trim()) return 'it begins or ends with a blank; remove it.'
  return undefined
}

/** Lower-case hex SHA-256 of a DER certificate. */
export const fingerprintOf = (certificate: Uint8Array): string => hash('sha256', certificate, 'hex')

/**
 * Aliases of trusted certificates, in the order of `roots`: `alias` for the current CA, `alias-<8 hex of its SHA-256
 * fingerprint>` for each other. Never by position or subject: during a rotation two CAs with one subject must both
 * stay, and neither may change its name because the other came. Should two fingerprints begin alike, both get more
 * digits. `roots` hold no certificate twice.
 */
export const trustAliases = (alias: string, roots: readonly Uint8Array[], current: Uint8Array): string[] => {
  const currentFingerprint = fingerprintOf(current)
  const fingerprints = roots.map(fingerprintOf)
  const suffix = (fingerprint: string): string => {
    const others = fingerprints.filter((other) => other !== fingerprint)
    for (let digits = 8; digits < fingerprint.length; digits += 8) {
      const prefix = fingerprint.slice(0, digits)
      if (!others.some((other) => other.startsWith(prefix))) return prefix
    }
    return fingerprint
  }
  return fingerprints.map((fingerprint) =>
    fingerprint === currentFingerprint ? alias : `${alias}-${suffix(fingerprint)}`,
  )
}
