/**
 * What is special to a CertificateAuthority. It keeps its key, name and key identifier whenever its certificate is signed
 * anew, so that what it has signed stays valid.
 */

import { keyOf } from '../cluster/port.ts'
import { Actor } from '../control/actor.ts'
import { type Context, existing } from '../control/context.ts'
import type { Decision } from '../control/decision.ts'
import { isFailedIssuance, isRefused } from '../control/failure.ts'
import { toTimestamp } from '../control/schedule.ts'
import { writeSecret } from '../control/write-secret.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { longestRequeueMs, type ReconcileContext, type Result } from '../runtime/controller.ts'
import { NotReady } from '../runtime/errors.ts'
import { decide } from './decide.ts'
import { gather } from './gather.ts'
import { deliver, issueAuthority } from './issue.ts'
import type { Keyring } from './keyring.ts'
import { isBrought } from './names.ts'
import type { Look, Observed } from './observed.ts'
import { type Bundle, bundleOf, contentOf } from './outputs.ts'
import { reconcileBrought } from './reconcile-brought.ts'
import { dueForRenewal, isOver } from './renewal.ts'
import { renewedRotation } from './rotation-facts.ts'
import { factsOf, readyMessage } from './status.ts'
import { Undelivered } from './undelivered.ts'
import type { Wanted } from './wanted.ts'

/** `namespace/name` of another CA whose rotation keeps that of this one from beginning. */
type RotatingRelative = (authority: CertificateAuthority) => string | undefined

export class AuthorityReconciler {
  readonly #context: Context
  readonly #keyring: Keyring
  readonly #actor: Actor<CertificateAuthority, Observed>
  readonly #undelivered = new Undelivered()

  constructor(context: Context, keyring: Keyring, rotatingRelative: RotatingRelative) {
    this.#context = context
    this.#keyring = keyring
    this.#actor = new Actor(context, certificateAuthorities, context.caches.authorities, {
      gather: async (authority, signal) => {
        const seen = await gather(context, keyring, authority, signal)
        return heldUp(seen, context.clock.now(), () => rotatingRelative(authority) !== undefined)
      },
      decide: (seen, now) => inStep(decide(seen, now)),
      issue: (look, why) => this.#actor.attempt(look, () => this.#issue(look, why)),
      encode: (look, why) => this.#encode(look, why),
      settle: (look) => this.#settle(look),
      // A refused Secret counts, too: a person should see for how long nothing has come of it.
      isCounted: (error) => isFailedIssuance(error) || isRefused(error),
    })
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const authority = existing(this.#context.caches.authorities, key)
    if (authority === undefined) {
      this.#keyring.forget(key)
      this.#undelivered.forget(key)
      return {}
    }
    return isBrought(authority)
      ? reconcileBrought(this.#context, authority, signal)
      : this.#actor.look(authority, signal)
  }

  async #issue(look: Look, why: string): Promise<() => Promise<Result>> {
    const { object: authority, seen } = look
    const wanted = wantedOf(seen)
    const stored = seen.secret.state === 'present' ? seen.secret.stored : undefined
    const kept = this.#undelivered.find(this.#context, authority, seen, wanted)
    const bundle = kept ?? (await issueAuthority(this.#context, wanted, seen.parent, stored))
    const made = { bundle, recorded: kept !== undefined }
    const { metadata } = await deliver(this.#context, this.#undelivered, look, wanted, made)
    return () => {
      this.#announce(authority, bundle.certificate, stored !== undefined, why)
      return this.#ready(look, bundle, metadata)
    }
  }

  #announce(authority: CertificateAuthority, certificate: ParsedCertificate, again: boolean, why: string): void {
    const { subject, serialNumber: serial, notAfter } = certificate
    const note = `Signed ${again ? 'the certificate anew with the same key' : 'a new certificate'}: "${formatDistinguishedName(subject)}", serial ${serial}, valid until ${toTimestamp(notAfter)}.${again ? ` ${why}` : ''}`
    this.#actor.announce(authority, again ? 'Renewed' : 'Created', 'Issue', note)
  }

  async #encode(look: Look, why: string): Promise<Result> {
    const { object: authority, seen, signal } = look
    const wanted = wantedOf(seen)
    const bundle = bundleOf(seen)
    const content = await contentOf(this.#context, authority, wanted, bundle, seen)
    const { metadata } = await writeSecret(this.#context, content, signal)
    const note = `Wrote Secret "${wanted.secretName}" again, certificate unchanged. ${why}`
    this.#actor.announce(authority, 'Encoding', 'Encode', note)
    return this.#ready(look, bundle, metadata)
  }

  async #settle(look: Look): Promise<Result> {
    const { object: authority, seen } = look
    if (seen.secret.state !== 'present') return {}
    const isKnown = authority.status?.observed?.secretUid === seen.secret.uid
    return this.#ready(look, bundleOf(seen), isKnown ? undefined : seen.secret)
  }

  /** `secret`: undefined where status knows it already; a foreign label moves its version, and that is not worth a write. */
  #ready(
    look: Look,
    bundle: Bundle,
    secret: { readonly uid?: string; readonly resourceVersion?: string } | undefined,
  ): Promise<Result> {
    const { object: authority, seen } = look
    this.#undelivered.forget(keyOf(authority))
    const wanted = wantedOf(seen)
    const facts = { ...factsOf(authority, seen, wanted, bundle, secret), ...renewedRotation(authority.status, bundle) }
    const finding = { reason: 'Ready', message: readyMessage(authority, bundle, seen.revoked) } as const
    const now = this.#context.clock.now()
    const due = dueForRenewal(wanted, bundle, seen.uid, now)
    const again = Number.isFinite(due) ? due : now + longestRequeueMs
    return this.#actor.ready(look, facts, finding, again)
  }
}

/** Between the Secret and the status of one step of a rotation there is a moment, and nothing that a person should hear of. */
const inStep = (decision: Decision): Decision => {
  const [first] = decision.acting
  if (decision.cure === 'Wait' && first?.reason === 'Rotating') throw new NotReady(first.reason, first.message, 1000)
  return decision
}

/** Looks for relatives only where something hangs on them. */
const heldUp = (seen: Observed, now: number, isSo: () => boolean): Observed => {
  const { resolved, secret } = seen
  if (!('wanted' in resolved) || secret.state === 'absent' || secret.stored === undefined) return seen
  const { wanted } = resolved
  return isOver(wanted, secret.stored, now) && isSo()
    ? { ...seen, resolved: { wanted: { ...wanted, heldUp: true } } }
    : seen
}

const wantedOf = ({ resolved }: Observed): Wanted => {
  if (!('wanted' in resolved)) throw new Error('a cure was chosen for a spec that could not be resolved')
  return resolved.wanted
}
