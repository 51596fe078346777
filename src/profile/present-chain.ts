/** Which chain was delivered with a certificate while a root above its CA is replaced, as status says it. Pure. */

import type { FindAuthority } from '../authority/lineage.ts'
import { exchangedAt } from '../authority/remaining.ts'
import { standingUnder } from '../certificate/standing.ts'
import { keyOf } from '../cluster/port.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { keyOfAuthority } from './names.ts'

/** CAs below one that is replaced have its bundle in its order, once they are signed again. */
export const hasPresentChain = (certificate: DatabaseCertificate | undefined, find: FindAuthority): boolean => {
  if (certificate === undefined) return false
  const key = keyOfAuthority(certificate.spec.authorityRef, certificate)
  const own = find(key)?.status
  const head = exchangedAt(key, find)?.authority.status
  return own?.trustBundleHash === head?.trustBundleHash && standingUnder(certificate.status, own) === 'Present'
}

/**
 * Fingerprint of the new root that the chain beside an unchanged certificate leads to; undefined where no root above its CA is replaced, or the
 * chain was not delivered yet. What the root has signed itself is another certificate then.
 */
export const replacedChain = (certificate: DatabaseCertificate, find: FindAuthority): string | undefined => {
  const key = keyOfAuthority(certificate.spec.authorityRef, certificate)
  const exchanged = exchangedAt(key, find)
  if (exchanged === undefined || keyOf(exchanged.authority) === key) return undefined
  return hasPresentChain(certificate, find) ? exchanged.to : undefined
}
