/** Names of the CAs that follow one another under `rotation.nextName: Versioned`. Pure. */

import { commonNameOf, formatDistinguishedName, NameError, withCommonName } from '../pki/names/names.ts'

const versionPattern = /^(?<base>.+) v(?<version>[1-9][0-9]{0,8})$/s

/** ' v2' behind the common name, or one version more than it has. Throws NameError where the name cannot be had. */
export const nextVersionOf = (subject: Uint8Array): Uint8Array => {
  const name = commonNameOf(subject) ?? ''
  const { base = name, version = '1' } = versionPattern.exec(name)?.groups ?? {}
  const versioned = withCommonName(subject, `${base} v${Number(version) + 1}`)
  if (versioned === undefined) throw new NameError('The subject has no common name that a version could follow.')
  return versioned
}

/**
 * Whether a CA has the name that is asked for, or a later version of it. The words alone: a CA that was taken over keeps the
 * string types it was made with (openssl writes other ones than we).
 */
export const isNamed = (held: Uint8Array, asked: Uint8Array): boolean =>
  formatDistinguishedName(held) === formatDistinguishedName(asked) || versionless(held) === versionless(asked)

const versionless = (subject: Uint8Array): string => {
  const name = commonNameOf(subject) ?? ''
  const base = versionPattern.exec(name)?.groups?.['base']
  return formatDistinguishedName(base === undefined ? subject : unversioned(subject, base))
}

const unversioned = (subject: Uint8Array, base: string): Uint8Array => {
  try {
    return withCommonName(subject, base) ?? subject
  } catch (error) {
    // Somebody else's name, with characters that ours never have.
    if (error instanceof NameError) return subject
    throw error
  }
}
