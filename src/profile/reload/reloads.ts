/**
 * Has servers take up what was delivered to a profile. What the profile's controller asks is answered at once from what is
 * remembered; servers and workloads are seen to by a queue of its own, one at a time for each profile, so that one that does not
 * answer holds up nobody else. Everything remembered can be found anew.
 */

import { isReordered } from '../../authority/reordered.ts'
import { existing, type Context } from '../../control/context.ts'
import { findEntryOf } from '../../ledger/record.ts'
import { issuedAt } from '../../ledger/entry.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { ReconcileContext, Result } from '../../runtime/controller.ts'
import type { EndpointSeen, ProfileView, Reloads, Verdict } from '../collaborators.ts'
import { noVerdict } from '../collaborators.ts'
import { authorityOf } from '../names.ts'
import { replacedChain } from '../present-chain.ts'
import { type Permits, placeOf } from '../reach.ts'
import { AccountProblem, readAccount } from './account.ts'
import { arrivalMs, attemptOf, decide, isCurrent, wasTold } from './decide.ts'
import { barredAfter } from './barred.ts'
import { meansOf, passedMs, showsLater } from './means.ts'
import { isProved, type Memory, noticeAccount, noticeChains, recordedOf, servedOf, statesOf } from './memory.ts'
import { planOf, type PlannedServer, type ReloadPlan } from './plan.ts'
import { Restarts } from './restarts.ts'
import { type Came, type Visit, visit } from './server.ts'
import { Slowness, TooLong } from './slowness.ts'
import { type Change, type Loaded, noticeTrust, recordOf } from './trust-loaded.ts'
import { judge } from './verdict.ts'

export interface ReloadOptions {
  /** DER of the roots that a CA's certificates are verified with. */
  readonly trustOf: (authority: CertificateAuthority) => Promise<readonly Uint8Array[]>
  /** Has the profile looked at again. */
  readonly wake: (key: string) => void
  /** Has its servers seen to. */
  readonly enqueue: (key: string, afterMs?: number) => void
  /** A server of the profile was logged in to and told: what is seen of it may be otherwise now. */
  readonly told?: (key: string) => void
  readonly permits: Permits
  /** From a change of a Secret to that of a pod's volume at most, ms. Default: what a kubelet with its usual settings takes. */
  readonly arrivalMs?: number | undefined
  /** Default: over the network. */
  readonly visit?: (visiting: Visit) => Promise<Came>
}

/** Servers that are asked side by side before a restart. */
const mostAsked = 8

export class ProfileReloads implements Reloads {
  readonly #context: Context
  readonly #options: ReloadOptions
  readonly #memories = new Map<string, Memory>()
  readonly #restarts: Restarts
  readonly #slowness: Slowness

  constructor(context: Context, options: ReloadOptions) {
    this.#context = context
    this.#options = options
    this.#restarts = new Restarts(context)
    this.#slowness = new Slowness(context.clock)
  }

