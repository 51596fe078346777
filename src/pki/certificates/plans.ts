/** Makes plans: names, usages and a validity that stays within the CA's. Pure; time and randomness come in. */

import { uniqueNames } from '../names/general-names.ts'
import { subjectKeyId } from '../keys/keys.ts'
import {
  type CertificatePlan,
  type ExtendedKeyUsage,
  extendedKeyUsages,
  type GeneralName,
  type KeyAlgorithm,
  type KeyUsage,
  keyUsages,
  type NameConstraints,
} from '../plan.ts'
import type { ParsedCertificate } from './parse.ts'
import type { Signer } from './signer.ts'

/** No plan can be made; the message is a sentence. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
}

export type Role = 'Server' | 'Client' | 'Peer'

export interface Usages {
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[]
}

const roleUsages: Record<Role, readonly ExtendedKeyUsage[]> = {
  Server: ['serverAuth'],
  Client: ['clientAuth'],
  Peer: ['serverAuth', 'clientAuth'],
}

const extendedNames = Object.keys(extendedKeyUsages) as ExtendedKeyUsage[]

/**
 * The usages of a role, or, where `usages` is not empty, those named there (names of plan.ts) instead. A list without a key
 * usage gets the ones that go with the key's algorithm and the rest of the list.
 */
export const usagesOf = (
  role: Role,
  usages: readonly string[],
  { algorithm }: Pick<KeyAlgorithm, 'algorithm'>,
): Usages => {
  const unknown = usages.filter((usage) => ![...keyUsages, ...extendedNames].some((name) => name === usage))
  if (unknown.length > 0)
    throw new PlanError(
      `The usage ${unknown.join(', ')} is unknown; use ${[...keyUsages, ...extendedNames].join(', ')}.`,
    )
  const extendedKeyUsage =
    usages.length === 0 ? roleUsages[role] : extendedNames.filter((usage) => usages.includes(usage))
  const keyUsage = keyUsages.filter((usage) => usages.includes(usage))
  return { keyUsage: keyUsage.length === 0 ? usualKeyUsage(extendedKeyUsage, algorithm) : keyUsage, extendedKeyUsage }
}

/**
 * keyEncipherment is for RSA key exchange alone (RFC 8813 §3), in which the server's key takes part and the client's does not
 * (RFC 5280 §4.2.1.12).
 */
const usualKeyUsage = (
  extended: readonly ExtendedKeyUsage[],
  algorithm: KeyAlgorithm['algorithm'],
): readonly KeyUsage[] => {
  const enciphers = extended.length === 0 || extended.includes('serverAuth') || extended.includes('emailProtection')
  return algorithm === 'RSA' && enciphers ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature']
}

export interface Lifetime {
  /** ms */
  readonly duration: number
  /** ms before `now` at which validity begins, for clocks that lag; at most a tenth of the duration is taken. Default 5 min. */
  readonly backdate?: number | undefined
  /** ms since the epoch */
  readonly now: number
}

export type Issuer = Pick<Signer, 'subject' | 'subjectKeyId' | 'spki' | 'notBefore' | 'notAfter' | 'pathLength'>

/** Where the signer publishes; absent and empty are the same. */
export interface Locations {
  /** http URLs of the signer's revocation list. */
  readonly crlDistributionPoints?: readonly string[] | undefined
  /** http URLs of the signer's certificate in DER. */
  readonly caIssuers?: readonly string[] | undefined
}

const locationsOf = ({
  crlDistributionPoints = [],
  caIssuers = [],
}: Locations): Pick<CertificatePlan, 'crlDistributionPoints' | 'caIssuers'> => ({
  ...(crlDistributionPoints.length === 0 ? {} : { crlDistributionPoints }),
  ...(caIssuers.length === 0 ? {} : { caIssuers }),
})

export interface LeafRequest extends Lifetime, Usages, Locations {
  readonly signer: Issuer
  /** DER Name. */
  readonly subject: Uint8Array
  /** Normalised; repetitions are dropped. */
  readonly names: readonly GeneralName[]
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** Of `serialNumber()`. */
  readonly serialNumber: Uint8Array
}

