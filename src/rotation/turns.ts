/**
 * Which certificates may leave the former CA now, and which of its others may be renewed beside that: `maxParallel` is for
 * both, since it is the same servers that read new files and the same API server that takes the writes. Kept in memory, and
 * found anew from the caches at any look: who has left and is served holds no place, who was told and has not left holds one,
 * and so does who is signed anew without being told, because it cannot wait (docs/adr/0019).
 */

import { parentOf } from '../authority/names.ts'
import { renewTriggerOf } from '../certificate/renew-trigger.ts'
import { patientUntil, type Turns } from '../certificate/turns.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { phaseOf } from '../control/rotation.ts'
import { isOpen } from '../control/windows.ts'
import { fromTimestamp } from '../control/schedule.ts'
import { findEntryOf } from '../ledger/record.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { findCondition, isReady } from '../resources/conditions.ts'
import { type DatabaseCertificate, roleOf } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { byProfile } from '../profile/names.ts'
import { isOfPresent } from './consumers.ts'
import { isGoing } from './family.ts'
import { servedBy } from './servers.ts'
import { type Moving, type Mover, nextTurns } from './turn-order.ts'

/** So long one that does not finish holds up others than its own, ms. */
const patienceMs = 5 * 60_000

const hasTurns: ReadonlySet<string> = new Set(['Prepared', 'TrustBoth', 'Signing'])

export interface Dealt {
  /** Are told now. */
  readonly told: readonly string[]
  /** When time alone changes something, ms from now. */
  readonly againMs?: number | undefined
}

export interface Dealing {
  readonly maxParallel: number
  /** A maintenance window of the CA is, or nobody can wait for one. */
  readonly open: boolean
  /** Nobody waits for the windows of certificates, either. */
  readonly urgent: boolean
}

/** Who is due by time goes first: whoever moves is renewed as well, and has the time. */
const renewalRank = -1

/** `underWay`: signed anew at once, for a reason that does not wait for a turn. */
interface Need {
  readonly state: 'none' | 'due' | 'underWay'
  /** ms since the epoch. */
  readonly until?: number
}

export class RotationTurns implements Turns {
  readonly #context: Pick<Context, 'caches' | 'clock'>
  /** By CA: who was told or is under way, and since when, monotonic ms. */
  readonly #told = new Map<string, Map<string, number>>()
  /** By CA: who is due by time alone and waits. */
  readonly #queued = new Map<string, ReadonlySet<string>>()

  constructor(context: Pick<Context, 'caches' | 'clock'>) {
    this.#context = context
  }

  /** Both are `namespace/name`. Before Signing, too: the new CA may sign already, and status not say so yet. */
  mayMove(authorityKey: string, certificateKey: string): boolean {
    const authority = this.#context.caches.authorities.store.get(authorityKey)
    if (authority === undefined || !hasTurns.has(phaseOf(authority)) || isDropped(authority)) return true
    return this.#told.get(authorityKey)?.has(certificateKey) === true
  }

  mayRenew(authorityKey: string, certificateKey: string): boolean {
    const authority = this.#context.caches.authorities.store.get(authorityKey)
    if (authority === undefined || phaseOf(authority) !== 'Signing' || isDropped(authority)) return true
    return this.#told.get(authorityKey)?.has(certificateKey) === true
  }

  /** Gives out turns under a CA in Signing. */
  deal(authority: CertificateAuthority, { maxParallel, open, urgent }: Dealing): Dealt {
    const { caches, clock } = this.#context
    const key = keyOf(authority)
    const before = this.#told.get(key) ?? new Map<string, number>()
    const after = new Map<string, number>()
    const now = clock.monotonic()
    const waiting: Mover[] = []
    const renewals: Mover[] = []
    const moving: Moving[] = []
    const isServed = servedBy(caches)
    const times: number[] = []
    const place = (mover: Mover): void => {
      const since = before.get(mover.key) ?? now
      after.set(mover.key, since)
      moving.push({ ...mover, since })
    }
    for (const certificate of caches.certificates.store.by('authority', key)) {
      if (certificate.status?.serialNumber === undefined || isGoing(caches, certificate)) continue
      const name = keyOf(certificate)
      const wasTold = before.has(name)
      const profile = this.#profileOf(certificate)
      const need = this.#needOf(certificate)
      if (need.until !== undefined) times.push(need.until - clock.now())
      if (hasMoved(authority, certificate) && (profile === undefined || isServed(certificate, profile))) {
        // It is its own renewal: nobody of its group waits for it.
        const renewal = { key: name, rank: renewalRank }
        if (need.state === 'underWay' || (need.state === 'due' && wasTold)) place(renewal)
        else if (need.state === 'due') renewals.push(renewal)
        continue
      }
      const mover = moverOf(certificate, profile)
      const left = isOfPresent(certificate.status, authority.status)
      if (!left && isStalled(certificate)) {
        if (wasTold) after.set(name, before.get(name) ?? now)
        continue
      }
      if (left || wasTold || need.state === 'underWay') {
        place(mover)
        continue
      }
      const window = urgent ? undefined : this.#closed(certificate)
      if (window === undefined) waiting.push(mover)
      else times.push(window.opensAt - clock.now())
    }
    // The windows of the CA are for what the rotation replaces.
    const all = open ? [...renewals, ...waiting] : renewals
    const told = nextTurns({ now, waiting: all, moving, maxParallel, patienceMs })
    for (const name of told) after.set(name, now)
    this.#told.set(key, after)
    this.#queued.set(key, new Set(renewals.flatMap((one) => (after.has(one.key) ? [] : [one.key]))))
    times.push(...moving.map(({ since }) => since + patienceMs + 1 - now))
    const ahead = times.filter((ms) => ms > 0)
    return { told, againMs: ahead.length === 0 ? undefined : ahead.reduce((one, other) => Math.min(one, other)) }
  }

