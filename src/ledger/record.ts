/**
 * The CA's database, one object an issuance, created before the certificate leaves memory: what `index.txt` and
 * `newcerts/` are to `openssl ca`. Nothing reaches a Secret that is not in it.
 */

import { createHash } from 'node:crypto'
import { isAlreadyExists, isNamespaceTerminating } from '../cluster/errors.ts'
import type { Cluster } from '../cluster/port.ts'
import { type Context, fieldManager, marks } from '../control/context.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { issuedCertificates, type IssuedCertificate } from '../resources/issued-certificate.ts'
import { NotReady, Retryable } from '../runtime/errors.ts'
import type { LedgerEntry } from './entry.ts'

export interface Issuance {
  readonly certificate: ParsedCertificate
  /** The CA that signed; for a self-signed root the root itself. */
  readonly authority: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    /** SHA-256 of the CA's certificate, lower-case hex. */
    readonly fingerprint: string
  }
  /**
   * The DatabaseCertificate or CertificateAuthority it is for. Absent for what no such object stands for, as a request
   * signed once: a holder that is gone may mean that its certificates are to be revoked.
   */
  readonly holder?: { readonly namespace: string; readonly name: string; readonly uid: string } | undefined
  /** PEM of the request, where the key was made elsewhere. */
  readonly request?: string | undefined
  /** Serial number that this certificate takes the place of. */
  readonly supersedes?: string | undefined
  /** Whether it takes the place of every older one with its common name, too. Not without `supersedes`. */
  readonly namesakes?: boolean | undefined
}

/**
 * Rejects with ClockSkew when the server dates the entry otherwise than the certificate in it; it stays in the ledger,
 * and nothing may be delivered.
 */
export const record = async (
  { cluster, caches, clockGuard }: Context,
  issuance: Issuance,
  signal: AbortSignal,
): Promise<void> => {
  const { authority, certificate, holder, request, supersedes, namesakes } = issuance
  const entry: IssuedCertificate = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'IssuedCertificate',
    metadata: {
      name: entryName(authority.name, certificate.serialNumber),
      namespace: authority.namespace,
      labels: { [marks.authority]: labelValue(authority.name), [marks.state]: 'Valid' },
    },
    spec: {
      authorityRef: { name: authority.name, uid: authority.uid, fingerprint: authority.fingerprint },
      serialNumber: certificate.serialNumber,
      certificate: encodePem('CERTIFICATE', certificate.der),
      ...(holder === undefined
        ? {}
        : { certificateRef: { namespace: holder.namespace, name: holder.name, uid: holder.uid } }),
      ...(request === undefined ? {} : { request }),
      ...(supersedes === undefined
        ? {}
        : { supersedes: { serialNumber: supersedes, ...(namesakes === true ? { namesakes } : {}) } }),
    },
  }
  try {
    const { metadata } = await cluster.create(issuedCertificates, entry, { fieldManager, signal, metadataOnly: true })
    caches.ledger.wrote({ ...entry, metadata })
    clockGuard.judge(metadata.creationTimestamp)
  } catch (error) {
    // The name holds the serial number, so a taken name is a serial number used twice: draw another one.
    if (isAlreadyExists(error))
      throw new Retryable('IssuanceFailed', `serial number ${certificate.serialNumber} is taken`)
    if (isNamespaceTerminating(error))
      throw new NotReady(
        'NamespaceTerminating',
        `Namespace "${authority.namespace}" of the authority is being deleted.`,
      )
    throw error
  }
}

/** Whether exactly this certificate is in the ledger of `authority`; asked live, because a key may be taken on its word. */
export const isRecorded = async (
  cluster: Cluster,
  authority: { readonly namespace?: string | undefined; readonly name: string },
  { certificate }: { readonly certificate: ParsedCertificate },
  signal?: AbortSignal,
): Promise<boolean> => {
  const { items } = await cluster.list(issuedCertificates, {
    namespace: authority.namespace,
    fieldSelector: `spec.serialNumber=${certificate.serialNumber}`,
    ...(signal === undefined ? {} : { signal }),
  })
  return items.some(
    ({ spec }) =>
      spec.authorityRef.name === authority.name &&
      spec.certificate.trim() === encodePem('CERTIFICATE', certificate.der).trim(),
  )
}

/** The entry of a serial number in the ledger of an authority, from memory. */
export const findEntry = (
  caches: Context['caches'],
  authority: { readonly namespace: string; readonly name: string },
  serialNumber: string,
): LedgerEntry | undefined =>
  caches.ledger.store.get(`${authority.namespace}/${entryName(authority.name, serialNumber)}`)

/** The same in the ledger of the authority that a certificate asks. */
export const findEntryOf = (
  caches: Context['caches'],
  { metadata, spec: { authorityRef } }: DatabaseCertificate,
  serialNumber: string,
): LedgerEntry | undefined => {
  const { name, namespace = metadata.namespace ?? 'default' } = authorityRef
  return findEntry(caches, { namespace, name }, serialNumber)
}

/** Key of the ledger's index `compromisedKey`. `namespace` is that of a ledger, `hash` that of the public key. */
export const compromisedKeyKey = (namespace: string, hash: string): string => `${namespace} ${hash}`

/**
 * Whether a certificate for this key was revoked because others have the key, by any authority in these namespaces: a key is
 * no better under another CA. Not in all, for whoever owns a ledger elsewhere could so refuse the keys of others. From memory;
 * forgotten with the entry, when that is pruned.
 */
export const isCompromisedKey = (
  caches: Context['caches'],
  namespaces: readonly (string | undefined)[],
  spki: Uint8Array,
): boolean => {
  const hash = publicKeyHash(spki)
  return namespaces
    .flatMap((namespace = 'default') => caches.ledger.store.by('compromisedKey', compromisedKeyKey(namespace, hash)))
    .some(({ compromisedKey }) => compromisedKey === hash)
}

/** `<authority>-<serial in lower case>`, at most 253 characters, so that one serial can be recorded once only. */
export const entryName = (authority: string, serialNumber: string): string =>
  `${authority.slice(0, 253 - 1 - serialNumber.length)}-${serialNumber.toLowerCase()}`

/** Label values end at 63 characters; a longer name keeps its head and the hash of the whole. */
export const labelValue = (name: string): string =>
  name.length <= 63 ? name : `${name.slice(0, 52)}-${createHash('sha256').update(name).digest('hex').slice(0, 10)}`