/** The plan of an end-entity certificate. */
export const leafPlan = (request: LeafRequest): CertificatePlan => ({
  serialNumber: request.serialNumber,
  issuer: request.signer.subject,
  subject: request.subject,
  ...validityWithin(request.signer, request),
  subjectPublicKeyInfo: request.spki,
  subjectKeyId: subjectKeyId(request.spki),
  authorityKeyId: request.signer.subjectKeyId,
  basicConstraints: { ca: false },
  keyUsage: request.keyUsage,
  extendedKeyUsage: request.extendedKeyUsage,
  subjectAlternativeNames: uniqueNames(request.names),
  ...locationsOf(request),
})

export interface AuthorityRequest extends Lifetime, Locations {
  /** A selfSigner for a root; the CA above for an intermediate. */
  readonly signer: Issuer
  readonly selfSigned: boolean
  /** DER Name; for a renewal the old certificate's is taken instead. */
  readonly subject: Uint8Array
  readonly spki: Uint8Array
  readonly pathLength?: number | undefined
  /** Of `nameConstraints()`. */
  readonly nameConstraints?: NameConstraints | undefined
  readonly serialNumber: Uint8Array
  /**
   * The certificate of the same key that this one follows. Subject and key identifier are taken from it byte for byte, so
   * that everything it signed stays valid under the new one.
   */
  readonly renews?: Pick<ParsedCertificate, 'subject' | 'subjectKeyId' | 'spki'> | undefined
}

/** The plan of a CA certificate. A path length that the signer does not allow is lowered to what it does. */
export const authorityPlan = (request: AuthorityRequest): CertificatePlan => {
  const { signer, renews } = request
  if (renews !== undefined && !Buffer.from(renews.spki).equals(request.spki))
    throw new PlanError('A CA is renewed under its name only with the same key.')
  const pathLength = request.selfSigned ? request.pathLength : lowered(request.pathLength, signer.pathLength)
  return {
    serialNumber: request.serialNumber,
    issuer: signer.subject,
    subject: renews?.subject ?? request.subject,
    ...validityWithin(signer, request),
    subjectPublicKeyInfo: request.spki,
    subjectKeyId: renews?.subjectKeyId ?? subjectKeyId(request.spki),
    ...(request.selfSigned ? {} : { authorityKeyId: signer.subjectKeyId }),
    basicConstraints: { ca: true, ...(pathLength === undefined ? {} : { pathLength }) },
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    subjectAlternativeNames: [],
    ...(request.nameConstraints === undefined ? {} : { nameConstraints: request.nameConstraints }),
    // A root is trusted for being known, not for what its issuer, itself, says about it.
    ...(request.selfSigned ? {} : locationsOf(request)),
  }
}

const lowered = (wanted: number | undefined, above: number | undefined): number | undefined => {
  if (above === undefined) return wanted
  if (above === 0) throw new PlanError('The path length of the signing CA is 0: it may not sign other CAs.')
  return Math.min(wanted ?? above - 1, above - 1)
}

const second = 1000
const fiveMinutes = 300 * second

const wholeSeconds = (ms: number): number => Math.floor(ms / second) * second

/** `duration` long, beginning `backdate` before now, in whole seconds, and within the signer's validity. */
export const validityWithin = (
  signer: Pick<Signer, 'notBefore' | 'notAfter'>,
  { duration, backdate = fiveMinutes, now }: Lifetime,
): { readonly notBefore: number; readonly notAfter: number } => {
  if (!(Number.isFinite(duration) && duration >= second)) throw new PlanError('The duration is shorter than a second.')
  if (now > signer.notAfter) throw new PlanError('The CA has expired: it cannot sign any more.')
  if (now < signer.notBefore) throw new PlanError('The CA is not valid yet: it cannot sign before its notBefore.')
  const start = wholeSeconds(now - Math.min(backdate, duration / 10))
  const notBefore = Math.max(start, signer.notBefore)
  const notAfter = Math.min(wholeSeconds(start + duration), signer.notAfter)
  if (notAfter <= notBefore)
    throw new PlanError('The CA ends too soon: nothing valid can be signed within its validity.')
  return { notBefore, notAfter }
}

/** A serial number of 16 octets, positive and of fixed length, from 16 random ones: 126 bits are left random. */
export const serialNumber = (random16: Uint8Array): Uint8Array => {
  if (random16.length !== 16) throw new PlanError('A serial number is made from 16 random bytes.')
  const serial = Uint8Array.from(random16)
  serial[0] = (serial[0] ?? 0) & 0x7f || 0x01
  return serial
}
