/** Whether the CA that signs clients, or one above it, is being replaced by one with another key. Pure. */

import { type FindAuthority, lineage } from '../../authority/lineage.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'

export interface Rotating {
  /** `namespace/name` of the one that is replaced. */
  readonly authority: string
  /** Fingerprints. The former is absent where it signs no more. */
  readonly from?: string
  readonly to: string
  /** What servers of the CA that was asked for are to load; absent where the proof says nothing of it. */
  readonly trustBundleHash?: string
}

/** Phases in which servers trust both, or are about to. */
const proving: ReadonlySet<string> = new Set(['TrustBoth', 'Signing', 'DropSoak'])

/** The highest: it is its certificate that servers have in their files. `key`: `namespace/name`. */
export const rotatingAt = (key: string, find: FindAuthority): Rotating | undefined => {
  const own = find(key)
  return lineage(key, find)
    .flatMap(([at, authority]) => rotatingOf(at, authority, own) ?? [])
    .at(-1)
}

const rotatingOf = (
  key: string,
  authority: CertificateAuthority,
  own: CertificateAuthority | undefined,
): Rotating | undefined => {
  const { phase = 'Idle', mode, from, to } = authority.status?.rotation ?? {}
  if (!proving.has(phase) || mode === 'ReuseKey' || to === undefined) return undefined
  const trustBundleHash = own?.status?.trustBundleHash
  const signsStill = phase === 'TrustBoth'
  return {
    ...{ authority: key, to },
    ...(signsStill && from !== undefined ? { from } : {}),
    ...(signsStill && trustBundleHash !== undefined ? { trustBundleHash } : {}),
  }
}
