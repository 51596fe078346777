/** The key of a CA and the set of roots that its consumers trust, each as one comparable value. Pure. */

import { createHash } from 'node:crypto'

/** SHA-256, lower-case hex, over the fingerprints in order: order matters, because bundles and aliases follow it. */
export const trustHash = (trust: readonly Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const der of trust) hash.update(createHash('sha256').update(der).digest())
  return hash.digest('hex')
}

/** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: the identity of a CA across renewals with the same key. */
export const publicKeyHash = ({ spki }: { readonly spki: Uint8Array }): string =>
  createHash('sha256').update(spki).digest('hex')
