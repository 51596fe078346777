/** What the caches hold → what the page shows: counted whole, listed up to a few rows, whatever there is. Pure. */

import { isRequested, underWay } from '../control/rotation.ts'
import { toTimestamp } from '../control/schedule.ts'
import type { KubeObject } from '../cluster/port.ts'
import { type CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Condition, findCondition } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'

/** Nobody reads more on a page; the command line lists all. */
export const most = { authorities: 50, certificates: 50, rotations: 20, profiles: 20 } as const

export interface World {
  readonly authorities: Iterable<CertificateAuthority>
  readonly certificates: Iterable<DatabaseCertificate>
  readonly profiles: Iterable<DatabaseTLSProfile>
  /** ms */
  readonly now: number
  /** Absent where there is no choice. */
  readonly leads?: boolean | undefined
}

/** Something with an end. Times are RFC 3339 in UTC. */
export interface Ending {
  readonly namespace: string
  readonly name: string
  readonly notBefore: string
  readonly notAfter: string
  readonly renewAt: string | undefined
  readonly isReady: boolean
  /** What is wrong, where it is not Ready. */
  readonly message: string
}

export interface Counts {
  readonly all: number
  readonly ready: number
}

/** How many end in a span of time from now. */
export interface Span {
  readonly label: string
  readonly authorities: number
  readonly certificates: number
}

export interface Listed<T> {
  readonly rows: readonly T[]
  /** With those that are not listed. */
  readonly total: number
}

export interface View {
  readonly now: number
  readonly leads: boolean | undefined
  readonly counts: { readonly authorities: Counts; readonly certificates: Counts; readonly profiles: Counts }
  readonly spans: readonly Span[]
  readonly rotations: Listed<CertificateAuthority>
  /** Those that end first, first. */
  readonly authorities: Listed<Ending>
  readonly certificates: Listed<Ending>
  readonly servers: {
    readonly endpoints: number
    /** Profiles whose servers do not serve what they should, or were not reached. */
    readonly troubled: Listed<{ readonly namespace: string; readonly name: string; readonly message: string }>
  }
}

const day = 86_400_000

/** An end up to so many days from now is within the span. */
const spans: readonly (readonly [label: string, days: number])[] = [
  ['ended', 0],
  ['within a day', 1],
  ['within a week', 7],
  ['within 30 days', 30],
  ['within 90 days', 90],
  ['within a year', 365],
  ['later', Infinity],
]

interface Conditioned extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined
}

export const viewOf = (world: World): View => {
  const { now } = world
  const ends = new Ends(now)
  const authorities = new Tally(most.authorities)
  const rotations: CertificateAuthority[] = []
  for (const one of world.authorities) {
    const { certificate, renewAt } = one.status ?? {}
    const end = authorities.add(one, certificate?.notBefore, certificate?.notAfter, renewAt)
    if (end !== undefined) ends.add('authorities', end)
    if (underWay(one) !== undefined || isRequested(one)) rotations.push(one)
  }
  const certificates = new Tally(most.certificates)
  for (const one of world.certificates) {
    const { notBefore, notAfter, renewAt } = one.status ?? {}
    const end = certificates.add(one, notBefore, notAfter, renewAt)
    if (end !== undefined) ends.add('certificates', end)
  }
  const profiles = profilesOf(world.profiles)
  return {
    now,
    leads: world.leads,
    counts: { authorities: authorities.counts, certificates: certificates.counts, profiles: profiles.counts },
    spans: ends.spans(),
    rotations: { rows: rotations.slice(0, most.rotations), total: rotations.length },
    authorities: authorities.listed(),
    certificates: certificates.listed(),
    servers: profiles.servers,
  }
}

const isReady = ({ status }: Conditioned): boolean => findCondition(status?.conditions, 'Ready')?.status === 'True'

/** RFC 3339 in UTC and whole seconds sorts as text: ten thousand of them are compared without reading a single date. */
class Tally {
  readonly #most: number
  #all = 0
  #ready = 0
  #total = 0
  #border: string | undefined
  #soonest: (readonly [end: string, object: Conditioned, notBefore: string, renewAt: string | undefined])[] = []

  constructor(mostRows: number) {
    this.#most = mostRows
  }

  /** Answers its end, where it has one. */
  add(
    object: Conditioned,
    notBefore: string | undefined,
    notAfter: string | undefined,
    renewAt?: string,
  ): string | undefined {
    this.#all += 1
    if (isReady(object)) this.#ready += 1
    if (notAfter === undefined) return undefined
    this.#total += 1
    // Those beyond the last one that would be listed are not even kept; sorting now and then keeps the rest few.
    if (this.#border === undefined || notAfter < this.#border)
      this.#soonest.push([notAfter, object, notBefore ?? notAfter, renewAt])
    if (this.#soonest.length >= 4 * this.#most) this.#trim()
    return notAfter
  }

  #trim(): void {
    this.#soonest = this.#soonest.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b))).slice(0, this.#most)
    if (this.#soonest.length === this.#most) this.#border = this.#soonest.at(-1)?.[0]
  }

  get counts(): Counts {
    return { all: this.#all, ready: this.#ready }
  }

  listed(): Listed<Ending> {
    this.#trim()
    const rows = this.#soonest.map(([notAfter, object, notBefore, renewAt]): Ending => {
      const { namespace = 'default', name } = object.metadata
      const ready = isReady(object)
      const message = ready ? '' : (findCondition(object.status?.conditions, 'Ready')?.message ?? '')
      return { namespace, name, notBefore, notAfter, renewAt, isReady: ready, message }
    })
    return { rows, total: this.#total }
  }
}

class Ends {
  readonly #borders: readonly string[]
  readonly #counts = { authorities: spans.map(() => 0), certificates: spans.map(() => 0) }

  constructor(now: number) {
    this.#borders = spans.map(([, days]) => (days === Infinity ? '~' : toTimestamp(now + days * day)))
  }

  add(kind: 'authorities' | 'certificates', end: string): void {
    const at = this.#borders.findIndex((border) => end <= border)
    const counts = this.#counts[kind]
    counts[at] = (counts[at] ?? 0) + 1
  }

  spans(): Span[] {
    const { authorities, certificates } = this.#counts
    return spans.map(([label], at) => ({
      label,
      authorities: authorities[at] ?? 0,
      certificates: certificates[at] ?? 0,
    }))
  }
}

const profilesOf = (profiles: Iterable<DatabaseTLSProfile>): Pick<View, 'servers'> & { readonly counts: Counts } => {
  let [all, ready, endpoints, total] = [0, 0, 0, 0]
  const rows: { namespace: string; name: string; message: string }[] = []
  for (const one of profiles) {
    all += 1
    if (isReady(one)) ready += 1
    endpoints += one.status?.endpoints?.length ?? 0
    const serving = findCondition(one.status?.conditions, 'Serving')
    if (serving === undefined || serving.status === 'True') continue
    total += 1
    const { namespace = 'default', name } = one.metadata
    if (rows.length < most.profiles) rows.push({ namespace, name, message: serving.message })
  }
  return { counts: { all, ready }, servers: { endpoints, troubled: { rows, total } } }
}
