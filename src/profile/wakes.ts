/** Which change makes which DatabaseTLSProfile be looked at again. */

import { isDeepStrictEqual } from 'node:util'
import { sameForLeaves } from '../authority/wakes.ts'
import type { Change } from '../cluster/cache/informer.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { type Enqueue, priorityOf } from '../control/wakes.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { findCondition, isReady } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { byProfile } from './names.ts'

/** Certificates come in bursts, and one look sees them all, ms. */
const gatherMs = 250

/** So many are asked, at each that comes, whether it was the last. */
const mostAsked = 200

export const wakeProfiles = (
  { authorities, certificates, configMaps, namespaces, profiles }: Caches,
  enqueue: Enqueue,
): void => {
  const wake = (found: readonly KubeObject[]): void => {
    for (const profile of found) enqueue(keyOf(profile), { priority: 'normal' })
  }
  /** It is Ready now, and so are all others of its profile. */
  const isLast = ({ before, after }: Change<DatabaseCertificate>, profile: string): boolean => {
    if (after === undefined || !isReady(after) || (before !== undefined && isReady(before))) return false
    const all = certificates.store.by('profile', profile)
    return all.length <= mostAsked && all.every(isReady)
  }
  profiles.onChange((change) => enqueue(change.key, priorityOf(change)))
  certificates.onChange((change) => {
    if (change.initial) return
    for (const key of holdersOf(change))
      enqueue(key, { priority: 'normal', afterMs: isLast(change, key) ? 0 : gatherMs })
    if (givesWay(change)) wake(stalledIn(profiles.store.by('namespace', namespaceOf(change))))
  })
  configMaps.onChange((change) => {
    if (change.initial) return
    const wanting = profiles.store.by('configMap', change.key).map(keyOf)
    for (const key of new Set([...holdersOf(change), ...wanting])) enqueue(key, { priority: 'normal' })
  })
  /** The CA and all below it. */
  const under = (head: string): ReadonlySet<string> => {
    const found = new Set([head])
    for (const key of found) for (const child of authorities.store.by('parent', key)) found.add(keyOf(child))
    return found
  }
  authorities.onChange(({ before, after, initial, key }) => {
    if (initial) return
    const isAsked = !isDeepStrictEqual(askedOf(before), askedOf(after))
    if (!isAsked && sameForLeaves(before, after)) return
    for (const one of isAsked ? under(key) : [key]) wake(profiles.store.by('authority', one))
  })
  namespaces?.onChange(({ before, after, initial, key }) => {
    const same =
      before?.metadata.deletionTimestamp === after?.metadata.deletionTimestamp &&
      isDeepStrictEqual(before?.metadata.labels, after?.metadata.labels)
    if (!initial && !same) wake(profiles.store.by('namespace', key))
  })
}

/** What servers are asked about a CA that is replaced, or one above theirs: an intermediate changes neither trust nor who signs at first. */
const askedOf = (authority: CertificateAuthority | undefined): unknown => {
  const { phase = 'Idle', mode, from, to } = authority?.status?.rotation ?? {}
  return phase === 'Idle' ? undefined : [phase, mode, from, to]
}

/** The profiles it is or was of. */
const holdersOf = ({ before, after }: Change<KubeObject>): ReadonlySet<string> =>
  new Set([before, after].flatMap((one) => (one === undefined ? [] : byProfile(one))))

const namespaceOf = ({ key }: Change<KubeObject>): string => key.split('/')[0] ?? ''

/** It may have stood in another profile's way, by its name or by that of its Secret, and does so no longer. */
const givesWay = ({ before, after }: Change<DatabaseCertificate>): boolean =>
  before !== undefined &&
  (after === undefined ||
    before.spec.secret.name !== after.spec.secret.name ||
    !isDeepStrictEqual(before.metadata.annotations, after.metadata.annotations) ||
    !isDeepStrictEqual(before.metadata.ownerReferences, after.metadata.ownerReferences))

const stalledIn = (found: readonly DatabaseTLSProfile[]): DatabaseTLSProfile[] =>
  found.filter(({ status }) => findCondition(status?.conditions, 'Ready')?.status !== 'True')

/** Whose servers are told as somebody else from now on. */
export const wakeReloads = ({ profiles, secrets }: Caches, enqueue: Enqueue): void => {
  secrets.onChange(({ initial, key }) => {
    if (initial) return
    for (const profile of profiles.store.by('account', key)) enqueue(keyOf(profile), { priority: 'normal' })
  })
}
