/**
 * What is going to be signed, decided before anything is signed: one plain value that the writer encodes and the
 * post-issue check compares the finished certificate with.
 */

export type KeyAlgorithm =
  | { readonly algorithm: 'RSA'; readonly size: 2048 | 3072 | 4096 }
  | { readonly algorithm: 'ECDSA'; readonly size: 256 | 384 | 521 }
  | { readonly algorithm: 'Ed25519' }

/** RFC 5280 §4.2.1.3, in the order of the bits. */
export const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsage = (typeof keyUsages)[number]

/** RFC 5280 §4.2.1.12: name → object identifier. */
export const extendedKeyUsages = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
} as const
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages

export interface GeneralName {
  readonly type: 'DNS' | 'IP' | 'URI' | 'Email'
  /** DNS: A-labels, lower case, no trailing dot. IP: canonical text (RFC 5952 for v6). */
  readonly value: string
}

/** Names below which, or outside which, everything signed under a CA must stay (RFC 5280 §4.2.1.10). */
export interface NameSubtrees {
  /** A domain with everything below it; the empty text is every domain. */
  readonly dnsDomains: readonly string[]
  /** `address/prefix`. */
  readonly ipRanges: readonly string[]
  /** `user@host`, `host`, or `.domain` for the hosts below it. */
  readonly emailAddresses: readonly string[]
  /** `host`, or `.domain` for the hosts below it. */
  readonly uriDomains: readonly string[]
  /** DER Names that subjects begin with. */
  readonly directoryNames: readonly Uint8Array[]
}

export interface NameConstraints {
  readonly permitted: NameSubtrees
  readonly excluded: NameSubtrees
}

export interface CertificatePlan {
  /** 16 bytes, big-endian, first byte 0x01–0x7f (RFC 5280 §4.1.2.2: positive, at most 20 octets). */
  readonly serialNumber: Uint8Array
  /** DER Name, byte-equal to the issuer certificate's subject. */
  readonly issuer: Uint8Array
  /** DER Name; an empty SEQUENCE makes the subject alternative names critical. */
  readonly subject: Uint8Array
  /** Milliseconds since the epoch, whole seconds; both ends inclusive. */
  readonly notBefore: number
  readonly notAfter: number
  readonly subjectPublicKeyInfo: Uint8Array
  readonly subjectKeyId: Uint8Array
  /** The issuer's subjectKeyId; absent only in a self-signed certificate. */
  readonly authorityKeyId?: Uint8Array
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength?: number }
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[]
  readonly subjectAlternativeNames: readonly GeneralName[]
  /** For CAs only; of `nameConstraints()`. */
  readonly nameConstraints?: NameConstraints
  /** http URLs of the issuer's revocation list; every one gives the same list. */
  readonly crlDistributionPoints?: readonly string[]
  /** http URLs of the issuer's certificate in DER. */
  readonly caIssuers?: readonly string[]
}
