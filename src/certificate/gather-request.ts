/**
 * Finds the request of a certificate whose key is made elsewhere: where `spec.request` points, or, once that is gone, in the
 * ledger, which keeps it so that renewals can go on.
 */

import { isNotFound } from '../cluster/errors.ts'
import type { Context } from '../control/context.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import { type CertificateRequest, parseRequest, RequestError } from '../pki/requests/request.ts'
import { configMaps } from '../resources/core.ts'
import type { DatabaseCertificate, DatabaseCertificateSpec } from '../resources/database-certificate.ts'
import { issuedCertificates } from '../resources/issued-certificate.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import type { RequestSeen } from './requested.ts'

interface Reference {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly field: 'spec.request.secretRef' | 'spec.request.configMapRef'
  readonly name: string
  readonly key: string
}

export const requestReferenceOf = ({ request }: Pick<DatabaseCertificateSpec, 'request'>): Reference | undefined => {
  const { secretRef, configMapRef } = request ?? {}
  if (secretRef !== undefined)
    return {
      kind: 'Secret',
      field: 'spec.request.secretRef',
      name: secretRef.name,
      key: secretRef.key ?? 'tls.csr',
    }
  if (configMapRef !== undefined)
    return {
      kind: 'ConfigMap',
      field: 'spec.request.configMapRef',
      name: configMapRef.name,
      key: configMapRef.key ?? 'tls.csr',
    }
  return undefined
}

/** resourceVersion of the object with the request as the caches have it; empty where there is none. */
export const requestVersion = (
  { caches }: Pick<Context, 'caches'>,
  { metadata, spec }: DatabaseCertificate,
): string => {
  const reference = requestReferenceOf(spec)
  if (reference === undefined) return ''
  const { store } = reference.kind === 'Secret' ? caches.secrets : caches.configMaps
  return store.get(`${metadata.namespace ?? 'default'}/${reference.name}`)?.metadata.resourceVersion ?? ''
}

export const seeRequest = async (
  context: Context,
  certificate: DatabaseCertificate,
  signal: AbortSignal,
): Promise<RequestSeen | undefined> => {
  const { metadata, spec } = certificate
  if (spec.request === undefined) return undefined
  const reference = requestReferenceOf(spec)
  if (reference === undefined) return { version: '', ...read(spec.request.inline ?? '', 'spec.request.inline') }
  const namespace = metadata.namespace ?? 'default'
  const { version, text } = await readReference(context, namespace, reference, signal)
  if (text !== undefined)
    return { version, ...read(text, `${reference.kind} "${reference.name}" of ${reference.field}`) }
  const missing =
    version === ''
      ? `${reference.kind} "${reference.name}" of ${reference.field} does not exist in namespace "${namespace}"`
      : `${reference.kind} "${reference.name}" of ${reference.field} has no key "${reference.key}", or it is empty`
  const kept = await keptRequest(context, certificate, signal)
  return kept === undefined
    ? { version, state: 'missing', message: `${missing}; create it.` }
    : { version, state: 'read', request: kept, note: `${missing}; renewals go on from the request kept in the ledger.` }
}

const read = (
  text: string | Uint8Array,
  where: string,
):
  | { readonly state: 'read'; readonly request: CertificateRequest }
  | { readonly state: 'unreadable'; readonly message: string } => {
  try {
    return { state: 'read', request: parseRequest(text) }
  } catch (error) {
    if (error instanceof RequestError) return { state: 'unreadable', message: `${where}: ${error.message}` }
    throw error
  }
}

const readReference = async (
  { cluster }: Pick<Context, 'cluster'>,
  namespace: string,
  { kind, name, key }: Reference,
  signal: AbortSignal,
): Promise<{ readonly version: string; readonly text?: string | Uint8Array }> => {
  const found = kind === 'Secret' ? await readSecret(cluster, { namespace, name }, signal) : undefined
  if (found !== undefined) {
    const bytes = dataOf(found).get(key)
    return { version: found.metadata.resourceVersion ?? '', ...textOf(bytes) }
  }
  if (kind === 'Secret') return { version: '' }
  try {
    const map = await cluster.get(configMaps, { namespace, name }, { signal })
    const text = Object.hasOwn(map.data ?? {}, key) ? map.data?.[key] : undefined
    const binary = Object.hasOwn(map.binaryData ?? {}, key) ? map.binaryData?.[key] : undefined
    const bytes = binary === undefined ? text && Buffer.from(text) : Buffer.from(binary, 'base64')
    return { version: map.metadata.resourceVersion ?? '', ...textOf(bytes || undefined) }
  } catch (error) {
    if (isNotFound(error)) return { version: '' }
    throw error
  }
}

/** PEM is ASCII, with any text around it; a DER request begins with a SEQUENCE. */
const textOf = (bytes: Uint8Array | undefined): { readonly text?: string | Uint8Array } => {
  if (bytes === undefined || bytes.length === 0) return {}
  return { text: bytes[0] === 0x30 ? bytes : Buffer.from(bytes).toString('utf8') }
}

/** The newest of this certificate in the ledger of the CA it names; of what is kept there, nothing needs to be judged again. */
const keptRequest = async (
  { cluster, caches }: Pick<Context, 'cluster' | 'caches'>,
  { metadata, spec }: DatabaseCertificate,
  signal: AbortSignal,
): Promise<CertificateRequest | undefined> => {
  const namespace = spec.authorityRef.namespace ?? metadata.namespace ?? 'default'
  const [newest] = caches.ledger.store
    .by('authority', `${namespace}/${spec.authorityRef.name}`)
    .filter(({ hasRequest, holder }) => hasRequest && holder === metadata.uid)
    .toSorted(newestFirst)
  if (newest === undefined) return undefined
  const { items } = await cluster.list(issuedCertificates, {
    namespace,
    fieldSelector: `spec.serialNumber=${newest.serialNumber}`,
    signal,
  })
  const text = items.find(({ metadata: { uid } }) => uid === newest.metadata.uid)?.spec.request
  const found = text === undefined ? undefined : read(text, 'the ledger')
  return found?.state === 'read' ? found.request : undefined
}

const newestFirst = (a: LedgerEntry, b: LedgerEntry): number => (b.notAfter || 0) - (a.notAfter || 0)
