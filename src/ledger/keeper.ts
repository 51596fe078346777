/**
 * Bookkeeping of the ledger, off the path of any issuance, as `openssl ca -updatedb` is: what was replaced, has ended or
 * was revoked is marked so; what the CA wants revoked with its holder or its successor is revoked; what has been kept for
 * long enough is deleted. Everything follows from what is on record, so that it may come later, in one quiet pass.
 */

import { keyOf } from '../cluster/port.ts'
import { type Context, fieldManager, marks } from '../control/context.ts'
import { toTimestamp } from '../control/schedule.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { parseDuration } from '../resources/duration.ts'
import { issuedCertificates, type IssuedCertificate } from '../resources/issued-certificate.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import { Deliveries } from './deliveries.ts'
import type { EntryState, LedgerEntry } from './entry.ts'
import { cachedHolders, liveHolder } from './holders.ts'
import { findEntry } from './record.ts'
import { type FindSuccessor, isUnique, reporterOf, successorsIn } from './replaced.ts'
import { revokeEntry, unlessChanged } from './revoke.ts'
import {
  deleteGraceMs,
  type Deletion,
  type LiveHolder,
  nextExpiry,
  orphans,
  prunable,
  replacements,
  supersededForRevocation,
  verdictOf,
  verdictOfReplaced,
  wantedMark,
} from './rules.ts'

/** Between two passes over one CA's ledger, and from a renewal to its mark, ms. */
export const sweepIntervalMs = 10 * 60 * 1000

/** Entries marked in one pass; what is left over is for the next one, so that a mass renewal does not become a burst of writes. */
const marksPerPass = 1000

/** The same of entries that were revoked: somebody waits for it, and others for the worker. */
const revokedPerPass = 100

const soonMs = 1000

export interface KeeperOptions {
  /** Serial numbers on the revocation list that is published now; undefined where there is none to be read. */
  readonly listed: (authority: CertificateAuthority, signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>
  /** ms; default: sweepIntervalMs. */
  readonly sweepIntervalMs?: number | undefined
  /**
   * For a process that ends when nothing is left to do: a pass puts nothing off that it could decide. What is deleted then
   * was deleted on purpose, and the next pass would be in another process, which has not seen it.
   */
  readonly isLastPass?: boolean | undefined
}

interface Pass {
  readonly key: string
  readonly authority: CertificateAuthority | undefined
  readonly entries: readonly LedgerEntry[]
  readonly signal: AbortSignal
}

/** What has been replaced, and the rule that says so. */
interface Judged {
  readonly successorOf: FindSuccessor
  readonly replaced: ReadonlyMap<LedgerEntry, LedgerEntry>
}

/** When there is more to do: at an instant on the wall clock, or so many ms from now. */
interface Later {
  readonly at?: number | undefined
  readonly inMs?: number | undefined
}

export class LedgerKeeper {
  readonly #context: Context
  readonly #options: KeeperOptions
  /** Holders that went while we watched, by `namespace/name`. */
  readonly #deleted = new Map<string, Deletion & { readonly at: number }>()
  /** Since when a holder is missed, monotonic, by uid. */
  readonly #missed = new Map<string, number>()
  readonly #deliveries: Deliveries

  constructor(context: Context, options: KeeperOptions) {
    this.#context = context
    this.#options = options
    this.#deliveries = new Deliveries(context.clock)
  }

  /** A DatabaseCertificate reports another certificate than `former`. */
  delivered(certificate: DatabaseCertificate, former: string | undefined): void {
    this.#deliveries.add(keyOf(certificate), former, certificate.status?.serialNumber)
  }

  /** A DatabaseCertificate is gone; a pass after `deleteGraceMs` acts on it. */
  deleted({ metadata, status }: DatabaseCertificate): void {
    const at = this.#context.clock.monotonic()
    this.#deleted.set(keyOf({ metadata }), { uid: metadata.uid ?? '', serialNumber: status?.serialNumber, at })
    this.#missed.set(metadata.uid ?? '', at)
  }

  /** Marks what was revoked, and what was taken back. `key` is the CA's. */
  async reconcileRevoked(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches, clockGuard } = this.#context
    // What is no more revoked may be marked as ended, and never again as valid.
    if (clockGuard.heldFor !== undefined) return { requeueAfterMs: clockGuard.heldFor }
    const due = caches.ledger.store
      .by('authority', key)
      .filter(({ marked, revocation }) => (marked === 'Revoked') !== (revocation !== undefined))
    const replaced = due.some(({ revocation }) => revocation === undefined)
      ? this.#replaced(key, caches.ledger.store.by('authority', key)).replaced
      : new Map<LedgerEntry, LedgerEntry>()
    const some = this.#options.isLastPass === true ? due.length : revokedPerPass
    for (const entry of due.slice(0, some)) await this.#mark(entry, this.#wanted(entry, replaced), signal)
    return due.length > some ? { requeueAfterMs: 100 } : {}
  }

