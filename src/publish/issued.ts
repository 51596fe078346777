/** One certificate of an authority's ledger by its serial number, and the forms in which it is shown. */

import { type Cluster, keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { toTimestamp } from '../control/schedule.ts'
import { entryName } from '../ledger/record.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import { certificateText } from '../pki/text/certificate-text.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { issuedCertificates, type IssuedCertificate } from '../resources/issued-certificate.ts'
import { BoundedCache } from './bounded-cache.ts'
import { readable } from './certificates.ts'
import { sha1Of } from './fingerprints.ts'

export interface Issued {
  readonly serialNumber: string
  readonly state: LedgerEntry['state']
  readonly certificate: ParsedCertificate
  readonly revocation: { readonly reason: string; readonly time?: string; readonly invalidityTime?: string } | undefined
}

/**
 * What a person copies from somewhere, as the ledger has it: upper-case hex with an even number of digits and no zero
 * octets in front; undefined where it is no serial number. Colons, spaces and `0x` are dropped.
 */
export const serialNumberOf = (text: string): string | undefined => {
  if (text.length > 128) return undefined
  const digits = text.trim().replace(/^0x/i, '').replace(/[\s:]/g, '').toUpperCase()
  if (!/^[0-9A-F]{1,64}$/.test(digits)) return undefined
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  return even.replace(/^(?:00)+(?=..)/, '')
}

const mostCertificates = 500

export class IssuedReader {
  readonly #cluster: Cluster
  readonly #caches: Pick<Caches, 'ledger'>
  readonly #now: () => number
  readonly #cache = new BoundedCache<Pick<Issued, 'certificate' | 'revocation'> | undefined>(mostCertificates)

  constructor(cluster: Cluster, caches: Pick<Caches, 'ledger'>, now: () => number) {
    this.#cluster = cluster
    this.#caches = caches
    this.#now = now
  }

  /**
   * Undefined where this authority has not signed it, or the certificate itself was lost. Only what the cached ledger knows
   * is read, so that numbers made up cost no request to the cluster.
   */
  async read(authority: CertificateAuthority, serialNumber: string): Promise<Issued | undefined> {
    const { namespace = 'default', name } = authority.metadata
    const entry = this.#caches.ledger.store.get(`${namespace}/${entryName(name, serialNumber)}`)
    if (entry === undefined || entry.authority !== keyOf(authority) || entry.serialNumber !== serialNumber)
      return undefined
    const read = (): Promise<Pick<Issued, 'certificate' | 'revocation'> | undefined> => this.#read(entry, namespace)
    const found = await this.#cache.get(keyOf(entry), entry.metadata.resourceVersion ?? '', read)
    if (found === undefined) return undefined
    const ended = entry.state !== 'Revoked' && found.certificate.notAfter < this.#now()
    return { serialNumber, state: ended ? 'Expired' : entry.state, ...found }
  }

  async #read(
    { metadata, serialNumber }: LedgerEntry,
    namespace: string,
  ): Promise<Pick<Issued, 'certificate' | 'revocation'> | undefined> {
    const { items } = await this.#cluster.list(issuedCertificates, {
      namespace,
      fieldSelector: `spec.serialNumber=${serialNumber}`,
    })
    const item = items.find((found) => found.metadata.name === metadata.name)
    const [certificate] = readable(item?.spec.certificate ?? '')
    return certificate === undefined ? undefined : { certificate, revocation: item && revocationOf(item) }
  }
}

const revocationOf = ({ spec, status }: IssuedCertificate): Issued['revocation'] => {
  if (spec.revocation === undefined) return undefined
  const { reason, time = status?.revokedAt, invalidityTime } = spec.revocation
  return {
    reason,
    ...(time === undefined ? {} : { time }),
    ...(invalidityTime === undefined ? {} : { invalidityTime }),
  }
}

export const pemOf = ({ certificate }: Pick<Issued, 'certificate'>): string => encodePem('CERTIFICATE', certificate.der)

/** As `openssl x509 -text` prints it. */
export const textOf = (issued: Pick<Issued, 'certificate'>): string =>
  certificateText(issued.certificate) + pemOf(issued)

/** Nothing here says for which object of the cluster it was signed. */
export const jsonOf = (authority: CertificateAuthority, issued: Issued): string => {
  const { certificate, serialNumber, state, revocation } = issued
  const value = {
    authority: keyOf(authority),
    serialNumber,
    state,
    ...(revocation === undefined ? {} : { revocation }),
    subject: formatDistinguishedName(certificate.subject),
    issuer: formatDistinguishedName(certificate.issuer),
    notBefore: toTimestamp(certificate.notBefore),
    notAfter: toTimestamp(certificate.notAfter),
    subjectAlternativeNames: certificate.subjectAlternativeNames,
    fingerprints: { sha256: certificate.fingerprint, sha1: sha1Of(certificate) },
    certificate: pemOf(issued),
  }
  return `${JSON.stringify(value, null, 2)}\n`
}
