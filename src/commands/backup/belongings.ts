/** What a CA and a DatabaseCertificate consist of besides themselves: Secrets and ConfigMaps by name, and by the operator's mark. Pure. */

import type { KubeObject } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { dataHash } from '../../material/hash.ts'
import { authorityKeys } from '../../authority/stage.ts'
import { configMapsOf, secretsOf } from '../../authority/names.ts'
import { deliveredShape } from '../../certificate/wanted.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { ConfigMap, Secret } from '../../resources/core.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import { revocationListName } from '../../revocation/stored.ts'
import { trustOf } from '../../trust/names.ts'

export type Holder = CertificateAuthority | DatabaseCertificate

export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly namespace: string
  readonly name: string
  /** Holds a passphrase or a password. */
  readonly confidential: boolean
}

export const placeOf = ({ metadata }: KubeObject): string => metadata.namespace ?? 'default'

/** `Secret data/orders-tls`: names one object, also for people. */
export const idOf = (object: KubeObject): string => `${object.kind} ${placeOf(object)}/${object.metadata.name}`

/** `data CertificateAuthority/orders-ca`: with the mark that the operator leaves on what it writes for it. */
export const ownerOf = (holder: KubeObject): string => `${placeOf(holder)} ${holder.kind}/${holder.metadata.name}`

const isAuthority = (holder: Holder): holder is CertificateAuthority => holder.kind === 'CertificateAuthority'

/** By name: its own Secret and list, and what a person made for it. */
export const referencesOf = (holder: Holder): Reference[] =>
  isAuthority(holder) ? ofAuthority(holder) : ofCertificate(holder)

const ofAuthority = (authority: CertificateAuthority): Reference[] => {
  const namespace = placeOf(authority)
  const { source, privateKey } = authority.spec
  const passphrase = (source.secret ?? privateKey)?.passphraseSecretRef?.name
  return [
    ...secretsOf(authority).map((name) => reference('Secret', namespace, name, name === passphrase)),
    ...[...configMapsOf(authority), revocationListName(authority)].map((name) =>
      reference('ConfigMap', namespace, name),
    ),
  ]
}

const ofCertificate = (certificate: DatabaseCertificate): Reference[] => {
  const namespace = placeOf(certificate)
  const { keystore, request, secret } = certificate.spec
  const password = keystore?.passwordSecretRef?.name
  return [
    reference('Secret', namespace, secret.name),
    ...(password === undefined ? [] : [reference('Secret', namespace, password, true)]),
    ...(request?.secretRef === undefined ? [] : [reference('Secret', namespace, request.secretRef.name)]),
    ...(request?.configMapRef === undefined ? [] : [reference('ConfigMap', namespace, request.configMapRef.name)]),
  ]
}

const reference = (kind: Reference['kind'], namespace: string, name: string, confidential = false): Reference => ({
  kind,
  namespace,
  name,
  confidential,
})

/**
 * Whether the operator wrote it for one of `owners` (`ownerOf`), as its mark says. Trust bundles are not among them: the
 * operator makes them anew wherever they belong.
 */
export const isOwned = (object: KubeObject, owners: { has(owner: string): boolean }): boolean => {
  const owner = object.metadata.annotations?.[marks.owner]
  return owner !== undefined && trustOf(object) === undefined && owners.has(`${placeOf(object)} ${owner}`)
}

/** The Secret of a certificate that a person offers (`dbtls.dev/adopt`), or whose marks somebody took away. */
export const isOffered = (secret: Secret, { metadata, status }: DatabaseCertificate): boolean =>
  secret.metadata.annotations?.[marks.owner] === undefined &&
  (secret.metadata.annotations?.[marks.adopt] === 'true' ||
    (secret.metadata.ownerReferences ?? []).some(({ uid }) => uid === metadata.uid) ||
    (status?.observed?.secretUid !== undefined && status.observed.secretUid === secret.metadata.uid))

type Texts = Readonly<Record<string, string>>

interface Part {
  readonly labels: Texts
  readonly annotations: Texts
  readonly data: Texts
}

/**
 * An object that the operator wrote, in two: what is the operator's, and what others added to it. The next renewal takes
 * away what is the operator's and not wanted any more, and must not take what others added.
 */
export const partsOf = (object: Secret | ConfigMap, holder: Holder): { readonly own: Part; readonly others: Part } => {
  const { labels = {}, annotations = {} } = object.metadata
  const { data = {} } = object
  const asked: { readonly labels?: Texts | undefined; readonly annotations?: Texts | undefined } = isAuthority(holder)
    ? {}
    : (deliveredShape(holder.spec) ?? holder.spec.secret)
  const [ownLabels, otherLabels] = split(
    labels,
    (key) => key === marks.managedBy || Object.hasOwn(asked.labels ?? {}, key),
  )
  const [ownAnnotations, otherAnnotations] = split(
    annotations,
    (key) => (key.startsWith('dbtls.dev/') && key !== marks.adopt) || Object.hasOwn(asked.annotations ?? {}, key),
  )
  const keys = ownKeys(object, holder)
  const [ownData, otherData] = split(data, (key) => keys === undefined || keys.has(key))
  return {
    own: { labels: ownLabels, annotations: ownAnnotations, data: ownData },
    others: { labels: otherLabels, annotations: otherAnnotations, data: otherData },
  }
}

/** Undefined: all of them, as the operator's own hash of what it wrote says. */
const ownKeys = (object: Secret | ConfigMap, holder: Holder): ReadonlySet<string> | undefined => {
  const written = new Map(
    Object.entries(object.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, object.kind === 'Secret' ? 'base64' : 'utf8'),
    ]),
  )
  if (dataHash(written) === object.metadata.annotations?.[marks.dataHash]) return undefined
  if (!isAuthority(holder)) return new Set(deliveredShape(holder.spec)?.items.map(({ key }) => key))
  return object.kind === 'Secret' ? new Set(authorityKeys) : undefined
}

const split = (texts: Texts, isOurs: (key: string) => boolean): readonly [Texts, Texts] => [
  Object.fromEntries(Object.entries(texts).filter(([key]) => isOurs(key))),
  Object.fromEntries(Object.entries(texts).filter(([key]) => !isOurs(key))),
]
