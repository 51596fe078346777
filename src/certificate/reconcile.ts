/**
 * One look at a DatabaseCertificate: gather, decide, act on the strongest cure, report. At most three writes for an
 * issuance (ledger, Secret, status) and none at rest; a crash between any two is mended by the next look.
 */

import type { Keyring } from '../authority/keyring.ts'
import { keyOf } from '../cluster/port.ts'
import { ClockSkew, clocksDisagree, probeIntervalMs } from '../control/clock-guard.ts'
import type { Context } from '../control/context.ts'
import { type Decision, sentences } from '../control/decision.ts'
import { failed, isFailedIssuance, untilNextAttempt } from '../control/failure.ts'
import { KeyGate } from '../control/key-gate.ts'
import { type Outcome, report, waitingMs } from '../control/report.ts'
import { renewalTime, toTimestamp } from '../control/schedule.ts'
import { SecretAppeared } from '../control/write-secret.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { isReady } from '../resources/conditions.ts'
import type { Secret } from '../resources/core.ts'
import {
  databaseCertificates,
  type DatabaseCertificate,
  type DatabaseCertificateStatus,
} from '../resources/database-certificate.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { Retryable, Terminal } from '../runtime/errors.ts'
import { decide, isCompromised } from './decide.ts'
import { deliver, encodeAgain } from './deliver.ts'
import { Familiar } from './familiar.ts'
import { gather, type ReadRevocationList, settledUntil } from './gather.ts'
import { type Issued, issueLeaf, refuseUnfit } from './issue.ts'
import { notesOf } from './notes.ts'
import type { Observed, UsableAuthority } from './observed.ts'
import { publicKeyHash, seeEntry, sharersOfKey } from './rivals.ts'
import { Undelivered } from './undelivered.ts'
import { factsOf, remembered, usable } from './status.ts'
import type { Wanted } from './wanted.ts'

/** A key that waits is woken; this is for the case that nobody is left to wake it, ms. */
const keyWaitMs = 30_000

/** Until another certificate with the same key has its status, which then says so, ms. */
const takenKeyWaitMs = 1000

interface Verified {
  readonly secret: string
  readonly password: string
  readonly request: string
}

export interface CertificateOptions {
  /** RSA keys made at the same time. */
  readonly rsaKeys: number
  /** Looks at a certificate once more, when it had to wait for its key. */
  readonly again: (key: string) => void
  readonly readRevocationList: ReadRevocationList
}

export class CertificateReconciler {
  readonly #context: Context
  readonly #keyring: Keyring
  /** Versions found good since the status was written: somebody's own label on our Secret does not cost a read at every look. */
  readonly #verified = new Map<string, Verified>()
  /** Whose Secret the cache does not know yet, although it is there. */
  readonly #surprised = new Set<string>()
  readonly #undelivered = new Undelivered()
  readonly #familiar = new Familiar()
  readonly #rsa: KeyGate
  /** Hashes of the keys of requests that are being signed. */
  readonly #requestKeys = new Set<string>()
  readonly #readRevocationList: ReadRevocationList

