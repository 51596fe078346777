/** What becomes of an object whose manifest is gone. */
import { keyOf } from '../../cluster/port.ts'
import type { Cluster, KubeObject, Resource } from '../../cluster/port.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'

/** As what the manifests of people apply. */
export const manifestManager = 'dbtls-manifests'

/** Of what a manifest gave to an entry of the ledger and is there to stay. */
const ledgerManager = 'dbtls-manifests-ledger'

export interface Applied {
  readonly resource: Resource
  readonly object: KubeObject
}

/** `stays`: the object is still there; in a sentence, why. */
export type Withdrawal = { readonly state: 'removed' } | { readonly state: 'stays'; readonly why: string }

/** Removes the object, or takes back what its manifest gave it, where it belongs to somebody else. Rejects with ApiError. */
export const withdraw = async (cluster: Cluster, { resource, object }: Applied): Promise<Withdrawal> => {
  if (object.kind === 'IssuedCertificate') return withdrawEntry(cluster, object as IssuedCertificate)
  const { name, namespace, uid = '' } = object.metadata
  await cluster.delete(resource, { namespace, name }, { uid })
  return { state: 'removed' }
}

/**
 * The entry says what the CA signed, and without it the certificate could not be revoked any more. Its fixed fields and a
 * final revocation pass to a manager of their own; what is left to the manifest, a hold above all, goes with it.
 */
const withdrawEntry = async (cluster: Cluster, entry: IssuedCertificate): Promise<Withdrawal> => {
  const { apiVersion, kind, metadata } = entry
  const { name, namespace, uid = '' } = metadata
  const bare = { apiVersion, kind, metadata: { name, namespace, uid } } as unknown as IssuedCertificate
  const { revocation, ...fixed } = entry.spec
  const { labels = {} } = metadata
  const spec = revocation === undefined || revocation.reason === 'certificateHold' ? fixed : { ...fixed, revocation }
  // Not forced: whoever changed it since is asked again at the next look.
  const kept = { ...bare, metadata: { ...bare.metadata, labels }, spec }
  await cluster.apply(issuedCertificates, kept, { fieldManager: ledgerManager })
  const after = await cluster.apply(issuedCertificates, bare, { fieldManager: manifestManager, force: true })
  const stays = `kept IssuedCertificate ${keyOf(entry)}, because the ledger holds all that was signed`
  if (revocation === undefined) return { state: 'stays', why: stays }
  const left = after.spec.revocation
  const fate =
    left === undefined ? 'is taken back' : left.reason === 'certificateHold' ? 'is by others, too' : 'is final'
  return { state: 'stays', why: `${stays}; ${revocation.reason} ${fate}` }
}
