/**
 * Asks the endpoints of all profiles again and again, and remembers the last look at each. What it remembers is gone with the
 * process: a start asks everybody once before anything is said.
 */

import type { Lookup } from '../../database/connect/address.ts'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import { Patrol } from '../../database/connect/patrol.ts'
import type { Served } from '../../database/connect/served.ts'
import { doubledDelay } from '../../runtime/backoff.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/log.ts'
import { untilNextLook } from './pace.ts'
import { answered, type Look, type TrustSeen } from './seen.ts'
import { type Asking, lookAt, type Remaining, type ShownCertificate } from './look.ts'
import { NextProofs, type ProofWatchOptions } from './next-proofs.ts'
import type { Permits } from '../reach.ts'
import type { Plan, PlannedClient, PlannedEndpoint } from './plan.ts'

export interface WatchOptions extends ProofWatchOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Gives [0, 1). */
  readonly random: () => number
  readonly permits: Permits
  readonly lookup?: Lookup | undefined
  /** Reads the certificate of a client; undefined where there is none to read. */
  readonly read: (client: PlannedClient, signal: AbortSignal) => Promise<ShownCertificate | undefined>
  /** Something of this profile is seen for the first time, or otherwise than before. */
  readonly changed: (profile: string) => void
  /** Told of each look. */
  readonly looked: (dialect: DialectName, look: Look) => void
  readonly mostOpen?: number | undefined
}

/** A plan and the CAs that clients trust, DER; the same array while they are the same. */
export interface Followed {
  readonly plan: Plan
  readonly roots: readonly Uint8Array[]
  /** While something is on its way out of what clients trust. */
  readonly remaining?: Remaining | undefined
}

export interface Watched {
  readonly endpoint: PlannedEndpoint
  readonly look: Look
  /** Hash of the trust bundle that it has proved to have loaded. */
  readonly loaded?: string
}

interface State {
  readonly profile: string
  endpoint: PlannedEndpoint
  /** Undefined until it was asked since it should serve what it should serve now. */
  look: Look | undefined
  /** When what it should serve changed, or the chain that comes along, ms on a clock that never jumps; absent for what was so at the first sight of it. */
  changedAt: number | undefined
  wants: boolean
  served: Served | undefined
  trust: TrustSeen | undefined
  /** For which certificates `trust` was found out. */
  trustKey: string | undefined
  /** ms on a clock that never jumps: the last time a certificate was shown. */
  shownAt: number
  /** ms on the same clock: when its trust was last to be found out. */
  provedAt: number
  /** How often in a row nothing clear was seen of it. */
  unsure: number
}

/** A server that takes clients without certificate is shown one so often, so that what is said of its trust stays true. */
const showAgainMs = 60 * 60_000
/** One of which nothing clear was seen is shown one again after this, and ever later. */
const unsureMs = 5000
/** A slow server takes its turn among those that do not answer. */
const slowMs = 3000

export class EndpointWatch {
  readonly #options: WatchOptions
  readonly #patrol: Patrol
  readonly #proofs: NextProofs
  readonly #profiles = new Map<string, Followed & { readonly keys: ReadonlySet<string> }>()
  readonly #states = new Map<string, State>()

