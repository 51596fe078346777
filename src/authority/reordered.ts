/** Whether two trust bundles are the same CAs in another order, which is no news to a server. Pure. */

import { type FindAuthority, lineage } from './lineage.ts'

/**
 * Between the switch and the end of the former CA a rotation has its bundle in two orders, and so have the CAs below it.
 * `hashes`: of `trustHash`.
 */
export const isReordered = (key: string, hashes: readonly string[], find: FindAuthority): boolean =>
  lineage(key, find).some(([, { status }]) => {
    const { phase, formerTrustBundleHash } = status?.rotation ?? {}
    const orders = [status?.trustBundleHash, formerTrustBundleHash]
    return (phase === 'Signing' || phase === 'DropSoak') && hashes.every((one) => orders.includes(one))
  })