  constructor(context: Context, keyring: Keyring, { rsaKeys, again, readRevocationList }: CertificateOptions) {
    this.#context = context
    this.#keyring = keyring
    this.#readRevocationList = readRevocationList
    this.#rsa = new KeyGate(rsaKeys, again)
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches, clock } = this.#context
    const certificate = caches.certificates.store.get(key)
    if (certificate === undefined || certificate.metadata.deletionTimestamp !== undefined) {
      this.#verified.delete(key)
      this.#undelivered.forget(key)
      this.#familiar.forget(key)
      this.#surprised.delete(key)
      return {}
    }
    const renewAt = settledUntil(this.#context, certificate, this.#verified.get(key))
    if (renewAt !== undefined) return { requeueAfterMs: renewAt - clock.now() }

    const surprised = this.#surprised.delete(key)
    const seen = await gather(this.#context, this.#keyring, certificate, signal, {
      familiar: this.#familiar,
      readRevocationList: this.#readRevocationList,
      surprised,
    })
    const decision = decide(seen, clock.now())
    try {
      return await this.#act(certificate, seen, decision, signal)
    } catch (error) {
      this.#familiar.forget(key)
      if (error instanceof Terminal)
        return this.#tell(
          certificate,
          {},
          { state: 'Stalled', reason: error.reason as Outcome['reason'], message: error.message },
          signal,
        )
      // Tried again with growing delays; meanwhile a person should see why nothing comes.
      if (error instanceof Retryable && error.reason === 'WriteFailed')
        await this.#tell(
          certificate,
          {},
          { state: 'Reconciling', reason: 'WriteFailed', message: error.message },
          signal,
        )
      throw error
    }
  }

  async #act(
    certificate: DatabaseCertificate,
    seen: Observed,
    decision: Decision,
    signal: AbortSignal,
  ): Promise<Result> {
    const [first] = decision.acting
    const message = sentences(decision.acting)
    switch (decision.cure) {
      case 'Stall':
        return this.#tell(
          certificate,
          {},
          { state: 'Stalled', reason: first?.reason ?? 'RequestInvalid', message },
          signal,
        )
      case 'Wait':
        return this.#tell(
          certificate,
          {},
          { state: 'Reconciling', reason: first?.reason ?? 'AuthorityNotReady', message },
          signal,
        )
      case 'Issue':
        return this.#issueAlone(certificate, seen, message, signal)
      case 'Encode':
        return this.#encode(certificate, seen, message, signal)
      case 'None':
        return this.#settle(certificate, seen, signal)
    }
  }

  /** One request under two objects at one moment: the second looks again when the first has told whose key it is. */
  async #issueAlone(
    certificate: DatabaseCertificate,
    seen: Observed,
    why: string,
    signal: AbortSignal,
  ): Promise<Result> {
    const { request } = usable(seen).wanted
    if (request === undefined) return this.#issue(certificate, seen, why, signal)
    const key = publicKeyHash(request.spki)
    if (this.#requestKeys.has(key)) return { requeueAfterMs: takenKeyWaitMs }
    this.#requestKeys.add(key)
    try {
      return await this.#issue(certificate, seen, why, signal)
    } finally {
      this.#requestKeys.delete(key)
    }
  }

  async #issue(certificate: DatabaseCertificate, seen: Observed, why: string, signal: AbortSignal): Promise<Result> {
    const { clock, clockGuard } = this.#context
    const { wanted, authority } = usable(seen)
    const held = untilNextAttempt(certificate, clock.now())
    if (held !== undefined) return { requeueAfterMs: held }
    const skewed = clockGuard.hold()
    if (skewed !== undefined) return this.#hold(certificate, clocksDisagree, skewed, signal)
    const present = seen.secret.state === 'present' ? seen.secret : undefined
    const reusable = this.#reusable(certificate, seen, wanted)
    const kept = this.#kept(certificate, wanted, authority)
    const makesKey = kept === undefined && reusable === undefined && wanted.request === undefined
    const makesRsaKey = makesKey && wanted.keyAlgorithm.algorithm === 'RSA'
    const leave = makesRsaKey ? this.#rsa.enter(keyOf(certificate)) : undefined
    if (makesRsaKey && leave === undefined) return { requeueAfterMs: keyWaitMs }
    let made: { readonly leaf: ParsedCertificate; readonly secret: Secret }
    try {
      const issued = kept ?? (await issueLeaf(this.#context, wanted, authority, reusable))
      const delivering = { certificate, seen, issued, recorded: kept !== undefined }
      const secret = await deliver(this.#context, this.#undelivered, delivering, signal)
      made = { leaf: issued.certificate, secret }
    } catch (error) {
      if (error instanceof SecretAppeared) this.#surprised.add(keyOf(certificate))
      if (error instanceof ClockSkew) {
        this.#event(certificate, 'Warning', 'IssuanceFailed', 'Issue', error.message)
        return await this.#hold(certificate, error.message, probeIntervalMs, signal)
      }
      if (!isFailedIssuance(error)) throw error
      const { facts, waitMs, message } = failed(certificate.status, error, clock.now())
      await this.#tell(certificate, facts, { state: 'Reconciling', reason: 'IssuanceFailed', message }, signal)
      return { requeueAfterMs: waitMs }
    } finally {
      leave?.()
    }
    this.#familiar.note(keyOf(certificate), certificate, wanted, made.secret.metadata, present?.adopted === true)
    const facts = factsOf(certificate, seen, wanted, made.leaf, made.secret.metadata)
    this.#announce(certificate, made.leaf, wanted, facts.revision ?? 1, why)
    return this.#ready(certificate, facts, made.leaf, seen, signal)
  }

  /** The key in the Secret, where it may be used once more: not one that others have, or have come to know. */
  #reusable(certificate: DatabaseCertificate, { secret, entry }: Observed, wanted: Wanted): Uint8Array | undefined {
    if (!wanted.reuseKey || secret.state !== 'present' || secret.leaf === undefined || isCompromised(entry))
      return undefined
    if (!sameKey(secret.keyAlgorithm, wanted)) return undefined
    return sharersOfKey(this.#context, certificate, secret.leaf.spki).length > 0 ? undefined : secret.privateKey
  }

  /** Signed before and not delivered yet, where it is still what the CA may sign. */
  #kept(certificate: DatabaseCertificate, wanted: Wanted, authority: UsableAuthority): Issued | undefined {
    const { fingerprint } = authority.material.certificate
    const kept = this.#undelivered.find(certificate, fingerprint, wanted, this.#context.clock.now())
    if (kept === undefined) return undefined
    const entry = seeEntry(this.#context, wanted.authority, kept.certificate.serialNumber)
    if (entry?.state === 'Revoked') return undefined
    refuseUnfit(authority, kept.certificate)
    return kept
  }

  /** What is Ready stays so, untouched: a clock gone wrong must not write to every certificate there is. */
  async #hold(certificate: DatabaseCertificate, message: string, waitMs: number, signal: AbortSignal): Promise<Result> {
    if (!isReady(certificate))
      await this.#tell(certificate, {}, { state: 'Reconciling', reason: 'IssuanceFailed', message }, signal)
    return { requeueAfterMs: waitMs }
  }

  async #encode(certificate: DatabaseCertificate, seen: Observed, why: string, signal: AbortSignal): Promise<Result> {
    const { wanted } = usable(seen)
    const { leaf, written, adopted } = await encodeAgain(this.#context, certificate, seen, signal)
    this.#event(
      certificate,
      'Normal',
      'Encoding',
      'Encode',
      `Wrote Secret "${wanted.secret.name}" again, certificate unchanged. ${why}`,
    )
    this.#familiar.note(keyOf(certificate), certificate, wanted, written.metadata, adopted)
    const facts = factsOf(certificate, seen, wanted, leaf, written.metadata)
    return this.#ready(certificate, facts, leaf, seen, signal)
  }

  /** Nothing to do: remember what was verified, and mend a status that a crash left behind. */
  async #settle(certificate: DatabaseCertificate, seen: Observed, signal: AbortSignal): Promise<Result> {
    if (!('wanted' in seen.resolved) || seen.secret.state !== 'present' || seen.secret.leaf === undefined) return {}
    const { wanted } = seen.resolved
    const { leaf, uid, resourceVersion } = seen.secret
    const password = seen.password?.state === 'found' ? seen.password.resourceVersion : ''
    const request = seen.request?.version ?? ''
    this.#verified.set(keyOf(certificate), { secret: resourceVersion, password, request })
    this.#familiar.note(keyOf(certificate), certificate, wanted, { uid, resourceVersion }, seen.secret.adopted)
    // Without its authority nothing new is known about the certificate; what stands in status stays true.
    if (seen.authority.state !== 'usable') return this.#ready(certificate, {}, leaf, seen, signal)
    const facts = factsOf(certificate, seen, wanted, leaf, { uid, resourceVersion })
    // A foreign label moves the Secret's version; that alone is not worth a write.
    const observed = certificate.status?.observed
    const kept = observed?.secretUid === uid ? { ...facts, observed: remembered(observed, facts.observed) } : facts
    return this.#ready(certificate, kept, leaf, seen, signal)
  }

  async #ready(
    certificate: DatabaseCertificate,
    facts: Partial<DatabaseCertificateStatus>,
    leaf: ParsedCertificate,
    seen: Observed,
    signal: AbortSignal,
  ): Promise<Result> {
    if (!('wanted' in seen.resolved)) return {}
    const { wanted } = seen.resolved
    this.#undelivered.forget(keyOf(certificate))
    const holds = `Secret "${wanted.secret.name}" holds certificate ${leaf.serialNumber}, valid until ${toTimestamp(leaf.notAfter)}.`
    const message = [holds, ...notesOf(seen, leaf)].join(' ')
    await report(
      this.#context,
      databaseCertificates,
      this.#context.caches.certificates,
      certificate,
      facts,
      { state: 'Ready', reason: 'Issued', message },
      signal,
    )
    const renewAt = renewalTime(wanted.renewal, leaf.notBefore, leaf.notAfter, certificate.metadata.uid ?? '')
    return { requeueAfterMs: Math.max(renewAt - this.#context.clock.now(), 0) }
  }

  async #tell(
    certificate: DatabaseCertificate,
    facts: Partial<DatabaseCertificateStatus>,
    outcome: Outcome,
    signal: AbortSignal,
  ): Promise<Result> {
    const { caches } = this.#context
    const wrote = await report(
      this.#context,
      databaseCertificates,
      caches.certificates,
      certificate,
      facts,
      outcome,
      signal,
    )
    if (wrote && outcome.state === 'Stalled')
      this.#event(certificate, 'Warning', outcome.reason, 'Reconcile', outcome.message)
    return { requeueAfterMs: outcome.state === 'Stalled' ? longestRequeueMs : waitingMs }
  }

  #announce(
    certificate: DatabaseCertificate,
    leaf: ParsedCertificate,
    wanted: Wanted,
    revision: number,
    why: string,
  ): void {
    const until = toTimestamp(leaf.notAfter)
    const note = `Issued certificate ${leaf.serialNumber} (revision ${revision}) into Secret "${wanted.secret.name}", valid until ${until}.${revision > 1 ? ` ${why}` : ''}`
    this.#event(certificate, 'Normal', 'Issued', 'Issue', note)
  }

  #event(
    certificate: DatabaseCertificate,
    type: 'Normal' | 'Warning',
    reason: string,
    action: string,
    note: string,
  ): void {
    this.#context.events.record({ regarding: certificate, type, reason, action, note })
  }
}

const sameKey = (is: Wanted['keyAlgorithm'] | undefined, { keyAlgorithm: should }: Wanted): boolean =>
  is !== undefined &&
  is.algorithm === should.algorithm &&
  ('size' in is ? is.size : 0) === ('size' in should ? should.size : 0)
