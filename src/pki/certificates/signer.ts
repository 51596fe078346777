/** What signs: a CA's name, identifier and limits, and a private key that cannot be taken out of it. */

import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto'
import { nullValue, oid, sequence, unsignedInteger } from '../encoding/der.ts'
import { algorithmOfSpki, KeyError, spkiOf, subjectKeyId, type WebCrypto } from '../keys/keys.ts'
import { equal, parseCertificate, type ParsedCertificate } from './parse.ts'
import type { KeyAlgorithm, KeyUsage, NameConstraints } from '../plan.ts'

/** Says in a sentence why a certificate and key cannot sign. */
export class SignerError extends Error {
  override readonly name = 'SignerError'
}

export interface Signer {
  /** DER Name, copied into `issuer` byte for byte. */
  readonly subject: Uint8Array
  readonly subjectKeyId: Uint8Array
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** For checking signatures; made once, because making it costs as much as a signature. */
  readonly publicKey: KeyObject
  /** What the signer may sign within, ms; a signer for its own root has no limits (±Infinity). */
  readonly notBefore: number
  readonly notAfter: number
  /** undefined: no limit. */
  readonly pathLength: number | undefined
  /** The certificate has the key usage cRLSign, or none at all. */
  readonly mayIssueRevocationLists: boolean
  /** Of the CA and of the CAs above it; what breaks them is not signed. */
  readonly nameConstraints?: readonly NameConstraints[]
  /** DER AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array
  /** Signs on the thread pool; in X.509 form, ECDSA as DER. */
  sign(tbs: Uint8Array): Promise<Uint8Array>
}

interface ExistingAuthority {
  readonly pkcs8: Uint8Array
  /** DER */
  readonly certificate: Uint8Array
  /** DER of the certificates above it in order, the root too: what they limit, this CA cannot give. */
  readonly chain?: readonly Uint8Array[]
}

/** The signer of an existing CA. Throws SignerError where certificate or key cannot sign, or do not belong together. */
export const createSigner = async (
  crypto: WebCrypto,
  { pkcs8, certificate, chain = [] }: ExistingAuthority,
): Promise<Signer> => {
  const parsed = parseCertificate(certificate)
  if (!parsed.isCa) throw new SignerError('The certificate is not one of a CA (basicConstraints CA:TRUE is missing).')
  if (!mayUse(parsed, 'keyCertSign'))
    throw new SignerError('The CA certificate does not have the key usage keyCertSign.')
  if (parsed.subject.length <= 2) throw new SignerError('The CA certificate has an empty subject.')
  const { spki } = parsed
  if (!equal(spkiOf(pkcs8), spki)) throw new SignerError('The private key does not belong to the CA certificate.')
  return {
    ...(await signing(crypto, pkcs8, spki)),
    subject: parsed.subject,
    subjectKeyId: parsed.subjectKeyId ?? subjectKeyId(spki),
    mayIssueRevocationLists: mayUse(parsed, 'cRLSign'),
    ...limitsOf([parsed, ...chain.map(parseCertificate)]),
  }
}

/** What is known of a CA without its key: certificates of it can be checked, and none be signed. Throws SignerError. */
export const keylessSigner = ({ certificate, chain = [] }: Omit<ExistingAuthority, 'pkcs8'>): Signer => {
  const parsed = parseCertificate(certificate)
  const { spki, subject } = parsed
  return {
    ...verifying(spki),
    subject,
    subjectKeyId: parsed.subjectKeyId ?? subjectKeyId(spki),
    mayIssueRevocationLists: false,
    ...limitsOf([parsed, ...chain.map(parseCertificate)]),
    sign: () => Promise.reject(new SignerError('The private key of the CA is not there.')),
  }
}

/** RFC 5280 §4.2.1.3: a certificate without the extension, as `openssl req -x509` makes them, may use its key for everything. */
const mayUse = ({ keyUsage }: ParsedCertificate, usage: KeyUsage): boolean =>
  keyUsage.length === 0 || keyUsage.includes(usage)

/** What the CA, the first of `path`, and all above it allow (RFC 5280 §6.1.4). */
const limitsOf = (
  path: readonly ParsedCertificate[],
): Pick<Signer, 'notBefore' | 'notAfter' | 'pathLength' | 'nameConstraints'> => {
  const lengths = path.flatMap(({ pathLength }, below) => (pathLength === undefined ? [] : [pathLength - below]))
  return {
    notBefore: Math.max(...path.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...path.map(({ notAfter }) => notAfter)),
    pathLength: lengths.length === 0 ? undefined : Math.max(0, Math.min(...lengths)),
    nameConstraints: path.flatMap(({ nameConstraints }) => nameConstraints ?? []),
  }
}

