/** The CA's own key in the Secret of a certificate: whether it may be there, reading it, and taking it out again. */

import { ApiError } from '../cluster/errors.ts'
import { type Context, marks } from '../control/context.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import { writeSecret } from '../control/write-secret.ts'
import type { OutputItem } from '../material/contents.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { Retryable } from '../runtime/errors.ts'
import { ownerOf, ownerReferenceOf } from './outputs.ts'
import type { Wanted } from './wanted.ts'

/** PKCS #8. Rejects with a sentence where it cannot be had. */
export type ReadAuthorityKey = (authority: CertificateAuthority) => Promise<Uint8Array>

export type AuthorityKeySeen =
  /** PKCS #8. */
  { readonly state: 'found'; readonly pkcs8: Uint8Array } | { readonly state: 'refused'; readonly message: string }

const isExport = ({ content }: OutputItem): boolean => content === 'AuthorityPrivateKey'

export const exportsKey = (items: readonly OutputItem[]): boolean => items.some(isExport)

/** A sentence why the key of the authority may not be in a Secret of `namespace`, or undefined when it may. */
const refusalOf = (
  { metadata, spec }: CertificateAuthority,
  namespace: string,
  items: readonly OutputItem[],
): string | undefined => {
  const { key } = items.find(isExport) ?? { key: '' }
  const asks = `Key "${key}" of the Secret is to hold the private key of CertificateAuthority ${metadata.namespace}/${metadata.name}`
  if (metadata.namespace !== namespace)
    return `${asks}, which is in another namespace, and its key never leaves that: name a CA of namespace "${namespace}", or take another layout or other items.`
  return spec.allowKeyExport
    ? undefined
    : `${asks}, which does not allow that: set spec.allowKeyExport: true there, or take another layout or other items.`
}

export const mayExport = (authority: CertificateAuthority, namespace: string): boolean =>
  refusalOf(authority, namespace, []) === undefined

/** Undefined where no item holds the key, or the authority cannot be used anyway. Read anew at each look, and never kept. */
export const seeAuthorityKey = async (
  { caches }: Context,
  read: ReadAuthorityKey,
  { authority: { namespace, name }, secret }: Wanted,
  home: string,
  usable: boolean,
): Promise<AuthorityKeySeen | undefined> => {
  if (!exportsKey(secret.items)) return undefined
  const authority = caches.authorities.store.get(`${namespace}/${name}`)
  if (authority === undefined) return undefined
  const message = refusalOf(authority, home, secret.items)
  if (message !== undefined) return { state: 'refused', message }
  if (!usable) return undefined
  try {
    return { state: 'found', pkcs8: await read(authority) }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof Error)) throw error
    throw new Retryable('Conflict', `CertificateAuthority ${namespace}/${name} changed while its key was read.`)
  }
}

/** The keys of a Secret of ours under which the authority's key stands; nothing of a Secret that we never wrote. */
export const exportedIn = (secret: Secret, items: readonly OutputItem[]): readonly string[] =>
  secret.metadata.annotations?.[marks.inputsHash] === undefined
    ? []
    : items.filter(isExport).flatMap(({ key }) => (secret.data?.[key] === undefined ? [] : [key]))

/** Leaves everything else in the Secret as it is, so that whoever lives from the certificate goes on. */
export const withdrawKey = async (
  context: Context,
  certificate: DatabaseCertificate,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<boolean> => {
  const { namespace = 'default' } = certificate.metadata
  const secret = await readSecret(context.cluster, { namespace, name: wanted.secret.name }, signal)
  if (secret === undefined || exportedIn(secret, wanted.secret.items).length === 0) return false
  const { annotations = {}, ownerReferences = [], resourceVersion = '', uid = '' } = secret.metadata
  const kept = new Set(wanted.secret.items.filter((item) => !isExport(item)).map(({ key }) => key))
  const counters = wanted.secret.counters ?? {}
  const ours = Object.entries(annotations).filter(([key]) => ownMarks.has(key) || Object.hasOwn(counters, key))
  const reference = ownerReferences.some((one) => one.uid === certificate.metadata.uid)
  await writeSecret(
    context,
    {
      namespace,
      name: wanted.secret.name,
      type: secret.type ?? 'Opaque',
      data: new Map([...dataOf(secret)].filter(([key]) => kept.has(key))),
      labels: wanted.secret.labels,
      annotations: { ...wanted.secret.annotations, ...Object.fromEntries(ours) },
      owner: ownerOf(certificate),
      ownerReference: reference ? ownerReferenceOf(certificate) : undefined,
      previous: { uid, resourceVersion },
    },
    signal,
  )
  return true
}

const ownMarks: ReadonlySet<string> = new Set([
  marks.inputsHash,
  marks.serialNumber,
  marks.renewTrigger,
  marks.requestedDuration,
])
