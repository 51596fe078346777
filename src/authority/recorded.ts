/**
 * The second CA in a Secret is taken on the ledger's word alone: whoever may write Secrets does not thereby bring in a CA
 * of his own.
 */

import type { Context } from '../control/context.ts'
import { isRecorded } from '../ledger/record.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { parentOf, signerOf } from './names.ts'
import { type StoredAuthority, StoredAuthorityError } from './stored.ts'

type Reading = Pick<Context, 'cluster' | 'clock'>

/** Asks live, and only in a rotation. Rejects with StoredAuthorityError. */
export const refuseUnrecorded = async (
  { cluster, clock }: Reading,
  authority: CertificateAuthority,
  { other }: Pick<StoredAuthority, 'other'>,
  signal?: AbortSignal,
): Promise<void> => {
  if (other === undefined) return
  // A former CA that has ended is trusted by nobody, and its entry may be pruned while people still hang on it.
  if (other.name === 'former' && other.certificate.notAfter < clock.now()) return
  if (await isRecorded(cluster, signerOf(authority), other, signal)) return
  const parent = parentOf(authority)
  const whose =
    parent === undefined
      ? 'this authority'
      : `CertificateAuthority ${parent.namespace}/${parent.name} (if spec.source.intermediate named another one when the rotation began, put back that one, and change it when the rotation has ended)`
  throw new StoredAuthorityError('Invalid', `the certificate in ${other.name}.crt is not in the ledger of ${whose}`)
}
