/** Whether two trust bundles are the same CAs in another order, which is no news to a server. Pure. */

import type { FindAuthority } from './lineage.ts'

/**
 * Between the switch and the end of the former CA a rotation has its bundle in two orders. CAs below it have them too, and there
 * the other order comes with another chain, signed by the other CA: servers have to read that before the former one goes.
 * `hashes`: of `trustHash`.
 */
export const isReordered = (key: string, hashes: readonly string[], find: FindAuthority): boolean => {
  const { trustBundleHash, rotation: { phase, formerTrustBundleHash } = {} } = find(key)?.status ?? {}
  const orders = [trustBundleHash, formerTrustBundleHash]
  return (phase === 'Signing' || phase === 'DropSoak') && hashes.every((one) => orders.includes(one))
}