/**
 * The signer of a root whose certificate does not exist yet. For a renewal with the same key, `subject` and
 * `subjectKeyId` are the bytes of the old certificate.
 */
export const selfSigner = async (
  crypto: WebCrypto,
  root: { readonly pkcs8: Uint8Array; readonly subject: Uint8Array; readonly subjectKeyId?: Uint8Array | undefined },
): Promise<Signer> => {
  const spki = spkiOf(root.pkcs8)
  return {
    ...(await signing(crypto, root.pkcs8, spki)),
    subject: root.subject,
    subjectKeyId: root.subjectKeyId ?? subjectKeyId(spki),
    notBefore: -Infinity,
    notAfter: Infinity,
    pathLength: undefined,
    // There is no certificate yet that could allow it.
    mayIssueRevocationLists: false,
  }
}

type Signing = Pick<Signer, 'spki' | 'publicKey' | 'signatureAlgorithm' | 'sign'>

const algorithmOf = (spki: Uint8Array): KeyAlgorithm => {
  const algorithm = algorithmOfSpki(spki)
  if (algorithm !== undefined) return algorithm
  throw new SignerError(
    'The CA key is not RSA 2048, 3072 or 4096 with e = 65537, ECDSA P-256, P-384 or P-521, or Ed25519.',
  )
}

const verifying = (spki: Uint8Array): Omit<Signing, 'sign'> => ({
  spki,
  publicKey: createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }),
  signatureAlgorithm: schemeOf(algorithmOf(spki)).identifier,
})

const signing = async ({ subtle }: WebCrypto, pkcs8: Uint8Array, spki: Uint8Array): Promise<Signing> => {
  const { importing, using, toX509 } = schemeOf(algorithmOf(spki))
  const key = await importKey(subtle, pkcs8, importing)
  return {
    ...verifying(spki),
    sign: async (tbs) => toX509(new Uint8Array(await subtle.sign(using, key, Buffer.from(tbs)))),
  }
}

const importKey = async (
  subtle: webcrypto.SubtleCrypto,
  pkcs8: Uint8Array,
  importing: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | webcrypto.Algorithm,
): Promise<webcrypto.CryptoKey> => {
  try {
    return await subtle.importKey('pkcs8', Buffer.from(pkcs8), importing, false, ['sign'])
  } catch {
    throw new KeyError('The private key of the CA cannot be read.')
  }
}

interface Scheme {
  readonly importing: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | webcrypto.Algorithm
  readonly using: webcrypto.EcdsaParams | webcrypto.Algorithm
  readonly identifier: Uint8Array
  readonly toX509: (signature: Uint8Array) => Uint8Array
}

const ecdsaOids = { 256: '1.2.840.10045.4.3.2', 384: '1.2.840.10045.4.3.3', 521: '1.2.840.10045.4.3.4' } as const
const ecdsaHashes = { 256: 'SHA-256', 384: 'SHA-384', 521: 'SHA-512' } as const

/** Parameters are NULL for RSA (RFC 4055 §5) and absent for ECDSA (RFC 5758 §3.2) and Ed25519 (RFC 8410 §3). */
const schemeOf = (algorithm: KeyAlgorithm): Scheme => {
  switch (algorithm.algorithm) {
    case 'RSA':
      // SHA-256 for every size: its 128 bits are those of RSA-3072, and sha256WithRSA is what every old driver verifies.
      return {
        importing: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
        using: { name: 'RSASSA-PKCS1-v1_5' },
        identifier: sequence(oid('1.2.840.113549.1.1.11'), nullValue),
        toX509: (signature) => signature,
      }
    case 'ECDSA':
      return {
        importing: { name: 'ECDSA', namedCurve: `P-${algorithm.size}` },
        using: { name: 'ECDSA', hash: ecdsaHashes[algorithm.size] },
        identifier: sequence(oid(ecdsaOids[algorithm.size])),
        toX509: ecdsaToDer,
      }
    default:
      return {
        importing: { name: 'Ed25519' },
        using: { name: 'Ed25519' },
        identifier: sequence(oid('1.3.101.112')),
        toX509: (signature) => signature,
      }
  }
}

/** WebCrypto gives r ‖ s of equal lengths (IEEE P1363); X.509 wants SEQUENCE { r, s } (RFC 3279 §2.2.3). */
const ecdsaToDer = (signature: Uint8Array): Uint8Array => {
  const half = signature.length / 2
  return sequence(unsignedInteger(signature.subarray(0, half)), unsignedInteger(signature.subarray(half)))
}
