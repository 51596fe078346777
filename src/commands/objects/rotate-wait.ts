/** Following a rotation to its end, a line for each step. */

import { ifFound } from '../../cluster/errors.ts'
import { isAbortRequested, isHeld, isRequested, pendingInWords, underWay } from '../../control/rotation.ts'
import { notBegun } from '../../rotation/idle.ts'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { readinessOf } from '../shared/readiness.ts'
import type { Target } from '../shared/target.ts'
import { lookUntil } from '../shared/wait.ts'
import { stepInWords, waitInWords } from './rotation-words.ts'

export interface Awaited {
  /** As it was when the rotation was asked for. */
  readonly before: CertificateAuthority
  readonly timeoutMs: number
  /** A line of progress. */
  readonly tell: (verb: string, text: string) => void
}

export interface Ended {
  /** As it was seen last; undefined where it was deleted. */
  readonly authority: CertificateAuthority | undefined
  /** Why it did not end well. */
  readonly problem?: string
}

/** Of days of soaking a look in two seconds misses nothing. */
const everyMs = 2000
/** Counts shrink with each certificate; a person reads a line now and then. */
const tellEveryMs = 10_000

/** Looks until the CA is at rest again, or cannot get there by itself. */
export const untilAtRest = async (target: Target, { before, timeoutMs, tell }: Awaited): Promise<Ended> => {
  const { cluster, clock } = target
  const { namespace = '', name } = before.metadata
  let ended: Ended = { authority: before }
  let phase: string | undefined
  let told = ''
  let toldAt = 0
  const look = async (): Promise<boolean> => {
    const authority = await ifFound(cluster.get(certificateAuthorities, { namespace, name }))
    if (authority === undefined) {
      ended = { authority, problem: 'it was deleted' }
      return true
    }
    const problem = problemOf(authority)
    ended = { authority, ...(problem === undefined ? {} : { problem }) }
    const text = progressOf(authority)
    const isNews = authority.status?.rotation?.phase !== phase
    if (text !== undefined && text !== told && (isNews || clock.monotonic() - toldAt >= tellEveryMs)) {
      tell('phase', text)
      told = text
      toldAt = clock.monotonic()
    }
    phase = authority.status?.rotation?.phase
    return problem !== undefined || isOver(authority)
  }
  if (await lookUntil(clock, timeoutMs, look, everyMs)) return ended
  const { authority } = ended
  const still = authority && progressOf(authority)
  return { authority, problem: `the time is up; ${still ?? 'the operator has not come to it'}` }
}

const isOver = (authority: CertificateAuthority): boolean =>
  underWay(authority) === undefined && !isRequested(authority) && !isAbortRequested(authority)

/** What only a person can end. */
const problemOf = (authority: CertificateAuthority): string | undefined => {
  const rotation = underWay(authority)
  const { state, reason, message } = readinessOf(authority)
  if (state === 'Stalled') return `${reason}: ${message}`
  if (rotation === undefined) return keptFromBeginning(authority)
  // To take it back is no way past the hold.
  if (!isHeld(authority) || pendingInWords(rotation) !== undefined || isAbortRequested(authority)) return undefined
  return `it is held at ${rotation.phase}; --release lets it go on`
}

const keptFromBeginning = (authority: CertificateAuthority): string | undefined => {
  const message = authority.status?.rotation?.message ?? ''
  return isRequested(authority) && message.startsWith(notBegun) ? message : undefined
}

const progressOf = (authority: CertificateAuthority): string | undefined => {
  const rotation = underWay(authority)
  if (rotation === undefined) {
    const why = authority.status?.rotation?.message ?? ''
    return isRequested(authority) ? `asked for, and not begun yet${why === '' ? '' : `: ${why}`}` : undefined
  }
  const wait = rotation.message ?? waitInWords(authority)
  return `${stepInWords(rotation)}${wait === undefined ? '' : `: ${wait}`}`
}
