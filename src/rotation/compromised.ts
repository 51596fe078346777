/**
 * With a key in other hands, what it has signed is revoked as it is replaced, and the former CA itself at the end: before that
 * those who ask its list would refuse certificates that still wait for their turn.
 */

import { signerOf } from '../authority/names.ts'
import type { Material } from '../authority/rotate.ts'
import type { Caches, Context } from '../control/context.ts'
import { issuedAt, type LedgerEntry } from '../ledger/entry.ts'
import { findEntry, findEntryOf } from '../ledger/record.ts'
import { revokeEntry } from '../ledger/revoke.ts'
import { supersedeGraceMs } from '../ledger/rules.ts'
import { byProfile } from '../profile/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { replacedEntries } from './leaves.ts'
import { servedBy } from './servers.ts'
import type { Phase } from './state.ts'

/** In one look; the rest comes at once. */
const mostRevoked = 100
const soonMs = 100

export interface Revoking {
  readonly authority: CertificateAuthority
  readonly phase: Phase
  readonly material: Pick<Material, 'stage' | 'certificate' | 'other'>
  readonly signal: AbortSignal
  /** The namespaces the operator was started for; undefined for all. */
  readonly namespaces: readonly string[] | undefined
}

/** Answers ms until there is more to revoke; undefined where only a change brings more. */
export const revokeFormer = async (
  context: Pick<Context, 'cluster' | 'caches' | 'clock' | 'events'>,
  { authority, phase, material, signal, namespaces }: Revoking,
): Promise<number | undefined> => {
  const { caches, clock } = context
  const now = clock.now()
  const isServed = servedBy(caches)
  const atOnce = phase === 'DropSoak' || phase === 'Dropped' || material.stage === 'Dropped'
  const times = replacedEntries(caches, authority, material.certificate, now, namespaces).map((entry) => ({
    entry,
    at: atOnce ? now : safeAt(caches, entry, now, isServed),
  }))
  const due = times.filter(({ at }) => at <= now)
  const why = 'its CA is compromised, and it was replaced'
  for (const { entry } of due.slice(0, mostRevoked))
    await revokeEntry(context, authority, entry, { reason: 'superseded', why }, signal)
  if (due.length > mostRevoked) return soonMs
  if (phase === 'Dropped' && material.other !== undefined)
    await revokeAuthority(context, authority, material.other.serialNumber, signal)
  const later = times.flatMap(({ at }) => (at > now && Number.isFinite(at) ? [at - now] : []))
  return later.length === 0 ? undefined : Math.min(...later)
}

/** When its server no longer shows it: as was seen, or, where one cannot be looked at, after the time that a Secret takes to its pod. */
const safeAt = (caches: Caches, entry: LedgerEntry, now: number, isServed: ReturnType<typeof servedBy>): number => {
  const certificate = caches.certificates.store.get(entry.holderKey ?? '')
  if (certificate === undefined || entry.isCa) return now
  const [key] = byProfile(certificate)
  const profile = key === undefined ? undefined : caches.profiles.store.get(key)
  const rows = profile?.status?.endpoints ?? []
  if (profile !== undefined && rows.length > 0) {
    if (!isServed(certificate, profile)) return Number.POSITIVE_INFINITY
    if (rows.every(({ standing }) => standing !== 'NotAsked')) return now
  }
  const successor = findEntryOf(caches, certificate, certificate.status?.serialNumber ?? '')
  return (successor === undefined ? now : issuedAt(successor)) + supersedeGraceMs
}

const revokeAuthority = async (
  context: Pick<Context, 'cluster' | 'caches' | 'clock' | 'events'>,
  authority: CertificateAuthority,
  serialNumber: string,
  signal: AbortSignal,
): Promise<void> => {
  const entry = findEntry(context.caches, signerOf(authority), serialNumber)
  if (entry === undefined || entry.revocation !== undefined) return
  await revokeEntry(context, authority, entry, { reason: 'cACompromise', why: 'its key is compromised' }, signal)
}
