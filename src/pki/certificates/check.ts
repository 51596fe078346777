/**
 * The check of a finished certificate against its plan, by parsers that share no code with the writer: OpenSSL (through
 * node:crypto) for the signature and its own view of names, usages and dates, and the strict DER reader for every field and
 * the flags of extensions. A CA is read by @peculiar/x509 as well; a leaf is not, because that costs half of what all the rest
 * of its issuance does. Tests show that it reads every shape of leaf as the other two do.
 */

// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs it to be loaded first
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { extensionIds } from './extensions.ts'
import { addressToBytes, bytesToAddress } from '../names/ip-address.ts'
import { equal, type ParsedCertificate } from './parse.ts'
import {
  type CertificatePlan,
  extendedKeyUsages,
  type GeneralName,
  type NameConstraints,
  type NameSubtrees,
} from '../plan.ts'

/** Opens the decoded structure, so that the costly view of each extension is not made. */
class Structure extends x509.X509Certificate {
  get fields() {
    return this.asn
  }
}

/** One sentence for each difference; none means that the certificate is what was planned, and signed by the issuer's key. */
export const differencesFromPlan = (
  certificate: ParsedCertificate,
  plan: CertificatePlan,
  issuer: KeyObject | Uint8Array,
): string[] => {
  const differences: string[] = []
  const expect = expectInto(differences)
  try {
    if (plan.basicConstraints.ca) differences.push(...differencesOfStructure(certificate.der, plan))
    compareContents(certificate, plan, expect)
    compareWithOpenssl(new X509Certificate(certificate.der), plan, issuer, expect)
  } catch (error) {
    differences.push(
      `The finished certificate cannot be read back: ${error instanceof Error ? error.message : 'unknown'}.`,
    )
  }
  return differences
}

type Expect = (same: boolean, what: string) => void

const expectInto =
  (differences: string[]): Expect =>
  (same, what) => {
    if (!same) differences.push(`The ${what} of the finished certificate is not what was planned.`)
  }

/** What @peculiar/x509 reads otherwise than planned; throws where it cannot read the bytes at all. */
export const differencesOfStructure = (der: Uint8Array, plan: CertificatePlan): string[] => {
  const differences: string[] = []
  const expect = expectInto(differences)
  const structure = new Structure(der)
  const { tbsCertificate: tbs, signatureAlgorithm } = structure.fields
  expect(structure.rawData.byteLength === der.length, 'length')
  const version: number = tbs.version
  expect(version === 2, 'version')
  expect(equal(new Uint8Array(tbs.serialNumber), plan.serialNumber), 'serial number')
  expect(
    tbs.signature.algorithm === signatureAlgorithm.algorithm &&
      sameBuffer(tbs.signature.parameters, signatureAlgorithm.parameters),
    'signature algorithm',
  )
  expect(instantOf(tbs.validity.notBefore) === plan.notBefore, 'beginning')
  expect(instantOf(tbs.validity.notAfter) === plan.notAfter, 'end')
  expect(tbs.issuerUniqueID === undefined && tbs.subjectUniqueID === undefined, 'set of fields')
  const found = (tbs.extensions ?? []).map(({ extnID, critical }) => `${extnID} ${critical}`)
  expect(found.toSorted().join() === wantedExtensions(plan).toSorted().join(), 'set of extensions')
  return differences
}

const instantOf = ({ utcTime, generalTime }: { utcTime?: Date; generalTime?: Date }): number | undefined =>
  (utcTime ?? generalTime)?.getTime()

const sameBuffer = (a: ArrayBuffer | null | undefined, b: ArrayBuffer | null | undefined): boolean =>
  a && b ? equal(new Uint8Array(a), new Uint8Array(b)) : !a && !b

/** Identifier and criticality of every extension that the plan asks for (RFC 5280 §4.2.1). */
const wantedExtensions = (plan: CertificatePlan): string[] => {
  const names = plan.subjectAlternativeNames.length > 0
  return [
    `${extensionIds.basicConstraints} true`,
    `${extensionIds.keyUsage} true`,
    `${extensionIds.subjectKeyId} false`,
    ...(plan.extendedKeyUsage.length > 0 ? [`${extensionIds.extendedKeyUsage} false`] : []),
    ...(plan.authorityKeyId === undefined ? [] : [`${extensionIds.authorityKeyId} false`]),
    ...(plan.nameConstraints === undefined ? [] : [`${extensionIds.nameConstraints} true`]),
    ...(names ? [`${extensionIds.subjectAlternativeName} ${plan.subject.length <= 2}`] : []),
    ...(plan.crlDistributionPoints === undefined ? [] : [`${extensionIds.crlDistributionPoints} false`]),
    ...(plan.caIssuers === undefined ? [] : [`${extensionIds.authorityInfoAccess} false`]),
  ]
}

