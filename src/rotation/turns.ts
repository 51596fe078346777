/**
 * Which certificates may leave the former CA now. Kept in memory, and found anew from the caches at any look: who has left and
 * is served holds no place, who was told and has not left holds one.
 */

import { parentOf } from '../authority/names.ts'
import type { Turns } from '../certificate/turns.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { phaseOf } from '../control/rotation.ts'
import { isOpen } from '../control/windows.ts'
import { fromTimestamp } from '../control/schedule.ts'
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

export class RotationTurns implements Turns {
  readonly #context: Pick<Context, 'caches' | 'clock'>
  /** By CA: who was told, and when, monotonic ms. */
  readonly #told = new Map<string, Map<string, number>>()

  constructor(context: Pick<Context, 'caches' | 'clock'>) {
    this.#context = context
  }

  /** Both are `namespace/name`. Before Signing, too: the new CA may sign already, and status not say so yet. */
  mayMove(authorityKey: string, certificateKey: string): boolean {
    const authority = this.#context.caches.authorities.store.get(authorityKey)
    if (authority === undefined || !hasTurns.has(phaseOf(authority)) || isDropped(authority)) return true
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
    const moving: Moving[] = []
    let opensAt: number | undefined
    const isServed = servedBy(caches)
    for (const certificate of caches.certificates.store.by('authority', key)) {
      if (certificate.status?.serialNumber === undefined || isGoing(caches, certificate)) continue
      const name = keyOf(certificate)
      const since = before.get(name)
      const profile = this.#profileOf(certificate)
      if (hasMoved(authority, certificate) && (profile === undefined || isServed(certificate, profile))) continue
      if (since !== undefined) after.set(name, since)
      const mover = moverOf(certificate, profile)
      const left = isOfPresent(certificate.status, authority.status)
      if (left || since !== undefined) {
        if (!left && isStalled(certificate)) continue
        after.set(name, since ?? now)
        moving.push({ ...mover, since: since ?? now })
        continue
      }
      const window = urgent ? undefined : this.#closed(certificate)
      if (window !== undefined) opensAt = Math.min(opensAt ?? window.opensAt, window.opensAt)
      else if (!isStalled(certificate)) waiting.push(mover)
    }
    const told = nextTurns({ now, waiting, moving, busy: 0, maxParallel, patienceMs, open })
    for (const name of told) after.set(name, now)
    this.#told.set(key, after)
    const slow = moving.map(({ since }) => since + patienceMs + 1 - now).filter((ms) => ms > 0)
    const times = [...slow, ...(opensAt === undefined ? [] : [opensAt - clock.now()])]
    return { told, againMs: times.length === 0 ? undefined : Math.min(...times) }
  }

  forget(authorityKey: string): void {
    this.#told.delete(authorityKey)
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
