/**
 * Secrets that this process wrote or verified, and the spec that they fit. A renewal that changes nothing but the certificate
 * replaces such a Secret without reading it: the write names its version, so one that changed meanwhile is refused.
 */

import { createHash } from 'node:crypto'
import type { ObjectMeta } from '../cluster/port.ts'
import { fromTimestamp } from '../control/schedule.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Instant } from '../runtime/clock.ts'
import { exportsKey } from './key-export.ts'
import { asksForRenewal } from './renew-trigger.ts'
import { isTime, renewalOf, renewalReason } from './renewal.ts'
import type { Wanted } from './wanted.ts'

type Version = Pick<ObjectMeta, 'uid' | 'resourceVersion'>

export class Familiar {
  /** Key of the certificate → uid and version of its Secret, and the hash of the spec without its renewTrigger. */
  readonly #known = new Map<string, string>()

  /** Only where everything that a renewal takes over from the Secret is known without it. */
  note(key: string, certificate: DatabaseCertificate, wanted: Wanted, secret: Version, adopted: boolean): void {
    const keepsPassword = wanted.needsPassword && wanted.passwordRef === undefined
    const taken =
      adopted ||
      wanted.reuseKey ||
      keepsPassword ||
      exportsKey(wanted.secret.items) ||
      wanted.secret.counters !== undefined
    if (taken || certificate.spec.request !== undefined) this.#known.delete(key)
    else this.#known.set(key, mark(certificate, secret))
  }

  forget(key: string): void {
    this.#known.delete(key)
  }

  /** Why the certificate is renewed, in a sentence, where its Secret is still the known one and nothing else has changed. */
  renewal(
    key: string,
    certificate: DatabaseCertificate,
    wanted: Wanted,
    secret: Version | undefined,
    { now, queued }: { readonly now: Instant; readonly queued: boolean },
  ): string | undefined {
    const { status } = certificate
    if (secret === undefined || status?.serialNumber === undefined) return undefined
    if (this.#known.get(key) !== mark(certificate, secret)) return undefined
    if (asksForRenewal(status.renewTrigger ?? '', wanted.renewTrigger)) return 'spec.renewTrigger has changed.'
    const [renewAt, notBefore, notAfter] = [status.renewAt, status.notBefore, status.notAfter].map(fromTimestamp)
    if (renewAt === undefined || renewAt > now || notBefore === undefined || notAfter === undefined) return undefined
    // Windows may have closed since that was written.
    const renewal = renewalOf(wanted, { notBefore, notAfter }, certificate.metadata.uid ?? '', now)
    return isTime(renewal, { notAfter }, now, queued) ? renewalReason(renewal) : undefined
  }
}

const mark = ({ spec }: DatabaseCertificate, { uid, resourceVersion }: Version): string => {
  // Fields in another order only cost a read; the API server always answers them in the same one.
  const lasting = JSON.stringify({ ...spec, renewTrigger: undefined })
  return `${uid} ${resourceVersion} ${createHash('sha256').update(lasting).digest('base64').slice(0, 22)}`
}
