/** The caches of the operator: which kinds it watches, by what they are found, and what of them is kept in memory. */

import { Informer, type InformerOptions } from './cluster/cache/informer.ts'
import type { Cluster, KubeObject, PartialObject, Resource } from './cluster/port.ts'
import type { Caches } from './control/context.ts'
import { parentOf, passphraseRefOf, secretNameOf } from './authority/names.ts'
import { type LedgerEntry, project } from './ledger/entry.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { namespaces as namespaceResource, secrets } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { databaseTLSProfiles } from './resources/database-tls-profile.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'

type Shared = Omit<InformerOptions<KubeObject>, 'resource' | 'indexers' | 'transform' | 'metadataOnly'>

export const createCaches = (shared: Shared & { readonly cluster: Cluster }): Caches => {
  const informer = <T extends KubeObject>(
    resource: Resource<T>,
    indexers: Record<string, (object: T) => string[]>,
    more: Partial<InformerOptions<T>> = {},
  ): Informer<T> => new Informer<T>({ ...(shared as unknown as InformerOptions<T>), resource, indexers, ...more })
  return {
    authorities: informer(certificateAuthorities, { parent: parentKeys, secret: authoritySecretKeys }),
    certificates: informer(databaseCertificates, {
      authority: (certificate) => [authorityKey(certificate)],
      secret: certificateSecretKeys,
      namespace: ({ metadata }) => [metadata.namespace ?? ''],
    }),
    profiles: informer(databaseTLSProfiles, {}),
    ledger: informer<LedgerEntry>(
      issuedCertificates as unknown as Resource<LedgerEntry>,
      {
        authority: ({ authority }) => [authority],
      },
      { transform: project as unknown as (object: LedgerEntry) => LedgerEntry },
    ),
    secrets: informer<PartialObject>(secrets, {}, { metadataOnly: true, transform: identityOnly }),
    // Labels of namespaces are cluster-wide knowledge: an operator of listed namespaces does without.
    namespaces: shared.namespaces === undefined ? informer(namespaceResource, {}, { metadataOnly: true }) : undefined,
  }
}

const authorityKey = ({ metadata, spec }: DatabaseCertificate): string =>
  `${spec.authorityRef.namespace ?? metadata.namespace}/${spec.authorityRef.name}`

const parentKeys = (authority: CertificateAuthority): string[] => {
  const parent = parentOf(authority)
  return parent === undefined ? [] : [`${parent.namespace}/${parent.name}`]
}

const authoritySecretKeys = (authority: CertificateAuthority): string[] => {
  const { namespace } = authority.metadata
  const passphrase = passphraseRefOf(authority)
  return [
    `${namespace}/${secretNameOf(authority)}`,
    ...(passphrase === undefined ? [] : [`${namespace}/${passphrase.name}`]),
  ]
}

/** The Secret it writes and the one its password comes from. */
const certificateSecretKeys = ({ metadata, spec }: DatabaseCertificate): string[] => {
  const password = spec.keystore?.passwordSecretRef?.name
  return [spec.secret.name, ...(password === undefined ? [] : [password])].map(
    (name) => `${metadata.namespace}/${name}`,
  )
}

/** All that is asked of a Secret in memory is whether it is still the one that was verified. */
const identityOnly = ({ apiVersion, kind, metadata }: PartialObject): PartialObject => {
  const { name, namespace, uid, resourceVersion } = metadata
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } as PartialObject['metadata'] }
}
