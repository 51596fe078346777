/** What the former CA has signed and is still in use, by the ledger: no mark of it is waited for, for marks come late. */

import { signerOf } from '../authority/names.ts'
import { retainedWith } from '../certificate/retained.ts'
import { keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { toTimestamp } from '../control/schedule.ts'
import { issuedAt, type LedgerEntry } from '../ledger/entry.ts'
import { findEntry, findEntryOf } from '../ledger/record.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Condition } from '../resources/conditions.ts'
import { saidOf } from './consumers.ts'
import { isGoing, type Member } from './family.ts'
import type { Waiting } from './state.ts'

type Signer = Pick<ParsedCertificate, 'subjectKeyId'>

/** Signed by another key than this one, which signs now by the Secret: status may be a step behind it. */
const formerEntries = (caches: Caches, authority: CertificateAuthority, signer: Signer): LedgerEntry[] => {
  const key = keyOf(authority)
  const keyId = signer.subjectKeyId && Buffer.from(signer.subjectKeyId).toString('hex')
  return caches.ledger.store
    .by('authority', key)
    .filter((entry) => isOfFormer(entry, keyId, authority) && !(entry.isCa && entry.holderKey === key))
}

/** Ours all name the key that signed them; what does not is older than this program, and so of the CA that was there first. */
const isOfFormer = (
  { authorityKeyId }: LedgerEntry,
  keyId: string | undefined,
  { status }: CertificateAuthority,
): boolean => (authorityKeyId === undefined ? status?.rotation?.cause !== 'Abort' : authorityKeyId !== keyId)

/** One that cannot be read has no end that anybody knows (NaN), and nobody has seen it end. */
const isAlive = ({ revocation, notAfter }: LedgerEntry, now: number): boolean =>
  revocation === undefined && !(notAfter <= now)

/** How to get rid of what nobody here can replace. */
const untilItsEnd = ({ authority, serialNumber, notAfter }: LedgerEntry): string =>
  Number.isNaN(notAfter)
    ? `revoke it (dbtls revoke ${serialNumber} --authority ${authority}): the ledger's copy cannot be read, so that nobody knows when it ends`
    : `revoke it (dbtls revoke ${serialNumber} --authority ${authority}), or wait for its end at ${toTimestamp(notAfter)}`

/** The namespaces the operator was started for; undefined for all. */
type Served = readonly string[] | undefined

export const leavesOf = (
  caches: Caches,
  authority: CertificateAuthority,
  signer: Signer,
  now: number,
  served?: Served,
): Waiting[] =>
  formerEntries(caches, authority, signer).flatMap((entry) => (isAlive(entry, now) ? inUse(caches, entry, served) : []))

/** Those that somebody has a newer certificate in the place of, and that are to be revoked if they are not to be believed. */
export const replacedEntries = (
  caches: Caches,
  authority: CertificateAuthority,
  signer: Signer,
  now: number,
  served?: Served,
): LedgerEntry[] =>
  formerEntries(caches, authority, signer).filter(
    (entry) => isAlive(entry, now) && entry.holderKey !== undefined && inUse(caches, entry, served).length === 0,
  )

/** The object that certificates are made for, and which one it reports. */
interface Holder {
  readonly name: string
  readonly serialNumber: string | undefined
  readonly notBefore: number
  /** The ledger's entry of what it reports. */
  readonly entry: LedgerEntry | undefined
  readonly conditions: readonly Condition[] | undefined
}

const inUse = (caches: Caches, entry: LedgerEntry, served: Served): Waiting[] => {
  const { holderKey, serialNumber, commonName } = entry
  if (holderKey === undefined)
    return [
      {
        name: `certificate ${serialNumber}${commonName === undefined ? '' : ` ("${commonName}")`}`,
        why: `signed for a request, so nobody here can replace it: have it replaced, then ${untilItsEnd(entry)}`,
      },
    ]
  const unseen = unseenHolder(entry, served)
  if (unseen !== undefined) return [unseen]
  const holder = (entry.isCa ? authorityAt : certificateAt)(caches, holderKey)
  if (holder === undefined) return retained(caches, entry)
  if (isReplaced(entry, holder)) return []
  return [{ name: holder.name, why: saidOf(holder.conditions) ?? 'it is about to get a certificate of the new CA' }]
}

/** What is not in the caches because nobody looks there is not gone. */
const unseenHolder = (entry: LedgerEntry, served: Served): Waiting | undefined => {
  const { holderKey, isCa } = entry
  if (holderKey === undefined || served === undefined) return undefined
  const namespace = holderKey.slice(0, holderKey.indexOf('/'))
  if (served.includes(namespace)) return undefined
  return {
    name: `${isCa ? 'CertificateAuthority' : 'DatabaseCertificate'} ${holderKey}`,
    why: `this operator was not started for namespace ${namespace} (--namespaces), and cannot see whether it is in use: start it for that one too; or ${untilItsEnd(entry)}`,
  }
}

/** Its holder is gone, and the Secret was to stay: whoever reads that goes on with what it holds. */
const retained = (caches: Caches, entry: LedgerEntry): Waiting[] => {
  const secret = retainedWith(caches, entry)
  if (secret === undefined || isGoing(caches, secret)) return []
  return [
    {
      name: `Secret ${keyOf(secret)}`,
      why: `its DatabaseCertificate was deleted and the Secret kept, so nobody here can replace what it holds: delete the Secret when nobody reads it; or ${untilItsEnd(entry)}`,
    },
  ]
}

/** Who has a certificate of one of these CAs, and cannot be given another trust bundle. */
export const unseenOf = (caches: Caches, family: readonly Member[], now: number, served: Served): Waiting[] => {
  const found = new Map<string, Waiting>()
  for (const { authority } of family)
    for (const entry of caches.ledger.store.by('authority', keyOf(authority))) {
      if (!isAlive(entry, now)) continue
      const unseen = unseenHolder(entry, served)
      const lost = unseen === undefined && isLost(caches, entry) ? retained(caches, entry) : []
      for (const one of unseen === undefined ? lost : [unseen]) found.set(one.name, one)
    }
  return [...found.values()]
}

const isLost = ({ certificates }: Caches, { holderKey, isCa }: LedgerEntry): boolean =>
  !isCa && holderKey !== undefined && certificates.store.get(holderKey) === undefined

const certificateAt = (caches: Caches, key: string): Holder | undefined => {
  const found = caches.certificates.store.get(key)
  if (found === undefined || isGoing(caches, found)) return undefined
  const { serialNumber, notBefore = '', conditions } = found.status ?? {}
  const entry = serialNumber === undefined ? undefined : findEntryOf(caches, found, serialNumber)
  return {
    name: `DatabaseCertificate ${key}`,
    ...{ serialNumber, notBefore: Date.parse(notBefore), entry, conditions },
  }
}

const authorityAt = (caches: Caches, key: string): Holder | undefined => {
  const found = caches.authorities.store.get(key)
  if (found === undefined || isGoing(caches, found)) return undefined
  const { certificate, conditions } = found.status ?? {}
  const entry = certificate === undefined ? undefined : findEntry(caches, signerOf(found), certificate.serialNumber)
  return {
    name: `CertificateAuthority ${key}`,
    serialNumber: certificate?.serialNumber,
    ...{ notBefore: Date.parse(certificate?.notBefore ?? ''), entry, conditions },
  }
}

/** It reports a certificate that came after this one. What was signed and is not told of yet may be in its Secret. */
const isReplaced = (entry: LedgerEntry, { serialNumber, notBefore, entry: reported }: Holder): boolean => {
  if (serialNumber === undefined || serialNumber === entry.serialNumber || entry.supersedes === serialNumber)
    return false
  if (reported === undefined) return !(entry.notBefore > notBefore)
  return reported.supersedes === entry.serialNumber || !(issuedAt(entry) > issuedAt(reported))
}
