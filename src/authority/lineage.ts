/** A CA and those that it hangs under. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { parentOf } from './names.ts'

/** By `namespace/name`. */
export type FindAuthority = (key: string) => CertificateAuthority | undefined

/** CAs do not stand deeper. */
const deepest = 16

/** The CA itself and those above it, as far as they are there; a circle ends where it closes. */
export const lineage = (
  key: string,
  find: FindAuthority,
): readonly (readonly [key: string, authority: CertificateAuthority])[] => {
  const line = new Map<string, CertificateAuthority>()
  for (let at: string | undefined = key; at !== undefined && !line.has(at) && line.size < deepest;) {
    const authority = find(at)
    if (authority === undefined) break
    line.set(at, authority)
    const above = parentOf(authority)
    at = above === undefined ? undefined : `${above.namespace}/${above.name}`
  }
  return [...line]
}
