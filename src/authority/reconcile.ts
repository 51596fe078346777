/**
 * One look at a CertificateAuthority: gather, decide, act, report. A CA keeps its key, name and key identifier whenever
 * its certificate is signed anew, so that what it has signed stays valid.
 */

import { ClockSkew, clocksDisagree, probeIntervalMs } from '../control/clock-guard.ts'
import type { Context } from '../control/context.ts'
import { type Decision, sentences } from '../control/decision.ts'
import {
  failed,
  type FailureStatus,
  isFailedIssuance,
  isRefused,
  noFailure,
  untilNextAttempt,
} from '../control/failure.ts'
import { type Outcome, report, waitingMs } from '../control/report.ts'
import { renewalTime, toTimestamp } from '../control/schedule.ts'
import { writeSecret } from '../control/write-secret.ts'
import { record } from '../ledger/record.ts'
import { IssueError, issueCertificate } from '../pki/certificates/certificate.ts'
import { generateKeyPair, spkiOf } from '../pki/keys/keys.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { authorityPlan, serialNumber } from '../pki/certificates/plans.ts'
import { policyViolations } from '../pki/policy/policy.ts'
import { selfSigner } from '../pki/certificates/signer.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import type { Secret } from '../resources/core.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { ReconcileError, Terminal } from '../runtime/errors.ts'
import { decide } from './decide.ts'
import { certificateFacts } from './facts.ts'
import { gather } from './gather.ts'
import type { Keyring } from './keyring.ts'
import { isBrought } from './names.ts'
import type { Observed, ParentSeen } from './observed.ts'
import { trustHash } from './trust.ts'
import { type Bundle, bundleOf, contentOf } from './outputs.ts'
import { reconcileBrought } from './reconcile-brought.ts'
import type { Wanted } from './wanted.ts'

export class AuthorityReconciler {
  readonly #context: Context
  readonly #keyring: Keyring

  constructor(context: Context, keyring: Keyring) {
    this.#context = context
    this.#keyring = keyring
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const { caches, clock } = this.#context
    const authority = caches.authorities.store.get(key)
    if (authority === undefined || authority.metadata.deletionTimestamp !== undefined) {
      this.#keyring.forget(key)
      return {}
    }
    if (isBrought(authority)) return reconcileBrought(this.#context, authority, signal)
    const seen = await gather(this.#context, this.#keyring, authority, signal)
    const decision = decide(seen, clock.now())
    try {
      return await this.#act(authority, seen, decision, signal)
    } catch (error) {
      if (!(error instanceof ReconcileError)) throw error
      const [reason, message] = [error.reason as Outcome['reason'], error.message]
      if (error instanceof Terminal) return this.#tell(authority, { state: 'Stalled', reason, message }, signal)
      if (isRefused(error)) await this.#tell(authority, { state: 'Reconciling', reason, message }, signal)
      throw error
    }
  }

  async #act(
    authority: CertificateAuthority,
    seen: Observed,
    decision: Decision,
    signal: AbortSignal,
  ): Promise<Result> {
    const [first] = decision.acting
    const message = sentences(decision.acting)
    switch (decision.cure) {
      case 'Stall':
        return this.#tell(authority, { state: 'Stalled', reason: first?.reason ?? 'RequestInvalid', message }, signal)
      case 'Wait':
        return this.#tell(
          authority,
          { state: 'Reconciling', reason: first?.reason ?? 'AuthorityNotReady', message },
          signal,
        )
      case 'Issue':
        return this.#issue(authority, seen, message, signal)
      case 'Encode':
        return this.#encode(authority, seen, message, signal)
      case 'None':
        return this.#settle(authority, seen, signal)
    }
  }