const compareContents = (found: ParsedCertificate, plan: CertificatePlan, expect: Expect): void => {
  const { ca, pathLength } = plan.basicConstraints
  expect(found.serialNumber === hexOf(plan.serialNumber), 'serial number')
  expect(found.notBefore === plan.notBefore, 'beginning')
  expect(found.notAfter === plan.notAfter, 'end')
  const flagged = found.extensions.map(({ oid, critical }) => `${oid} ${critical}`)
  expect(sameSet(flagged, wantedExtensions(plan)), 'set of extensions')
  expect(equal(found.issuer, plan.issuer), 'issuer')
  expect(equal(found.subject, plan.subject), 'subject')
  expect(equal(found.spki, plan.subjectPublicKeyInfo), 'public key')
  expect(found.isCa === ca && found.pathLength === (ca ? pathLength : undefined), 'basic constraints')
  expect(sameSet(found.keyUsage, plan.keyUsage), 'key usage')
  expect(sameSet(found.extendedKeyUsage, plan.extendedKeyUsage), 'extended key usage')
  expect(sameOptional(found.subjectKeyId, plan.subjectKeyId), 'subject key identifier')
  expect(sameOptional(found.authorityKeyId, plan.authorityKeyId), 'authority key identifier')
  expect(
    found.otherAlternativeNames === 0 &&
      sameSet(found.subjectAlternativeNames.map(nameText), plan.subjectAlternativeNames.map(nameText)),
    'set of alternative names',
  )
  expect(sameConstraints(found.nameConstraints, plan.nameConstraints), 'set of name constraints')
  expect(sameSet(found.crlDistributionPoints, plan.crlDistributionPoints ?? []), 'set of CRL distribution points')
  expect(sameSet(found.caIssuers, plan.caIssuers ?? []), 'set of issuer locations')
}

const compareWithOpenssl = (
  found: X509Certificate,
  plan: CertificatePlan,
  issuer: KeyObject | Uint8Array,
  expect: Expect,
): void => {
  const key =
    issuer instanceof Uint8Array ? createPublicKey({ key: Buffer.from(issuer), format: 'der', type: 'spki' }) : issuer
  expect(found.verify(key), 'signature')
  expect(found.serialNumber === hexOf(plan.serialNumber), 'serial number (OpenSSL)')
  expect(found.ca === plan.basicConstraints.ca, 'CA flag (OpenSSL)')
  expect(found.validFromDate.getTime() === plan.notBefore, 'beginning (OpenSSL)')
  expect(found.validToDate.getTime() === plan.notAfter, 'end (OpenSSL)')
  // node names the extended key usages `keyUsage`.
  const usages = plan.extendedKeyUsage.map((usage) => extendedKeyUsages[usage])
  expect(sameSet(found.keyUsage ?? [], usages), 'extended key usage (OpenSSL)')
  expect(
    sameSet(opensslNames(found.subjectAltName), plan.subjectAlternativeNames.map(nameText)),
    'alternative names (OpenSSL)',
  )
  expect(sameSet(opensslLocations(found.infoAccess), plan.caIssuers ?? []), 'issuer locations (OpenSSL)')
}

const opensslKinds = new Map<string, GeneralName['type']>([
  ['DNS', 'DNS'],
  ['IP Address', 'IP'],
  ['URI', 'URI'],
  ['email', 'Email'],
])

/** node joins names with `, ` and quotes as JSON those that could be mistaken for several (CVE-2021-44532). */
const opensslNames = (text: string | undefined): string[] =>
  [...(text ?? '').matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, kind = '', written = '']) => {
    const value = unquoted(written)
    const address = kind === 'IP Address' ? addressToBytes(value) : undefined
    return nameText({
      type: opensslKinds.get(kind) ?? 'URI',
      value: address === undefined ? value : bytesToAddress(address),
    })
  })

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').toUpperCase()

const unquoted = (written: string): string => (written.startsWith('"') ? String(JSON.parse(written)) : written)

/** A line each, in quotes as names are; what is no location of the issuer stays as it is, and so is found to differ. */
const opensslLocations = (text: string | undefined): string[] =>
  (text ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith(issuerPrefix) ? unquoted(line.slice(issuerPrefix.length)) : line))

const issuerPrefix = 'CA Issuers - URI:'

const nameText = ({ type, value }: GeneralName): string => `${type}:${value}`

const sameSet = (a: readonly string[], b: readonly string[]): boolean => {
  const wanted = new Set(b)
  return a.length === b.length && new Set(a).size === a.length && a.every((member) => wanted.has(member))
}

/** Both are in the normal form and the order of the plan; directory names as hex. */
const sameConstraints = (a: NameConstraints | undefined, b: NameConstraints | undefined): boolean =>
  (a === undefined) === (b === undefined) &&
  (a === undefined ||
    b === undefined ||
    (subtreeTexts(a.permitted) === subtreeTexts(b.permitted) && subtreeTexts(a.excluded) === subtreeTexts(b.excluded)))

const subtreeTexts = (subtrees: NameSubtrees): string =>
  JSON.stringify([
    subtrees.dnsDomains,
    subtrees.ipRanges,
    subtrees.emailAddresses,
    subtrees.uriDomains,
    subtrees.directoryNames.map((name) => Buffer.from(name).toString('hex')),
  ])

const sameOptional = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equal(a, b)
