/** The rules a plan has to keep before a CA signs it (RFC 5280; RFC 8813 and RFC 8410 for key usage). */

import { DerError } from '../encoding/der.ts'
import { sameGeneralName, normaliseGeneralName } from '../names/general-names.ts'
import { algorithmOfSpki } from '../keys/keys.ts'
import { constraintViolations } from '../constraints/check.ts'
import { encodeNameConstraints, normaliseNameConstraints } from '../constraints/name-constraints.ts'
import { NameError, readName } from '../names/names.ts'
import { equal } from './parse.ts'
import type { CertificatePlan, KeyAlgorithm, KeyUsage } from '../plan.ts'
import type { Signer } from './signer.ts'

type Rule = (plan: CertificatePlan, signer: Signer) => string | undefined

/** A plan that certifies the signer's own key under the signer's own name. */
export const isSelfSigned = (plan: CertificatePlan, signer: Pick<Signer, 'subject' | 'spki'>): boolean =>
  equal(plan.subject, signer.subject) && equal(plan.subjectPublicKeyInfo, signer.spki)

const serialNumber: Rule = ({ serialNumber: serial }) =>
  serial.length === 16 && (serial[0] ?? 0) >= 0x01 && (serial[0] ?? 0) <= 0x7f
    ? undefined
    : 'The serial number is not 16 bytes that begin with 0x01 to 0x7f.'

const validity: Rule = ({ notBefore, notAfter }, signer) => {
  if (![notBefore, notAfter].every((instant) => Number.isSafeInteger(instant) && instant % 1000 === 0))
    return 'The validity is not in whole seconds.'
  if (notBefore >= notAfter) return 'The certificate would end before it begins.'
  if (notBefore < signer.notBefore) return 'The certificate would be valid before its CA is.'
  return notAfter > signer.notAfter ? 'The certificate would outlive its CA.' : undefined
}

const issuer: Rule = (plan, signer) => {
  if (!equal(plan.issuer, signer.subject)) return "The issuer is not, byte for byte, the CA's subject."
  if (plan.authorityKeyId === undefined)
    return isSelfSigned(plan, signer) ? undefined : 'The authority key identifier is missing.'
  return equal(plan.authorityKeyId, signer.subjectKeyId)
    ? undefined
    : "The authority key identifier is not the CA's subject key identifier."
}

const subject: Rule = (plan) => {
  try {
    readName(plan.subject)
  } catch (error) {
    if (error instanceof NameError) return error.message
    throw error
  }
  if (plan.subject.length > 2) return undefined
  if (plan.basicConstraints.ca) return 'A CA needs a subject.'
  return plan.subjectAlternativeNames.length === 0
    ? 'The certificate names nothing: it has neither a subject nor an alternative name.'
    : undefined
}

const publicKey: Rule = (plan, signer) => {
  try {
    if (algorithmOfSpki(plan.subjectPublicKeyInfo) === undefined)
      return 'The public key is not RSA 2048, 3072 or 4096 with e = 65537, ECDSA P-256, P-384 or P-521, or Ed25519.'
  } catch {
    return 'The public key is not a SubjectPublicKeyInfo.'
  }
  if (equal(plan.subjectPublicKeyInfo, signer.spki) && !isSelfSigned(plan, signer))
    return 'The public key is the one of the CA itself.'
  return plan.subjectKeyId.length >= 1 && plan.subjectKeyId.length <= 64
    ? undefined
    : 'The subject key identifier has not between 1 and 64 bytes.'
}

const authority: Rule = (plan, signer) => {
  const { ca, pathLength } = plan.basicConstraints
  const signs = plan.keyUsage.some((usage) => usage === 'keyCertSign' || usage === 'cRLSign')
  if (!ca) {
    if (signs) return 'The key usages keyCertSign and cRLSign are for CAs only.'
    return pathLength === undefined ? undefined : 'A path length is for CAs only.'
  }
  if (!plan.keyUsage.includes('keyCertSign')) return 'A CA needs the key usage keyCertSign.'
  if (pathLength !== undefined && !(Number.isSafeInteger(pathLength) && pathLength >= 0 && pathLength <= 255))
    return 'The path length is not a whole number from 0 to 255.'
  if (isSelfSigned(plan, signer) || signer.pathLength === undefined) return undefined
  if (signer.pathLength === 0) return 'The path length of the CA is 0: it may not sign other CAs.'
  return pathLength === undefined || pathLength >= signer.pathLength
    ? `The path length must be below that of the signing CA, which is ${signer.pathLength}.`
    : undefined
}

/** Key usages that do not go with an algorithm (RFC 3279 §2.3.1, RFC 8813 §3, RFC 8410 §5). */
export const forbiddenUsages: Record<KeyAlgorithm['algorithm'], readonly KeyUsage[]> = {
  RSA: ['keyAgreement', 'encipherOnly', 'decipherOnly'],
  ECDSA: ['keyEncipherment', 'dataEncipherment'],
  Ed25519: ['keyEncipherment', 'dataEncipherment', 'keyAgreement', 'encipherOnly', 'decipherOnly'],
}

