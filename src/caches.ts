/** The caches of the operator: which kinds it watches, by what they are found, and what of them is kept in memory. */

import { Informer, type InformerOptions } from './cluster/cache/informer.ts'
import type { KubeObject, PartialObject } from './cluster/port.ts'
import { type Caches, marks } from './control/context.ts'
import { configMapsOf, parentOf, secretsOf } from './authority/names.ts'
import { authorityKeyOf, commonNameKey } from './certificate/rivals.ts'
import { byKeyMark } from './certificate/key-mark.ts'
import { byRetained, retainedMarks } from './certificate/retained.ts'
import { holdsRevocationList } from './certificate/undisturbed.ts'
import { createProjection, type LedgerEntry } from './ledger/entry.ts'
import { compromisedKeyKey } from './ledger/record.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import { configMaps, type Namespace, namespaces as namespaceResource, secrets } from './resources/core.ts'
import { databaseCertificates, type DatabaseCertificate } from './resources/database-certificate.ts'
import { databaseTLSProfiles, type DatabaseTLSProfile } from './resources/database-tls-profile.ts'
import { issuedCertificates } from './resources/issued-certificate.ts'
import {
  byProfile,
  isOfProfile,
  profileAccountKeys,
  profileAuthorityKeys,
  profileConfigMapKeys,
} from './profile/names.ts'
import { byTarget, byTrust } from './trust/names.ts'

type Shared = Pick<InformerOptions<KubeObject>, 'cluster' | 'namespaces' | 'clock' | 'random' | 'log'>

export const createCaches = (shared: Shared): Caches => ({
  authorities: new Informer<CertificateAuthority>({
    ...shared,
    resource: certificateAuthorities,
    indexers: { parent: parentKeys, secret: authoritySecretKeys, configMap: authorityConfigMapKeys, target: byTarget },
  }),
  certificates: new Informer<DatabaseCertificate>({
    ...shared,
    resource: databaseCertificates,
    indexers: {
      authority: (certificate) => [authorityKeyOf(certificate)],
      secret: certificateSecretKeys,
      namespace: ({ metadata }) => [metadata.namespace ?? ''],
      configMap: certificateConfigMapKeys,
      publicKey: ({ status }) => (status?.publicKeyHash === undefined ? [] : [status.publicKeyHash]),
      revocationList: (certificate) => (holdsRevocationList(certificate.spec) ? [authorityKeyOf(certificate)] : []),
      profile: byProfile,
    },
  }),
  profiles: new Informer<DatabaseTLSProfile>({
    ...shared,
    resource: databaseTLSProfiles,
    indexers: {
      authority: profileAuthorityKeys,
      configMap: profileConfigMapKeys,
      namespace: ({ metadata }) => [metadata.namespace ?? ''],
      account: profileAccountKeys,
    },
  }),
  ledger: new Informer<LedgerEntry>({
    ...shared,
    resource: issuedCertificates,
    transform: createProjection(),
    indexers: {
      authority: ({ authority }) => [authority],
      heldByAuthority: ({ isCa, holderKey }) => (isCa && holderKey !== undefined ? [holderKey] : []),
      commonName: ({ authority, commonName }) =>
        commonName === undefined ? [] : [commonNameKey(authority, commonName)],
      compromisedKey: ({ metadata, compromisedKey }) =>
        compromisedKey === undefined ? [] : [compromisedKeyKey(metadata.namespace ?? 'default', compromisedKey)],
    },
  }),
  secrets: new Informer<PartialObject>({
    ...shared,
    resource: secrets,
    metadataOnly: true,
    transform: identityOnly,
    indexers: { trust: byTrust, keyMark: byKeyMark, retained: byRetained },
  }),
  configMaps: new Informer<PartialObject>({
    ...shared,
    resource: configMaps,
    metadataOnly: true,
    transform: identityOnly,
    indexers: { trust: byTrust, profile: byProfile },
  }),
  // Labels of namespaces are cluster-wide knowledge: an operator of listed namespaces does without.
  namespaces:
    shared.namespaces === undefined
      ? new Informer<Namespace>({ ...shared, resource: namespaceResource, metadataOnly: true })
      : undefined,
})

const parentKeys = (authority: CertificateAuthority): string[] => {
  const parent = parentOf(authority)
  return parent === undefined ? [] : [`${parent.namespace}/${parent.name}`]
}

const authoritySecretKeys = (authority: CertificateAuthority): string[] =>
  secretsOf(authority).map((name) => `${authority.metadata.namespace}/${name}`)

const authorityConfigMapKeys = (authority: CertificateAuthority): string[] =>
  configMapsOf(authority).map((name) => `${authority.metadata.namespace}/${name}`)

/** The Secret it writes, and those that its password and its request come from. */
const certificateSecretKeys = ({ metadata, spec }: DatabaseCertificate): string[] =>
  [spec.secret.name, spec.keystore?.passwordSecretRef?.name, spec.request?.secretRef?.name].flatMap((name) =>
    name === undefined ? [] : [`${metadata.namespace}/${name}`],
  )

const certificateConfigMapKeys = ({ metadata, spec }: DatabaseCertificate): string[] => {
  const name = spec.request?.configMapRef?.name
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

/**
 * All that is asked of a Secret or ConfigMap in memory is whether it is still the one that was verified, whose trust, key or
 * files it carries and of what they were made, how far the rotation of a CA is in it, and which certificate one holds that
 * outlives its DatabaseCertificate.
 */
const identityOnly = (object: PartialObject): PartialObject => {
  const { apiVersion, kind, metadata } = object
  const { name, namespace, uid, resourceVersion } = metadata
  const kept = keptMarks(object)
  return {
    apiVersion,
    kind,
    metadata: {
      ...{ name, namespace, uid, resourceVersion },
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    } as PartialObject['metadata'],
  }
}

const keptMarks = (object: PartialObject): [string, string][] => {
  const annotations = object.metadata.annotations ?? {}
  const ofProfile = isOfProfile(object)
  const isShared = annotations[marks.trustOf] !== undefined || ofProfile
  const names = [
    ...[marks.trustOf, marks.authorityKey, marks.rotationStage],
    ...(ofProfile ? [marks.owner] : []),
    ...retainedMarks(object),
    ...(isShared ? [marks.inputsHash] : []),
  ]
  return names.flatMap((name): [string, string][] => {
    const value = annotations[name]
    return value === undefined ? [] : [[name, value]]
  })
}
