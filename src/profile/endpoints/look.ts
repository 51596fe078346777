/** One look at an endpoint: every address behind its name, with a client certificate where the server wants one. */

import { isDeepStrictEqual } from 'node:util'
import type { Endpoint } from '../../database/connect/address.ts'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import { probe } from '../../database/connect/probe.ts'
import type { ClientCertificate, Sight, Target } from '../../database/connect/sight.ts'
import { type Proof, proveTrust } from '../../database/connect/prove.ts'
import { type Exchange, hangsOnFormer, type Served } from '../../database/connect/served.ts'
import { fingerprintOf } from '../../material/aliases.ts'
import type { Clock } from '../../runtime/clock.ts'
import { type Reaching, reach } from '../reach.ts'
import type { Place } from '../topology.ts'
import { isAsked, type Look, type TrustSeen, type Visited, withoutOtherFamily } from './seen.ts'

/** Pods behind one name that are asked one by one, over one connection at a time; a StatefulSet has a name for each. */
export const mostAddresses = 32
/** Databases answer within milliseconds; places for the living are few. */
export const patience = { connectMs: 2000, totalMs: 6000 } as const
/** The next address is asked only before this, ms: many that keep us waiting would hold a place for minutes. */
const longestMs = 30_000

export interface Asking extends Endpoint, Place {
  readonly dialect: DialectName
  /** What clients verify. */
  readonly serverName: string
  readonly roots: readonly Uint8Array[]
}

/** What a client certificate is shown for. */
export interface Showing {
  /** The server is known to want one: it is shown from the start. */
  readonly atOnce: boolean
  /** Find out whether the server trusts the CA; else only whether it takes the certificate. */
  readonly prove: boolean
  /** Fingerprint of the CA that signed it. */
  readonly authority: string
  /** Undefined where the Secret does not hold one. */
  readonly read: (signal: AbortSignal) => Promise<ShownCertificate | undefined>
}

export interface ShownCertificate {
  readonly own: ClientCertificate
  readonly stranger: () => Promise<ClientCertificate>
}

export interface LookOptions extends Reaching {
  readonly clock: Clock
  readonly showing: Showing | undefined
  /** What was served the last time, so that it need not be read again. */
  readonly known?: Served | undefined
  /** What clients will trust when something is gone from what they trust now. */
  readonly remaining?: Remaining | undefined
}

export interface Remaining {
  /** Of what remains: `status.rotation.to` of what is rotated. */
  readonly hash: string
  /** DER of what remains of a bundle; or the CA that goes and the one that takes its place. */
  readonly of: readonly Uint8Array[] | Exchange
}

export interface Seen {
  readonly look: Look
  /** The server wants a client certificate. */
  readonly wants: boolean
  /** Whether the certificate was shown. */
  readonly shown: boolean
  readonly served?: Served | undefined
}

/** Throws what `read` throws, and nothing for what a server does. */
export const lookAt = async (asking: Asking, options: LookOptions): Promise<Seen> => {
  const began = options.clock.monotonic()
  const visits: Visited[] = []
  const shown: Served[] = []
  const turn = new Turn(asking, options)
  const done = (more: Partial<Look>): Seen => ({
    look: {
      at: options.clock.now(),
      tookMs: options.clock.monotonic() - began,
      visits,
      client: turn.client,
      ...(turn.trust === undefined ? {} : { trust: turn.trust }),
      ...more,
    },
    wants: turn.wants,
    shown: turn.client === 'Shown',
    served: turn.served,
  })
  const found = await reach(asking, asking, options)
  if ('refused' in found) return done({ refusal: found.refused })
  if ('fault' in found) return done({ nameFault: found.fault.reason })
  // DNS turns them round; what is said of them must not turn along.
  const leftOut = found.addresses.length - mostAddresses
  for (const address of found.addresses.toSorted().slice(0, mostAddresses)) {
    const refusal = options.permits.refusal(address)
    if (refusal !== undefined) {
      visits.push({ address, refusal, problems: [], refused: false, sent: false })
      continue
    }
    if (options.clock.monotonic() - began >= longestMs) {
      visits.push({ address, fault: 'NoAnswer', problems: [], refused: false, sent: false })
      continue
    }
    const sight = await turn.visit(address)
    visits.push(visitedOf(address, sight))
    if (sight.served !== undefined) shown.push(sight.served)
  }
  const isWhole = leftOut <= 0
  const without =
    options.remaining && (await lookWithout(asking, options.remaining, { visits, shown, isWhole }, options))
  return done({ ...(isWhole ? {} : { leftOut }), ...(without === undefined ? {} : { without }) })
}

/**
 * Whether clients that trust what remains alone would see the same of every address. What was given out here is read strictly,
 * and tells by itself; of what others made a second connection has the verdict of TLS.
 */
