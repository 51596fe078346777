/** Makes the CA that is to follow another one: a key of its own, a certificate, and one that the other one signs for it. */

import type { Context } from '../control/context.ts'
import { IssueError, issueCertificate } from '../pki/certificates/certificate.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { authorityPlan, PlanError, serialNumber } from '../pki/certificates/plans.ts'
import { createSigner, SignerError } from '../pki/certificates/signer.ts'
import { generateKeyPair } from '../pki/keys/keys.ts'
import { NameError } from '../pki/names/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { Terminal } from '../runtime/errors.ts'
import { signAuthority } from './issue.ts'
import type { Observed } from './observed.ts'
import type { StoredAuthority } from './stored.ts'
import { nextVersionOf } from './versions.ts'
import type { Wanted } from './wanted.ts'

export interface Successor {
  readonly certificate: ParsedCertificate
  readonly pkcs8: Uint8Array
  /** The same name and key, signed by the present CA, for clients that trust no other; at most one. */
  readonly crossSigned: readonly ParsedCertificate[]
}

/** The present CA. */
interface Succeeded {
  readonly authority: CertificateAuthority
  readonly wanted: Wanted
  readonly seen: Pick<Observed, 'parent' | 'revoked'>
  readonly stored: StoredAuthority
}

type Making = Pick<Context, 'clock' | 'crypto' | 'random'>

/** Nothing is written here. Rejects with Terminal where the spec asks for what cannot be signed. */
export const signSuccessor = async (
  context: Making,
  { authority, wanted, seen: { parent, revoked }, stored }: Succeeded,
): Promise<Successor> => {
  const { rotation } = authority.spec
  try {
    // The very bytes where the name stays: who has it in his configuration compares them.
    const present = stored.certificate.subject
    const subject = rotation?.nextName === 'Versioned' ? nextVersionOf(present) : present
    const key = await generateKeyPair(context.crypto, wanted.keyAlgorithm)
    const certificate = await signAuthority(context, wanted, parent, { ...key, subject })
    // A CA that has ended, or whose key others have, vouches for nobody; one under a root that stays need not.
    const vouches =
      rotation?.crossSign === true &&
      rotation.reason === '' &&
      revoked === undefined &&
      parent === undefined &&
      stored.certificate.notAfter > context.clock.now()
    const crossSigned = vouches ? [await signCross(context, wanted, stored, certificate)] : []
    return { certificate, pkcs8: key.pkcs8, crossSigned }
  } catch (error) {
    if (error instanceof NameError) throw new Terminal('RequestInvalid', `spec.rotation.nextName: ${error.message}`)
    if (error instanceof PlanError || error instanceof IssueError || error instanceof SignerError)
      throw new Terminal('IssuanceFailed', `The next CA cannot be signed: ${error.message}`)
    throw error
  }
}

const signCross = async (
  { clock, crypto, random }: Making,
  wanted: Wanted,
  { certificate, pkcs8 }: StoredAuthority,
  next: ParsedCertificate,
): Promise<ParsedCertificate> => {
  const signer = await createSigner(crypto, { pkcs8, certificate: certificate.der })
  if (signer.pathLength === 0)
    throw new PlanError('spec.rotation.crossSign asks the present CA to sign another one, and its path length is 0.')
  const plan = authorityPlan({
    signer,
    selfSigned: false,
    subject: next.subject,
    spki: next.spki,
    pathLength: wanted.maxPathLength,
    nameConstraints: wanted.nameConstraints,
    duration: wanted.duration,
    now: clock.now(),
    serialNumber: serialNumber(random(16)),
  })
  return issueCertificate(plan, signer)
}
