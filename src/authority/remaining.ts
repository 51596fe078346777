/** What is about to be trusted no more, as status says it. Pure. */

import { phaseOf } from '../control/rotation.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type FindAuthority, lineage } from './lineage.ts'
import { isBundle, parentOf } from './names.ts'

const leaving: ReadonlySet<string> = new Set(['TrustBoth', 'Signing', 'DropSoak'])

/** Hash of what will be left of a bundle that is only trusted; undefined where nothing goes. */
export const remainingHash = (authority: CertificateAuthority): string | undefined =>
  isBundle(authority) ? toDuring(leaving, authority) : undefined

const toDuring = (phases: ReadonlySet<string>, authority: CertificateAuthority): string | undefined =>
  phases.has(phaseOf(authority)) ? authority.status?.rotation?.to : undefined

export interface Exchanged {
  readonly authority: CertificateAuthority
  /** Fingerprint of the one that signs now. */
  readonly to: string
}

const exchanging: ReadonlySet<string> = new Set(['Signing', 'DropSoak'])

/**
 * The root that the CA hangs under, when its former key signs no more and is trusted still. What goes with the former key of a CA
 * below a root is trusted by nobody on its own, and verifies as before. `key`: `namespace/name`.
 */
export const exchangedAt = (key: string, find: FindAuthority): Exchanged | undefined => {
  const authority = lineage(key, find).at(-1)?.[1]
  if (authority === undefined || isBundle(authority) || parentOf(authority) !== undefined) return undefined
  const to = toDuring(exchanging, authority)
  return to === undefined ? undefined : { authority, to }
}
