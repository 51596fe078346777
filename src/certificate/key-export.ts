/** The CA's own key in the Secret of a certificate: whether it may be there, and reading it. */

import { ApiError } from '../cluster/errors.ts'
import type { Context } from '../control/context.ts'
import type { OutputItem } from '../material/contents.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { Retryable } from '../runtime/errors.ts'
import { isExport } from './key-mark.ts'
import type { KeyStays } from './key-withdrawal.ts'
import type { Wanted } from './wanted.ts'

/** PKCS #8. Rejects with a sentence where it cannot be had. */
export type ReadAuthorityKey = (authority: CertificateAuthority) => Promise<Uint8Array>

export type AuthorityKeySeen =
  /** PKCS #8. */
  { readonly state: 'found'; readonly pkcs8: Uint8Array } | { readonly state: 'refused'; readonly message: string }

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
  stays: KeyStays,
): Promise<AuthorityKeySeen | undefined> => {
  if (!exportsKey(secret.items)) return undefined
  const authority = caches.authorities.store.get(`${namespace}/${name}`)
  if (authority === undefined) return undefined
  const message = refusalOf(authority, home, secret.items)
  if (message !== undefined)
    return { state: 'refused', message: [message, stays(`${home}/${secret.name}`) ?? []].flat().join(' ') }
  if (!usable) return undefined
  try {
    return { state: 'found', pkcs8: await read(authority) }
  } catch (error) {
    if (error instanceof ApiError || !(error instanceof Error)) throw error
    throw new Retryable('Conflict', `CertificateAuthority ${namespace}/${name} changed while its key was read.`)
  }
}
