/** What a certificate, request, list or key says, for people and programs; never the key itself. */

import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { toTimestamp } from '../../control/schedule.ts'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import type { ParsedCertificate } from '../../pki/certificates/parse.ts'
import type { GeneralName } from '../../pki/plan.ts'
import { requestProblems } from '../../pki/requests/problems.ts'
import type { CertificateRequest } from '../../pki/requests/request.ts'
import type { ParsedRevocationList } from '../../pki/revocation/parse.ts'

/** Members may be added, none is taken away: this is what `--output json` prints. Times are RFC 3339. */
export interface CertificateFacts {
  readonly type: 'certificate'
  /** In a keystore. */
  readonly alias?: string
  /** In a keystore: an entry to trust, and no member of a key's chain. */
  readonly trusted?: boolean
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly notBefore: string
  readonly notAfter: string
  readonly names: readonly GeneralName[]
  /** `ECDSA P-256` */
  readonly publicKey: string
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: equal in a certificate, its request and its key. */
  readonly publicKeyHash: string
  readonly ca: boolean
  readonly pathLength?: number
  readonly usages: readonly string[]
  readonly revocationLists: readonly string[]
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
}

export interface KeyFacts {
  readonly type: 'privateKey' | 'publicKey'
  readonly alias?: string
  readonly encrypted: boolean
  readonly publicKey: string
  readonly publicKeyHash: string
  /** Where the certificate of this key stands. */
  readonly certificateIn?: string
}

export interface RequestFacts {
  readonly type: 'certificateRequest'
  readonly subject: string
  readonly names: readonly GeneralName[]
  readonly publicKey: string
  readonly publicKeyHash: string
  /** Why nothing would be signed from it; a false proof of possession is one. */
  readonly problems: readonly string[]
}

export interface RevocationListFacts {
  readonly type: 'revocationList'
  readonly issuer: string
  readonly number?: string
  readonly thisUpdate: string
  readonly nextUpdate?: string
  readonly revoked: readonly { readonly serialNumber: string; readonly time: string; readonly reason?: string }[]
  readonly fingerprint: string
}

export const certificateFacts = (certificate: ParsedCertificate): CertificateFacts => {
  const { keyUsage, extendedKeyUsage, pathLength, spki } = certificate
  return {
    type: 'certificate',
    subject: formatDistinguishedName(certificate.subject),
    issuer: formatDistinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber,
    notBefore: toTimestamp(certificate.notBefore),
    notAfter: toTimestamp(certificate.notAfter),
    names: certificate.subjectAlternativeNames,
    ...publicKeyFacts(spki),
    ca: certificate.isCa,
    ...(pathLength === undefined ? {} : { pathLength }),
    usages: [...keyUsage, ...extendedKeyUsage],
    revocationLists: certificate.crlDistributionPoints,
    fingerprint: certificate.fingerprint,
  }
}

export const requestFacts = (request: CertificateRequest): RequestFacts => ({
  type: 'certificateRequest',
  subject: formatDistinguishedName(request.subject),
  names: request.requestedNames,
  ...publicKeyFacts(request.spki),
  problems: requestProblems(request),
})

export const revocationListFacts = (list: ParsedRevocationList): RevocationListFacts => ({
  type: 'revocationList',
  issuer: formatDistinguishedName(list.issuer),
  ...(list.number === undefined ? {} : { number: list.number.toString() }),
  thisUpdate: toTimestamp(list.thisUpdate),
  ...(list.nextUpdate === undefined ? {} : { nextUpdate: toTimestamp(list.nextUpdate) }),
  revoked: list.revoked.map(({ serialNumber, revokedAt, reason }) => ({
    serialNumber,
    time: toTimestamp(revokedAt),
    ...(reason === undefined ? {} : { reason }),
  })),
  fingerprint: list.fingerprint,
})

/** Of DER SubjectPublicKeyInfo. */
export const publicKeyFacts = (spki: Uint8Array): Pick<KeyFacts, 'publicKey' | 'publicKeyHash'> => ({
  publicKey: keyInWords(spki),
  publicKeyHash: createHash('sha256').update(spki).digest('hex'),
})

const curves: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
])

const kinds: ReadonlyMap<string, string> = new Map([
  ['ed25519', 'Ed25519'],
  ['ed448', 'Ed448'],
  ['rsa-pss', 'RSA-PSS'],
])

/** Also of keys that nothing is signed for here. */
const keyInWords = (spki: Uint8Array): string => {
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
  } catch {
    return 'of an unknown kind'
  }
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: { modulusLength, namedCurve } = {} } = key
  if (type === 'ec') return `ECDSA ${curves.get(namedCurve ?? '') ?? namedCurve ?? 'with a curve of its own'}`
  const name = kinds.get(type) ?? type.toUpperCase()
  return modulusLength === undefined ? name : `${name} ${modulusLength}`
}
