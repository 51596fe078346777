/** Whether the CA that signs clients, or one above it, is being replaced by one with another key. Pure. */

import type { CertificateAuthority } from '../../resources/certificate-authority.ts'

export type FindAuthority = (key: string) => CertificateAuthority | undefined

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
/** CAs do not stand deeper, and a circle ends. */
const deepest = 16

/** The highest: it is its certificate that servers have in their files. `key`: `namespace/name`. */
export const rotatingAt = (key: string, find: FindAuthority): Rotating | undefined => {
  const own = find(key)
  let found: Rotating | undefined
  let at: string | undefined = key
  for (let depth = 0; at !== undefined && depth < deepest; depth += 1) {
    const authority = find(at)
    found = rotatingOf(at, authority, own) ?? found
    const above = authority?.spec.source.intermediate?.authorityRef
    at =
      above === undefined ? undefined : `${above.namespace ?? authority?.metadata.namespace ?? 'default'}/${above.name}`
  }
  return found
}

const rotatingOf = (
  key: string,
  authority: CertificateAuthority | undefined,
  own: CertificateAuthority | undefined,
): Rotating | undefined => {
  const { phase = 'Idle', mode, from, to } = authority?.status?.rotation ?? {}
  if (!proving.has(phase) || mode === 'ReuseKey' || to === undefined) return undefined
  const trustBundleHash = own?.status?.trustBundleHash
  const signsStill = phase === 'TrustBoth'
  return {
    ...{ authority: key, to },
    ...(signsStill && from !== undefined ? { from } : {}),
    ...(signsStill && trustBundleHash !== undefined ? { trustBundleHash } : {}),
  }
}