  async #issue(authority: CertificateAuthority, seen: Observed, why: string, signal: AbortSignal): Promise<Result> {
    const wanted = wantedOf(seen)
    const stored = seen.secret.state === 'present' ? seen.secret.stored : undefined
    const { clock, clockGuard } = this.#context
    const held = untilNextAttempt(authority, clock.now())
    if (held !== undefined) return { requeueAfterMs: held }
    const skewed = clockGuard.hold()
    if (skewed !== undefined) return this.#hold(authority, clocksDisagree, skewed, signal)
    let made: { readonly bundle: Bundle; readonly secret: Secret }
    try {
      const bundle = await this.#sign(wanted, seen.parent, stored)
      made = { bundle, secret: await this.#deliver(authority, seen, bundle, signal) }
    } catch (error) {
      if (error instanceof ClockSkew) {
        this.#warn(authority, 'IssuanceFailed', error.message)
        return await this.#hold(authority, error.message, probeIntervalMs, signal)
      }
      // A refused Secret counts, too: each attempt has cost a ledger entry.
      if (!isFailedIssuance(error) && !isRefused(error)) throw error
      const { facts, waitMs, message } = failed(authority.status, error, clock.now())
      await this.#tell(authority, { state: 'Reconciling', reason: 'IssuanceFailed', message }, signal, facts)
      return { requeueAfterMs: waitMs }
    }
    this.#announce(authority, made.bundle.certificate, stored !== undefined, why)
    return this.#ready(authority, wanted, made.bundle, made.secret.metadata, seen, signal)
  }

