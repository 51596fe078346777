/**
 * Who names a CA without being let in by its owner, and has nothing of it. Anybody may write such an object; were it waited
 * for, he could hold up the rotation of a CA that is none of his. From the caches alone.
 */

import { refusalOfTrust } from '../authority/allowed.ts'
import { labelsOfNamespace } from '../authority/keyring.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'

export type IsStranger = (object: Pick<KubeObject, 'kind' | 'metadata'>) => boolean

/** Whose namespace was let in once has what the CA has signed until that is revoked or has ended, and is no stranger. */
export const strangersTo = (caches: Caches, authority: CertificateAuthority): IsStranger => {
  const labelsOf = labelsOfNamespace(caches)
  let having: ReadonlySet<string> | undefined
  const has = (namespace: string): boolean => {
    having ??= namespacesHaving(caches, keyOf(authority))
    return having.has(namespace)
  }
  return ({ kind, metadata: { namespace = 'default' } }) => {
    if (namespace === authority.metadata.namespace) return false
    // CAs of other namespaces are signed only where this one says how deep they may go (authority/gather.ts).
    const isLetIn = kind !== authority.kind || authority.spec.maxPathLength !== undefined
    if (isLetIn && refusalOfTrust(authority, namespace, labelsOf) === undefined) return false
    return !has(namespace)
  }
}

const namespacesHaving = (caches: Caches, key: string): ReadonlySet<string> =>
  new Set(
    caches.ledger.store.by('authority', key).flatMap(({ holderKey, state }) =>
      // The mark of an end comes a while after it, and nothing is lost by waiting for it.
      holderKey === undefined || state === 'Revoked' || state === 'Expired'
        ? []
        : [holderKey.slice(0, holderKey.indexOf('/'))],
    ),
  )
