/** What spec and status of a CA say of its rotation, for those who look on: the command line, metrics, the page. Pure. */

import type { Instant } from '../runtime/clock.ts'
import { type CertificateAuthority, certificateAuthoritySpec } from '../resources/certificate-authority.ts'
import { parseDuration } from '../resources/duration.ts'
import { fromTimestamp } from './schedule.ts'

export type Rotation = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>
type RotationSpec = NonNullable<CertificateAuthority['spec']['rotation']>
export type RotationPhase = Rotation['phase']

/** In the order in which they are gone through. */
export const rotationPhases = ['Idle', 'Prepared', 'TrustBoth', 'Signing', 'DropSoak', 'Dropped'] as const

/** Phases that `spec.rotation.holdAt` can name. */
export const holdPhases = ['TrustBoth', 'Signing', 'DropSoak'] as const

export type UnderWay = Rotation & { readonly phase: Exclude<RotationPhase, 'Idle'> }

/** What is looked at of a CA. */
export type Seen = Pick<CertificateAuthority, 'spec' | 'status'>

type Reported = Pick<CertificateAuthority, 'status'>

export const phaseOf = ({ status }: Reported): RotationPhase => status?.rotation?.phase ?? 'Idle'

export const isRotating = (authority: Reported | undefined): boolean =>
  authority !== undefined && phaseOf(authority) !== 'Idle'

/** Undefined while the CA is at rest. */
export const underWay = (authority: Reported): UnderWay | undefined =>
  isRotating(authority) ? (authority.status?.rotation as UnderWay) : undefined

/** Where a CA says nothing of rotations, its schema fills in nothing. */
const usual: RotationSpec = certificateAuthoritySpec.shape.rotation.unwrap().parse({})

export const rotationOf = ({ spec }: Pick<CertificateAuthority, 'spec'>): RotationSpec => spec.rotation ?? usual

/** It does not go past this phase until somebody releases it. */
export const isHeld = (authority: Seen): boolean => {
  const phase = underWay(authority)?.phase
  return phase !== undefined && phase === authority.spec.rotation?.holdAt
}

/** A trigger was set that has not been acted on: it begins at the next look, or after the rotation under way. */
export const isRequested = ({ spec, status }: Seen): boolean => isNew(spec.rotation?.trigger, status?.rotation?.trigger)

/** The same of the wish to take one back. */
export const isAbortRequested = ({ spec, status }: Seen): boolean =>
  isNew(spec.rotation?.abort, status?.rotation?.abort)

/** An empty text asks for nothing. */
const isNew = (wished = '', actedOn = ''): boolean => wished !== '' && wished !== actedOn

type Counted = keyof NonNullable<Rotation['pending']>

/** Labels of metrics. */
const labels: Readonly<Record<Counted, string>> = {
  consumers: 'consumers',
  certificates: 'certificates',
  reloads: 'reloads',
  endpoints: 'endpoints',
  notProvable: 'not_provable',
}

/** `[label, count]` of each kind that is counted. */
export const pendingOf = ({ pending }: Rotation): (readonly [string, number])[] =>
  (Object.keys(labels) as Counted[]).flatMap((kind) => {
    const count = pending?.[kind]
    return count === undefined ? [] : [[labels[kind], count] as const]
  })

/** `3 certificates of the former CA, 1 server …`; undefined where nothing is waited for. */
export const pendingInWords = ({ pending, phase }: Rotation): string | undefined => {
  const proves = phase === 'TrustBoth'
  const words: readonly (readonly [Counted, string, string])[] = [
    ['consumers', 'consumer without the trust bundle', 'consumers without the trust bundle'],
    ['certificates', 'certificate of the former CA', 'certificates of the former CA'],
    ['reloads', 'profile with servers to reload', 'profiles with servers to reload'],
    proves
      ? ['endpoints', 'server that has not proved its trust', 'servers that have not proved their trust']
      : ['endpoints', 'server with another certificate', 'servers with another certificate'],
  ]
  const parts = words.flatMap(([kind, one, many]) => {
    const count = pending?.[kind] ?? 0
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** When the soak that has begun will be over; undefined where none has. */
export const soakEnd = (authority: Seen): Instant | undefined => {
  const rotation = underWay(authority)
  const from = fromTimestamp(rotation?.soakStartedAt)
  if (rotation === undefined || from === undefined) return undefined
  const { trustSoak, dropSoak } = rotationOf(authority)
  if (rotation.phase === 'TrustBoth') return from + parseDuration(trustSoak)
  return rotation.phase === 'DropSoak' ? from + parseDuration(dropSoak) : undefined
}
