/**
 * Who else has what a certificate wants for itself: its common name, where the CA gives each to one alone, and its key. All
 * of it is answered from memory.
 */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { findEntry } from '../ledger/record.ts'
import { issuedAt, type LedgerEntry } from '../ledger/entry.ts'
import { isNewerHolder, isUnique } from '../ledger/replaced.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import { commonNameOf } from '../pki/names/names.ts'
import { parseCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { EntrySeen, UsableAuthority } from './observed.ts'
import type { Wanted } from './wanted.ts'

type Caches = Pick<Context, 'caches'>

/** Key of the ledger's index `commonName`. `authority` is `namespace/name`. */
export const commonNameKey = (authority: string, commonName: string): string => `${authority} ${commonName}`

export const authorityKeyOf = ({ metadata, spec }: Pick<DatabaseCertificate, 'metadata' | 'spec'>): string =>
  `${spec.authorityRef.namespace ?? metadata.namespace ?? 'default'}/${spec.authorityRef.name}`

/** What the ledger says of a certificate of that authority. */
export const seeEntry = (
  { caches }: Caches,
  authority: Wanted['authority'],
  serialNumber: string | undefined,
): EntrySeen | undefined => {
  const entry = serialNumber === undefined ? undefined : findEntry(caches, authority, serialNumber)
  if (entry === undefined) return undefined
  return entry.state === 'Revoked'
    ? { state: 'Revoked', reason: entry.revocation?.reason ?? 'unspecified' }
    : { state: entry.state }
}

/** Certificates of other holders under one CA that bear or bore the name. */
const namesakes = ({ caches }: Caches, authority: string, commonName: string, uid: string): LedgerEntry[] =>
  caches.ledger.store
    .by('commonName', commonNameKey(authority, commonName))
    .filter(({ holder, isCa }) => holder !== uid && !isCa)

/**
 * The newer DatabaseCertificate that has the common name; the newest has it, so that two never take it from each other in
 * turn. Undefined where nobody else has it.
 */
export const commonNameHolder = (
  context: Caches,
  certificate: DatabaseCertificate,
  commonName: string | undefined,
): string | undefined => {
  const { metadata } = certificate
  const authority = authorityKeyOf(certificate)
  if (commonName === undefined || !isUnique(context.caches.authorities.store.get(authority))) return undefined
  const holder = namesakes(context, authority, commonName, metadata.uid ?? '')
    .map((entry) => holderOf(context, authority, entry))
    .find((other) => other !== undefined && isNewer(other, certificate))
  return holder === undefined ? undefined : describe(holder, metadata.namespace)
}

/** The object that an entry was made for, or another one of its name, while it asks this CA for its name. */
const askerOf = (
  { caches }: Caches,
  authority: string,
  { holderKey }: LedgerEntry,
): DatabaseCertificate | undefined => {
  const other = holderKey === undefined ? undefined : caches.certificates.store.get(holderKey)
  if (other === undefined || other.metadata.deletionTimestamp !== undefined) return undefined
  return authorityKeyOf(other) === authority ? other : undefined
}

/** The certificate in use; one that its holder has replaced waits for its mark in the ledger only. */
const holderOf = (context: Caches, authority: string, entry: LedgerEntry): DatabaseCertificate | undefined => {
  const other = askerOf(context, authority, entry)
  return other?.status?.serialNumber === entry.serialNumber ? other : undefined
}

/**
 * The DatabaseCertificate that has its name by this entry, whatever the mark says: it reports it, or the certificate is
 * valid and may be on its way into the Secret.
 */
const ownerOfName = (
  context: Caches,
  authority: CertificateAuthority,
  entry: LedgerEntry,
): DatabaseCertificate | undefined => {
  const other = askerOf(context, keyOf(authority), entry)
  if (other === undefined || other.status?.serialNumber === entry.serialNumber) return other
  if (entry.state !== 'Valid' || other.metadata.uid !== entry.holder) return undefined
  const { namespace = 'default', name } = authority.metadata
  const reported = findEntry(context.caches, { namespace, name }, other.status?.serialNumber ?? '')
  return reported === undefined || !(issuedAt(reported) > issuedAt(entry)) ? other : undefined
}

/**
 * Who has the common name before a request that stands for no object: it is signed once, takes effect at once and is
 * never Stalled, so it gets no name that a DatabaseCertificate has or is about to have. Undefined where the name is free,
 * and where the CA gives names to any number.
 */
export const nameOwner = (
  context: Caches,
  authority: CertificateAuthority,
  commonName: string | undefined,
): DatabaseCertificate | undefined => {
  if (commonName === undefined || !isUnique(authority)) return undefined
  for (const entry of namesakes(context, keyOf(authority), commonName, '')) {
    const owner = ownerOfName(context, authority, entry)
    if (owner !== undefined) return owner
  }
  return undefined
}

const isNewer = ({ metadata: a }: DatabaseCertificate, { metadata: b }: DatabaseCertificate): boolean =>
  isNewerHolder(
    { uid: a.uid ?? '', createdAt: a.creationTimestamp },
    { uid: b.uid ?? '', createdAt: b.creationTimestamp },
  )

/** The last one issued; undefined of none. */
export const newestOf = (entries: readonly LedgerEntry[]): LedgerEntry | undefined =>
  entries.toSorted((a, b) => (issuedAt(b) || 0) - (issuedAt(a) || 0))[0]

/** Others see only that there is somebody, not who. */
export const describe = ({ metadata }: DatabaseCertificate, namespace: string | undefined): string =>
  metadata.namespace === namespace
    ? `DatabaseCertificate ${metadata.namespace}/${metadata.name}`
    : 'a DatabaseCertificate of another namespace'

/** The newest certificate of another holder that one with this name takes the place of. */
export const replacedNamesake = (
  context: Caches,
  certificate: DatabaseCertificate,
  subject: Uint8Array,
): string | undefined => {
  const authority = authorityKeyOf(certificate)
  const commonName = commonNameOf(subject)
  if (commonName === undefined || !isUnique(context.caches.authorities.store.get(authority))) return undefined
  const rivals = namesakes(context, authority, commonName, certificate.metadata.uid ?? '')
  // A mark lags behind who has the name: what somebody rightfully uses is replaced, whatever its mark.
  const isTaken = (entry: LedgerEntry): boolean => {
    const holder = holderOf(context, authority, entry)
    return holder !== undefined && commonNameHolder(context, holder, commonName) === undefined
  }
  return newestOf(rivals.filter((entry) => entry.state === 'Valid' || isTaken(entry)))?.serialNumber
}

/** Certificates that gain or lose a common name when `serialNumber` comes or goes: those to look at again. */
export const otherHolders = (
  { caches }: Caches,
  certificate: DatabaseCertificate,
  serialNumber: string,
): DatabaseCertificate[] => {
  const authority = authorityKeyOf(certificate)
  const known = caches.authorities.store.get(authority)
  if (known === undefined || !isUnique(known)) return []
  const { namespace = 'default', name } = known.metadata
  const commonName = findEntry(caches, { namespace, name }, serialNumber)?.commonName
  if (commonName === undefined) return []
  const keys = caches.ledger.store
    .by('commonName', commonNameKey(authority, commonName))
    .flatMap(({ holder, holderKey }) =>
      holderKey === undefined || holder === certificate.metadata.uid ? [] : [holderKey],
    )
  return [...new Set(keys)].flatMap((key) => caches.certificates.store.get(key) ?? [])
}

/** Other DatabaseCertificates whose certificate is for the same key. */
export const sharersOfKey = (
  { caches }: Caches,
  { metadata, status }: DatabaseCertificate,
  spki: Uint8Array,
): DatabaseCertificate[] => {
  const hash = publicKeyHash(spki)
  const others = caches.certificates.store.by('publicKey', hash).filter((other) => other.metadata.uid !== metadata.uid)
  // Where both have it already, the older one keeps it.
  return status?.publicKeyHash === hash
    ? others.filter((other) => !isNewer(other, { metadata } as DatabaseCertificate))
    : others
}

/** SubjectPublicKeyInfo of the CA, and of the one that follows it or that it follows. */
export const keysOf = ({ signer, next, former }: AuthorityMaterial): readonly Uint8Array[] =>
  [signer, next?.certificate, former?.certificate].flatMap((one) => (one === undefined ? [] : [one.spki]))

/** Who else has the key of the request, in words: a CA above, or another certificate. */
export const keyHolder = (
  context: Caches,
  certificate: DatabaseCertificate,
  { request }: Pick<Wanted, 'request'>,
  { material, name }: UsableAuthority,
): string | undefined => {
  if (request === undefined) return undefined
  const { spki } = request
  if (keysOf(material).some((own) => Buffer.compare(own, spki) === 0)) return name
  const above = [...material.chain, ...material.trust]
  if (above.some((der) => Buffer.compare(parseCertificate(der).spki, spki) === 0)) return 'a CA'
  const [other] = sharersOfKey(context, certificate, spki)
  return other === undefined ? undefined : describe(other, certificate.metadata.namespace)
}