  look(view: ProfileView, seen: readonly EndpointSeen[]): Verdict {
    const plan = this.#plan(view)
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
    noticeChains(memory, seen, this.#context.clock.now())
    memory.watched = new Set(seen.map(({ endpoint }) => endpoint.address))
    memory.proofs = new Map(seen.flatMap(({ endpoint, trust }) => (trust ? [[endpoint.address, trust]] : [])))
    noticeAccount(memory, this.#accountOf(memory))
    this.#noticeTrust(memory)
    const verdict = this.#verdict(memory)
    memory.said = saidBy(verdict)
    const dueMs = this.#dueMs(memory)
    if (dueMs !== undefined) this.#options.enqueue(view.key, dueMs)
    return verdict
  }

  forget(key: string): void {
    this.#memories.delete(key)
    this.#restarts.forget(key)
    this.#slowness.forget(key)
  }

  /** One step for one profile. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const memory = this.#memories.get(key)
    const { profiles } = this.#context.caches
    if (memory === undefined || existing(profiles, key) === undefined) return {}
    const { plan } = memory
    if (plan.strategy === 'None') return {}
    noticeAccount(memory, this.#accountOf(memory))
    // What does not answer takes all of a timeout, and must not hold up those that do.
    const result =
      plan.strategy === 'Rollout'
        ? await this.#slowness.within(key, signal, (patience) => this.#restart(memory, { patience, signal }))
        : await this.#server(memory, signal)
    if (result === undefined) return { requeueAfterMs: this.#slowness.againMs }
    this.#noticeTrust(memory)
    // Said anew by the profile's own controller, which alone writes its status.
    if (saidBy(this.#verdict(memory)) !== memory.said) this.#options.wake(key)
    return result
  }

  #plan(view: ProfileView): ReloadPlan | undefined {
    const memory = this.#memories.get(view.key)
    const status = view.profile.status?.reload
    const recorded = new Map(status?.authorities?.map(({ name, trustBundleHash }) => [name, trustBundleHash]))
    const find = (authority: string) => existing(this.#context.caches.authorities, authority)
    return planOf(view, {
      findIssued: (certificate, serial) => this.#issuedAt(certificate, serial),
      trustHashOf: (authority) => find(authority)?.status?.trustBundleHash,
      chainOf: (certificate) => replacedChain(certificate, find),
      knownAs: (authority, hash) => {
        const loaded = (memory?.trust.loaded ?? recorded).get(authority)
        if (loaded === undefined || hash === loaded) return hash
        const orders = [loaded, hash]
        const isOrder = isReordered(authority, orders, find)
        // The CA says so no longer when the former one is dropped, and certificates follow a moment later.
        if (isOrder) memory?.orders.set(authority, orders.join(' '))
        return isOrder || memory?.orders.get(authority) === orders.join(' ') ? loaded : hash
      },
    })
  }

  #remember(view: ProfileView, plan: ReloadPlan): Memory {
    const memory = this.#memories.get(view.key) ?? {
      ...{
        view,
        plan,
        served: new Map(),
        attempts: new Map(),
        formerChains: new Map(),
        watched: new Set(),
        proofs: new Map(),
        orders: new Map(),
        said: '',
      },
      ...{ account: undefined, barred: undefined },
      trust: recordOf(view.profile.status?.reload, plan.trust),
      arrivalMs: this.#options.arrivalMs ?? arrivalMs,
    }
    memory.view = view
    memory.plan = plan
    this.#memories.set(view.key, memory)
    const addresses = new Set(plan.servers.map(({ address }) => address))
    for (const map of [memory.served, memory.attempts, memory.formerChains])
      for (const address of map.keys()) if (!addresses.has(address)) map.delete(address)
    return memory
  }

  /** The hash of a CA moves on when every server has shown that it loaded it, or must have; what stands at first is taken for loaded. */
  #noticeTrust(memory: Memory): void {
    const { plan, proofs, trust } = memory
    const now = this.#context.clock.now()
    noticeTrust(trust, {
      ...{ trust: plan.trust, now, isByHand: meansOf(plan) === 'ByHand' },
      isLacked: (authority) => [...proofs.values()].some((one) => one.authority === authority && one.lacksNext),
      loadedBy: (authority, change) => this.#loadedBy(memory, authority, change, now),
    })
  }

  #loadedBy(memory: Memory, authority: string, change: Change, now: number): Loaded {
    const { plan, view, proofs } = memory
    const means = meansOf(plan)
    if (means === 'Rollout') return this.#restarts.hasTrust(view.key, plan) ? 'Seen' : undefined
    const states = statesOf(memory)
    const hasProved = (address: string): boolean => isProved(proofs.get(address), authority, change.delivered)
    if (means === 'SQL')
      return states.every(
        (state) => state.served !== undefined && (hasProved(state.address) || wasTold(state, change.since)),
      )
        ? 'Seen'
        : undefined
    const asked = [...proofs].filter(([, proof]) => proof.authority === authority)
    if (asked.length > 0 && asked.every(([address]) => hasProved(address))) return 'Seen'
    if (authority === plan.trust[0]?.authority && showsLater(plan, states, change.since)) return 'Seen'
    return now >= change.since + passedMs(means, memory.arrivalMs) ? 'Passed' : undefined
  }

  /** ms until something is to be done, where a look alone shows that. */
  #dueMs(memory: Memory): number | undefined {
    const { plan, view } = memory
    if (plan.strategy === 'None') return undefined
    if (plan.strategy === 'Rollout')
      return this.#restarts.isDue(view.key, plan, this.#startedWith(memory)) ? 0 : undefined
    const states = statesOf(memory)
    const { step, waitMs } = decide(states, this.#context.clock.now())
    if (step !== undefined) return 0
    // Seen to lack what it was told to read: the time of the next statement is another now.
    return states.some(({ lacksNext }) => lacksNext === true) ? waitMs : undefined
  }

  #verdict(memory: Memory): Verdict {
    const { plan, view } = memory
    return judge(memory, () => this.#restarts.told(view.key, plan), this.#context.clock.now())
  }

