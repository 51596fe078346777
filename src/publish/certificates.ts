/**
 * The certificates of a published authority, read without its key where that is possible. What this program signed is in
 * the ledger, which holds no keys, so that is asked first; only the certificate of a CA that was brought along, or whose
 * entry is gone, is taken from the Secret, of which nothing but the certificates is decoded.
 */

import { lineage } from '../authority/lineage.ts'
import { signerOf } from '../authority/names.ts'
import { type Cluster, keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import { entryName } from '../ledger/record.ts'
import {
  CertificateError,
  parseCertificate,
  type ParsedCertificate,
  signatureVerifies,
} from '../pki/certificates/parse.ts'
import { certificatesOf, PemError } from '../pki/encoding/pem.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { issuedCertificates } from '../resources/issued-certificate.ts'
import { BoundedCache } from './bounded-cache.ts'

export interface AuthorityCertificates {
  /** Of the authority itself; undefined where it only stands for several roots. */
  readonly own: ParsedCertificate | undefined
  /** Its own, those above it up to the root, then other roots that are trusted because of it. */
  readonly all: readonly ParsedCertificate[]
}

export interface CertificateSources {
  readonly cluster: Cluster
  readonly caches: Pick<Caches, 'authorities' | 'ledger'>
  /** DER roots of an authority without a key. */
  readonly rootsOf: (authority: CertificateAuthority) => Promise<readonly Uint8Array[]>
}

/** Of a chain; a CA may not stand below itself, but a manifest may say so for a while. */
const mostAbove = 16
const mostAuthorities = 1000

export class AuthorityCertificateReader {
  readonly #sources: CertificateSources
  readonly #cache = new BoundedCache<AuthorityCertificates | undefined>(mostAuthorities)

  constructor(sources: CertificateSources) {
    this.#sources = sources
  }

  /** Undefined while the authority has none. Rejects where the cluster does not answer. */
  async read(authority: CertificateAuthority): Promise<AuthorityCertificates | undefined> {
    const version = this.#lineage(authority)
      .map(({ metadata, status }) => `${metadata.uid} ${status?.certificate?.fingerprint} ${status?.trustBundleHash}`)
      .join(' ')
    return this.#cache.get(keyOf(authority), version, () => this.#read(authority))
  }

  #lineage(authority: CertificateAuthority): CertificateAuthority[] {
    const { store } = this.#sources.caches.authorities
    return lineage(keyOf(authority), (key) => store.get(key)).map(([, member]) => member)
  }

  async #read(authority: CertificateAuthority): Promise<AuthorityCertificates | undefined> {
    if (authority.spec.source.trustOnly !== undefined) {
      if (authority.status?.trustBundleHash === undefined) return undefined
      const roots = (await this.#sources.rootsOf(authority)).map((der) => parseCertificate(der))
      return { own: roots.length === 1 ? roots[0] : undefined, all: roots }
    }
    if (authority.status?.certificate === undefined) return undefined
    return (await this.#fromLedger(authority)) ?? this.#fromSecret(authority)
  }

  async #fromLedger(authority: CertificateAuthority): Promise<AuthorityCertificates | undefined> {
    const chain: ParsedCertificate[] = []
    for (const member of this.#lineage(authority)) {
      const certificate = await this.#entry(member)
      if (certificate === undefined) return undefined
      const below = chain.at(-1)
      if (below !== undefined && !signatureVerifies(below, certificate.subject, certificate.spki)) return undefined
      chain.push(certificate)
    }
    const top = chain.at(-1)
    const complete = top !== undefined && signatureVerifies(top, top.subject, top.spki)
    return complete ? { own: chain[0], all: chain } : undefined
  }

  /** The certificate that the authority reports, from the ledger of the one that signed it. */
  async #entry(authority: CertificateAuthority): Promise<ParsedCertificate | undefined> {
    const { certificate: reported } = authority.status ?? {}
    const signer = signerOf(authority)
    const { cluster, caches } = this.#sources
    if (reported === undefined) return undefined
    if (!caches.ledger.store.get(`${signer.namespace}/${entryName(signer.name, reported.serialNumber)}`))
      return undefined
    const { items } = await cluster.list(issuedCertificates, {
      namespace: signer.namespace,
      fieldSelector: `spec.serialNumber=${reported.serialNumber}`,
    })
    return items
      .filter(({ spec }) => spec.authorityRef.name === signer.name)
      .flatMap(({ spec }) => readable(spec.certificate))
      .find(({ fingerprint }) => fingerprint === reported.fingerprint)
  }

  async #fromSecret(authority: CertificateAuthority): Promise<AuthorityCertificates | undefined> {
    const { namespace = 'default' } = authority.metadata
    const brought = authority.spec.source.secret
    const name = brought?.name ?? authoritySecretName(authority)
    const keys = [brought?.certificateKey ?? 'tls.crt', brought?.chainKey ?? 'ca.crt']
    const secret = await readSecret(this.#sources.cluster, { namespace, name })
    if (secret === undefined) return undefined
    const data = dataOf({ ...secret, data: only(secret.data ?? {}, keys) })
    const pool = keys.flatMap((key) => readable(Buffer.from(data.get(key) ?? []).toString('utf8')))
    const own = pool.find(({ fingerprint }) => fingerprint === authority.status?.certificate?.fingerprint)
    return own === undefined ? undefined : { own, all: unique([...pathFrom(own, pool), ...pool.filter(isRoot)]) }
  }
}

/** Nothing else of a Secret is decoded. */
export const only = (data: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(data).filter(([key]) => keys.includes(key)))

const isRoot = (certificate: ParsedCertificate): boolean =>
  certificate.isCa && signatureVerifies(certificate, certificate.subject, certificate.spki)

const pathFrom = (own: ParsedCertificate, pool: readonly ParsedCertificate[]): ParsedCertificate[] => {
  const path = [own]
  for (let last = own; !isRoot(last) && path.length <= mostAbove;) {
    const next = pool.find((above) => !path.includes(above) && signatureVerifies(last, above.subject, above.spki))
    if (next === undefined) break
    path.push(next)
    last = next
  }
  return path
}

const unique = (certificates: readonly ParsedCertificate[]): ParsedCertificate[] => [
  ...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values(),
]

/** Whatever of a text are certificates that can be read. */
export const readable = (pem: string): ParsedCertificate[] => {
  try {
    return certificatesOf(pem).flatMap((der) => {
      try {
        return [parseCertificate(der)]
      } catch (error) {
        if (error instanceof CertificateError) return []
        throw error
      }
    })
  } catch (error) {
    if (error instanceof PemError) return []
    throw error
  }
}
