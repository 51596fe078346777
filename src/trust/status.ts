/** What is reported of the targets: how many there are, how many are as they should be, and what keeps the others. Pure. */

import { hash } from 'node:crypto'
import type { CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import { type Cached, isSettled, type Known } from './decide.ts'
import type { Wanted } from './wanted.ts'

export type TrustTargetsStatus = NonNullable<CertificateAuthorityStatus['trustTargets']>

const mostNotes = 8
const longestMessage = 4096

export interface Reported {
  readonly wanted: Wanted
  readonly known: ReadonlyMap<string, Known>
  readonly cached: (id: string) => Cached | undefined
  /** Sentences about what is not as it should be. */
  readonly notes: readonly string[]
}

/**
 * `observed` is kept while nothing else changes: a label that somebody else sets on a target moves its version, and that
 * alone is not worth a write.
 */
export const statusOf = (
  { wanted, known, cached, notes }: Reported,
  before: TrustTargetsStatus | undefined,
  wrote: boolean,
): TrustTargetsStatus => {
  const current = [...wanted.placements]
    .filter(([id, { target }]) => {
      const { hash: expected } = target
      const one = known.get(id)
      return expected !== undefined && one?.ours === true && isSettled(one, cached(id), expected)
    })
    .map(([id]) => id)
  const message = messageOf([...notes, ...blockedNotes(wanted, known)])
  const facts = { wanted: wanted.placements.size, current: current.length, ...(message === '' ? {} : { message }) }
  const same =
    before !== undefined &&
    before.wanted === facts.wanted &&
    before.current === facts.current &&
    (before.message ?? '') === message
  return { ...facts, observed: same && !wrote ? before.observed : observedOf(wanted, current, cached) }
}

/** What stands in the way, of looks before this one, too. */
const blockedNotes = ({ placements }: Wanted, known: ReadonlyMap<string, Known>): string[] =>
  [...placements.keys()].flatMap((id) => known.get(id)?.blocked ?? [])

const messageOf = (notes: readonly string[]): string => {
  const sorted = [...new Set(notes)].toSorted()
  const shown = sorted.slice(0, mostNotes)
  const more = sorted.length - shown.length
  return [...shown, ...(more > 0 ? [`And ${more} more.`] : [])].join(' ').slice(0, longestMessage)
}

/**
 * One value for every verified version: an operator that starts and finds the same in its caches has nothing to read.
 * SHA-256, lower-case hex.
 */
export const observedOf = (
  { placements }: Wanted,
  ids: readonly string[],
  cached: (id: string) => Cached | undefined,
): string => {
  const lines = ids.map((id) => {
    const { uid, resourceVersion } = cached(id) ?? { uid: '', resourceVersion: '' }
    return `${id} ${uid} ${resourceVersion} ${placements.get(id)?.target.hash ?? ''}`
  })
  return hash('sha256', lines.toSorted().join('\n'), 'hex')
}
