/**
 * One look at the revocation list of a CA: gather, decide, issue, write, report. The ConfigMap is written over the very
 * version that was read, and before the status: of two leaders one is refused, and a crash in between leaves a list
 * from which the status is mended. So no number is ever published with two contents.
 */

import { keyOf } from '../cluster/port.ts'
import type { Keyring } from '../authority/keyring.ts'
import { ClockSkew, probeIntervalMs } from '../control/clock-guard.ts'
import { type Context, existing } from '../control/context.ts'
import { isRefused } from '../control/failure.ts'
import { waitingMs, writeStatus } from '../control/report.ts'
import { toTimestamp } from '../control/schedule.ts'
import { applyOwned, maxSecretBytes } from '../control/write-secret.ts'
import { isAlreadyExists } from '../cluster/errors.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import {
  issueRevocationList,
  type ParsedRevocationList,
  parseRevocationList,
  RevocationListError,
} from '../pki/revocation/revocation-list.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { type ConfigMap, configMaps } from '../resources/core.ts'
import { listNumberFields, listNumberOf } from '../resources/crl-number.ts'
import type { Reason } from '../resources/reasons.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { Retryable, Terminal } from '../runtime/errors.ts'
import { backdatedMs, decide } from './decide.ts'
import { contentHash, listedEntries } from './entries.ts'
import { formerList, type FormerList, lastEnd, stillNeeded } from './former.ts'
import { gather, settledUntil } from './gather.ts'
import { hasSignedBefore, nextNumber } from './number.ts'
import type { Observed } from './observed.ts'
import { type Finding, type ListStatus, report } from './report.ts'
import { configMapOf } from './stored.ts'
import { dueAt, listPolicy } from './wanted.ts'

export class RevocationReconciler {
  readonly #context: Context
  readonly #keyring: Pick<Keyring, 'load'>
  /** Versions of ConfigMaps found good since the status was written: a foreign label does not cost a read at every look. */
  readonly #verified = new Map<string, string>()
  /** The largest number tried for each CA, whether or not the answer came back. */
  readonly #tried = new Map<string, bigint>()

  constructor(context: Context, keyring: Pick<Keyring, 'load'>) {
    this.#context = context
    this.#keyring = keyring
  }

