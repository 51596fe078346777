/** Issues: a plan is judged, encoded, signed, and read back by other parsers before anybody gets the bytes. */

import { differencesFromPlan } from './check.ts'
import { bitString, contextConstructed, integer, sequence, time, unsignedInteger } from '../encoding/der.ts'
import { encodeExtensions } from './extensions.ts'
import { planProblems } from './plan-rules.ts'
import type { CertificatePlan } from '../plan.ts'
import { parseCertificate, type ParsedCertificate } from './parse.ts'
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

/** The certificate as it was read back. Rejects with IssueError; then nothing was returned that could be published. */
export const issueCertificate = async (plan: CertificatePlan, signer: Signer): Promise<ParsedCertificate> => {
  const problems = planProblems(plan, signer)
  if (problems.length > 0) throw new IssueError(problems)
  const tbs = encodeTbs(plan, signer.signatureAlgorithm)
  const der = sequence(tbs, signer.signatureAlgorithm, bitString(await signer.sign(tbs)))
  const certificate = readBack(der)
  const differences = differencesFromPlan(certificate, plan, signer.publicKey)
  if (differences.length > 0) throw new IssueError(differences)
  return certificate
}

const readBack = (der: Uint8Array): ParsedCertificate => {
  try {
    return parseCertificate(der)
  } catch (error) {
    throw new IssueError([`The finished certificate cannot be read back: ${(error as Error).message}.`])
  }
}
