/**
 * Which server is told to read its files again, and when. Pure: everything follows from what was delivered, what servers show and
 * what was tried in this process.
 *
 * A kubelet takes up to a minute and a half to bring a changed Secret into a volume, and a server that was told before that has read
 * its old files: it is told again, with growing delays, until it shows what was delivered. One that shows it is never told. One
 * server of a profile at a time; where one does not answer any more after it was told, no other is told until it does.
 */

import { doubledDelay } from '../../runtime/backoff.ts'
import type { Instant } from '../../runtime/clock.ts'
import { barredMs } from './barred.ts'
import type { ReloadReason } from '../../database/reload/reload-error.ts'

/** How long after a delivery a server may still read the former files where nobody says otherwise, ms. */
export const arrivalMs = 150_000

export interface Attempt {
  /** For what; another goal begins anew. */
  readonly goal: string
  readonly count: number
  readonly at: Instant
  /** When the server last took the statement for this goal. */
  readonly toldAt?: Instant | undefined
  /** Why the last attempt came to nothing. */
  readonly failure?: { readonly reason: ReloadReason | AccountReason; readonly message: string } | undefined
  /** It took the statement, and has not answered since. */
  readonly lost?: true | undefined
}

/** The account of the profile cannot be had, or is not the profile's to use. */
export type AccountReason = 'AccountMissing' | 'AccountNotOffered'

export interface ServerState {
  readonly address: string
  /** It may serve any of these. */
  readonly serials: readonly string[]
  /** What it showed last; undefined: it has shown nothing yet. */
  readonly served: string | undefined
  /** It shows one of these with the chain of a CA that is being replaced, since it was given the other one; since when. */
  readonly chainSince?: Instant | undefined
  /** Somebody else asks it for the first time. */
  readonly watched?: boolean | undefined
  /** The CAs it is to trust are others than those that it has loaded, as far as that is known; since when. */
  readonly trustSince: Instant | undefined
  /** How long after a delivery it may still read the former files, ms. Default: as long as a kubelet takes at most. */
  readonly arrivalMs?: number | undefined
  /** It was seen to refuse the next CA: told in vain, whenever that was. */
  readonly lacksNext?: boolean | undefined
  /** Identifies what was delivered. */
  readonly goal: string
  readonly attempt: Attempt | undefined
  /** Before that no account is shown to any server of the profile: one has refused it. */
  readonly barredUntil?: Instant | undefined
}

export type Step =
  /** Ask it what it shows. */
  | { readonly act: 'Look'; readonly address: string }
  /** Tell it, and ask. */
  | { readonly act: 'Tell'; readonly address: string }

export interface NextStep {
  /** Due now. */
  readonly step: Step | undefined
  /** ms until something is due where nothing is; undefined: only a change can make it so. */
  readonly waitMs: number | undefined
}

/** 5, 10, 20 … seconds; at most ten minutes. */
export const delayMs = (count: number): number => doubledDelay(5000, 600_000, count)

export const attemptOf = ({ attempt, goal }: ServerState): Attempt | undefined =>
  attempt?.goal === goal ? attempt : undefined

export const isStale = ({ served, serials }: Pick<ServerState, 'served' | 'serials'>): boolean =>
  served !== undefined && !serials.includes(served)

/** Whether what it shows is not what was delivered: the certificate, or what comes along with it. */
export const showsFormer = (server: Pick<ServerState, 'served' | 'serials' | 'chainSince'>): boolean =>
  isStale(server) || server.chainSince !== undefined

export const arrivalOf = ({ arrivalMs: own = arrivalMs }: Pick<ServerState, 'arrivalMs'>): number => own

/** Whether it has to be told for its CAs: not once more when it was told after they must have arrived. */
export const lacksTrust = (server: ServerState): boolean => {
  if (server.trustSince === undefined) return false
  return server.lacksNext === true || !wasTold(server, server.trustSince)
}

/** Whether it was told when files that were delivered then must have come. */
export const wasTold = (server: ServerState, since: Instant): boolean =>
  (attemptOf(server)?.toldAt ?? -Infinity) >= since + arrivalOf(server)

export const isCurrent = (server: ServerState): boolean =>
  server.served !== undefined && !showsFormer(server) && !lacksTrust(server)

export const decide = (servers: readonly ServerState[], now: Instant): NextStep => {
  const lost = servers.filter((server) => attemptOf(server)?.lost === true && !isCurrent(server))
  const open = (lost.length > 0 ? lost : servers).filter(
    (server) => !isCurrent(server) && !(server.watched === true && server.served === undefined),
  )
  const due = open
    .filter((server) => dueAt(server, now) <= now)
    .toSorted((a, b) => (attemptOf(a)?.count ?? 0) - (attemptOf(b)?.count ?? 0))
  const [first] = due
  if (first !== undefined) return { step: stepOf(first), waitMs: undefined }
  const next = Math.min(...open.map((server) => dueAt(server, now)))
  return { step: undefined, waitMs: next === Infinity ? undefined : Math.max(0, next - now) }
}

const stepOf = (server: ServerState): Step => {
  const { address, served } = server
  const unseen = served === undefined || attemptOf(server)?.lost === true
  return { act: unseen ? 'Look' : 'Tell', address }
}

/** A clock that was set back ends a wait: none is longer than `delayMs` and `barredMs` give. */
const dueAt = (server: ServerState, now: Instant): Instant => {
  const { barredUntil } = server
  const usual = attemptDueAt(server, now)
  const isBarred = barredUntil !== undefined && barredUntil <= now + barredMs(Infinity) && stepOf(server).act === 'Tell'
  return isBarred ? Math.max(barredUntil, usual) : usual
}

const attemptDueAt = (server: ServerState, now: Instant): Instant => {
  const attempt = attemptOf(server)
  if (attempt === undefined || attempt.at > now) return now
  const usual = attempt.at + delayMs(attempt.count)
  // For CAs alone: little shows whether they are loaded, so it is told twice, at once and when they must have arrived.
  const told =
    attempt.toldAt !== undefined && !showsFormer(server) && attempt.lost !== true && server.lacksNext !== true
  return told && server.trustSince !== undefined ? Math.max(usual, server.trustSince + arrivalOf(server)) : usual
}
