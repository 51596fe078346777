/** Whether two trust bundles are the same CAs in another order, which is no news to a server. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { parentOf } from './names.ts'

type Find = (key: string) => CertificateAuthority | undefined

/** CAs do not stand deeper, and a circle ends. */
const deepest = 16

/** The CA itself and those above it, as far as they are there. `key`: `namespace/name`. */
export const upwards = (key: string, find: Find): (readonly [key: string, authority: CertificateAuthority])[] => {
  const line: (readonly [string, CertificateAuthority])[] = []
  for (let at: string | undefined = key; at !== undefined && line.length < deepest;) {
    const authority = find(at)
    if (authority === undefined) break
    line.push([at, authority])
    const above = parentOf(authority)
    at = above === undefined ? undefined : `${above.namespace}/${above.name}`
  }
  return line
}

/**
 * Between the switch and the end of the former CA a rotation has its bundle in two orders, and so have the CAs below it.
 * `hashes`: of `trustHash`.
 */
export const isReordered = (key: string, hashes: readonly string[], find: Find): boolean =>
  upwards(key, find).some(([, { status }]) => {
    const { phase, formerTrustBundleHash } = status?.rotation ?? {}
    const orders = [status?.trustBundleHash, formerTrustBundleHash]
    return (phase === 'Signing' || phase === 'DropSoak') && hashes.every((one) => orders.includes(one))
  })
