/**
 * What the operator keeps in memory of an IssuedCertificate: enough to find, supersede, revoke and prune entries, without
 * the PEM. There may be tens of thousands: what many of them share is kept once.
 */

import type { KubeObject } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import type { IssuedCertificate, IssuedCertificateSpec, RevocationReason } from '../resources/issued-certificate.ts'
import { factsOf } from './facts.ts'
import { parseLine } from './openssl/index-file.ts'

export type EntryState = 'Valid' | 'Superseded' | 'Revoked' | 'Expired'

/** Times in ms since the epoch. */
export interface Revocation {
  readonly reason: RevocationReason
  /** spec.revocation.time */
  readonly time: number | undefined
  readonly invalidityTime: number | undefined
  /** status.revokedAt: when the operator saw it first. */
  readonly seenAt: number | undefined
}

export interface LedgerEntry extends KubeObject {
  readonly serialNumber: string
  /** `namespace/name` of the CA. */
  readonly authority: string
  /** uid of the CA object by which it was signed or imported. */
  readonly authorityUid: string
  /** Key identifier of the key that signed, lower-case hex; a CA keeps it as long as its key. */
  readonly authorityKeyId: string | undefined
  /** uid of the resource that the certificate was issued for. */
  readonly holder: string | undefined
  /** `namespace/name` of that resource. */
  readonly holderKey: string | undefined
  readonly supersedes: string | undefined
  /** It replaced every older one with its common name, too. */
  readonly takesName: boolean
  /** As it is: a revocation counts from the moment it is in the spec. */
  readonly state: EntryState
  /** As status says it. */
  readonly marked: EntryState
  readonly revocation: Revocation | undefined
  /** Hash of the public key, where it was revoked as keyCompromise: nothing is signed for that key again. */
  readonly compromisedKey: string | undefined
  /** When the entry was created, ms since the epoch; NaN where that is not known. */
  readonly createdAt: number
  /** Validity, ms since the epoch; NaN where the certificate cannot be read. */
  readonly notBefore: number
  readonly notAfter: number
  readonly commonName: string | undefined
  /** A CA's own certificate. */
  readonly isCa: boolean
  /** It says that it came back from a backup. */
  readonly isRestored: boolean
  /** The key was made elsewhere, and the request is kept. */
  readonly hasRequest: boolean
}

/** An entry made so much later than its certificate came back from a backup, ms. Certificates are backdated by 5 minutes. */
const restoredAfterMs = 60 * 60_000

export const isRestored = ({ createdAt, notBefore, isRestored: saysSo }: LedgerEntry): boolean =>
  saysSo || !(createdAt - notBefore < restoredAfterMs)

/** The order of a ledger, ms since the epoch: when an entry was made says nothing of one that came back from a backup. */
export const issuedAt = (entry: LedgerEntry): number => (isRestored(entry) ? entry.notBefore : entry.createdAt)

/** The transform of the ledger's cache; each has its own store of shared texts. */
export const createProjection = (): ((entry: IssuedCertificate) => LedgerEntry) => {
  const texts = new Map<string, string>()
  const shared = <T extends string | undefined>(text: T): T => {
    if (text === undefined) return text
    const known = texts.get(text)
    if (known !== undefined) return known as T
    texts.set(text, text)
    return text
  }
  return (entry) => {
    const { name, namespace = 'default', uid, resourceVersion, creationTimestamp } = entry.metadata
    const { spec, status } = entry
    const facts = factsOf(spec.certificate)
    const holder = spec.certificateRef
    const marked = status?.state ?? 'Valid'
    return {
      apiVersion: shared(entry.apiVersion),
      kind: shared(entry.kind),
      metadata: {
        name,
        namespace: shared(namespace),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      serialNumber: canonical(spec.serialNumber),
      authority: shared(`${namespace}/${spec.authorityRef.name}`),
      authorityUid: shared(spec.authorityRef.uid),
      authorityKeyId: shared(facts?.authorityKeyId),
      holder: holder?.uid,
      holderKey: holder === undefined ? undefined : `${holder.namespace}/${holder.name}`,
      supersedes: spec.supersedes && canonical(spec.supersedes.serialNumber),
      takesName: spec.supersedes?.namesakes === true,
      state: spec.revocation === undefined ? (marked === 'Revoked' ? 'Valid' : marked) : 'Revoked',
      marked,
      revocation: spec.revocation === undefined ? undefined : revocationOf(spec.revocation, status?.revokedAt),
      compromisedKey:
        facts !== undefined && spec.revocation?.reason === 'keyCompromise' ? publicKeyHash(facts.spki) : undefined,
      createdAt: Date.parse(creationTimestamp ?? ''),
      notBefore: facts?.notBefore ?? Number.NaN,
      notAfter: facts?.notAfter ?? endOf(spec.indexLine),
      commonName: facts?.commonName,
      isCa: facts?.isCa ?? false,
      isRestored: entry.metadata.annotations?.[marks.restoredFrom] !== undefined,
      hasRequest: spec.request !== undefined,
    }
  }
}

/** Without zero octets in front, as certificates and lists are read: by any other form an entry would not be found on a list. */
const canonical = (serialNumber: string): string => serialNumber.replace(/^(?:00)+(?=..)/, '')

/** Of an entry taken over without its certificate. */
const endOf = (indexLine: string | undefined): number => {
  if (indexLine === undefined) return Number.NaN
  try {
    return parseLine(indexLine).notAfter
  } catch {
    return Number.NaN
  }
}

const revocationOf = (
  { reason, time, invalidityTime }: NonNullable<IssuedCertificateSpec['revocation']>,
  revokedAt: string | undefined,
): Revocation => ({
  reason,
  time: instantOf(time),
  invalidityTime: instantOf(invalidityTime),
  seenAt: instantOf(revokedAt),
})

const instantOf = (text: string | undefined): number | undefined => {
  const instant = Date.parse(text ?? '')
  return Number.isNaN(instant) ? undefined : instant
}
