/**
 * Has servers take up what was delivered to a profile. What the profile's controller asks is answered at once from what is
 * remembered; servers and workloads are seen to by a queue of its own, one at a time for each profile, so that one that does not
 * answer holds up nobody else. Everything remembered can be found anew.
 */

import { existing, type Context } from '../../control/context.ts'
import { fromTimestamp } from '../../control/schedule.ts'
import { findEntryOf } from '../../ledger/record.ts'
import { issuedAt } from '../../ledger/entry.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { ReconcileContext, Result } from '../../runtime/controller.ts'
import { placeOf } from '../addressed.ts'
import type { EndpointSeen, ProfileView, Reloads, Verdict } from '../collaborators.ts'
import { noVerdict } from '../collaborators.ts'
import { keyOfAuthority } from '../names.ts'
import { AccountProblem, readAccount } from './account.ts'
import {
  arrivalMs,
  type Attempt,
  attemptOf,
  decide,
  isCurrent,
  isStale,
  lacksTrust,
  type ServerState,
} from './decide.ts'
import { planOf, type PlannedServer, type ReloadPlan } from './plan.ts'
import { Restarts } from './restarts.ts'
import { type Came, type Permits, type Visit, visit } from './server.ts'
import { byHandWords, serverWords, sinceOf, type Told, verdictOf } from './words.ts'

export interface ReloadOptions {
  /** DER of the roots that a CA's certificates are verified with. */
  readonly trustOf: (authority: CertificateAuthority) => Promise<readonly Uint8Array[]>
  /** Has the profile looked at again. */
  readonly wake: (key: string) => void
  /** Has its servers seen to. */
  readonly enqueue: (key: string) => void
  readonly permits: Permits
  /** Default: over the network. */
  readonly visit?: (visiting: Visit) => Promise<Came>
}

interface Memory {
  view: ProfileView
  plan: ReloadPlan
  readonly served: Map<string, { readonly serial: string; readonly at: number }>
  readonly attempts: Map<string, Attempt>
  /** Addresses that the other collaborator asks by itself. */
  watched: ReadonlySet<string>
  /** Of the CAs that the servers have loaded: status has it too. */
  recorded: string | undefined
  trustSince: number | undefined
  /** What was said last. */
  said: string
}

export class ProfileReloads implements Reloads {
  readonly #context: Context
  readonly #options: ReloadOptions
  readonly #memories = new Map<string, Memory>()
  readonly #restarts: Restarts

  constructor(context: Context, options: ReloadOptions) {
    this.#context = context
    this.#options = options
    this.#restarts = new Restarts(context)
  }

