/** Which change makes the trust bundle of which authority be looked at again. */

import { isDeepStrictEqual } from 'node:util'
import type { Change } from '../cluster/cache/informer.ts'
import { keyOf, type PartialObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import type { Enqueue } from '../control/wakes.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Namespace } from '../resources/core.ts'
import { anyTarget, trustOf } from './names.ts'

export const wakeTrust = ({ authorities, configMaps, namespaces, secrets }: Caches, enqueue: Enqueue): void => {
  const wake = (keys: Iterable<string>, { initial }: { readonly initial: boolean }): void => {
    for (const key of keys) enqueue(key, { priority: initial ? 'resync' : 'normal' })
  }
  const wanting = (index: string): string[] => authorities.store.by('target', index).map(keyOf)

  authorities.onChange((change) => {
    if (concernsTrust(change.before) || concernsTrust(change.after)) wake([change.key], change)
  })
  const changed = (change: Change<PartialObject>): void => {
    const { before, after, initial } = change
    const object = after ?? before
    if (object === undefined) return
    // Also of an authority that is gone: what a crash left behind is found at the start.
    const holders = [before, after].flatMap((one) => (one === undefined ? [] : (trustOf(one) ?? [])))
    wake(new Set(initial ? holders : [...holders, ...wanting(`${object.kind}/${object.metadata.name}`)]), change)
  }
  configMaps.onChange(changed)
  secrets.onChange(changed)
  namespaces?.onChange((change) => {
    if (!change.initial && !isSameNamespace(change)) wake(wanting(anyTarget), change)
  })
}

const concernsTrust = (authority: CertificateAuthority | undefined): boolean =>
  authority?.spec.trustBundle !== undefined || authority?.status?.trustTargets !== undefined

const isSameNamespace = ({ before, after }: Change<Namespace>): boolean =>
  before !== undefined &&
  after !== undefined &&
  before.metadata.deletionTimestamp === after.metadata.deletionTimestamp &&
  isDeepStrictEqual(before.metadata.labels, after.metadata.labels)
