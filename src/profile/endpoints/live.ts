/** What live servers serve, for the controller of profiles: plans who is asked, and tells what was seen. */

import { isDeepStrictEqual } from 'node:util'
import { keyOf } from '../../cluster/port.ts'
import type { Keyring } from '../../authority/keyring.ts'
import type { FindAuthority } from '../../authority/lineage.ts'
import { type Context, existing } from '../../control/context.ts'
import type { Lookup } from '../../database/connect/address.ts'
import { exchangedAt, remainingHash } from '../../authority/remaining.ts'
import { engineOf } from '../../database/engines/external.ts'
import { findEntryOf } from '../../ledger/record.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { timestamp } from '../../resources/conditions.ts'
import type { DatabaseTLSProfileStatus } from '../../resources/database-tls-profile-status.ts'
import type { Registry } from '../../runtime/metrics.ts'
import {
  type Endpoints,
  type EndpointSeen,
  type EndpointsVerdict,
  nothingSeen,
  type ProfileView,
} from '../collaborators.ts'
import { authorityOf } from '../names.ts'
import { hasPresentChain } from '../present-chain.ts'
import { readClient } from './client.ts'
import { type Judged, judge, type Wish } from './judge.ts'
import { servingOf } from './serving.ts'
import { KnownRoots } from './known-roots.ts'
import type { Remaining, ShownCertificate } from './look.ts'
import { registerEndpointMetrics } from './metrics.ts'
import { offersFor, strangerTo } from './offers.ts'
import { Permission, type ProbeRules } from './permitted.ts'
import { type FindEntry, type Plan, type PlannedEndpoint, planOf } from './plan.ts'
import { EndpointWatch, type Watched } from './watch.ts'

export interface LiveOptions {
  readonly keyring: Keyring
  readonly rules: ProbeRules
  /** Gives [0, 1). */
  readonly random: () => number
  readonly registry: Registry
  /** Has a profile looked at again. */
  readonly wake: (key: string) => void
  /** A shorter interval of a profile is this long, ms. Default 10 s. */
  readonly shortestMs?: number | undefined
  readonly lookup?: Lookup | undefined
}

type Row = NonNullable<DatabaseTLSProfileStatus['endpoints']>[number]

const usualShortestMs = 10_000

export class LiveEndpoints implements Endpoints {
  readonly #context: Context
  readonly #options: LiveOptions
  readonly #watch: EndpointWatch
  readonly #plans = new Map<string, Plan>()
  readonly #roots: KnownRoots

