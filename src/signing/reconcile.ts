/**
 * One look at a CertificateSigningRequest of `dbtls.dev/<namespace>.<ca>`. Whether it may be signed is decided by those who
 * approve; what may be signed, by the CA. The ledger has it before the request's status has.
 */

import type { Keyring } from '../authority/keyring.ts'
import { isConflict, isForbidden, isInvalid, isNotFound } from '../cluster/errors.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import { keyOf } from '../cluster/port.ts'
import { ClockSkew, probeIntervalMs } from '../control/clock-guard.ts'
import { type Context, fieldManager } from '../control/context.ts'
import { waitingMs } from '../control/report.ts'
import { toTimestamp } from '../control/schedule.ts'
import { PlanError } from '../pki/certificates/plans.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import { NotReady, Retryable, Terminal } from '../runtime/errors.ts'
import { type AuthoritySeen, decide } from './decide.ts'
import {
  authorityOfSigner,
  type CertificateSigningRequest,
  certificateSigningRequests,
  type RequestCondition,
} from './kind.ts'
import { type Signed, signRequest, stillFit } from './sign.ts'

/** What the API server takes. */
const maxMessage = 1024

export class SigningReconciler {
  readonly #context: Context
  readonly #keyring: Pick<Keyring, 'load'>
  readonly #requests: Informer<CertificateSigningRequest>
  /** By uid: signed and recorded, but not in the status yet. Signing once more would leave an entry that nobody holds. */
  readonly #undelivered = new Map<string, Signed>()

  constructor(context: Context, keyring: Pick<Keyring, 'load'>, requests: Informer<CertificateSigningRequest>) {
    this.#context = context
    this.#keyring = keyring
    this.#requests = requests
  }

  async reconcile(key: string, { signal }: ReconcileContext): Promise<Result> {
    const request = this.#requests.store.get(key)
    if (request === undefined) return this.#forgetGone()
    const authority = this.#authorityOf(request)
    const verdict = decide(request, seen(authority))
    switch (verdict.act) {
      case 'nothing':
        this.#undelivered.delete(request.metadata.uid ?? '')
        return {}
      case 'wait':
        return { requeueAfterMs: waitingMs }
      case 'fail':
        await this.#fail(request, verdict.reason, verdict.message, signal)
        return {}
      case 'sign':
        return authority === undefined ? {} : this.#sign(request, authority, signal)
    }
  }

