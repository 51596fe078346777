/** The contents of the certificate extensions that this program writes (RFC 5280 §4.2.1): encoders and readers. */

import {
  bitString,
  boolean,
  children,
  contextPrimitive,
  DerError,
  integer,
  octetString,
  oid,
  readBoolean,
  readOid,
  readOnly,
  readSmallInteger,
  sequence,
  Tag,
} from '../encoding/der.ts'
import { encodeGeneralNames, readGeneralNames } from '../names/general-names.ts'
import { encodeCaIssuers, encodeDistributionPoints, readCaIssuers, readDistributionPoints } from './locations.ts'
import { encodeNameConstraints, readNameConstraints } from '../constraints/name-constraints.ts'
import {
  type CertificatePlan,
  type ExtendedKeyUsage,
  extendedKeyUsages,
  type GeneralName,
  type KeyUsage,
  keyUsages,
  type NameConstraints,
} from '../plan.ts'

export interface RawExtension {
  readonly oid: string
  readonly critical: boolean
  /** Contents of extnValue. */
  readonly value: Uint8Array
}

export const extensionIds = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
} as const

/** DER Extensions of a plan, always in the same order. */
export const encodeExtensions = (plan: CertificatePlan): Uint8Array => {
  const { ca, pathLength } = plan.basicConstraints
  const emptySubject = plan.subject.length <= 2
  const constraints = ca ? [boolean(true), ...(pathLength === undefined ? [] : [integer(pathLength)])] : []
  const extensions = [extension(extensionIds.basicConstraints, true, sequence(...constraints))]
  if (plan.keyUsage.length > 0) extensions.push(extension(extensionIds.keyUsage, true, encodeKeyUsage(plan.keyUsage)))
  if (plan.extendedKeyUsage.length > 0)
    extensions.push(extension(extensionIds.extendedKeyUsage, false, encodeExtendedKeyUsage(plan.extendedKeyUsage)))
  extensions.push(extension(extensionIds.subjectKeyId, false, octetString(plan.subjectKeyId)))
  if (plan.authorityKeyId !== undefined)
    extensions.push(extension(extensionIds.authorityKeyId, false, sequence(contextPrimitive(0, plan.authorityKeyId))))
  if (plan.subjectAlternativeNames.length > 0)
    extensions.push(
      extension(extensionIds.subjectAlternativeName, emptySubject, encodeGeneralNames(plan.subjectAlternativeNames)),
    )
  if (plan.nameConstraints !== undefined)
    extensions.push(extension(extensionIds.nameConstraints, true, encodeNameConstraints(plan.nameConstraints)))
  if (plan.crlDistributionPoints !== undefined)
    extensions.push(
      extension(extensionIds.crlDistributionPoints, false, encodeDistributionPoints(plan.crlDistributionPoints)),
    )
  if (plan.caIssuers !== undefined)
    extensions.push(extension(extensionIds.authorityInfoAccess, false, encodeCaIssuers(plan.caIssuers)))
  return sequence(...extensions)
}

const extension = (id: string, critical: boolean, value: Uint8Array): Uint8Array =>
  critical ? sequence(oid(id), boolean(true), octetString(value)) : sequence(oid(id), octetString(value))

/** Named bits: trailing zero bits are dropped (X.690 §11.2.2). */
const encodeKeyUsage = (usages: readonly KeyUsage[]): Uint8Array => {
  const bits = usages.map((usage) => keyUsages.indexOf(usage))
  const last = Math.max(...bits)
  const bytes = new Uint8Array(Math.floor(last / 8) + 1)
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  return bitString(bytes, 7 - (last & 7))
}

const encodeExtendedKeyUsage = (usages: readonly ExtendedKeyUsage[]): Uint8Array =>
  sequence(...usages.map((usage) => oid(extendedKeyUsages[usage])))

