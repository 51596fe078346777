/**
 * One look at a CertificateAuthority: gather, decide, act, report. A CA keeps its key, name and key identifier whenever
 * its certificate is signed anew, so that what it has signed stays valid.
 */

import { type Context, marks } from '../control/context.ts'
import { type Decision, sentences } from '../control/decision.ts'
import { type Outcome, report } from '../control/report.ts'
import { renewalTime, toTimestamp } from '../control/schedule.ts'
import { type SecretContent, writeSecret } from '../control/write-secret.ts'
import { record } from '../ledger/record.ts'
import { issueCertificate } from '../pki/certificate.ts'
import { encryptPrivateKey, generateKeyPair, spkiOf } from '../pki/keys.ts'
import { formatDistinguishedName } from '../pki/names.ts'
import { type ParsedCertificate, parseCertificate } from '../pki/parse.ts'
import { encodePem } from '../pki/pem.ts'
import { authorityPlan, serialNumber } from '../pki/plans.ts'
import { selfSigner } from '../pki/signer.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import type { ReconcileContext, Result } from '../runtime/controller.ts'
import { Terminal } from '../runtime/errors.ts'
import { decide } from './decide.ts'
import { gather } from './gather.ts'
import type { Keyring } from './keyring.ts'
import type { Observed, ParentSeen } from './observed.ts'
import { publicKeyHash, trustHash } from './trust.ts'
import type { Wanted } from './wanted.ts'

const day = 24 * 3600 * 1000

/** PBKDF2-HMAC-SHA256 iterations for a CA key at rest (OWASP 2023: at least 600,000). */
const passphraseIterations = 600_000

/** A CA's certificate with what is delivered beside it. */
interface Bundle {
  readonly certificate: ParsedCertificate
  readonly pkcs8: Uint8Array
  /** Above this CA, without the root. */
  readonly above: readonly Uint8Array[]
  readonly trust: readonly Uint8Array[]
}

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
    const seen = await gather(this.#context, this.#keyring, authority, signal)
    const decision = decide(seen, clock.now())
    try {
      return await this.#act(authority, seen, decision, signal)
    } catch (error) {
      if (!(error instanceof Terminal)) throw error
      return this.#tell(
        authority,
        { state: 'Stalled', reason: error.reason as Outcome['reason'], message: error.message },
        signal,
      )
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
    const bundle = await this.#sign(wanted, seen.parent, stored)
    const content = await this.#content(authority, wanted, bundle, seen)
    const { namespace = 'default', name, uid = '' } = authority.metadata
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
        supersedes: stored?.certificate.serialNumber,
      },
      signal,
    )
    const written = await writeSecret(this.#context, content, signal)
    const note = `Signed ${stored === undefined ? 'a new certificate' : 'the certificate anew with the same key'}: "${formatDistinguishedName(bundle.certificate.subject)}", serial ${bundle.certificate.serialNumber}, valid until ${toTimestamp(bundle.certificate.notAfter)}.${stored === undefined ? '' : ` ${why}`}`
    this.#context.events.record({
      regarding: authority,
      type: 'Normal',
      reason: stored === undefined ? 'Created' : 'Renewed',
      action: 'Issue',
      note,
    })
    return this.#ready(authority, wanted, bundle, written.metadata, seen, signal)
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
    const material = parent?.state === 'usable' ? parent.material : undefined
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
      duration: wanted.duration,
      now: clock.now(),
      serialNumber: serialNumber(random(16)),
    })
    const certificate = parseCertificate(await issueCertificate(plan, signer))
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
    const written = await writeSecret(this.#context, await this.#content(authority, wanted, bundle, seen), signal)
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

  async #content(
    authority: CertificateAuthority,
    wanted: Wanted,
    bundle: Bundle,
    seen: Observed,
  ): Promise<SecretContent> {
    const root = bundle.trust.some((der) => Buffer.from(der).equals(bundle.certificate.der))
    const chain = root ? [bundle.certificate.der] : [bundle.certificate.der, ...bundle.above]
    const pems = (ders: readonly Uint8Array[]): Uint8Array =>
      Buffer.from(ders.map((der) => encodePem('CERTIFICATE', der)).join(''))
    return {
      namespace: authority.metadata.namespace ?? 'default',
      name: wanted.secretName,
      type: 'kubernetes.io/tls',
      data: new Map([
        ['tls.crt', pems(chain)],
        ['tls.key', Buffer.from(await this.#keyPem(bundle.pkcs8, seen))],
        ['ca.crt', pems(bundle.trust)],
      ]),
      labels: {},
      annotations: { [marks.private]: 'true', [marks.serialNumber]: bundle.certificate.serialNumber },
      owner: `CertificateAuthority/${authority.metadata.name}`,
      // No owner reference: a CA deleted by mistake and applied again finds its key, and with it everything it signed.
      previous:
        seen.secret.state === 'present'
          ? { uid: seen.secret.uid, resourceVersion: seen.secret.resourceVersion }
          : undefined,
    }
  }

  async #keyPem(pkcs8: Uint8Array, { passphrase }: Observed): Promise<string> {
    if (passphrase?.state !== 'found') return encodePem('PRIVATE KEY', pkcs8)
    const { random } = this.#context
    const encrypted = await encryptPrivateKey(pkcs8, passphrase.value, {
      salt: random(16),
      iv: random(16),
      iterations: passphraseIterations,
    })
    return encodePem('ENCRYPTED PRIVATE KEY', encrypted)
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
    const facts = {
      certificate: {
        serialNumber: certificate.serialNumber,
        fingerprint: certificate.fingerprint,
        subject: formatDistinguishedName(certificate.subject),
        subjectKeyId: Buffer.from(certificate.subjectKeyId ?? new Uint8Array()).toString('hex'),
        notBefore: toTimestamp(certificate.notBefore),
        notAfter: toTimestamp(certificate.notAfter),
        publicKeyHash: publicKeyHash(certificate),
      },
      trustBundleHash: trustHash(bundle.trust),
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
    const renewAt = renewalTime(
      wanted.renewal,
      certificate.notBefore,
      certificate.notAfter,
      authority.metadata.uid ?? '',
    )
    return { requeueAfterMs: Math.max(renewAt - clock.now(), 0) }
  }

  async #tell(authority: CertificateAuthority, outcome: Outcome, signal: AbortSignal): Promise<Result> {
    const { caches, events } = this.#context
    const wrote = await report(
      this.#context,
      certificateAuthorities,
      caches.authorities,
      authority,
      {},
      outcome,
      signal,
    )
    if (wrote && outcome.state === 'Stalled')
      events.record({
        regarding: authority,
        type: 'Warning',
        reason: outcome.reason,
        action: 'Reconcile',
        note: outcome.message,
      })
    return outcome.state === 'Stalled' ? {} : { requeueAfterMs: day / 2 }
  }
}

const wantedOf = ({ resolved }: Observed): Wanted => {
  if (!('wanted' in resolved)) throw new Error('a cure was chosen for a spec that could not be resolved')
  return resolved.wanted
}

const bundleOf = ({ secret, parent }: Observed): Bundle => {
  if (secret.state !== 'present' || secret.stored === undefined)
    throw new Error('there is no stored authority to write again')
  const { certificate, pkcs8, chain, trust } = secret.stored
  if (parent === undefined) return { certificate, pkcs8, above: [], trust: [certificate.der] }
  const material = parent.state === 'usable' ? parent.material : undefined
  return { certificate, pkcs8, above: material?.chain ?? chain.slice(1), trust: material?.trust ?? trust }
}
