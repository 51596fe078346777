/** Who holds a certificate: as far as memory knows, and as the API server says. */

import { isForbidden, isNamespaceTerminating, isNotFound } from '../cluster/errors.ts'
import { type Caches, type Context, fieldManager } from '../control/context.ts'
import { isReady } from '../resources/conditions.ts'
import { configMaps } from '../resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Holder, Holders } from './replaced.ts'
import type { LiveHolder } from './rules.ts'

export const cachedHolders = ({ certificates, authorities }: Caches): Holders => ({
  find: (key) => {
    const certificate = certificates.store.get(key)
    const authority = authorities.store.get(key)
    return [
      ...(certificate === undefined ? [] : [holderOf(certificate)]),
      ...(authority === undefined
        ? []
        : [{ uid: authority.metadata.uid ?? '', serialNumber: authority.status?.certificate?.serialNumber }]),
    ]
  },
})

const holderOf = ({ metadata, spec, status }: DatabaseCertificate): Holder => {
  const { uid = '', namespace = 'default', creationTimestamp, deletionTimestamp } = metadata
  const { namespace: of = namespace, name } = spec.authorityRef
  const asks = deletionTimestamp === undefined ? `${of}/${name}` : undefined
  return { uid, serialNumber: status?.serialNumber, asks, createdAt: creationTimestamp }
}

/** Asks the API server, not the cache, for the DatabaseCertificate of this `namespace/name`. */
export const liveHolder = async (context: Context, key: string, signal: AbortSignal): Promise<LiveHolder> => {
  const [namespace = '', name = ''] = key.split('/')
  try {
    // A list of one: the operator may list and watch, and has no use for a right to get.
    const { items } = await context.cluster.list(databaseCertificates, {
      namespace,
      fieldSelector: `metadata.name=${name}`,
      signal,
    })
    const [found] = items
    if (found === undefined) return { state: (await isBeingDeleted(context, namespace, signal)) ? 'unknown' : 'absent' }
    return { state: 'present', ...holderOf(found), isReady: isReady(found) }
  } catch (error) {
    // A namespace whose rights went first.
    if (isForbidden(error)) return { state: 'unknown' }
    throw error
  }
}

/** While a namespace goes, its objects go one by one, and with them perhaps the CA: nothing follows from that yet. */
const isBeingDeleted = async (
  { cluster, caches }: Context,
  namespace: string,
  signal: AbortSignal,
): Promise<boolean> => {
  if (caches.namespaces !== undefined)
    return caches.namespaces.store.get(namespace)?.metadata.deletionTimestamp !== undefined
  try {
    // Who may not see namespaces can still ask whether something may be created in one.
    const probe = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dbtls-probe', namespace } }
    await cluster.create(configMaps, probe, { fieldManager, dryRun: true, signal })
    return false
  } catch (error) {
    if (isNamespaceTerminating(error)) return true
    if (isNotFound(error)) return false
    throw error
  }
}
