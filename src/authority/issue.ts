/** Issues the certificate of one CA, and brings it into ledger and Secret, in this order. */

import type { Context } from '../control/context.ts'
import { writeSecret } from '../control/write-secret.ts'
import { record } from '../ledger/record.ts'
import { IssueError, issueCertificate } from '../pki/certificates/certificate.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { authorityPlan, serialNumber } from '../pki/certificates/plans.ts'
import { selfSigner } from '../pki/certificates/signer.ts'
import { generateKeyPair, spkiOf } from '../pki/keys/keys.ts'
import { policyViolations } from '../pki/policy/policy.ts'
import type { Secret } from '../resources/core.ts'
import type { Look, ParentSeen } from './observed.ts'
import { type Bundle, contentOf } from './outputs.ts'
import type { Undelivered } from './undelivered.ts'
import type { Wanted } from './wanted.ts'

/** Nothing is written here. `stored`: what is signed anew, with the same key, name and key identifier. */
export const issueAuthority = async (
  { clock, crypto, random }: Context,
  wanted: Wanted,
  parent: ParentSeen | undefined,
  stored: { readonly certificate: ParsedCertificate; readonly pkcs8: Uint8Array } | undefined,
): Promise<Bundle> => {
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

const recordIssuance = (
  context: Context,
  { object: authority, seen, signal }: Look,
  wanted: Wanted,
  { certificate }: Bundle,
): Promise<void> => {
  const { namespace = 'default', name, uid = '' } = authority.metadata
  const supersedes = seen.secret.state === 'present' ? seen.secret.stored?.certificate.serialNumber : undefined
  const signedBy =
    seen.parent?.state === 'usable' && wanted.parent !== undefined
      ? { ...wanted.parent, uid: seen.parent.uid, fingerprint: seen.parent.material.certificate.fingerprint }
      : { namespace, name, uid, fingerprint: certificate.fingerprint }
  return record(context, { certificate, authority: signedBy, holder: { namespace, name, uid }, supersedes }, signal)
}