  #authorityOf({ spec }: CertificateSigningRequest): CertificateAuthority | undefined {
    const key = authorityOfSigner(spec.signerName)
    return key === undefined ? undefined : this.#context.caches.authorities.store.get(key)
  }

  #forgetGone(): Result {
    const present = new Set([...this.#requests.store.values()].map(({ metadata }) => metadata.uid))
    for (const uid of this.#undelivered.keys()) if (!present.has(uid)) this.#undelivered.delete(uid)
    return {}
  }

  async #sign(
    request: CertificateSigningRequest,
    authority: CertificateAuthority,
    signal: AbortSignal,
  ): Promise<Result> {
    const held = this.#context.clockGuard.hold()
    if (held !== undefined) return { requeueAfterMs: held }
    const uid = request.metadata.uid ?? ''
    try {
      const signed = (await this.#kept(uid, authority)) ?? (await this.#make(request, authority, signal))
      this.#undelivered.set(uid, signed)
      await this.#deliver(request, signed, signal)
      this.#undelivered.delete(uid)
      this.#announce(request, authority, signed)
      return {}
    } catch (error) {
      if (error instanceof ClockSkew) return { requeueAfterMs: probeIntervalMs }
      if (error instanceof NotReady) return { requeueAfterMs: waitingMs }
      if (error instanceof PlanError) await this.#fail(request, 'IssuanceFailed', error.message, signal)
      else if (error instanceof Terminal) await this.#fail(request, error.reason, error.message, signal)
      else throw error
      return {}
    }
  }

  /** Hours may have gone by since it was signed: it is judged once more before anybody gets it. */
  async #kept(uid: string, authority: CertificateAuthority): Promise<Signed | undefined> {
    const signed = this.#undelivered.get(uid)
    const kept = signed && (await stillFit(this.#context, this.#keyring, authority, signed))
    if (kept === undefined) this.#undelivered.delete(uid)
    return kept
  }

  #make({ spec }: CertificateSigningRequest, authority: CertificateAuthority, signal: AbortSignal): Promise<Signed> {
    const asked = {
      request: Buffer.from(spec.request, 'base64').toString('utf8'),
      usages: spec.usages ?? [],
      duration: spec.expirationSeconds === undefined ? undefined : spec.expirationSeconds * 1000,
    }
    return signRequest(this.#context, this.#keyring, authority, asked, signal)
  }

  async #deliver(request: CertificateSigningRequest, { pem }: Signed, signal: AbortSignal): Promise<void> {
    try {
      await this.#writeStatus(request, { ...request.status, certificate: Buffer.from(pem).toString('base64') }, signal)
    } catch (error) {
      // The API server has rules of its own for what it takes as a certificate.
      if (isInvalid(error))
        throw new Terminal('WriteFailed', `The API server refuses the certificate: ${error.message}`)
      throw error
    }
  }

  async #fail(request: CertificateSigningRequest, reason: string, message: string, signal: AbortSignal): Promise<void> {
    const now = toTimestamp(this.#context.clock.now())
    const failed: RequestCondition = {
      type: 'Failed',
      status: 'True',
      reason,
      message: message.slice(0, maxMessage),
      lastUpdateTime: now,
      lastTransitionTime: now,
    }
    const conditions = [...(request.status?.conditions ?? []), failed]
    await this.#writeStatus(request, { ...request.status, conditions }, signal)
  }

  async #writeStatus(
    { apiVersion, kind, metadata, spec }: CertificateSigningRequest,
    status: NonNullable<CertificateSigningRequest['status']>,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, uid, resourceVersion } = metadata
    const update = { apiVersion, kind, metadata: { name, uid, resourceVersion } as typeof metadata, spec, status }
    try {
      const { cluster } = this.#context
      this.#requests.wrote(await cluster.updateStatus(certificateSigningRequests, update, { fieldManager, signal }))
    } catch (error) {
      if (isNotFound(error)) return
      if (isConflict(error)) throw new Retryable('Conflict', 'The request changed while its status was being written.')
      if (isForbidden(error))
        throw new Retryable('WriteFailed', `The API server forbids signing ${name}: ${error.message}`, { cause: error })
      throw error
    }
  }

  #announce({ metadata, spec }: CertificateSigningRequest, authority: CertificateAuthority, signed: Signed): void {
    const { serialNumber, notAfter } = signed.certificate
    const note = `Signed CertificateSigningRequest "${metadata.name}" of user "${spec.username ?? ''}": certificate ${serialNumber}, valid until ${toTimestamp(notAfter)}.`
    // Events stand in a namespace, and a request has none.
    this.#context.events.record({ regarding: authority, type: 'Normal', reason: 'Issued', action: 'Sign', note })
  }
}

const seen = (authority: CertificateAuthority | undefined): AuthoritySeen => {
  if (authority === undefined || authority.metadata.deletionTimestamp !== undefined) return 'absent'
  if (authority.spec.source.trustOnly !== undefined) return 'trustOnly'
  return isReady(authority) ? 'ready' : 'notReady'
}

/** Which change makes which request be looked at again. */
export const wakeSigning = (
  { authorities }: Context['caches'],
  requests: Informer<CertificateSigningRequest>,
  enqueue: (key: string) => void,
): void => {
  requests.onChange(({ key }) => enqueue(key))
  authorities.onChange(({ key, initial }) => {
    if (!initial) for (const request of requests.store.by('signer', key)) enqueue(keyOf(request))
  })
}