  /** undefined: there is no place for it now. */
  async #server(memory: Memory, signal: AbortSignal): Promise<Result | undefined> {
    const { clock } = this.#context
    const { plan } = memory
    const states = statesOf(memory)
    const { step } = decide(states, clock.now())
    const server = plan.servers.find(({ address }) => address === step?.address)
    const state = states.find(({ address }) => address === step?.address)
    if (plan.strategy !== 'SQL' || step === undefined || server === undefined || state === undefined)
      return this.#next(memory)
    const former = attemptOf(state)
    const place = placeFor(memory, server)
    const came = await this.#slowness.within(place, signal, (patience) =>
      this.#visited(memory, server, step.act === 'Tell', patience),
    )
    if (came === undefined) return undefined
    const now = clock.now()
    if (came.served !== undefined) memory.served.set(server.address, { serial: came.served, at: now })
    if (came.served === undefined || came.lost) this.#slowness.note(place)
    if (came.told) this.#options.told?.(memory.view.key)
    if (step.act === 'Tell') memory.barred = barredAfter(memory.barred, came, now)
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
    // Its certificate is the right one: that alone does not say that it has read its files.
    const always = memory.trust.changes.size > 0 || memory.formerChains.has(server.address)
    try {
      const account = tells ? await this.#account(memory, signal) : undefined
      return await (this.#options.visit ?? visit)({
        ...{ clock: this.#context.clock, server, signal, roots: await this.#roots(view) },
        ...{ place: placeOf(view.profile), permits: this.#options.permits },
        ...(account === undefined ? {} : { tell: { account, statements: plan.reload.statements, always } }),
      })
    } catch (error) {
      const { reason: called } = signal as { readonly reason: unknown }
      if (called instanceof TooLong)
        return { told: false, lost: false, failure: { reason: 'TimedOut', message: called.message } }
      if (!(error instanceof AccountProblem)) throw error
      return { told: false, lost: false, failure: { reason: error.reason, message: error.message } }
    }
  }

  #account({ view }: Memory, signal: AbortSignal) {
    const { profile, certificates } = view
    const certificateOf = (client: string) => certificates.get(`${profile.metadata.name}-${client}`)
    return readAccount(this.#context, profile, certificateOf, signal)
  }

  #accountOf({ view }: Memory): string | undefined {
    const { metadata, spec } = view.profile
    const name = spec.reload?.credentialsSecretRef?.name
    const secret = this.#context.caches.secrets.store.get(`${metadata.namespace}/${name}`)?.metadata
    return name === undefined ? undefined : `${name} ${secret?.uid} ${secret?.resourceVersion}`
  }

  #roots({ profile }: ProfileView): Promise<readonly Uint8Array[]> {
    const authority = existing(this.#context.caches.authorities, authorityOf(profile))
    return authority === undefined ? Promise.resolve([]) : this.#options.trustOf(authority)
  }

  #next(memory: Memory): Result {
    const { step, waitMs } = decide(statesOf(memory), this.#context.clock.now())
    if (step !== undefined) return { requeueAfterMs: 1 }
    return waitMs === undefined ? {} : { requeueAfterMs: Math.max(waitMs, 1) }
  }

  /** `patience`: how long servers are waited for. */
  async #restart(
    memory: Memory,
    { patience, signal }: { readonly patience: AbortSignal; readonly signal: AbortSignal },
  ): Promise<Result> {
    const { view, plan } = memory
    const { clock } = this.#context
    // Servers are asked first: one that shows what was delivered needs no restart.
    const unknown = plan.servers.filter(({ address, delivered }) => {
      const known = memory.served.get(address)
      return known === undefined || !delivered.some(({ serial }) => serial === known.serial)
    })
    const askOne = async (server: PlannedServer): Promise<void> => {
      const came = await this.#visited(memory, server, false, patience)
      if (came.served !== undefined) memory.served.set(server.address, { serial: came.served, at: clock.now() })
    }
    // Side by side: those that do not answer together take no longer than one.
    for (let at = 0; at < unknown.length && !patience.aborted; at += mostAsked)
      await Promise.all(unknown.slice(at, at + mostAsked).map(askOne))
    return this.#restarts.step({ view, plan, ...this.#startedWith(memory), signal })
  }

  #startedWith(memory: Memory) {
    const formerChains = new Set(memory.formerChains.keys())
    return { served: servedOf(memory), formerChains, recorded: recordedOf(memory) }
  }

  #issuedAt(certificate: DatabaseCertificate, serialNumber: string): number | undefined {
    const entry = findEntryOf(this.#context.caches, certificate, serialNumber)
    const at = entry === undefined ? Number.NaN : issuedAt(entry)
    return Number.isNaN(at) ? undefined : at
  }
}

/** One that does not answer is slow by itself, not its neighbours. */
const placeFor = ({ view }: Memory, { address }: { readonly address: string }): string => `${view.key} ${address}`

/** When it is looked at again is nothing that is said. */
const saidBy = ({ facts, findings, notes }: Verdict): string => JSON.stringify([facts, findings, notes])
