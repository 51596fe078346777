/** Issues: a plan is judged, encoded, signed, and read back by other parsers before anybody gets the bytes. */

import { differencesFromPlan } from './check.ts'
import { bitString, contextConstructed, integer, sequence, time, unsignedInteger } from '../encoding/der.ts'
import { encodeExtensions } from './extensions.ts'
import { planProblems } from './plan-rules.ts'
import type { CertificatePlan } from '../plan.ts'
import type { Signer } from './signer.ts'

/** Nothing was issued: the plan breaks rules, or what was made is not what was planned. */
export class IssueError extends Error {
  override readonly name = 'IssueError'
  /** One sentence each. */
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`The certificate was not issued. ${problems.join(' ')}`)
    this.problems = problems
  }
}

/** DER TBSCertificate, v3 (RFC 5280 §4.1). The same plan always gives the same bytes. */
export const encodeTbs = (plan: CertificatePlan, signatureAlgorithm: Uint8Array): Uint8Array =>
  sequence(
    contextConstructed(0, integer(2)),
    unsignedInteger(plan.serialNumber),
    signatureAlgorithm,
    plan.issuer,
    sequence(time(plan.notBefore), time(plan.notAfter)),
    plan.subject,
    plan.subjectPublicKeyInfo,
    contextConstructed(3, encodeExtensions(plan)),
  )

/** DER certificate. Rejects with IssueError; then nothing was returned that could be published. */
export const issueCertificate = async (plan: CertificatePlan, signer: Signer): Promise<Uint8Array> => {
  const problems = planProblems(plan, signer)
  if (problems.length > 0) throw new IssueError(problems)
  const tbs = encodeTbs(plan, signer.signatureAlgorithm)
  const der = sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))
  const differences = differencesFromPlan(der, plan, signer.publicKey)
  if (differences.length > 0) throw new IssueError(differences)
  return der
}