  /** The quiet pass. `key` is the CA's. */
  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches, clock } = this.#context
    const entries = caches.ledger.store.by('authority', key)
    if (entries.length === 0) return {}
    const authority = caches.authorities.store.get(key)
    const isHere = authority !== undefined && authority.metadata.deletionTimestamp === undefined
    const pass: Pass = { key, authority: isHere ? authority : undefined, entries, signal }
    const judged = this.#replaced(key, entries)
    const more: Later[] = [
      await this.#markAll(pass, judged),
      await this.#revokeReplaced(pass, judged),
      await this.#revokeOrphans(pass),
      // Of the versions that the marks have left.
      await this.#prune({ ...pass, entries: caches.ledger.store.by('authority', key) }),
    ]
    const waits = more.flatMap(({ at, inMs }) => [
      ...(at === undefined ? [] : [Math.max(at + 1 - clock.now(), this.#intervalMs)]),
      ...(inMs === undefined ? [] : [inMs]),
    ])
    return waits.length === 0 ? {} : { requeueAfterMs: Math.min(...waits) }
  }

  get #perPass(): number {
    return this.#options.isLastPass === true ? Number.POSITIVE_INFINITY : marksPerPass
  }

  get #graceMs(): number {
    return this.#options.isLastPass === true ? 0 : deleteGraceMs
  }

  get #intervalMs(): number {
    return this.#options.sweepIntervalMs ?? sweepIntervalMs
  }

  #replaced(key: string, entries: readonly LedgerEntry[]): Judged {
    const { caches } = this.#context
    const successorOf = successorsIn(entries, {
      uniqueCommonName: isUnique(caches.authorities.store.get(key)),
      findIn: (authority, serialNumber) => {
        const [namespace = '', name = ''] = authority.split('/')
        return findEntry(caches, { namespace, name }, serialNumber)
      },
    })
    return { successorOf, replaced: replacements(entries, cachedHolders(caches), successorOf) }
  }

  #wanted(entry: LedgerEntry, replaced: Judged['replaced']): EntryState {
    const { caches, clock } = this.#context
    const isInUse = entry.state === 'Superseded' && reporterOf(entry, cachedHolders(caches)) !== undefined
    return wantedMark(entry, { isReplaced: replaced.has(entry), isInUse }, clock.now())
  }

  async #markAll({ entries, signal }: Pass, { replaced }: Judged): Promise<Later> {
    // By a clock gone wrong, entries would be marked for good that are valid still.
    const { heldFor } = this.#context.clockGuard
    if (heldFor !== undefined) return { inMs: heldFor }
    const now = this.#context.clock.now()
    const due = entries
      .map((entry) => [entry, this.#wanted(entry, replaced)] as const)
      .filter(([{ marked }, wanted]) => marked !== wanted)
    for (const [entry, wanted] of due.slice(0, this.#perPass)) await this.#mark(entry, wanted, signal)
    return due.length > this.#perPass ? { inMs: soonMs } : { at: nextExpiry(entries, now) }
  }

  async #revokeReplaced({ authority, signal }: Pass, { replaced, successorOf }: Judged): Promise<Later> {
    if (authority?.spec.crl?.onSupersede !== 'Revoke') return {}
    const { caches, clock, clockGuard } = this.#context
    if (clockGuard.heldFor !== undefined) return { inMs: clockGuard.heldFor }
    // A process that ends has seen nothing, and the next one will not either: there the ledger alone says when.
    const deliveredAgo = (entry: LedgerEntry, successor: LedgerEntry): number =>
      this.#options.isLastPass === true ? Number.POSITIVE_INFINITY : this.#deliveries.ago(entry, successor)
    const known = { holders: cachedHolders(caches), deliveredAgo }
    const { due, next } = supersededForRevocation(replaced, known, clock.now())
    let revoked = 0
    for (const entry of due.slice(0, this.#perPass)) {
      const successor = replaced.get(entry)
      if (successor === undefined) continue
      const live = await this.#live([entry, successor], signal)
      if (verdictOfReplaced(entry, successor, successorOf, live) === 'Wait') continue
      await revokeEntry(this.#context, authority, entry, { reason: 'superseded', why: 'it was replaced' }, signal)
      revoked += 1
    }
    if (revoked === due.length) return { at: next }
    return { inMs: revoked > 0 ? soonMs : this.#intervalMs }
  }

  async #live(entries: readonly LedgerEntry[], signal: AbortSignal): Promise<ReadonlyMap<string, LiveHolder>> {
    const live = new Map<string, LiveHolder>()
    for (const { holderKey } of entries)
      if (holderKey !== undefined && !live.has(holderKey))
        live.set(holderKey, await liveHolder(this.#context, holderKey, signal))
    return live
  }

  async #revokeOrphans({ authority, entries, signal }: Pass): Promise<Later> {
    if (authority?.spec.crl?.onDelete !== 'Revoke') return {}
    const { caches, clock } = this.#context
    const found = orphans(entries, cachedHolders(caches), this.#deleted, clock.now())
    const since = (uid: string): number => {
      const known = this.#missed.get(uid) ?? clock.monotonic()
      this.#missed.set(uid, known)
      return known
    }
    let inMs: number | undefined
    let revoked = 0
    for (const entry of found.slice(0, this.#perPass)) {
      const left = since(entry.holder ?? '') + this.#graceMs - clock.monotonic()
      const verdict =
        left > 0 ? 'Wait' : verdictOf(entry, await liveHolder(this.#context, entry.holderKey ?? '', signal))
      if (verdict === 'Revoke') {
        const why = `${entry.holderKey} was deleted`
        await revokeEntry(this.#context, authority, entry, { reason: 'cessationOfOperation', why }, signal)
        revoked += 1
      }
      if (verdict === 'Wait') inMs = Math.min(inMs ?? Number.POSITIVE_INFINITY, left > 0 ? left : this.#intervalMs)
    }
    this.#forgetOld()
    return { inMs: found.length > this.#perPass && revoked > 0 ? soonMs : inMs }
  }

  /** What went is of interest until the pass after it; what that pass could not decide, it counts anew. */
  #forgetOld(): void {
    const before = this.#context.clock.monotonic() - 24 * 3600 * 1000
    for (const [key, { at }] of this.#deleted) if (at < before) this.#deleted.delete(key)
    for (const [uid, at] of this.#missed) if (at < before) this.#missed.delete(uid)
  }

  async #prune({ authority, entries, signal }: Pass): Promise<Later> {
    // Without its CA nobody says for how long.
    if (authority === undefined) return {}
    const { caches, clock, clockGuard } = this.#context
    if (clockGuard.heldFor !== undefined) return { inMs: clockGuard.heldFor }
    const keepExpiredForMs = parseDuration(authority.spec.ledger.keepExpiredFor)
    const { due, next } = prunable(entries, { keepExpiredForMs, holders: cachedHolders(caches) }, clock.now())
    // A revoked one stays on the list until one list after its end (RFC 5280 §3.3), and the list is made from the ledger.
    const makesList = authority.spec.crl?.enabled === true && due.some(({ revocation }) => revocation !== undefined)
    const listed = makesList ? await this.#options.listed(authority, signal) : undefined
    const free = due.filter(
      ({ revocation, serialNumber }) => revocation === undefined || !makesList || listed?.has(serialNumber) === false,
    )
    for (const entry of free.slice(0, this.#perPass)) await this.#delete(entry, signal)
    if (free.length > this.#perPass) return { inMs: soonMs }
    return free.length < due.length ? { inMs: this.#intervalMs } : { at: next }
  }

  /** The label for selectors, then the status; whichever is missing after a crash is written at the next pass. */
  async #mark(entry: LedgerEntry, state: EntryState, signal: AbortSignal): Promise<void> {
    const { cluster, caches, clock } = this.#context
    const { name, namespace, uid } = entry.metadata
    const head = { apiVersion: entry.apiVersion, kind: entry.kind }
    const options = { fieldManager, signal }
    await unlessChanged(async () => {
      const labelled = await cluster.apply(
        issuedCertificates,
        {
          ...head,
          metadata: { name, namespace, uid, labels: { [marks.state]: state } },
        } as unknown as IssuedCertificate,
        { ...options, force: true },
      )
      const { revokedAt, ...others } = labelled.status ?? {}
      const status = {
        ...others,
        state,
        ...(state === 'Revoked' ? { revokedAt: revokedAt ?? toTimestamp(clock.now()) } : {}),
      }
      const { resourceVersion } = labelled.metadata
      const update = { ...head, metadata: { name, namespace, uid, resourceVersion }, status }
      caches.ledger.wrote(
        await cluster.updateStatus(issuedCertificates, update as unknown as IssuedCertificate, options),
      )
    })
  }

  async #delete(entry: LedgerEntry, signal: AbortSignal): Promise<void> {
    const { cluster, caches } = this.#context
    const { name, namespace, uid = '', resourceVersion } = entry.metadata
    await unlessChanged(async () => {
      const only = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }), signal }
      await cluster.delete(issuedCertificates, { namespace, name }, only)
      caches.ledger.removed(keyOf(entry), uid)
    })
  }
}
