/**
 * Certificates of CAs that are in the ledger and did not reach their Secret, because the write was refused or lost. The next
 * attempt delivers them instead of signing again, as with leaves. In memory alone, with the key of a CA that nobody
 * has yet; a process that dies costs one entry.
 */

import { keyOf } from '../cluster/port.ts'
import type { Context } from '../control/context.ts'
import { renewalTime } from '../control/schedule.ts'
import { findEntry } from '../ledger/record.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { signerOf } from './names.ts'
import type { Observed } from './observed.ts'
import type { Bundle } from './outputs.ts'
import type { Wanted } from './wanted.ts'

interface Kept {
  readonly bundle: Bundle
  /** What it was signed for, as one comparable text. */
  readonly circumstances: string
}

export class Undelivered {
  readonly #kept = new Map<string, Kept>()

  keep(authority: CertificateAuthority, seen: Observed, bundle: Bundle): void {
    this.#kept.set(keyOf(authority), { bundle, circumstances: circumstancesOf(authority, seen) })
  }

  /**
   * Only for the very spec, authority above and certificate before it, and while it was not revoked and is not due for renewal
   * itself.
   */
  find(
    { caches, clock }: Pick<Context, 'caches' | 'clock'>,
    authority: CertificateAuthority,
    seen: Observed,
    { renewal }: Pick<Wanted, 'renewal'>,
  ): Bundle | undefined {
    const kept = this.#kept.get(keyOf(authority))
    if (kept === undefined || kept.circumstances !== circumstancesOf(authority, seen)) return undefined
    const { notBefore, notAfter, serialNumber } = kept.bundle.certificate
    if (findEntry(caches, signerOf(authority), serialNumber)?.state === 'Revoked') return undefined
    const due = renewalTime(renewal, notBefore, notAfter, authority.metadata.uid ?? '')
    return clock.now() < due ? kept.bundle : undefined
  }

  forget(key: string): void {
    this.#kept.delete(key)
  }
}

const circumstancesOf = ({ metadata }: CertificateAuthority, { parent, secret }: Observed): string => {
  const above = parent?.state === 'usable' ? parent : undefined
  const stored = secret.state === 'present' ? secret.stored : undefined
  return JSON.stringify([
    metadata.uid,
    metadata.generation,
    above?.material.certificate.fingerprint,
    above?.material.trustHash,
    above?.policy,
    above?.published,
    stored?.certificate.fingerprint,
    stored?.stage,
    stored?.other?.certificate.fingerprint,
  ])
}