  /** Answers who waited to be renewed, and does not have to any more. */
  forget(authorityKey: string): readonly string[] {
    const queued = this.#queued.get(authorityKey) ?? []
    this.#told.delete(authorityKey)
    this.#queued.delete(authorityKey)
    return [...queued]
  }

  /** What of a certificate leads to another one, whatever becomes of its CA. `until`: when time alone changes that. */
  #needOf(certificate: DatabaseCertificate): Need {
    const { metadata, status } = certificate
    // What is not Ready waits for somebody, or is tried again in its own time: a place would be held for nothing.
    if (findCondition(status?.conditions, 'Ready')?.status !== 'True') return { state: 'none' }
    const now = this.#context.clock.now()
    const entry = findEntryOf(this.#context.caches, certificate, status?.serialNumber ?? '')
    const isAsked =
      status?.observedGeneration !== metadata.generation ||
      (status?.renewTrigger ?? '') !== renewTriggerOf(certificate) ||
      (entry?.revocation !== undefined && entry.revocation.reason !== 'certificateHold')
    if (isAsked) return { state: 'underWay' }
    const [renewAt, notAfter] = [status?.renewAt, status?.notAfter].map(fromTimestamp)
    if (renewAt === undefined || notAfter === undefined) return { state: 'none' }
    if (now < renewAt) return { state: 'none', until: renewAt }
    const latest = patientUntil(renewAt, notAfter)
    return now < latest ? { state: 'due', until: latest } : { state: 'underWay' }
  }

  /** Its own windows, unless it would end before the next one. */
  #closed({ spec, status }: DatabaseCertificate): { readonly opensAt: number } | undefined {
    const { open, opensAt } = isOpen(spec.rotation?.windows, this.#context.clock.now())
    if (open || opensAt === undefined) return undefined
    return (fromTimestamp(status?.notAfter) ?? 0) <= opensAt ? undefined : { opensAt }
  }

  #profileOf(certificate: DatabaseCertificate): DatabaseTLSProfile | undefined {
    const [key] = byProfile(certificate)
    return key === undefined ? undefined : this.#context.caches.profiles.store.get(key)
  }
}

/** The former root is trusted no more (spec.rotation.dropOld: Now): whoever waits is refused meanwhile. */
const isDropped = (authority: CertificateAuthority): boolean => {
  const { rotation, trustBundleHash } = authority.status ?? {}
  return parentOf(authority) === undefined && rotation?.formerTrustBundleHash === trustBundleHash
}

/** It is Ready under the new CA. */
const hasMoved = ({ status }: CertificateAuthority, certificate: DatabaseCertificate): boolean =>
  isOfPresent(certificate.status, status) && (isReady(certificate) || isStalled(certificate))

const isStalled = ({ status }: DatabaseCertificate): boolean =>
  findCondition(status?.conditions, 'Stalled')?.status === 'True'

/** Servers and peers before clients, for it is the servers that may fail to take up what was delivered. */
const moverOf = (certificate: DatabaseCertificate, profile: DatabaseTLSProfile | undefined): Mover => {
  const isClient = roleOf(certificate.spec) === 'Client'
  const group = profile === undefined ? undefined : keyOf(profile)
  const isMember = !isClient && profile?.spec.topology?.certificatePer === 'Pod'
  return {
    ...{ key: keyOf(certificate), rank: isClient ? 1 : 0 },
    ...(group === undefined ? {} : { group }),
    ...(isMember && group !== undefined ? { cluster: group } : {}),
  }
}
