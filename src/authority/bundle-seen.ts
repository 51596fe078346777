/** A bundle that is only trusted, as it is now: what its owner gives, and what is remembered of it. Decides nothing. */

import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type BroughtSeen, readBrought } from './brought.ts'
import { type RecordSeen, seeRemembered } from './brought-seen.ts'
import { type BundleRecord, readBundle } from './bundle-record.ts'
import { recordSecretOf } from './names.ts'

type Reading = Pick<Context, 'cluster' | 'clock' | 'caches'>

export interface BundleSeen {
  readonly given: Exclude<BroughtSeen, { state: 'authority' }>
  readonly recorded: RecordSeen<BundleRecord>
}

/** Whether what is taken out of it is to stay trusted until nothing needs it: where somebody says how it is replaced. */
export const isStaged = ({ spec }: CertificateAuthority): boolean => spec.rotation !== undefined

/** Both are read live. Rejects with ApiError alone. */
export const seeBundle = async (
  context: Reading,
  authority: CertificateAuthority,
  signal?: AbortSignal,
): Promise<BundleSeen> => {
  const [given, recorded] = await Promise.all([
    readBrought(context, authority, signal),
    mayBeRemembered(context, authority) ? seeRemembered(context, authority, readerOf(authority), signal) : nothing,
  ])
  if (given.state === 'authority') throw new Error('the authority is more than a bundle')
  return { given, recorded }
}

const nothing = { state: 'absent' } as const

/** One of which nothing was ever remembered costs no second read. */
const mayBeRemembered = ({ caches }: Reading, authority: CertificateAuthority): boolean =>
  isStaged(authority) ||
  isRotating(authority) ||
  caches.secrets.store.get(`${keyOf(authority).split('/')[0]}/${recordSecretOf(authority)}`) !== undefined

const readerOf = ({ status }: CertificateAuthority) => ({
  read: readBundle,
  // One that was deleted and made anew begins with what its owner has now, whatever stood there.
  isLeft: () => status?.trustBundleHash === undefined,
})