  /** What is Ready stays so: its leaves need not suffer from a clock gone wrong. */
  async #hold(authority: CertificateAuthority, message: string, waitMs: number, signal: AbortSignal): Promise<Result> {
    if (!isReady(authority))
      await this.#tell(authority, { state: 'Reconciling', reason: 'IssuanceFailed', message }, signal)
    return { requeueAfterMs: waitMs }
  }

  #warn(regarding: CertificateAuthority, reason: string, note: string): void {
    this.#context.events.record({ regarding, type: 'Warning', reason, action: 'Reconcile', note })
  }

  /** Ledger first, then the Secret. */
  async #deliver(
    authority: CertificateAuthority,
    seen: Observed,
    bundle: Bundle,
    signal: AbortSignal,
  ): Promise<Secret> {
    const wanted = wantedOf(seen)
    const content = await contentOf(this.#context, authority, wanted, bundle, seen)
    const { namespace = 'default', name, uid = '' } = authority.metadata
    const supersedes = seen.secret.state === 'present' ? seen.secret.stored?.certificate.serialNumber : undefined
    const signedBy =
      seen.parent?.state === 'usable' && wanted.parent !== undefined
        ? { ...wanted.parent, uid: seen.parent.uid, fingerprint: seen.parent.material.certificate.fingerprint }
        : { namespace, name, uid, fingerprint: bundle.certificate.fingerprint }
    await record(
      this.#context,
      {
        certificate: bundle.certificate,
        authority: signedBy,
        holder: { namespace, name, uid },
        supersedes,
      },
      signal,
    )
    return writeSecret(this.#context, content, signal)
  }

  #announce(authority: CertificateAuthority, certificate: ParsedCertificate, again: boolean, why: string): void {
    const { subject, serialNumber: serial, notAfter } = certificate
    const note = `Signed ${again ? 'the certificate anew with the same key' : 'a new certificate'}: "${formatDistinguishedName(subject)}", serial ${serial}, valid until ${toTimestamp(notAfter)}.${again ? ` ${why}` : ''}`
    const reason = again ? 'Renewed' : 'Created'
    this.#context.events.record({ regarding: authority, type: 'Normal', reason, action: 'Issue', note })
  }

  async #sign(
    wanted: Wanted,
    parent: ParentSeen | undefined,
    stored: { readonly certificate: ParsedCertificate; readonly pkcs8: Uint8Array } | undefined,
  ): Promise<Bundle> {
    const { clock, crypto, random } = this.#context
    const key =
      stored === undefined
        ? await generateKeyPair(crypto, wanted.keyAlgorithm)
        : { pkcs8: stored.pkcs8, spki: spkiOf(stored.pkcs8) }
    const subject = stored?.certificate.subject ?? wanted.subject
    const above = parent?.state === 'usable' ? parent : undefined
    const material = above?.material
    const signer =
      material?.signer ??
      (await selfSigner(crypto, { pkcs8: key.pkcs8, subject, subjectKeyId: stored?.certificate.subjectKeyId }))
    const plan = authorityPlan({
      signer,
      selfSigned: material === undefined,
      subject,
      spki: key.spki,
      renews: stored?.certificate,
      pathLength: wanted.maxPathLength,
      nameConstraints: wanted.nameConstraints,
      ...above?.published,
      // Nobody has to write a duration into a CA; the one above limits it as it limits everything it signs.
      duration: Math.min(wanted.duration, above?.policy?.maxDuration ?? Infinity),
      now: clock.now(),
      serialNumber: serialNumber(random(16)),
    })
    const certificate = await issueCertificate(plan, signer)
    const violations = above?.policy === undefined ? [] : policyViolations(above.policy, signer.subject, certificate)
    if (violations.length > 0) throw new IssueError(violations)
    return {
      certificate,
      pkcs8: key.pkcs8,
      above: material?.chain ?? [],
      trust: material?.trust ?? [certificate.der],
    }
  }

  async #encode(authority: CertificateAuthority, seen: Observed, why: string, signal: AbortSignal): Promise<Result> {
    const wanted = wantedOf(seen)
    const bundle = bundleOf(seen)
    const written = await writeSecret(
      this.#context,
      await contentOf(this.#context, authority, wanted, bundle, seen),
      signal,
    )
    const note = `Wrote Secret "${wanted.secretName}" again, certificate unchanged. ${why}`
    this.#context.events.record({ regarding: authority, type: 'Normal', reason: 'Encoding', action: 'Encode', note })
    return this.#ready(authority, wanted, bundle, written.metadata, seen, signal)
  }

  async #settle(authority: CertificateAuthority, seen: Observed, signal: AbortSignal): Promise<Result> {
    if (seen.secret.state !== 'present') return {}
    const observed = authority.status?.observed
    const metadata = observed?.secretUid === seen.secret.uid ? undefined : seen.secret
    return this.#ready(authority, wantedOf(seen), bundleOf(seen), metadata, seen, signal)
  }

  async #ready(
    authority: CertificateAuthority,
    wanted: Wanted,
    bundle: Bundle,
    secret: { readonly uid?: string; readonly resourceVersion?: string } | undefined,
    seen: Observed,
    signal: AbortSignal,
  ): Promise<Result> {
    const { certificate } = bundle
    const { notBefore, notAfter } = certificate
    const renewAt = renewalTime(wanted.renewal, notBefore, notAfter, authority.metadata.uid ?? '')
    const facts = {
      certificate: certificateFacts(certificate),
      renewAt: toTimestamp(renewAt),
      trustBundleHash: trustHash(bundle.trust),
      ...noFailure,
      ...(secret === undefined
        ? {}
        : {
            observed: {
              secretUid: secret.uid ?? '',
              secretResourceVersion: secret.resourceVersion ?? '',
              ...(seen.passphrase?.state === 'found'
                ? { passphraseResourceVersion: seen.passphrase.resourceVersion }
                : {}),
            },
          }),
    } as Partial<NonNullable<CertificateAuthority['status']>>
    const message = `"${formatDistinguishedName(certificate.subject)}" can sign, and is valid until ${toTimestamp(certificate.notAfter)}.`
    const { caches, clock } = this.#context
    await report(
      this.#context,
      certificateAuthorities,
      caches.authorities,
      authority,
      facts,
      { state: 'Ready', reason: 'Ready', message },
      signal,
    )
    return { requeueAfterMs: Math.max(renewAt - clock.now(), 0) }
  }

  async #tell(
    authority: CertificateAuthority,
    outcome: Outcome,
    signal: AbortSignal,
    facts: FailureStatus = {},
  ): Promise<Result> {
    const { caches } = this.#context
    const wrote = await report(
      this.#context,
      certificateAuthorities,
      caches.authorities,
      authority,
      facts as Partial<NonNullable<CertificateAuthority['status']>>,
      outcome,
      signal,
    )
    if (wrote && outcome.state === 'Stalled') this.#warn(authority, outcome.reason, outcome.message)
    return { requeueAfterMs: outcome.state === 'Stalled' ? longestRequeueMs : waitingMs }
  }
}

const wantedOf = ({ resolved }: Observed): Wanted => {
  if (!('wanted' in resolved)) throw new Error('a cure was chosen for a spec that could not be resolved')
  return resolved.wanted
}
