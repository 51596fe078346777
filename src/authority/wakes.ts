/** Which change makes which CertificateAuthority be looked at again. */

import { isDeepStrictEqual } from 'node:util'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { type Enqueue, priorityOf } from '../control/wakes.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'

export const wakeAuthorities = ({ authorities, configMaps, secrets }: Caches, enqueue: Enqueue): void => {
  const wake = (objects: readonly KubeObject[]): void => {
    for (const object of objects) enqueue(keyOf(object), { priority: 'normal' })
  }
  authorities.onChange((change) => {
    enqueue(change.key, priorityOf(change))
    if (!change.initial && !sameForLeaves(change.before, change.after)) wake(authorities.store.by('parent', change.key))
  })
  secrets.onChange(({ initial, key }) => {
    if (!initial) wake(authorities.store.by('secret', key))
  })
  configMaps.onChange(({ initial, key }) => {
    if (!initial) wake(authorities.store.by('configMap', key))
  })
}

/**
 * Whether a CA means the same to what hangs under it: it exists, can sign, with this certificate, for these namespaces, under
 * this policy, and lets its key go or not.
 */
export const sameForLeaves = (
  before: CertificateAuthority | undefined,
  after: CertificateAuthority | undefined,
): boolean => {
  if (before === undefined || after === undefined) return false
  return (
    before.metadata.uid === after.metadata.uid &&
    isReady(before) === isReady(after) &&
    before.status?.certificate?.fingerprint === after.status?.certificate?.fingerprint &&
    before.status?.trustBundleHash === after.status?.trustBundleHash &&
    before.spec.allowKeyExport === after.spec.allowKeyExport &&
    isDeepStrictEqual(before.spec.allowedNamespaces, after.spec.allowedNamespaces) &&
    isDeepStrictEqual(before.spec.policy, after.spec.policy)
  )
}
