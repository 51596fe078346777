/** Which change makes the rotation of which CA be looked at again. While nothing rotates, only what is asked of a CA does. */

import { isDeepStrictEqual } from 'node:util'
import type { Change } from '../cluster/cache/informer.ts'
import { isBrought } from '../authority/names.ts'
import { keyOf, type KubeObject, type PartialObject } from '../cluster/port.ts'
import { type Caches, marks } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import { type Enqueue, priorityOf } from '../control/wakes.ts'
import { byRetained } from '../certificate/retained.ts'
import { authorityKeyOf } from '../certificate/rivals.ts'
import { byProfile, profileAuthorityKeys } from '../profile/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { byTrust } from '../trust/names.ts'
import { familyOf, lineOf } from './family.ts'

/** Changes come in bursts, and one look sees them all, ms. */
const gatherMs = 100

export const wakeRotations = (caches: Caches, enqueue: Enqueue): void => {
  const { authorities, certificates, configMaps, ledger, namespaces, profiles, secrets } = caches
  const soon = { priority: 'normal', afterMs: gatherMs } as const
  /** Those of the line that rotate: what is below a CA is waited for by it. */
  const wakeLine = (keys: Iterable<string>): void => {
    for (const key of keys)
      for (const one of lineOf(caches, key)) if (isRotating(authorities.store.get(one))) enqueue(one, soon)
  }
  authorities.onChange((change) => {
    const { before, after, initial, key } = change
    if (initial || !isDeepStrictEqual(concern(before), concern(after))) enqueue(key, priorityOf(change))
    if (initial) return
    wakeLine(lineOf(caches, key).filter((one) => one !== key))
    // Who waits for a relative to have ended.
    if (after === undefined || isRotating(before) === isRotating(after)) return
    for (const { authority } of familyOf(caches, after)) enqueue(keyOf(authority), soon)
    for (const one of lineOf(caches, key)) enqueue(one, soon)
  })
  certificates.onChange(({ before, after, initial }) => {
    if (initial) return
    wakeLine(new Set([before, after].flatMap((one) => (one === undefined ? [] : [authorityKeyOf(one)]))))
  })
  profiles.onChange(({ before, after, initial }) => {
    if (!initial)
      wakeLine(new Set([before, after].flatMap((one) => (one === undefined ? [] : profileAuthorityKeys(one)))))
  })
  ledger.onChange(({ before, after, initial }) => {
    const entry = after ?? before
    if (!initial && entry !== undefined) wakeLine([entry.authority])
  })
  /** A ConfigMap or Secret of a trust bundle or a profile. */
  const shared = ({ before, after }: Change<PartialObject>): Set<string> =>
    new Set([before, after].flatMap((one) => (one === undefined ? [] : [...byTrust(one), ...ofProfiles(caches, one)])))
  configMaps.onChange((change) => {
    if (change.initial) return
    wakeLine(shared(change))
    // Its owner may have taken something out of a bundle.
    for (const authority of authorities.store.by('configMap', change.key)) enqueue(keyOf(authority), soon)
  })
  secrets.onChange((change) => {
    if (change.initial) return
    wakeLine(shared(change))
    // Whose certificates such a Secret holds is in the ledger; they come and go seldom.
    if ([change.before, change.after].some((one) => one !== undefined && byRetained(one).length > 0))
      for (const authority of authorities.store.values()) if (isRotating(authority)) enqueue(keyOf(authority), soon)
    const isMoved = stageOf(change.before) !== stageOf(change.after)
    // What its owner puts into a Secret says no stage.
    for (const authority of authorities.store.by('secret', change.key))
      if (isMoved || isRotating(authority) || isBrought(authority)) enqueue(keyOf(authority), soon)
  })
  namespaces?.onChange(({ before, after, initial }) => {
    if (initial || before?.metadata.deletionTimestamp === after?.metadata.deletionTimestamp) return
    for (const authority of authorities.store.values()) if (isRotating(authority)) enqueue(keyOf(authority), soon)
  })
}

/** What a rotation hangs on, of the CA itself. */
const concern = (authority: CertificateAuthority | undefined): unknown => [
  authority?.metadata.uid,
  authority?.metadata.deletionTimestamp,
  authority?.metadata.generation,
  authority?.metadata.annotations?.[marks.hold],
  authority?.status?.certificate,
  authority?.status?.trustBundleHash,
  authority?.status?.rotation,
  authority?.status?.trustTargets,
]

const ofProfiles = ({ profiles }: Caches, object: KubeObject): string[] =>
  byProfile(object).flatMap((key) => {
    const profile = profiles.store.get(key)
    return profile === undefined ? [] : profileAuthorityKeys(profile)
  })

const stageOf = (object: PartialObject | undefined): string =>
  object?.metadata.annotations?.[marks.rotationStage] ?? 'Plain'
