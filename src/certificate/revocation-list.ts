/**
 * The revocation list in the Secret of a certificate that is not to be written otherwise: on hold, or stalled. A server that
 * reads it refuses everybody once it has ended.
 */

import { type Context, marks } from '../control/context.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import { writeSecret } from '../control/write-secret.ts'
import type { OutputItem } from '../material/contents.ts'
import { revocationListPem } from '../material/revocation-lists.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { RevocationListSeen, SecretSeen } from './observed.ts'
import { rewritten } from './outputs.ts'
import type { Wanted } from './wanted.ts'

type Lists = Extract<RevocationListSeen, { state: 'found' }>

type Judged = Pick<Extract<SecretSeen, { state: 'present' }>, 'uid' | 'resourceVersion'>

const isList = ({ content }: OutputItem): boolean => content === 'RevocationList'

const bytesOf = ({ list }: Lists): Buffer => Buffer.from(revocationListPem(list))

/** The keys of a Secret of ours that should hold the present list and do not; nothing of a Secret that we never wrote. */
export const staleListsIn = (
  secret: Secret,
  { secret: { items } }: Pick<Wanted, 'secret'>,
  present: RevocationListSeen | undefined,
): readonly string[] => {
  if (present?.state !== 'found' || secret.immutable === true) return []
  if (secret.metadata.annotations?.[marks.inputsHash] === undefined) return []
  const should = bytesOf(present).toString('base64')
  return items.filter((item) => isList(item) && secret.data?.[item.key] !== should).map(({ key }) => key)
}

/**
 * Puts the present list into its place, and leaves everything else in the Secret as it is. False: the Secret is not the one
 * that was `judged`, or there was nothing to do.
 */
export const refreshLists = async (
  context: Context,
  certificate: DatabaseCertificate,
  { wanted, present, judged }: { readonly wanted: Wanted; readonly present: Lists; readonly judged: Judged },
  signal: AbortSignal,
): Promise<boolean> => {
  const { namespace = 'default' } = certificate.metadata
  const secret = await readSecret(context.cluster, { namespace, name: wanted.secret.name }, signal)
  if (secret?.metadata.uid !== judged.uid || secret.metadata.resourceVersion !== judged.resourceVersion) return false
  const stale = staleListsIn(secret, wanted, present)
  if (stale.length === 0) return false
  const ours = new Set(wanted.secret.items.map(({ key }) => key))
  const data = new Map([...dataOf(secret)].filter(([key]) => ours.has(key)))
  for (const key of stale) data.set(key, bytesOf(present))
  await writeSecret(context, rewritten(certificate, wanted, secret, data), signal)
  return true
}