  look(view: ProfileView, seen: readonly EndpointSeen[]): Verdict {
    const plan = planOf(view, this.#clientTrustHash(view), (certificate, serial) => this.#issuedAt(certificate, serial))
    if (plan === undefined) {
      this.forget(view.key)
      return noVerdict
    }
    const memory = this.#remember(view, plan)
    for (const { endpoint, servedSerial, seenAt = 0 } of seen) {
      const before = memory.served.get(endpoint.address)
      if (servedSerial !== undefined && (before === undefined || before.at < seenAt))
        memory.served.set(endpoint.address, { serial: servedSerial, at: seenAt })
    }
    memory.watched = new Set(seen.map(({ endpoint }) => endpoint.address))
    this.#noticeTrust(memory)
    const verdict = this.#verdict(memory)
    memory.said = JSON.stringify(verdict)
    if (this.#isDue(memory)) this.#options.enqueue(view.key)
    return verdict
  }

  forget(key: string): void {
    this.#memories.delete(key)
    this.#restarts.forget(key)
  }

  /** One step for one profile. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const memory = this.#memories.get(key)
    const { profiles } = this.#context.caches
    if (memory === undefined || existing(profiles, key) === undefined) return {}
    const { plan } = memory
    if (plan.strategy === 'None') return {}
    const result =
      plan.strategy === 'Rollout' ? await this.#restart(memory, signal) : await this.#server(memory, signal)
    this.#noticeTrust(memory)
    // Said anew by the profile's own controller, which alone writes its status.
    if (JSON.stringify(this.#verdict(memory)) !== memory.said) this.#options.wake(key)
    return result
  }

  #remember(view: ProfileView, plan: ReloadPlan): Memory {
    const found = this.#memories.get(view.key)
    const reload = view.profile.status?.reload
    const memory = found ?? {
      ...{ view, plan, served: new Map(), attempts: new Map(), watched: new Set(), said: '' },
      recorded: reload?.trustBundleHash,
      trustSince: fromTimestamp(reload?.pending?.find(({ since }) => since !== undefined)?.since),
    }
    memory.view = view
    memory.plan = plan
    this.#memories.set(view.key, memory)
    const addresses = new Set(plan.servers.map(({ address }) => address))
    for (const map of [memory.served, memory.attempts])
      for (const address of map.keys()) if (!addresses.has(address)) map.delete(address)
    return memory
  }

  /** The hash of the CAs moves on when every server has been told of them; what stands at first is taken for loaded. */
  #noticeTrust(memory: Memory): void {
    const { plan } = memory
    if (plan.trustHash === undefined || plan.reload.authority === 'Automatic') return
    if (memory.recorded === undefined || memory.recorded === plan.trustHash) {
      memory.recorded = plan.trustHash
      memory.trustSince = undefined
      return
    }
    memory.trustSince ??= this.#context.clock.now()
    if (!this.#hasTrust(memory, memory.trustSince)) return
    memory.recorded = plan.trustHash
    memory.trustSince = undefined
  }

  #hasTrust(memory: Memory, since: number): boolean {
    const { plan, view } = memory
    const { leaf, authority } = plan.reload
    if (plan.strategy === 'Rollout') return this.#restarts.hasTrust(view.key, plan)
    const states = statesOf(memory)
    if (plan.strategy === 'SQL' && authority === 'Statement')
      return states.every((state) => state.served !== undefined && !lacksTrust(state))
    // Who reads both at a time, and shows a certificate that came after the CAs, has read them too.
    return (
      leaf === authority &&
      plan.servers.length > 0 &&
      plan.servers.every(({ delivered }, index) =>
        delivered.some((one) => one.serial === states[index]?.served && (one.since ?? 0) > since),
      )
    )
  }

  #isDue(memory: Memory): boolean {
    const { plan } = memory
    if (plan.strategy === 'None') return false
    if (plan.strategy === 'Rollout')
      return this.#restarts.isDue(memory.view.key, plan, servedOf(memory), memory.recorded)
    return decide(statesOf(memory), this.#context.clock.now()).step !== undefined
  }

  #verdict(memory: Memory): Verdict {
    const { plan } = memory
    const now = this.#context.clock.now()
    const states = statesOf(memory)
    const byAddress = new Map(states.map((state) => [state.address, state]))
    if (plan.strategy === 'Rollout') return verdictOf(this.#restarts.told(memory.view.key), memory.recorded)
    const changed = memory.trustSince !== undefined
    if (plan.strategy === 'None') {
      const stale = plan.servers.filter(({ address }) =>
        isStale(byAddress.get(address) ?? { served: undefined, serials: [] }),
      )
      const words = byHandWords(plan, stale, changed)
      return verdictOf([], memory.recorded, words === undefined ? [] : [words])
    }
    const told = plan.servers.flatMap((server): Told | readonly Told[] => {
      const state = byAddress.get(server.address)
      // Nobody has seen it: that it lacks something is not known, and whether it runs is another's to say.
      const unseen = state === undefined || (state.served === undefined && attemptOf(state)?.lost !== true)
      return unseen ? [] : (serverWords(plan, server, state, now) ?? [])
    })
    const byHand = plan.reload.authority === 'Statement' ? undefined : byHandWords(plan, [], changed)
    const verdict = verdictOf(told, memory.recorded, byHand === undefined ? [] : [byHand])
    const next = this.#whenLate(memory, states, now)
    return next === undefined ? verdict : { ...verdict, requeueAfterMs: next }
  }

  /** ms until what is under way is late, and is said to be. */
  #whenLate({ plan }: Memory, states: readonly ServerState[], now: number): number | undefined {
    const times = plan.servers.flatMap((server, index) => {
      const state = states[index]
      if (state === undefined || isCurrent(state)) return []
      const since = sinceOf(server, state)
      return since === undefined || since + arrivalMs <= now ? [] : [since + arrivalMs - now]
    })
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async #server(memory: Memory, signal: AbortSignal): Promise<Result> {
    const { clock } = this.#context
    const { plan } = memory
    const { step } = decide(statesOf(memory), clock.now())
    const server = plan.servers.find(({ address }) => address === step?.address)
    const state = statesOf(memory).find(({ address }) => address === step?.address)
    if (plan.strategy !== 'SQL' || step === undefined || server === undefined || state === undefined)
      return this.#next(memory)
    const former = attemptOf(state)
    const came = await this.#visited(memory, server, step.act === 'Tell', signal)
    const now = clock.now()
    if (came.served !== undefined) memory.served.set(server.address, { serial: came.served, at: now })
    // What was told and is gone stays so until it is seen again.
    const lost = came.lost || (former?.lost === true && came.served === undefined)
    const toldAt = came.told ? now : former?.toldAt
    memory.attempts.set(server.address, {
      ...{ goal: state.goal, at: now, toldAt },
      // A look that finds it is no attempt: it is told right after.
      count: step.act === 'Look' && came.served !== undefined ? (former?.count ?? 0) : (former?.count ?? 0) + 1,
      ...(came.failure === undefined ? {} : { failure: came.failure }),
      ...(lost ? { lost: true as const } : {}),
    })
    if (step.act === 'Look' && came.served !== undefined && former === undefined) memory.attempts.delete(server.address)
    if (
      came.told &&
      came.served !== undefined &&
      isCurrent(statesOf(memory).find((one) => one.address === server.address) ?? state)
    )
      this.#context.events.record({
        ...{ regarding: memory.view.profile, type: 'Normal', reason: 'Reloaded', action: 'Reload' },
        note: `${server.address} shows ${came.served} after it was told to read its files.`,
      })
    return this.#next(memory)
  }

  async #visited(memory: Memory, server: PlannedServer, tells: boolean, signal: AbortSignal): Promise<Came> {
    const { view, plan } = memory
    try {
      const account = tells ? await this.#account(memory, signal) : undefined
      return await (this.#options.visit ?? visit)({
        ...{ clock: this.#context.clock, server, signal, roots: await this.#roots(view) },
        ...{ place: placeOf(view.profile), permits: this.#options.permits },
        ...(account === undefined
          ? {}
          : { tell: { account, statements: plan.reload.statements, always: memory.trustSince !== undefined } }),
      })
    } catch (error) {
      if (!(error instanceof AccountProblem)) throw error
      return { told: false, lost: false, failure: { reason: error.reason, message: error.message } }
    }
  }

  #account({ view }: Memory, signal: AbortSignal) {
    const { profile, certificates } = view
    const certificateOf = (client: string) => certificates.get(`${profile.metadata.name}-${client}`)
    return readAccount(this.#context, profile, certificateOf, signal)
  }

  #roots({ profile }: ProfileView): Promise<readonly Uint8Array[]> {
    const authority = existing(this.#context.caches.authorities, keyOfAuthority(profile.spec.authorityRef, profile))
    return authority === undefined ? Promise.resolve([]) : this.#options.trustOf(authority)
  }

  #next(memory: Memory): Result {
    const { step, waitMs } = decide(statesOf(memory), this.#context.clock.now())
    if (step !== undefined) return { requeueAfterMs: 1 }
    return waitMs === undefined ? {} : { requeueAfterMs: Math.max(waitMs, 1) }
  }

  async #restart(memory: Memory, signal: AbortSignal): Promise<Result> {
    const { view, plan } = memory
    const { clock } = this.#context
    // Servers are asked first: one that shows what was delivered needs no restart.
    for (const server of plan.servers) {
      const known = memory.served.get(server.address)
      if (known !== undefined && server.delivered.some(({ serial }) => serial === known.serial)) continue
      const came = await this.#visited(memory, server, false, signal)
      if (came.served !== undefined) memory.served.set(server.address, { serial: came.served, at: clock.now() })
    }
    return this.#restarts.step({ view, plan, served: servedOf(memory), recorded: memory.recorded, signal })
  }

  #clientTrustHash({ profile }: ProfileView): string | undefined {
    const { clientAuthorityRef } = profile.spec
    if (clientAuthorityRef === undefined) return undefined
    return existing(this.#context.caches.authorities, keyOfAuthority(clientAuthorityRef, profile))?.status
      ?.trustBundleHash
  }

  #issuedAt(certificate: DatabaseCertificate, serialNumber: string): number | undefined {
    const entry = findEntryOf(this.#context.caches, certificate, serialNumber)
    const at = entry === undefined ? Number.NaN : issuedAt(entry)
    return Number.isNaN(at) ? undefined : at
  }
}

const servedOf = ({ served }: Memory): ReadonlyMap<string, string> =>
  new Map([...served].map(([address, { serial }]) => [address, serial]))

const statesOf = ({ plan, served, attempts, watched, trustSince }: Memory): ServerState[] =>
  plan.servers.map(({ address, delivered }) => {
    const serials = delivered.map(({ serial }) => serial)
    return {
      ...{ address, serials, served: served.get(address)?.serial, attempt: attempts.get(address) },
      watched: watched.has(address),
      trustSince: plan.reload.authority === 'Statement' ? trustSince : undefined,
      goal: `${serials.toSorted().join(' ')} ${plan.trustHash ?? ''}`,
    }
  })