  constructor(options: WatchOptions) {
    const { clock, log, mostOpen = 32, random } = options
    this.#options = options
    this.#proofs = new NextProofs(options)
    this.#patrol = new Patrol({
      ...{ clock, random, mostOpen, ask: (key, signal) => this.#ask(key, signal) },
      failed: (key, error) => log.warn('an endpoint could not be asked', { endpoint: key, error: String(error) }),
    })
  }

  /** Connections at this moment. */
  get open(): number {
    return this.#patrol.open
  }

  /** `profile`: namespace/name. */
  follow(profile: string, followed: Followed): void {
    const { endpoints, intervalMs } = followed.plan
    const keys = new Set(endpoints.map(({ address }) => `${profile} ${address}`))
    for (const key of this.#profiles.get(profile)?.keys ?? []) if (!keys.has(key)) this.#drop(key)
    const before = this.#profiles.get(profile)
    this.#profiles.set(profile, { ...followed, keys })
    for (const endpoint of endpoints) this.#followOne(profile, `${profile} ${endpoint.address}`, endpoint, intervalMs)
    if (before === undefined) return
    // Another chain is on its way to them, as another certificate is after a renewal.
    const isExchanged = followed.remaining !== undefined && before.remaining?.hash !== followed.remaining.hash
    for (const key of isExchanged ? keys : []) this.#expectNew(key)
    // What is seen of them hangs on what they are shown.
    const isAnother = ({ plan, remaining }: Followed): boolean =>
      plan.client?.fingerprint !== followed.plan.client?.fingerprint || remaining?.hash !== followed.remaining?.hash
    if (isAnother(before)) for (const key of keys) this.#patrol.soon(key)
  }

  #expectNew(key: string): void {
    const state = this.#states.get(key)
    if (state !== undefined) state.changedAt = this.#options.clock.monotonic()
  }

  #followOne(profile: string, key: string, endpoint: PlannedEndpoint, intervalMs: number): void {
    const state = this.#states.get(key)
    if (state === undefined) {
      const fresh = { look: undefined, changedAt: undefined, wants: false, served: undefined }
      const trust = { trust: undefined, trustKey: undefined, shownAt: -Infinity, provedAt: -Infinity, unsure: 0 }
      this.#states.set(key, { profile, endpoint, ...fresh, ...trust })
      this.#patrol.set(key, intervalMs)
      return
    }
    const before = state.endpoint
    state.endpoint = endpoint
    this.#patrol.set(key, this.#untilNext(key, state, intervalMs))
    // What was seen so far stands: only whom it trusts is asked anew.
    if (endpoint.proof !== undefined && endpoint.proof.to !== before.proof?.to) this.#patrol.soon(key)
    if (question(before) === question(endpoint)) return
    // What was seen answers another question.
    state.look = undefined
    state.changedAt = this.#options.clock.monotonic()
    this.#patrol.soon(key)
  }

  /** Nothing of it is asked any more. */
  forget(profile: string): void {
    for (const key of this.#profiles.get(profile)?.keys ?? []) this.#drop(key)
    this.#profiles.delete(profile)
  }

  #drop(key: string): void {
    this.#states.delete(key)
    this.#proofs.forget(key)
    this.#patrol.drop(key)
  }

  /**
   * Its servers were told to read their files, by somebody who logged in to them: what they could not prove is asked at once, and
   * what they showed with a former chain.
   */
  told(profile: string): void {
    for (const key of this.#profiles.get(profile)?.keys ?? []) {
      const state = this.#states.get(key)
      const isProving = state?.endpoint.proof !== undefined && this.#proofs.toldAnew(key)
      if (isProving || state?.look?.without?.same === false) this.#patrol.soon(key)
    }
  }

  /** The last look at each endpoint in the order of the plan; undefined while one has not been asked. */
  looks(profile: string): readonly Watched[] | undefined {
    const seen = this.seen(profile)
    return seen.length === this.#profiles.get(profile)?.keys.size ? seen : undefined
  }

  /** Those of a profile that were asked. */
  seen(profile: string): readonly Watched[] {
    return [...(this.#profiles.get(profile)?.keys ?? [])].flatMap((key) => {
      const state = this.#states.get(key)
      if (state?.look === undefined) return []
      const loaded = state.endpoint.proof === undefined ? undefined : this.#proofs.loaded(key)
      return [{ endpoint: state.endpoint, look: state.look, ...(loaded === undefined ? {} : { loaded }) }]
    })
  }

  /** Every endpoint that was asked, of all profiles. */
  *all(): Generator<{ readonly profile: string; readonly endpoint: PlannedEndpoint; readonly look: Look }> {
    for (const { profile, endpoint, look } of this.#states.values())
      if (look !== undefined) yield { profile, endpoint, look }
  }

  stop(): Promise<void> {
    return this.#patrol.stop()
  }

  async #ask(key: string, signal: AbortSignal): Promise<boolean> {
    const state = this.#states.get(key)
    const followed = state === undefined ? undefined : this.#profiles.get(state.profile)
    if (state === undefined || followed === undefined) return true
    const { clock, permits, lookup } = this.#options
    const { endpoint } = state
    const { client } = followed.plan
    const showing = client === undefined ? undefined : this.#showing(state, client)
    const asking = askingOf(followed, endpoint)
    const seen = await lookAt(asking, {
      ...{ clock, permits, lookup, signal, showing, known: state.served, remaining: followed.remaining },
    })
    const { proof } = endpoint
    const next =
      proof === undefined ? undefined : await this.#proofs.ask(key, { asking, proof, look: seen.look }, signal)
    if (signal.aborted || this.#states.get(key) !== state) return true
    state.wants = seen.wants
    state.served = seen.served
    if (seen.shown) state.shownAt = clock.monotonic()
    if (next === undefined) this.#learn(state, client, seen.look)
    else Object.assign(state, { trust: next, trustKey: undefined })
    const look = state.trust === undefined ? seen.look : { ...seen.look, trust: state.trust }
    this.#options.looked(endpoint.dialect, look)
    const isAnswer = answered(look) && look.tookMs < slowMs
    // Asked before what it should serve changed: it is asked again at once.
    if (state.endpoint !== endpoint && question(state.endpoint) !== question(endpoint)) return isAnswer
    const isNew = state.look === undefined || digest(state.look) !== digest(look)
    state.look = look
    // A look that began before says nothing of the chain.
    const isOfNow = this.#profiles.get(state.profile)?.remaining?.hash === followed.remaining?.hash
    if (isOfNow && this.#waiting(state) === undefined) state.changedAt = undefined
    this.#patrol.set(key, this.#untilNext(key, state, followed.plan.intervalMs))
    if (isNew) this.#options.changed(state.profile)
    return isAnswer
  }

  #untilNext(key: string, state: State, intervalMs: number): number {
    const usual = untilNextLook(intervalMs, this.#waiting(state))
    return state.endpoint.proof === undefined ? usual : Math.min(usual, this.#proofs.untilNext(key))
  }

  #showing(state: State, client: PlannedClient) {
    const { clock, read } = this.#options
    const sinceMs = clock.monotonic() - state.shownAt
    const isDue = sinceMs >= showAgainMs
    // It was restarting, as likely as not.
    const isUnsure =
      state.trust?.state === 'Unknown' &&
      clock.monotonic() - state.provedAt >= doubledDelay(unsureMs, showAgainMs, state.unsure + 1)
    const isUnknown = state.trustKey !== trustKeyOf(state, client) || isUnsure
    return {
      atOnce: state.wants || (isDue && state.trust !== undefined && state.trust.state !== 'NotRequested'),
      prove: isUnknown && state.endpoint.proof === undefined,
      authority: client.authority,
      read: (signal: AbortSignal) => read(client, signal),
    }
  }

  #learn(state: State, client: PlannedClient | undefined, { trust, visits }: Look): void {
    if (client === undefined) {
      state.trust = undefined
      state.trustKey = undefined
      return
    }
    if (trust !== undefined) {
      state.trust = trust
      state.trustKey = trustKeyOf(state, client)
      state.provedAt = this.#options.clock.monotonic()
      state.unsure = trust.state === 'Unknown' ? state.unsure + 1 : 0
      return
    }
    const isRefused = visits.some(({ sent, refused }) => sent && refused)
    const isTaken = visits.some(({ sent, refused }) => sent && !refused)
    if (isRefused) state.trust = { state: 'Refused', trusts: [] }
    // Once refused and now taken: what else it takes has to be found out again.
    else if (isTaken && state.trust?.state === 'Refused') state.trustKey = undefined
  }

  /** ms since it should have begun to serve something else; undefined where it does, or nobody knows since when. */
  #waiting({ endpoint, look, changedAt }: State): number | undefined {
    if (changedAt === undefined) return undefined
    const { expected } = endpoint.wish
    const isServed = look?.visits.every(
      ({ served }) => served === undefined || expected.some(({ fingerprint }) => fingerprint === served.fingerprint),
    )
    const isWhole = isServed === true && look?.without?.same !== false
    return isWhole ? undefined : this.#options.clock.monotonic() - changedAt
  }
}

/** Its own certificate, the client's and the CA's: another one of them, and what was found out holds no longer. */
const trustKeyOf = ({ served }: State, { fingerprint, authority }: PlannedClient): string =>
  `${served?.fingerprint} ${fingerprint} ${authority}`

const question = ({ dialect, serverName, wish }: PlannedEndpoint): string =>
  JSON.stringify([dialect, serverName, wish.expected.map(({ fingerprint }) => fingerprint)])

const digest = ({ nameFault, refusal, visits, trust, without, client }: Look): string =>
  JSON.stringify([
    nameFault,
    refusal,
    visits,
    trust,
    without,
    client === 'None' || client === 'Unreadable' ? client : '',
  ])

const askingOf = ({ plan, roots }: Followed, endpoint: PlannedEndpoint): Asking => {
  const { host, port, dialect, serverName } = endpoint
  const { namespace, clusterDomain } = plan
  return { host, port, dialect, serverName, roots, namespace, clusterDomain }
}