/** What the extensions of a certificate say. */
export interface ExtensionValues {
  readonly subjectKeyId?: Uint8Array
  readonly authorityKeyId?: Uint8Array
  readonly isCa: boolean
  readonly pathLength?: number
  /** Empty where the extension is absent. */
  readonly keyUsage: readonly KeyUsage[]
  /** Names of plan.ts, or dotted OIDs. */
  readonly extendedKeyUsage: readonly string[]
  readonly subjectAlternativeNames: readonly GeneralName[]
  /** Alternative names of types that GeneralName has no word for. */
  readonly otherAlternativeNames: number
  readonly nameConstraints?: NameConstraints
  /** URLs of the issuer's revocation lists, and of its certificate; empty where there are none. */
  readonly crlDistributionPoints: readonly string[]
  readonly caIssuers: readonly string[]
}

/** Throws DerError where a known extension is malformed; unknown ones are passed over. */
export const readExtensionValues = (extensions: readonly RawExtension[]): ExtensionValues => {
  const valueOf = (id: string): Uint8Array | undefined => extensions.find((found) => found.oid === id)?.value
  const read = <T>(id: string, reader: (value: Uint8Array) => T): T | undefined => {
    const value = valueOf(id)
    return value === undefined ? undefined : reader(value)
  }
  const subjectKeyId = read(extensionIds.subjectKeyId, (value) => readOnly(value, Tag.octetString).contents)
  const authorityKeyId = read(extensionIds.authorityKeyId, readAuthorityKeyId)
  const { ca, pathLength } = read(extensionIds.basicConstraints, readBasicConstraints) ?? { ca: false }
  const { names, others } = read(extensionIds.subjectAlternativeName, readGeneralNames) ?? { names: [], others: 0 }
  const nameConstraints = read(extensionIds.nameConstraints, readNameConstraints)
  return {
    ...(subjectKeyId === undefined ? {} : { subjectKeyId }),
    ...(authorityKeyId === undefined ? {} : { authorityKeyId }),
    isCa: ca,
    ...(pathLength === undefined ? {} : { pathLength }),
    keyUsage: read(extensionIds.keyUsage, readKeyUsage) ?? [],
    extendedKeyUsage: read(extensionIds.extendedKeyUsage, readExtendedKeyUsage) ?? [],
    subjectAlternativeNames: names,
    otherAlternativeNames: others,
    ...(nameConstraints === undefined ? {} : { nameConstraints }),
    crlDistributionPoints: read(extensionIds.crlDistributionPoints, readDistributionPoints) ?? [],
    caIssuers: read(extensionIds.authorityInfoAccess, readCaIssuers) ?? [],
  }
}

const readBasicConstraints = (value: Uint8Array): { ca: boolean; pathLength?: number } => {
  const members = children(readOnly(value, Tag.sequence))
  const [ca, length, ...more] = members
  if (ca === undefined) return { ca: false }
  // DER leaves the default out; `CA:FALSE` written out is common enough in the field to be read.
  const isCa = readBoolean(ca)
  if (more.length > 0 || (length !== undefined && !isCa)) throw new DerError('the basic constraints are malformed')
  return length === undefined ? { ca: isCa } : { ca: isCa, pathLength: readSmallInteger(length) }
}

const readKeyUsage = (value: Uint8Array): KeyUsage[] => {
  const { contents } = readOnly(value, Tag.bitString)
  const [unused, ...bytes] = contents
  const last = bytes.at(-1) ?? 0
  if (unused === undefined || unused > 7 || last & ((1 << unused) - 1)) throw new DerError('the key usage is malformed')
  return keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0)
}

const usageNames = new Map<string, string>(Object.entries(extendedKeyUsages).map(([name, id]) => [id, name]))

const readExtendedKeyUsage = (value: Uint8Array): string[] =>
  children(readOnly(value, Tag.sequence)).map((element) => {
    const id = readOid(element)
    return usageNames.get(id) ?? id
  })

/** The key identifier; issuer and serial number, where present, are passed over. Throws DerError. */
export const readAuthorityKeyId = (value: Uint8Array): Uint8Array | undefined => {
  const [first] = children(readOnly(value, Tag.sequence))
  return first?.tag === 0x80 ? first.contents : undefined
}
