/** Names that follow from a CertificateAuthority: its Secret, its passphrase, its parent. Pure. */

import type { CertificateAuthority } from '../resources/certificate-authority.ts'

export const passphraseRefOf = (
  authority: CertificateAuthority,
): { readonly name: string; readonly key: string } | undefined => {
  const reference = authority.spec.privateKey?.passphraseSecretRef
  return reference === undefined ? undefined : { name: reference.name, key: reference.key ?? 'passphrase' }
}

/** The authority that signs this one: `source.intermediate`. */
export const parentOf = (
  authority: CertificateAuthority,
): { readonly namespace: string; readonly name: string } | undefined => {
  const reference = authority.spec.source.intermediate?.authorityRef
  if (reference === undefined) return undefined
  return { namespace: reference.namespace ?? authority.metadata.namespace ?? 'default', name: reference.name }
}

export const nameOf = (kind: string, object: { metadata: { namespace?: string; name: string } }): string =>
  `${kind} ${object.metadata.namespace}/${object.metadata.name}`