const lookWithout = async (
  { port, dialect, serverName }: Asking,
  { hash, of: roots }: Remaining,
  { visits, shown, isWhole }: { visits: readonly Visited[]; shown: readonly Served[]; isWhole: boolean },
  { clock, signal }: LookOptions,
): Promise<Look['without']> => {
  if (!isWhole) return { hash, same: false }
  const asked = withoutOtherFamily(visits).filter(isAsked)
  if ('next' in roots) {
    // What did not answer may show anything when it is back.
    const isSeen = asked.length > 0 && asked.every(({ served }) => served !== undefined)
    return { hash, same: isSeen && !shown.some((served) => hangsOnFormer(served, roots)) }
  }
  const began = clock.monotonic()
  for (const { address, served, problems } of asked) {
    if (served === undefined || clock.monotonic() - began >= longestMs) return { hash, same: false }
    const sight = await probe({ address, port, dialect, serverName, roots }, { clock, signal, ...patience })
    const isSame = sight.served?.fingerprint === served.fingerprint && isDeepStrictEqual(sight.problems ?? [], problems)
    if (!isSame) return { hash, same: false }
  }
  return { hash, same: asked.length > 0 }
}

/** What is learned at one address serves at the next. */
class Turn {
  readonly #asking: Asking
  readonly #options: LookOptions
  #certificate: ShownCertificate | undefined
  client: Look['client'] = 'NotNeeded'
  trust: TrustSeen | undefined
  wants: boolean
  served: Served | undefined

  constructor(asking: Asking, options: LookOptions) {
    this.#asking = asking
    this.#options = options
    this.wants = options.showing?.atOnce === true
    this.served = options.known
  }

  async visit(address: string): Promise<Sight> {
    const { port, dialect, serverName, roots } = this.#asking
    const target: Target = { address, port, dialect, serverName, roots }
    const first = await this.#probe(target, this.wants ? await this.#read() : undefined)
    const asksForOne = first.requested !== false && first.fault === undefined
    const refusedBare = first.outcome === 'Refused' && !first.offered && asksForOne
    if (refusedBare) this.wants = true
    const { showing } = this.#options
    if (showing === undefined) {
      if (refusedBare) this.client = 'None'
      return first
    }
    const { requested } = first
    const isProof = showing.prove && requested !== undefined && this.trust === undefined
    if (isProof && !requested) this.trust = { state: 'NotRequested' }
    if (!(refusedBare && !this.#wasRead) && !(isProof && asksForOne)) return first
    const shown = await this.#read()
    if (shown === undefined) return first
    return isProof ? this.#prove(target, shown, showing.authority) : this.#probe(target, shown)
  }

  get #wasRead(): boolean {
    return this.client === 'Unreadable'
  }

  async #probe(target: Target, shown: ShownCertificate | undefined): Promise<Sight> {
    const { clock, signal } = this.#options
    const sight = await probe(target, {
      ...{ clock, signal, ...patience, certificate: shown?.own },
      ...(this.served === undefined ? {} : { known: this.served }),
    })
    this.served = sight.served ?? this.served
    return sight
  }

  async #read(): Promise<ShownCertificate | undefined> {
    if (this.#certificate !== undefined || this.#wasRead) return this.#certificate
    this.#certificate = await this.#options.showing?.read(this.#options.signal)
    this.client = this.#certificate === undefined ? 'Unreadable' : 'Shown'
    return this.#certificate
  }

  async #prove(target: Target, { own, stranger }: ShownCertificate, authority: string): Promise<Sight> {
    const { clock, signal } = this.#options
    // One of each: a mere look must not count as a row of failures with MySQL, and nothing is switched on its word.
    const offers = { Current: own, Next: own, Stranger: await stranger() }
    const rules = { inARow: 1, overMs: 0 }
    const proof = await proveTrust(target, offers, { clock, signal, ...patience, rules })
    this.trust = trustOf(proof, authority)
    const last = proof.rounds.at(-1)?.offer
    // The stranger's end is not ours.
    return last === 'Stranger' ? { ...proof.sight, outcome: 'Accepted', offered: true } : proof.sight
  }
}

const trustOf = ({ verdict, reason }: Proof, authority: string): TrustSeen => {
  if (verdict === 'Trusted') return { state: 'Trusted', trusts: [authority] }
  if (verdict === 'NotTrusted' || reason === 'CurrentRefused') return { state: 'Refused', trusts: [] }
  if (reason === 'NotRequested') return { state: 'NotRequested' }
  return { state: reason === 'StrangerAccepted' ? 'Anybody' : 'Unknown' }
}

const visitedOf = (address: string, sight: Sight): Visited => {
  const { served, fault, problems = [], requested, outcome, offered } = sight
  return {
    address,
    problems,
    refused: outcome === 'Refused',
    sent: offered,
    ...(fault === undefined ? {} : { fault: fault.reason }),
    ...(requested === undefined ? {} : { requested }),
    ...(served === undefined
      ? {}
      : {
          served: {
            ...{ serialNumber: served.serialNumber, fingerprint: served.fingerprint },
            ...{ issuer: served.issuer, notAfter: served.notAfter, names: served.names },
            above: served.chain.slice(1).map(fingerprintOf),
          },
        }),
  }
}