/** What is wrong with usages; `algorithm` undefined: of the key nothing is known. */
export const usageProblem = (
  { keyUsage, extendedKeyUsage }: Pick<CertificatePlan, 'keyUsage' | 'extendedKeyUsage'>,
  algorithm: KeyAlgorithm['algorithm'] | undefined,
): string | undefined => {
  if (keyUsage.length === 0) return 'At least one key usage is needed.'
  if (new Set(keyUsage).size !== keyUsage.length || new Set(extendedKeyUsage).size !== extendedKeyUsage.length)
    return 'A usage is listed twice.'
  const wrong = keyUsage.filter((usage) => algorithm !== undefined && forbiddenUsages[algorithm].includes(usage))
  if (wrong.length > 0)
    return `The key usage ${wrong.join(', ')} does not go with a key of ${algorithm}; leave it out, or use a key of another algorithm.`
  // RFC 5280 §4.2.1.3: undefined without keyAgreement.
  const narrowing = keyUsage.filter((usage) => usage === 'encipherOnly' || usage === 'decipherOnly')
  return narrowing.length === 0 || keyUsage.includes('keyAgreement')
    ? undefined
    : `The key usage ${narrowing.join(', ')} means nothing without keyAgreement; add that, or leave it out.`
}

const usages: Rule = (plan) => usageProblem(plan, algorithmOfPlan(plan))

const algorithmOfPlan = ({ subjectPublicKeyInfo }: CertificatePlan): KeyAlgorithm['algorithm'] | undefined => {
  try {
    return algorithmOfSpki(subjectPublicKeyInfo)?.algorithm
  } catch {
    return undefined
  }
}

const names: Rule = ({ subjectAlternativeNames: found }) => {
  const seen = new Set<string>()
  for (const name of found) {
    try {
      if (!sameGeneralName(normaliseGeneralName(name), name))
        return `The ${name.type} name ${name.value} is not in its normal form.`
    } catch (error) {
      if (error instanceof NameError) return error.message
      throw error
    }
    if (seen.has(`${name.type}:${name.value}`)) return `The ${name.type} name ${name.value} is listed twice.`
    seen.add(`${name.type}:${name.value}`)
  }
  return undefined
}

const constraints: Rule = ({ nameConstraints, basicConstraints }) => {
  if (nameConstraints === undefined) return undefined
  if (!basicConstraints.ca) return 'Name constraints are for CAs only.'
  try {
    const encoded = encodeNameConstraints(nameConstraints)
    if (encoded.length <= 2) return 'The name constraints are empty.'
    return equal(encoded, encodeNameConstraints(normaliseNameConstraints(nameConstraints)))
      ? undefined
      : 'The name constraints are not in their normal form.'
  } catch (error) {
    if (error instanceof NameError) return error.message
    if (error instanceof DerError) return `The name constraints cannot be encoded: ${error.message}.`
    throw error
  }
}

const constrained: Rule = ({ subject: name, subjectAlternativeNames: found }, { nameConstraints = [] }) => {
  try {
    const violations = constraintViolations(nameConstraints, { subject: name, names: found }, { closed: true })
    return violations.length === 0 ? undefined : violations.join(' ')
  } catch (error) {
    // The rules of subject and names have said so already.
    if (error instanceof NameError) return undefined
    throw error
  }
}

/** http alone: fetching a list over https would need the certificate that is being judged (RFC 5280 §8). */
const locations: Rule = ({ crlDistributionPoints, caIssuers }) => {
  for (const urls of [crlDistributionPoints, caIssuers]) {
    if (urls === undefined) continue
    if (urls.length === 0 || new Set(urls).size !== urls.length)
      return 'A list of published locations is empty, or names one twice.'
    const wrong = urls.find((url) => !isHttpUrl(url))
    if (wrong !== undefined)
      return `${JSON.stringify(wrong.slice(0, 100))} is not an http URL in its normal form, where a CA could publish.`
  }
  return undefined
}

const isHttpUrl = (url: string): boolean => {
  try {
    return url.startsWith('http://') && normaliseGeneralName({ type: 'URI', value: url }).value === url
  } catch (error) {
    if (error instanceof NameError) return false
    throw error
  }
}

const rules: readonly Rule[] = [
  serialNumber,
  validity,
  issuer,
  subject,
  publicKey,
  authority,
  usages,
  names,
  constraints,
  constrained,
  locations,
]

/** One sentence for each rule that the plan breaks; none means that the signer may sign it. */
export const planProblems = (plan: CertificatePlan, signer: Signer): string[] =>
  rules.map((rule) => rule(plan, signer)).filter((problem) => problem !== undefined)