  constructor(context: Context, options: LiveOptions) {
    this.#context = context
    this.#options = options
    const { keyring, lookup, random, registry, rules, wake } = options
    const { clock, crypto, log } = context
    this.#roots = new KnownRoots({ clock, log, wake })
    this.#watch = new EndpointWatch({
      ...{ clock, log, random, lookup, permits: new Permission(rules), changed: wake },
      read: async ({ key }, signal): Promise<ShownCertificate | undefined> => {
        const own = await readClient(context, keyring, key, signal).catch((error: unknown) => {
          log.warn('the client certificate of a profile cannot be read', { certificate: key, error: String(error) })
        })
        if (own === undefined) return undefined
        return { own, stranger: () => strangerTo(own, { crypto, random: context.random, now: clock.now() }) }
      },
      offers: (proof, template, signal) => offersFor(context, keyring, proof, template, signal),
      looked: (dialect, look) => observe(dialect, look),
    })
    const observe = registerEndpointMetrics(
      registry,
      () => this.#figures(),
      () => this.#watch.open,
    )
  }

  look(view: ProfileView): EndpointsVerdict {
    const { key, profile } = view
    const { probe, reload } = profile.spec
    if (probe === undefined && (reload?.strategy ?? 'None') === 'None') {
      this.forget(key)
      return { ...nothingSeen, facts: { endpoints: undefined }, conditions: { Serving: undefined } }
    }
    const { shortestMs = usualShortestMs } = this.#options
    const plan = planOf(view, this.#findEntry, shortestMs, this.#findAuthority)
    const roots = this.#rootsOf(view)
    if (roots !== undefined) {
      this.#plans.set(key, plan)
      this.#watch.follow(key, { plan, roots, remaining: this.#remainingFor(view) })
    }
    const looks = roots === undefined ? undefined : this.#watch.looks(key)
    // Until all were asked, what was said of them stays.
    if (looks === undefined) return { ...nothingSeen, seen: this.#seen(view) }
    return this.#verdict(view, plan, looks)
  }

  forget(key: string): void {
    this.#plans.delete(key)
    this.#watch.forget(key)
  }

  /** Its servers have been told to read their files, by a login from here. */
  told(key: string): void {
    this.#watch.told(key)
  }

  /** Calls off what is under way. */
  stop(): Promise<void> {
    this.#roots.stop()
    return this.#watch.stop()
  }

  #verdict(view: ProfileView, { leftOut }: Plan, looks: readonly Watched[]): EndpointsVerdict {
    const judged = looks.map(({ endpoint, look }) => ({
      ...judge(look, this.#wish(view.key, endpoint)),
      ...{ address: endpoint.address, at: look.at, clientAuthority: endpoint.clientAuthority },
    }))
    const notes = leftOut === 0 ? [] : [`Of its endpoints ${leftOut} are not asked: there are too many.`]
    return {
      facts: { endpoints: rowsOf(judged, view.profile.status?.endpoints) },
      conditions: { Serving: servingOf(judged) },
      findings: [],
      notes,
      seen: this.#seen(view),
    }
  }

  #seen({ key, expansion }: ProfileView): EndpointSeen[] {
    const looks = new Map(this.#watch.seen(key).map((one) => [one.endpoint.address, one]))
    return expansion.endpoints.map((endpoint) => {
      const found = looks.get(endpoint.address)
      if (found === undefined) return { endpoint }
      const { servedSerial, standing, message, formerChain } = judge(found.look, this.#wish(key, found.endpoint))
      return {
        ...{ endpoint, formerChain },
        ...(servedSerial === undefined ? { problem: message } : { servedSerial, seenAt: found.look.at }),
        ...(standing === 'Unreachable' ? { problem: message } : {}),
        ...trustOf(found),
      }
    })
  }

  #wish(profile: string, { wish }: PlannedEndpoint): Wish {
    const holders = new Set(wish.expected.map(({ certificate }) => `${profile.split('/')[0]}/${certificate}`))
    const { certificates } = this.#context.caches
    return {
      ...wish,
      hasPresentChain: () =>
        [...holders].every((holder) => hasPresentChain(certificates.store.get(holder), this.#findAuthority)),
      wasOurs: (serialNumber) =>
        [...holders].some((holder) => {
          const certificate = certificates.store.get(holder)
          return certificate !== undefined && this.#findEntry(certificate, serialNumber)?.holderKey === holder
        }),
    }
  }

  readonly #findAuthority: FindAuthority = (key) => existing(this.#context.caches.authorities, key)

  readonly #findEntry: FindEntry = (certificate, serialNumber) =>
    findEntryOf(this.#context.caches, certificate, serialNumber)

  /** Undefined while they are not known: nothing can be judged then. */
  #rootsOf({ key, profile }: ProfileView): readonly Uint8Array[] | undefined {
    const authority = this.#authorityOf(profile)
    const hash = authority?.status?.trustBundleHash
    if (authority === undefined || hash === undefined) return undefined
    return this.#roots.of(key, keyOf(authority), hash, () => this.#options.keyring.trustOf(authority))
  }

  /** What clients will trust when what is on its way out of their bundle is gone. */
  #remainingFor({ key, profile }: ProfileView): Remaining | undefined {
    const { keyring } = this.#options
    if (!engineOf(profile.spec).managed) {
      const exchanged = exchangedAt(authorityOf(profile), this.#findAuthority)
      if (exchanged === undefined) return undefined
      const { authority, to } = exchanged
      const slot = `${keyOf(authority)} exchanged`
      const [next, former] = this.#roots.of(key, slot, to, () => keyring.exchangedOf(authority)) ?? []
      return next === undefined || former === undefined ? undefined : { hash: to, of: { next, former } }
    }
    const authority = this.#authorityOf(profile)
    const hash = authority === undefined ? undefined : remainingHash(authority)
    if (authority === undefined || hash === undefined) return undefined
    const slot = `${keyOf(authority)} remaining`
    const roots = this.#roots.of(key, slot, hash, () => keyring.remainingOf(authority))
    return roots === undefined ? undefined : { hash, of: roots }
  }

  #authorityOf(profile: ProfileView['profile']): CertificateAuthority | undefined {
    return this.#context.caches.authorities.store.get(authorityOf(profile))
  }

  *#figures() {
    for (const { profile, endpoint, look } of this.#watch.all())
      yield { profile, address: endpoint.address, look, judged: judge(look, this.#wish(profile, endpoint)) }
  }
}

const trustOf = ({ endpoint, look: { trust }, loaded }: Watched): Pick<EndpointSeen, 'trust'> => {
  const { clientAuthority, proof } = endpoint
  if (clientAuthority === undefined || proof === undefined) return {}
  // One that takes nobody's clients of ours may have a rule of its own.
  const lacksNext = trust?.state === 'Refused' && trust.trusts?.length !== 0
  return { trust: { authority: clientAuthority, lacksNext, ...(loaded === undefined ? {} : { loaded }) } }
}

/**
 * The time of a look alone is worth no write. Where one row has changed, all get the time of their last look: what a row says
 * was true then, and has not been otherwise since, as long as the operator runs.
 */
const rowsOf = (judged: readonly JudgedEndpoint[], before: Row[] = []): Row[] | undefined => {
  const rows = judged.map(
    ({
      address,
      servedSerial,
      notAfter,
      names,
      above,
      isWhole,
      trusts,
      trustProof,
      clientAuthority,
      verifiesUnder,
      standing,
      message,
      at,
    }) => ({
      address,
      // What only some of its servers show is not told as what it shows: whoever waits for it would go on too early.
      ...(servedSerial === undefined || notAfter === undefined || isWhole === false
        ? {}
        : {
            ...{ servedSerial, servedNotAfter: timestamp(notAfter) },
            ...(names === undefined ? {} : { servedNames: [...names] }),
            ...(above === undefined ? {} : { servedChain: [...above] }),
          }),
      ...(trusts === undefined ? {} : { trusts: [...trusts] }),
      standing,
      ...(clientAuthority === undefined ? {} : { clientAuthority }),
      ...(trustProof === undefined ? {} : { trustProof }),
      ...(verifiesUnder === undefined ? {} : { verifiesUnder }),
      lastProbe: timestamp(at),
      message,
    }),
  )
  if (rows.length === 0) return undefined
  return isDeepStrictEqual(rows.map(timeless), before.map(timeless)) ? before : rows
}

interface JudgedEndpoint extends Judged {
  readonly address: string
  readonly at: number
  readonly clientAuthority: string | undefined
}

const timeless = ({ lastProbe: _lastProbe, ...row }: Row): Omit<Row, 'lastProbe'> => row
