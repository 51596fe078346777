/** What is about to be trusted no more, as status says it. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type FindAuthority, lineage } from './lineage.ts'
import { isBundle } from './names.ts'

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

/** The CA, or the highest above it, whose former key signs no more and is trusted still. `key`: `namespace/name`. */
export const exchangedAt = (key: string, find: FindAuthority): Exchanged | undefined =>
  lineage(key, find)
    .flatMap(([, authority]) => {
      const { phase = 'Idle', to } = authority.status?.rotation ?? {}
      return exchanging.has(phase) && to !== undefined && !isBundle(authority) ? [{ authority, to }] : []
    })
    .at(-1)