  /** `key` is the CA's. */
  async reconcile(key: string, { signal }: Pick<ReconcileContext, 'signal'>): Promise<Result> {
    const { caches, clock } = this.#context
    const authority = existing(caches.authorities, key)
    if (authority === undefined) {
      this.#verified.delete(key)
      return {}
    }
    const policy = listPolicy(authority)
    if (policy === undefined) {
      // The last list stays where it is, and its number in the status.
      await report(this.#context, authority, undefined, undefined, signal)
      return {}
    }
    const settled = settledUntil(this.#context, authority, policy, this.#verified.get(key))
    if (settled !== undefined) return { requeueAfterMs: settled - clock.now() }

    const seen = await gather(this.#context, this.#keyring, authority, policy, this.#tried.get(key), signal)
    const verdict = decide(seen, clock.now())
    switch (verdict.verdict) {
      case 'Wait':
        return {}
      case 'Stall':
        return this.#blocked(authority, verdict, signal)
      case 'Keep':
        return this.#keep(authority, seen, verdict.until, signal)
      case 'Issue':
        return this.#issue(authority, seen, verdict.why, signal)
    }
  }

  async #blocked(
    authority: CertificateAuthority,
    { reason, message }: { readonly reason: Reason; readonly message: string },
    signal: AbortSignal,
  ): Promise<Result> {
    const wrote = await report(this.#context, authority, undefined, { status: 'False', reason, message }, signal)
    if (wrote) this.#event(authority, 'Warning', reason, message)
    return { requeueAfterMs: longestRequeueMs }
  }

  /** Nothing to do: remember what was verified, and mend a status that a crash left behind. */
  async #keep(authority: CertificateAuthority, seen: Observed, until: number, signal: AbortSignal): Promise<Result> {
    const { stored } = seen
    if (stored.state === 'absent' || stored.list === undefined) return {}
    this.#verified.set(keyOf(authority), stored.resourceVersion)
    const facts = factsOf(seen, stored.list, stored)
    const reported = authority.status?.crl
    // A foreign label moves the version; that alone is not worth a write.
    const known = reported?.configMapUid === stored.uid ? reported.configMapResourceVersion : undefined
    const kept = known === undefined ? facts : { ...facts, configMapResourceVersion: known }
    await report(this.#context, authority, kept, currentFinding(seen.listName, stored.list), signal)
    return { requeueAfterMs: Math.max(until - this.#context.clock.now(), 0) }
  }

  async #issue(authority: CertificateAuthority, seen: Observed, why: string, signal: AbortSignal): Promise<Result> {
    const held = this.#context.clockGuard.hold()
    if (held !== undefined) return { requeueAfterMs: held }
    try {
      const { list, written } = await this.#publish(authority, seen, signal)
      const facts = factsOf(seen, list, written)
      // What was reported of the CA meanwhile stays.
      const latest = this.#latest(authority)
      // An import of numbers that openssl has given: what is published now is older, and the next look goes on from there.
      const isRaised = (listNumberOf(latest?.status?.crl) ?? 0n) > (list.number ?? 0n)
      if (latest !== undefined && !isRaised)
        await report(this.#context, latest, facts, currentFinding(seen.listName, list), signal)
      const note = `Issued revocation list ${list.number} with ${counted(facts.entries)} into ConfigMap "${seen.listName}"; the next one comes before ${facts.nextUpdate}. ${why}`
      this.#event(authority, 'Normal', 'RevocationListIssued', note)
      const due = dueAt(seen.policy, list.nextUpdate ?? list.thisUpdate, seen.uid)
      return { requeueAfterMs: isRaised ? 0 : due - this.#context.clock.now() }
    } catch (error) {
      return this.#failed(authority, error, signal)
    }
  }

  /**
   * The status is never more than one number behind what is published. Only after a crash, or where the list was lost,
   * is it further behind; without this write the loss of the next list would give its number twice.
   */
  async #reserve(authority: CertificateAuthority, seen: Observed, number: bigint, signal: AbortSignal): Promise<void> {
    const { stored, status } = seen
    const reported = listNumberOf(status)
    if (reported !== undefined && reported >= number) return
    const known = stored.state === 'present' && stored.list !== undefined ? factsOf(seen, stored.list, stored) : status
    if (known === undefined) return
    const { contentHash: _, largeNumber: __, ...facts } = known
    const crl = { ...facts, ...listNumberFields(number) }
    const { caches } = this.#context
    const wanted = { ...authority.status, crl }
    await writeStatus(this.#context, certificateAuthorities, caches.authorities, authority, wanted, signal)
  }

  #latest(authority: CertificateAuthority): CertificateAuthority | undefined {
    const latest = this.#context.caches.authorities.store.get(keyOf(authority))
    return latest?.metadata.uid === authority.metadata.uid ? latest : undefined
  }

  async #publish(
    authority: CertificateAuthority,
    seen: Observed,
    signal: AbortSignal,
  ): Promise<{ readonly list: ParsedRevocationList; readonly written: Version }> {
    const { caches, clock, clockGuard } = this.#context
    const { signer } = await this.#keyring.load(authority)
    const { ledger, policy, stored, status, tried, uid } = seen
    const now = clock.now()
    const previous = stored.state === 'present' ? stored.newest : undefined
    const key = seen.key ?? { keyId: '', publicKeyHash: '' }
    const number = nextNumber(
      { listed: newestNumber(stored), reported: listNumberOf(status), tried },
      hasSignedBefore(ledger, { uid }, now),
      now,
    )
    await this.#reserve(authority, seen, number - 1n, signal)
    const der = await issueRevocationList(signer, {
      issuer: signer.subject,
      authorityKeyId: signer.subjectKeyId,
      thisUpdate: Math.max(now - backdatedMs, signer.notBefore),
      nextUpdate: now + policy.durationMs,
      number,
      revoked: listedEntries(ledger, key, previous, policy.durationMs, now),
    })
    const version = stored.state === 'present' ? stored : undefined
    const others = await this.#others(seen, number, now)
    const signed = [key, ...(seen.other === undefined ? [] : [seen.other.key])]
    const put = stored.state === 'present' ? stillNeeded(stored.former, ledger, signed, now) : []
    const former = [...put, ...others]
    const list = { der, spki: signer.spki }
    const whole = configMapOf(authority, { ...list, former }, version)
    // Sooner without the former ones than without the present one.
    const map = sizeOf(whole) > maxSecretBytes ? configMapOf(authority, { ...list, former: others }, version) : whole
    refuseOversized(map, seen)
    this.#tried.set(keyOf(authority), number)
    const { metadata } = await applyOwned(
      this.#context,
      configMaps,
      caches.configMaps,
      map,
      version === undefined,
      signal,
    )
    // Only a new object is dated by the server.
    if (version === undefined) clockGuard.judge(metadata.creationTimestamp)
    return {
      list: parseRevocationList(der),
      written: { uid: metadata.uid ?? '', resourceVersion: metadata.resourceVersion ?? '' },
    }
  }

  /**
   * The list of the other CA of a rotation, made along with the present one, under the same number. It lasts as long as
   * anything hangs on it: when the rotation ends, the key is gone.
   */
  async #others({ other, stored, ledger, policy }: Observed, number: bigint, now: number): Promise<FormerList[]> {
    if (other === undefined) return []
    const { key, signer } = other
    const previous = stored.state === 'present' ? stored.other : undefined
    const der = await issueRevocationList(signer, {
      issuer: signer.subject,
      authorityKeyId: signer.subjectKeyId,
      thisUpdate: Math.max(now - backdatedMs, signer.notBefore),
      nextUpdate: Math.max(now + policy.durationMs, lastEnd(ledger, key, now) ?? 0),
      number,
      revoked: listedEntries(ledger, key, previous, policy.durationMs, now),
    })
    const found = formerList(encodePem('X509 CRL', der))
    return found === undefined ? [] : [found]
  }

  async #failed(authority: CertificateAuthority, error: unknown, signal: AbortSignal): Promise<Result> {
    if (isAlreadyExists(error)) throw new Retryable('Conflict', 'The ConfigMap appeared while it was being written.')
    if (error instanceof ClockSkew) {
      this.#event(authority, 'Warning', 'RevocationListNotSigned', error.message)
      return { requeueAfterMs: probeIntervalMs }
    }
    if (!isRefused(error) && !(error instanceof Terminal) && !(error instanceof RevocationListError)) throw error
    const reason = error instanceof RevocationListError ? 'RevocationListNotSigned' : (error.reason as Reason)
    await this.#blocked(this.#latest(authority) ?? authority, { reason, message: error.message }, signal)
    if (isRefused(error)) throw error
    return { requeueAfterMs: error instanceof Terminal ? longestRequeueMs : waitingMs }
  }

  #event(regarding: CertificateAuthority, type: 'Normal' | 'Warning', reason: Reason, note: string): void {
    this.#context.events.record({ regarding, type, reason, action: 'Issue', note })
  }
}

interface Version {
  readonly uid: string
  readonly resourceVersion: string
}

const newestNumber = (stored: Observed['stored']): bigint | undefined =>
  (stored.state === 'present' ? [stored.newest, stored.other] : [])
    .flatMap((list) => list?.number ?? [])
    .reduce<bigint | undefined>(
      (newest, number) => (newest === undefined || number > newest ? number : newest),
      undefined,
    )

const factsOf = ({ ledger, key }: Observed, list: ParsedRevocationList, map: Version): ListStatus => ({
  ...listNumberFields(list.number ?? 0n),
  thisUpdate: toTimestamp(list.thisUpdate),
  nextUpdate: toTimestamp(list.nextUpdate ?? list.thisUpdate),
  entries: list.revoked.length,
  ...(key === undefined ? {} : { contentHash: contentHash(ledger, key, list.thisUpdate) }),
  configMapUid: map.uid,
  configMapResourceVersion: map.resourceVersion,
})

const currentFinding = (listName: string, list: ParsedRevocationList): Finding => ({
  status: 'True',
  reason: 'RevocationListIssued',
  message: `ConfigMap "${listName}" holds list ${list.number} with ${counted(list.revoked.length)}, valid until ${toTimestamp(list.nextUpdate ?? list.thisUpdate)}.`,
})

const counted = (entries: number): string => (entries === 1 ? '1 revocation' : `${entries} revocations`)

const sizeOf = ({ data = {} }: ConfigMap): number =>
  Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0)

const refuseOversized = (map: ConfigMap, { listName }: Observed): void => {
  const bytes = sizeOf(map)
  if (bytes <= maxSecretBytes) return
  throw new Terminal(
    'RevocationListTooLarge',
    `The list would have ${bytes} bytes, and Kubernetes takes at most ${maxSecretBytes} in ConfigMap "${listName}". The last list stays. Shorten the lifetime of certificates, or spread them over several CAs.`,
  )
}
