/** What no tool looks at, checked on the bytes: see the table in profile.test.ts. */
import { chainProblems } from '../../src/pki/certificates/chain.ts'
import { equal, parseCertificate, type ParsedCertificate } from '../../src/pki/certificates/parse.ts'
import { parseRevocationList, revocationListVerifies } from '../../src/pki/revocation/revocation-list.ts'
import type { CertificatePlan } from '../../src/pki/plan.ts'
import type { Sample } from './samples.ts'

export const ownProblems = ({ chain, lists, plan }: Sample): string[] => {
  try {
    const certificates = chain.map(parseCertificate)
    return [
      ...certificates.flatMap((one, index) => certificates.slice(index + 1).flatMap((above) => within(one, above))),
      ...certificates.slice(1).flatMap((issuer, index) => pairProblems(certificates[index], issuer)),
      ...certificates.slice(0, 1).flatMap((leaf) => namesProblems(leaf, plan)),
      ...certificates
        .slice(0, 1)
        .flatMap((leaf) => chainProblems(leaf, certificates.slice(1, -1), certificates.slice(-1), Date.now())),
      ...lists.flatMap((list) => listProblems(list, certificates)),
    ]
  } catch (error) {
    return [String(error)]
  }
}

const within = (one: ParsedCertificate, above: ParsedCertificate): string[] =>
  one.notBefore < above.notBefore || one.notAfter > above.notAfter ? ['it is valid when an issuer is not'] : []

const pairProblems = (one: ParsedCertificate | undefined, issuer: ParsedCertificate): string[] => {
  if (one === undefined) return []
  const problems: string[] = []
  if (!equal(one.issuer, issuer.subject)) problems.push("the issuer is not, byte for byte, the CA's subject")
  if (!same(one.authorityKeyId, issuer.subjectKeyId)) problems.push("the AKI is not the CA's SKI")
  if (one.subjectKeyId === undefined) problems.push('there is no SKI')
  return problems
}

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && equal(a, b)

const namesProblems = (leaf: ParsedCertificate, plan: CertificatePlan | undefined): string[] => {
  if (plan === undefined) return []
  if (leaf.isCa) return ['it is a CA']
  const words = (names: CertificatePlan['subjectAlternativeNames']): string =>
    names
      .map(({ type, value }) => `${type}:${value}`)
      .toSorted()
      .join()
  const wanted = words(plan.subjectAlternativeNames)
  return leaf.otherAlternativeNames === 0 && words(leaf.subjectAlternativeNames) === wanted
    ? []
    : ['the set of alternative names is not what was planned']
}

const listProblems = (der: Uint8Array, certificates: readonly ParsedCertificate[]): string[] => {
  const list = parseRevocationList(der)
  const issuer = certificates.find(({ subject }) => equal(subject, list.issuer))
  if (issuer === undefined) return ["no CA has the list's issuer, byte for byte, as its subject"]
  const problems: string[] = []
  if (!issuer.keyUsage.includes('cRLSign')) problems.push('the CA may not sign lists')
  if (!same(list.authorityKeyId, issuer.subjectKeyId)) problems.push("the AKI of the list is not the CA's SKI")
  if (list.number === undefined) problems.push('the list has no number')
  if (list.nextUpdate === undefined || list.nextUpdate < Date.now()) problems.push('the list is not up to date')
  if (list.unknownCritical.length > 0) problems.push('the list has a critical extension that is unknown')
  if (!revocationListVerifies(list, issuer.spki)) problems.push('the signature of the list is not good')
  const listed = new Set(list.revoked.map(({ serialNumber }) => serialNumber))
  if (certificates.some((one) => equal(one.issuer, list.issuer) && listed.has(one.serialNumber)))
    problems.push('revoked')
  return problems
}
