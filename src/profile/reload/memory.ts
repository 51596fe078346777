/** What is remembered of one profile, and what follows from it of each server. Pure. */

import type { Instant } from '../../runtime/clock.ts'
import type { EndpointSeen, ProfileView, TrustProved } from '../collaborators.ts'
import type { Barred } from './barred.ts'
import type { Attempt, ServerState } from './decide.ts'
import type { ReloadPlan } from './plan.ts'
import { type TrustRecord, trustStatusOf } from './trust-loaded.ts'

export interface Memory {
  view: ProfileView
  plan: ReloadPlan
  readonly served: Map<string, { readonly serial: string; readonly at: number }>
  readonly attempts: Map<string, Attempt>
  /** Addresses that show the chain of a former CA, and since when that is seen. */
  readonly formerChains: Map<string, Instant>
  /** Addresses that the other collaborator asks by itself. */
  watched: ReadonlySet<string>
  /** What those that are watched have proved, by their address. */
  proofs: ReadonlyMap<string, TrustProved>
  readonly trust: TrustRecord
  /** CA → its bundle as it was loaded, and the same in another order. */
  readonly orders: Map<string, string>
  /** How long after a delivery its servers may still read the former files, ms. */
  readonly arrivalMs: number
  /** Uid and version of the Secret of the account; undefined: it has none. */
  account: string | undefined
  barred: Barred | undefined
  /** What was said last. */
  said: string
}

export const servedOf = ({ served }: Memory): ReadonlyMap<string, string> =>
  new Map([...served].map(([address, { serial }]) => [address, serial]))

export const noticeChains = ({ formerChains }: Memory, seen: readonly EndpointSeen[], now: Instant): void => {
  const former = new Set(seen.flatMap(({ endpoint, formerChain }) => (formerChain === true ? endpoint.address : [])))
  for (const address of formerChains.keys()) if (!former.has(address)) formerChains.delete(address)
  for (const address of former) if (!formerChains.has(address)) formerChains.set(address, now)
}

export const recordedOf = ({ trust, plan }: Memory): string | undefined =>
  trustStatusOf(trust, plan.trust).trustBundleHash

export const statesOf = (memory: Memory): ServerState[] => {
  const { plan, served, attempts, formerChains, watched, proofs, trust, arrivalMs, barred } = memory
  return plan.servers.map(({ address, delivered }) => {
    const serials = delivered.map(({ serial }) => serial)
    const proof = proofs.get(address)
    const lacked = [...trust.changes].filter(([authority, change]) => !isProved(proof, authority, change.delivered))
    const isTold = plan.reload.authority === 'Statement'
    const chainSince = formerChains.get(address)
    return {
      ...{ address, serials, served: served.get(address)?.serial, attempt: attempts.get(address) },
      ...{ chainSince, watched: watched.has(address), arrivalMs, barredUntil: barred?.until },
      trustSince: isTold && lacked.length > 0 ? Math.max(...lacked.map(([, { since }]) => since)) : undefined,
      lacksNext: isTold && proof?.lacksNext === true,
      goal: `${serials.toSorted().join(' ')} ${plan.trustHash ?? ''}${chainSince === undefined ? '' : ' and its chain'}`,
    }
  })
}

export const isProved = (proof: TrustProved | undefined, authority: string, delivered: string): boolean =>
  proof?.authority === authority && proof.loaded === delivered

/** What another account may mend. */
const ofAccount: ReadonlySet<string> = new Set([
  'AccountMissing',
  'AccountNotOffered',
  'CertificateRefused',
  'LoginRefused',
  'PrivilegeMissing',
])

/** `account` identifies what is in its Secret: of another one nothing has been refused yet, so it is tried at once. */
export const noticeAccount = (memory: Memory, account: string | undefined): void => {
  if (memory.account === account) return
  memory.account = account
  memory.barred = undefined
  for (const [address, { failure }] of memory.attempts)
    if (failure !== undefined && ofAccount.has(failure.reason)) memory.attempts.delete(address)
}
