/** What is on its way out of a bundle that is only trusted, as its status says it. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isBundle } from './names.ts'

const leaving: ReadonlySet<string> = new Set(['TrustBoth', 'Signing', 'DropSoak'])

/** Hash of what will be left; undefined where nothing goes. */
export const remainingHash = (authority: CertificateAuthority): string | undefined => {
  const { phase = 'Idle', to } = authority.status?.rotation ?? {}
  return isBundle(authority) && leaving.has(phase) ? to : undefined
}
