/** Which change makes a ledger be gone through, a revocation be marked and listed, and its holder be looked at. */

import { isDeepStrictEqual } from 'node:util'
import type { Change } from '../cluster/cache/informer.ts'
import { keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import type { Enqueue } from '../control/wakes.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import { deleteGraceMs } from '../ledger/rules.ts'
import { listNumberOf } from '../resources/crl-number.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { revocationListName } from './stored.ts'

/** So long a list waits for more revocations: a thousand of them at once make one list, ms. */
export const listDelayMs = 1000

/** Marks come after the list: they are for people, and two writes an entry. */
const marksDelayMs = 2000

export interface Wakes {
  readonly list: Enqueue
  readonly marks: Enqueue
  readonly pass: Enqueue
  readonly certificate: Enqueue
  readonly authority: Enqueue
  /** From a new entry to the quiet pass, ms. */
  readonly passDelayMs: number
  /** A DatabaseCertificate is gone. */
  deleted(certificate: DatabaseCertificate): void
  /** A DatabaseCertificate reports another serial number than `former`. */
  delivered(certificate: DatabaseCertificate, former: string | undefined): void
}

export const wakeRevocations = (caches: Caches, wakes: Wakes): void => {
  caches.ledger.onChange((change) => entryChanged(caches, wakes, change))
  caches.authorities.onChange((change) => authorityChanged(caches, wakes, change))
  caches.certificates.onChange(({ before, after, initial }) => {
    if (!initial && before !== undefined && after !== undefined) delivered(caches, wakes, before, after)
    if (before === undefined || before.metadata.uid === after?.metadata.uid) return
    wakes.deleted(before)
    wakes.pass(authorityOf(before), { afterMs: deleteGraceMs })
  })
  caches.configMaps.onChange(({ key, initial }) => {
    if (initial || !key.endsWith(listSuffix)) return
    const authority = key.slice(0, -listSuffix.length)
    if (caches.authorities.store.get(authority) !== undefined) wakes.list(authority, { priority: 'normal' })
  })
  caches.secrets.onChange(({ key, initial }) => {
    // The key of a CA, or its passphrase, may be back.
    if (initial) return
    for (const authority of caches.authorities.store.by('secret', key))
      wakes.list(keyOf(authority), { priority: 'normal' })
  })
}

const listSuffix = revocationListName({ metadata: { name: '' } })

const authorityOf = ({ metadata, spec }: DatabaseCertificate): string =>
  `${spec.authorityRef.namespace ?? metadata.namespace}/${spec.authorityRef.name}`

const entryChanged = (caches: Caches, wakes: Wakes, { before, after, initial }: Change<LedgerEntry>): void => {
  const entry = after ?? before
  if (entry === undefined) return
  // Coalesced: one pass for all entries of a CA. What has ended or was replaced is found in it.
  // A hold that was taken back may be of what was deleted or replaced meanwhile.
  const isFreed = before?.revocation !== undefined && after !== undefined && after.revocation === undefined
  if (before === undefined || isFreed) wakes.pass(entry.authority, { afterMs: wakes.passDelayMs })
  if (after !== undefined && (after.marked === 'Revoked') !== (after.revocation !== undefined))
    wakes.marks(entry.authority, { afterMs: marksDelayMs })
  if (initial || isSame(before, after)) return
  wakes.list(entry.authority, { afterMs: listDelayMs })
  const { holder, holderKey } = entry
  if (holderKey === undefined) return
  const priority = { priority: 'user' } as const
  if (caches.certificates.store.get(holderKey)?.metadata.uid === holder) wakes.certificate(holderKey, priority)
  if (caches.authorities.store.get(holderKey)?.metadata.uid === holder) wakes.authority(holderKey, priority)
}

/** What a holder reports decides what is replaced: another certificate, perhaps long after its entry, or another CA. */
const delivered = (caches: Caches, wakes: Wakes, before: DatabaseCertificate, after: DatabaseCertificate): void => {
  const keys = new Set([authorityOf(before), authorityOf(after)])
  const former = before.status?.serialNumber
  if (former !== after.status?.serialNumber) wakes.delivered(after, former)
  else if (keys.size === 1) return
  // It reports another CA than before: that of the one it had is not in its spec any more.
  const signer = before.status?.authorityFingerprint
  if (signer !== undefined && signer !== after.status?.authorityFingerprint)
    for (const key of caches.authorities.store.keys()) keys.add(key)
  for (const key of keys) wakes.pass(key, { afterMs: wakes.passDelayMs })
}

/** But for when it was seen, which is our own mark. */
const isSame = (before: LedgerEntry | undefined, after: LedgerEntry | undefined): boolean =>
  isDeepStrictEqual({ ...before?.revocation, seenAt: 0 }, { ...after?.revocation, seenAt: 0 })

const rulesOf = (authority: CertificateAuthority | undefined): unknown => {
  const { crl, ledger, policy } = authority?.spec ?? {}
  return [crl, ledger, policy?.uniqueCommonName]
}

const authorityChanged = (
  caches: Caches,
  wakes: Wakes,
  { key, before, after, initial }: Change<CertificateAuthority>,
): void => {
  wakes.list(key, { priority: initial ? 'resync' : 'normal' })
  if (initial) return
  if (!isDeepStrictEqual(rulesOf(before), rulesOf(after))) wakes.pass(key, { afterMs: wakes.passDelayMs })
  if (listNumberOf(before?.status?.crl) === listNumberOf(after?.status?.crl)) return
  for (const certificate of caches.certificates.store.by('authority', key))
    if (certificate.spec.secret.items?.some(({ content }) => content === 'RevocationList') === true)
      wakes.certificate(keyOf(certificate), { priority: 'normal' })
}
