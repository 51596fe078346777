/** From a request to the plan of a leaf: what the request may have, unless who signs says otherwise. */

import { normaliseGeneralName } from '../names/general-names.ts'
import { attributeTexts, hostLike } from '../names/host-names.ts'
import type { CertificatePlan, ExtendedKeyUsage, GeneralName, KeyAlgorithm } from '../plan.ts'
import { forbiddenUsages } from '../certificates/plan-rules.ts'
import {
  type Issuer,
  leafPlan,
  type Lifetime,
  PlanError,
  type Role,
  type Usages,
  usagesOf,
} from '../certificates/plans.ts'
import { requestProblems } from './problems.ts'
import type { CertificateRequest } from './request.ts'

export interface RequestedLeaf extends Lifetime {
  readonly signer: Issuer
  readonly request: CertificateRequest
  readonly serialNumber: Uint8Array
  /**
   * DER Name instead of that of the request, whose bytes are kept otherwise, as `openssl ca -preserveDN` does; for openssl's
   * other way see `subjectInPolicyOrder`.
   */
  readonly subject?: Uint8Array | undefined
  /** Instead of those of the request. */
  readonly names?: readonly GeneralName[] | undefined
  /** Instead of those of the request. */
  readonly usages?: Usages | undefined
  /** Sets the usages that the request does not ask for. Default: Server. */
  readonly role?: Role | undefined
}

/**
 * The plan of a leaf for the key of a request. Throws PlanError with every sentence of `requestProblems`; a request for the
 * signer's own key is one of them.
 */
export const requestPlan = ({ request, ...wanted }: RequestedLeaf): CertificatePlan => {
  const problems = requestProblems(request, { authorityKeys: [wanted.signer.spki] })
  const { keyAlgorithm } = request
  if (problems.length > 0 || keyAlgorithm === undefined) throw new PlanError(problems.join(' '))
  const usages = wanted.usages ?? requestedUsages(request, wanted.role ?? 'Server', keyAlgorithm)
  const subject = wanted.subject ?? request.subject
  return leafPlan({
    ...wanted,
    ...usages,
    subject,
    names: wanted.names ?? requestedNames(request, usages),
    spki: request.spki,
  })
}

const grantable: readonly ExtendedKeyUsage[] = ['serverAuth', 'clientAuth']

/**
 * Key usages that the key cannot serve, such as keyEncipherment with EC, are left out, and those that mean nothing as they
 * stand: templates ask for them by habit.
 */
export const requestedUsages = (request: CertificateRequest, role: Role, algorithm: KeyAlgorithm): Usages => {
  const usual = usagesOf(role, [], algorithm)
  const unfit = forbiddenUsages[algorithm.algorithm]
  const fit = request.keyUsage.filter((usage) => !unfit.includes(usage))
  // RFC 5280 §4.2.1.3: undefined without keyAgreement.
  const keyUsage = fit.includes('keyAgreement')
    ? fit
    : fit.filter((usage) => usage !== 'encipherOnly' && usage !== 'decipherOnly')
  const extendedKeyUsage = grantable.filter((usage) => request.extendedKeyUsage.includes(usage))
  return {
    keyUsage: keyUsage.length === 0 ? usual.keyUsage : keyUsage,
    extendedKeyUsage: extendedKeyUsage.length === 0 ? usual.extendedKeyUsage : extendedKeyUsage,
  }
}

/** A server that is named by its common name alone gets it as an alternative name: nothing else is looked at any more (RFC 9525 §2). */
export const requestedNames = (
  { requestedNames: found, subject }: CertificateRequest,
  { extendedKeyUsage }: Usages,
): GeneralName[] => {
  if (found.length > 0) return found.map(normaliseGeneralName)
  if (!extendedKeyUsage.includes('serverAuth')) return []
  return attributeTexts(subject, 'CN')
    .map((text) => (text === undefined ? undefined : hostLike(text)))
    .filter((host) => host !== undefined && host !== 'unclear')
}
