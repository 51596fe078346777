/** Issues the certificate of one CA, and brings it into ledger and Secret, in this order. */

import type { Context } from '../control/context.ts'
import { writeSecret } from '../control/write-secret.ts'
import { type Issuance, record } from '../ledger/record.ts'
import { IssueError, issueCertificate } from '../pki/certificates/certificate.ts'
import { type ParsedCertificate, signatureVerifies } from '../pki/certificates/parse.ts'
import { authorityPlan, serialNumber } from '../pki/certificates/plans.ts'
import { selfSigner, type Signer } from '../pki/certificates/signer.ts'
import { generateKeyPair } from '../pki/keys/keys.ts'
import { policyViolations } from '../pki/policy/policy.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Secret } from '../resources/core.ts'
import type { Look, ParentSeen } from './observed.ts'
import { type Bundle, bundleUnder, contentOf } from './outputs.ts'
import { publishedUrls } from './published.ts'
import type { StoredAuthority } from './stored.ts'
import type { Undelivered } from './undelivered.ts'
import type { Wanted } from './wanted.ts'

/**
 * Nothing is written here. `stored`: what is signed anew, with the same key, name and key identifier; the other CA of one
 * that rotates stays as it is, unless the authority above has another key, under which both are signed again.
 */
export const issueAuthority = async (
  context: Context,
  wanted: Wanted,
  parent: ParentSeen | undefined,
  stored: StoredAuthority | undefined,
): Promise<Bundle> => {
  const signer = parent?.state === 'usable' ? parent.material.signer : undefined
  if (stored === undefined) {
    const key = await generateKeyPair(context.crypto, wanted.keyAlgorithm)
    const certificate = await signAuthority(context, wanted, parent, { ...key, subject: wanted.subject })
    const material = parent?.state === 'usable' ? parent.material : undefined
    const { chain = [], trust = [certificate.der] } = material ?? {}
    return { certificate, pkcs8: key.pkcs8, above: chain, trust, stage: 'Plain' }
  }
  const certificate = await signAuthority(context, wanted, parent, renewalOf(stored))
  const { other } = stored
  const moved = signer !== undefined && other !== undefined && !isSigned(other.certificate, signer)
  const renewed = moved ? await signAuthority(context, wanted, parent, renewalOf(other)) : other?.certificate
  return bundleUnder(parent, {
    ...stored,
    certificate,
    ...(other === undefined || renewed === undefined ? {} : { other: { ...other, certificate: renewed } }),
  })
}

const isSigned = (certificate: ParsedCertificate, { subject, spki }: Pick<Signer, 'subject' | 'spki'>): boolean =>
  signatureVerifies(certificate, subject, spki)

/** Whose certificate is signed; `renews`: under the same key, name and key identifier. */
export interface Subject {
  /** Undefined where it is an intermediate whose key is not at hand. */
  readonly pkcs8: Uint8Array | undefined
  readonly spki: Uint8Array
  /** DER Name. */
  readonly subject: Uint8Array
  readonly renews?: ParsedCertificate
}

const renewalOf = ({
  certificate,
  pkcs8,
}: {
  readonly certificate: ParsedCertificate
  readonly pkcs8?: Uint8Array
}): Subject => ({ pkcs8, spki: certificate.spki, subject: certificate.subject, renews: certificate })

/** A certificate by the authority above, or, where there is none, by its own key. */
export const signAuthority = async (
  { clock, crypto, random }: Pick<Context, 'clock' | 'crypto' | 'random'>,
  wanted: Wanted,
  parent: ParentSeen | undefined,
  { pkcs8, spki, subject, renews }: Subject,
): Promise<ParsedCertificate> => {
  const above = parent?.state === 'usable' ? parent : undefined
  const signer = above?.material.signer ?? (await ownSigner(crypto, pkcs8, subject, renews))
  const plan = authorityPlan({
    signer,
    selfSigned: above === undefined,
    subject,
    spki,
    renews,
    pathLength: wanted.maxPathLength,
    nameConstraints: wanted.nameConstraints,
    ...(above === undefined ? {} : publishedUrls(above.published, signer.subjectKeyId)),
    // Nobody has to write a duration into a CA; the one above limits it as it limits everything it signs.
    duration: Math.min(wanted.duration, above?.policy?.maxDuration ?? Infinity),
    now: clock.now(),
    serialNumber: serialNumber(random(16)),
  })
  const certificate = await issueCertificate(plan, signer)
  const violations = above?.policy === undefined ? [] : policyViolations(above.policy, signer.subject, certificate)
  if (violations.length > 0) throw new IssueError(violations)
  return certificate
}

const ownSigner = (
  crypto: Context['crypto'],
  pkcs8: Uint8Array | undefined,
  subject: Uint8Array,
  renews: ParsedCertificate | undefined,
): Promise<Signer> => {
  if (pkcs8 === undefined) throw new Error('a root is signed with its own key, and that is not at hand')
  return selfSigner(crypto, { pkcs8, subject, subjectKeyId: renews?.subjectKeyId })
}

/** Ledger first, then the Secret. `recorded`: it is in the ledger already, from an attempt that did not reach the Secret. */
export const deliver = async (
  context: Context,
  undelivered: Undelivered,
  look: Look,
  wanted: Wanted,
  { bundle, recorded }: { readonly bundle: Bundle; readonly recorded: boolean },
): Promise<Secret> => {
  const { object: authority, seen, signal } = look
  const content = await contentOf(context, authority, wanted, bundle, seen)
  if (!recorded) {
    await recordIssuance(context, look, wanted, bundle)
    undelivered.keep(authority, seen, bundle)
  }
  return writeSecret(context, content, signal)
}

/** Whatever in the bundle is not in the Secret yet, each in the place of what is there under the same key. */
const recordIssuance = async (
  context: Context,
  { object: authority, seen, signal }: Look,
  wanted: Wanted,
  { certificate, other }: Bundle,
): Promise<void> => {
  const stored = seen.secret.state === 'present' ? seen.secret.stored : undefined
  const parent = seen.parent?.state === 'usable' ? seen.parent : undefined
  const made = [
    { certificate, before: stored?.certificate },
    ...(other === undefined ? [] : [{ certificate: other.certificate, before: stored?.other?.certificate }]),
  ]
  for (const one of made) {
    if (one.certificate.fingerprint === one.before?.fingerprint) continue
    const signed = issuanceOf(authority, wanted, parent, one.certificate)
    await record(context, { ...signed, supersedes: one.before?.serialNumber }, signal)
  }
}

/** The ledger of the authority above, or its own. */
export const issuanceOf = (
  { metadata: { namespace = 'default', name, uid = '' } }: CertificateAuthority,
  { parent: reference }: Pick<Wanted, 'parent'>,
  parent: Extract<ParentSeen, { state: 'usable' }> | undefined,
  certificate: ParsedCertificate,
): Issuance => {
  const signedBy =
    parent !== undefined && reference !== undefined
      ? { ...reference, uid: parent.uid, fingerprint: parent.material.certificate.fingerprint }
      : { namespace, name, uid, fingerprint: certificate.fingerprint }
  return { certificate, authority: signedBy, holder: { namespace, name, uid } }
}
