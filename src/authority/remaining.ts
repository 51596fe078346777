/** What is about to be trusted no more, as status says it. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type FindAuthority, lineage } from './lineage.ts'
import { isBundle, parentOf } from './names.ts'

const leaving: ReadonlySet<string> = new Set(['TrustBoth', 'Signing', 'DropSoak'])

/** Hash of what will be left of a bundle that is only trusted; undefined where nothing goes. */
export const remainingHash = (authority: CertificateAuthority): string | undefined => {
  const { phase = 'Idle', to } = authority.status?.rotation ?? {}
  return isBundle(authority) && leaving.has(phase) ? to : undefined
}

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
  const { phase = 'Idle', to } = authority.status?.rotation ?? {}
  return exchanging.has(phase) && to !== undefined ? { authority, to } : undefined
}
