/** A rotation in words, as `dbtls status` and `dbtls rotate` tell it. Pure. */

import {
  isHeld,
  isRequested,
  isRotating,
  pendingInWords,
  type Rotation,
  rotationPhases,
  type Seen,
  soakEnd,
  underWay,
} from '../../control/rotation.ts'
import { fromTimestamp } from '../../control/schedule.ts'
import type { Instant } from '../../runtime/clock.ts'
import { relative, timeInWords } from '../../control/times.ts'

/** `TrustBoth (2 of 5)`; `Idle` is no step. */
export const stepInWords = ({ phase }: Pick<Rotation, 'phase'>): string => {
  const step = rotationPhases.indexOf(phase)
  return step <= 0 ? phase : `${phase} (${step} of ${rotationPhases.length - 1})`
}

/** What it waits for, in one line; undefined where nothing is known to hold it up. */
export const waitInWords = (authority: Seen): string | undefined => {
  const rotation = underWay(authority)
  if (rotation === undefined) return undefined
  const parts = [pendingInWords(rotation), soakInWords(authority), isHeld(authority) ? 'held here (holdAt)' : undefined]
  return parts.filter((part) => part !== undefined).join('; ') || undefined
}

const soakInWords = (authority: Seen): string | undefined => {
  const end = soakEnd(authority)
  return end === undefined ? undefined : `soak until ${new Date(end).toISOString().replace(/\.\d+Z$/, 'Z')}`
}

/** Label and text of each line that describes it; none for a CA that never rotated. */
export const rotationLines = (authority: Seen, now: Instant): (readonly [string, string])[] => {
  const rotation = authority.status?.rotation
  const lines: (readonly [string, string | undefined])[] = []
  if (isRotating(authority) && rotation !== undefined) {
    const since = fromTimestamp(rotation.phaseStartedAt)
    const begun = fromTimestamp(rotation.startedAt)
    lines.push(
      ['Rotation', `${stepInWords(rotation)}${since === undefined ? '' : `, for ${ago(since, now)}`}`],
      ['Rotation began', begun === undefined ? undefined : timeInWords(begun, now)],
      ['Rotation waits for', waitInWords(authority)],
      ['Rotation says', rotation.message],
    )
  } else if (rotation?.message !== undefined) lines.push(['Rotation', rotation.message])
  if (isRequested(authority)) lines.push(['Rotation', isRotating(authority) ? 'another queued' : 'asked for'])
  return lines.flatMap(([label, text]) => (text === undefined ? [] : [[label, text] as const]))
}

const ago = (since: Instant, now: Instant): string => {
  const text = relative(Math.min(since, now), now)
  return text === 'now' ? 'a moment' : text.replace(/ ago$/, '')
}
