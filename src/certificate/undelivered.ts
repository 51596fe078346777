/**
 * Certificates that are in the ledger and did not reach their Secret, because the write was refused or lost. The next look
 * delivers them instead of signing again: a namespace without quota must not fill the ledger, one entry an attempt.
 * In memory alone; a process that dies costs one entry.
 */

import { keyOf } from '../cluster/port.ts'
import { renewalTime } from '../control/schedule.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Issued } from './issue.ts'
import type { Wanted } from './wanted.ts'

interface Kept {
  readonly issued: Issued
  readonly uid: string | undefined
  readonly generation: number | undefined
  readonly authorityFingerprint: string
  /** PEM of the request it was signed from, which changes without the spec. */
  readonly request: string | undefined
}

export class Undelivered {
  readonly #kept = new Map<string, Kept>()

  keep(
    { metadata }: DatabaseCertificate,
    authorityFingerprint: string,
    { request }: Pick<Wanted, 'renewal' | 'request'>,
    issued: Issued,
  ): void {
    const { uid, generation } = metadata
    this.#kept.set(keyOf({ metadata }), { issued, uid, generation, authorityFingerprint, request: request?.pem })
  }

  /** Only for the very spec, request and CA certificate it was signed for, and while it is not due for renewal itself. */
  find(
    { metadata }: DatabaseCertificate,
    authorityFingerprint: string,
    { renewal, request }: Pick<Wanted, 'renewal' | 'request'>,
    now: number,
  ): Issued | undefined {
    const kept = this.#kept.get(keyOf({ metadata }))
    if (kept === undefined || kept.uid !== metadata.uid || kept.generation !== metadata.generation) return undefined
    if (kept.authorityFingerprint !== authorityFingerprint || kept.request !== request?.pem) return undefined
    const { notBefore, notAfter } = kept.issued.certificate
    return now < renewalTime(renewal, notBefore, notAfter, metadata.uid ?? '') ? kept.issued : undefined
  }

  forget(key: string): void {
    this.#kept.delete(key)
  }
}
