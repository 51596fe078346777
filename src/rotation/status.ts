/** Between what status.rotation says and the state that is decided from. Pure. */

import { fromTimestamp, toTimestamp } from '../control/schedule.ts'
import type { CertificateAuthority, CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import type { Pending, State } from './state.ts'

export type RotationStatus = NonNullable<CertificateAuthorityStatus['rotation']>

const longestMessage = 4096

export const stateOf = ({ status }: CertificateAuthority): State | undefined => {
  const { rotation } = status ?? {}
  if (rotation === undefined) return undefined
  const { phase, mode, cause, trigger = '', abort = '', from, to } = rotation
  const [startedAt, phaseStartedAt, soakStartedAt, finishedAt] = [
    rotation.startedAt,
    rotation.phaseStartedAt,
    rotation.soakStartedAt,
    rotation.finishedAt,
  ].map(fromTimestamp)
  return {
    ...{ phase, trigger, abort },
    ...(mode === undefined ? {} : { mode }),
    ...(cause === undefined ? {} : { cause }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(phaseStartedAt === undefined ? {} : { phaseStartedAt }),
    ...(soakStartedAt === undefined ? {} : { soakStartedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
}

interface Told {
  readonly state: State
  readonly pending?: Pending | undefined
  readonly message: string
}

export const statusOf = ({ state, pending, message }: Told): RotationStatus => {
  const { phase, mode, cause, trigger, abort, from, to } = state
  const time = (instant: number | undefined): string | undefined =>
    instant === undefined ? undefined : toTimestamp(instant)
  return defined({
    ...{ phase, mode, cause, trigger: trigger || undefined, abort: abort || undefined, from, to },
    startedAt: time(state.startedAt),
    phaseStartedAt: time(state.phaseStartedAt),
    soakStartedAt: time(state.soakStartedAt),
    finishedAt: time(state.finishedAt),
    pending: phase === 'Idle' ? undefined : pending,
    message: message === '' ? undefined : message.slice(0, longestMessage),
  })
}

const defined = (fields: Readonly<Record<string, unknown>>): RotationStatus =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as RotationStatus

/** Counts and words that follow from them: they may lag a little behind. */
export const isSameButForCounts = (a: RotationStatus | undefined, b: RotationStatus): boolean =>
  a !== undefined && lasting(a) === lasting(b)

const lasting = ({ pending: _pending, message: _message, ...rest }: RotationStatus): string =>
  JSON.stringify(Object.entries(rest).toSorted(([one], [other]) => (one < other ? -1 : 1)))
