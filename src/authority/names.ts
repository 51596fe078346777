/** Names that follow from a CertificateAuthority: its Secret, its passphrase, its parent. Pure. */

import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'

/** Whether key and certificate, or the certificates to trust, come from the user; the objects they lie in stay the user's. */
export const isBrought = ({ spec: { source } }: CertificateAuthority): boolean =>
  source.secret !== undefined || source.trustOnly !== undefined

/** The Secret that the private key is in; undefined where there is none. */
export const keySecretOf = (authority: CertificateAuthority): string | undefined => {
  const { secret, trustOnly } = authority.spec.source
  return trustOnly === undefined ? (secret?.name ?? authoritySecretName(authority)) : undefined
}

/** The Secret of ours in which what a person has brought along is remembered; undefined for any other CA. */
export const recordSecretOf = (authority: CertificateAuthority): string | undefined => {
  if (!isBrought(authority)) return undefined
  const { secret, trustOnly } = authority.spec.source
  const name = authoritySecretName(authority)
  return name === (secret?.name ?? trustOnly?.secretRef?.name) ? `${name}-record` : name
}

/** Whether it is a bundle of roots to trust, and no CA. */
export const isBundle = ({ spec }: CertificateAuthority): boolean => spec.source.trustOnly !== undefined

export const passphraseFieldOf = ({ spec: { source } }: CertificateAuthority): string =>
  source.secret === undefined ? 'spec.privateKey.passphraseSecretRef' : 'spec.source.secret.passphraseSecretRef'

/** Every Secret that what the authority is depends on. */
export const secretsOf = (authority: CertificateAuthority): string[] =>
  [
    keySecretOf(authority),
    recordSecretOf(authority),
    passphraseRefOf(authority)?.name,
    authority.spec.source.trustOnly?.secretRef?.name,
  ].filter((name) => name !== undefined)

/** The ConfigMaps likewise. */
export const configMapsOf = ({ spec: { source } }: CertificateAuthority): string[] => {
  const reference = source.trustOnly?.configMapRef
  return reference === undefined ? [] : [reference.name]
}

export const passphraseRefOf = (
  authority: CertificateAuthority,
): { readonly name: string; readonly key: string } | undefined => {
  const { source, privateKey } = authority.spec
  if (source.trustOnly !== undefined) return undefined
  const reference = (source.secret ?? privateKey)?.passphraseSecretRef
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

/** Whose ledger its certificate is in: the one above, or a root's own. */
export const signerOf = (authority: CertificateAuthority): { readonly namespace: string; readonly name: string } => {
  const { namespace = 'default', name } = authority.metadata
  return parentOf(authority) ?? { namespace, name }
}

/** For messages. */
export const nameOf = ({ metadata }: Pick<CertificateAuthority, 'metadata'>): string =>
  `CertificateAuthority ${metadata.namespace}/${metadata.name}`
