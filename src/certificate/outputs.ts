/** From a certificate and its key to the contents, labels and annotations of its Secret. */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import { marks } from '../control/context.ts'
import type { SecretContent } from '../control/write-secret.ts'
import { encodeContents, type Ingredients } from '../material/contents.ts'
import { inputsHash } from '../material/hash.ts'
import type { OwnerReference } from '../cluster/port.ts'
import type { Secret } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { type Count, countsOf } from './counters.ts'
import { markFor } from './key-mark.ts'
import type { Wanted } from './wanted.ts'

const settingsOf = (wanted: Wanted) => ({ encoding: wanted.keyEncoding, pkcs12Profile: wanted.pkcs12Profile })

/** In the place of a certificate, where a Secret holds none. */
export const nothing = new Uint8Array()

/** What a Secret is made of besides the CA's certificates. */
export interface Parts {
  /** DER. */
  readonly certificate: Uint8Array
  /** PKCS#8; undefined where the key was made elsewhere. */
  readonly privateKey: Uint8Array | undefined
  readonly password: string | undefined
  /** DER; undefined where no item holds it. */
  readonly revocationList: Uint8Array | undefined
  /** The authority's, PKCS#8; undefined where no item holds it. */
  readonly authorityPrivateKey: Uint8Array | undefined
}

/** What of it lies in the Secret. */
type OfAuthority = Pick<AuthorityMaterial, 'certificate' | 'chain' | 'trust'>

const ingredientsOf = (
  wanted: Wanted,
  authority: OfAuthority,
  { certificate, privateKey, password, revocationList, authorityPrivateKey }: Parts,
): Ingredients => ({
  certificate,
  chain: authority.chain,
  authority: authority.certificate.der,
  trust: authority.trust,
  ...(privateKey === undefined ? {} : { privateKey }),
  ...(password === undefined || !wanted.needsPassword ? {} : { password }),
  ...(revocationList === undefined ? {} : { revocationList }),
  ...(authorityPrivateKey === undefined ? {} : { authorityPrivateKey }),
})

/** The hash that the Secret carries when its bytes were made from exactly these inputs. */
export const expectedInputsHash = (wanted: Wanted, authority: OfAuthority, parts: Parts): string =>
  inputsHash(wanted.secret.items, ingredientsOf(wanted, authority, parts), settingsOf(wanted))

export interface Delivery {
  readonly certificate: DatabaseCertificate
  readonly wanted: Wanted
  readonly authority: OfAuthority
  /** Undefined where the Secret holds none. */
  readonly leaf: { readonly der: Uint8Array; readonly serialNumber: string } | undefined
  readonly privateKey: Uint8Array | undefined
  readonly password: string | undefined
  readonly revocationList: Uint8Array | undefined
  readonly authorityPrivateKey: Uint8Array | undefined
  /** As written into the Secret, so that a later look can tell a change. */
  readonly requestedDuration: number
  readonly renewTrigger: string
  readonly previous: SecretContent['previous']
  readonly counted: ReadonlyMap<string, Count>
  /** The Secret was there before dbtls: it must not go with the certificate. */
  readonly adopted: boolean
  /** The certificate was there before dbtls, too. */
  readonly takenOver: boolean
}

export const contentOf = async (delivery: Delivery, random: (size: number) => Uint8Array): Promise<SecretContent> => {
  const { certificate, wanted, authority, leaf } = delivery
  const ingredients = ingredientsOf(wanted, authority, { ...delivery, certificate: leaf?.der ?? nothing })
  const settings = settingsOf(wanted)
  const data = await encodeContents(wanted.secret.items, ingredients, settings, random)
  return {
    namespace: certificate.metadata.namespace ?? 'default',
    name: wanted.secret.name,
    type: wanted.secret.type,
    data,
    labels: wanted.secret.labels,
    annotations: {
      ...wanted.secret.annotations,
      ...countsOf(wanted.secret, delivery.counted, data),
      [marks.inputsHash]: inputsHash(wanted.secret.items, ingredients, settings),
      ...(leaf === undefined ? {} : { [marks.serialNumber]: leaf.serialNumber }),
      ...(leaf === undefined || !delivery.takenOver ? {} : { [marks.takenOver]: leaf.serialNumber }),
      ...markFor(certificate, wanted),
      [marks.renewTrigger]: delivery.renewTrigger,
      [marks.requestedDuration]: String(delivery.requestedDuration),
    },
    owner: ownerOf(certificate),
    ownerReference: delivery.adopted || wanted.secret.retain ? undefined : ownerReferenceOf(certificate),
    previous: delivery.previous,
  }
}

/** The Secret as it stands, with other data: what it says of itself stays, whatever has become of the spec. */
export const rewritten = (
  certificate: DatabaseCertificate,
  { secret: { name, labels, annotations: wanted, counters = {} } }: Wanted,
  secret: Secret,
  data: SecretContent['data'],
): SecretContent => {
  const { annotations = {}, ownerReferences = [], resourceVersion = '', uid = '' } = secret.metadata
  const told = Object.entries(annotations).filter(([key]) => ownMarks.has(key) || Object.hasOwn(counters, key))
  const owned = ownerReferences.some((one) => one.uid === certificate.metadata.uid)
  return {
    namespace: certificate.metadata.namespace ?? 'default',
    name,
    type: secret.type ?? 'Opaque',
    data,
    labels,
    annotations: { ...wanted, ...Object.fromEntries(told) },
    owner: ownerOf(certificate),
    ownerReference: owned ? ownerReferenceOf(certificate) : undefined,
    previous: { uid, resourceVersion },
  }
}

const ownMarks: ReadonlySet<string> = new Set([
  marks.inputsHash,
  marks.serialNumber,
  marks.takenOver,
  marks.authorityKey,
  marks.renewTrigger,
  marks.requestedDuration,
])

/** What `marks.owner` says. */
export const ownerOf = ({ metadata }: Pick<DatabaseCertificate, 'metadata'>): string =>
  `DatabaseCertificate/${metadata.name}`

const ownerReferenceOf = ({ apiVersion, kind, metadata }: DatabaseCertificate): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
})

/** What of the Secret's metadata and keys differs from what is wanted, in words. Fields of others are not looked at. */
export const secretDrift = (certificate: DatabaseCertificate, wanted: Wanted, secret: Secret): string[] => {
  const { labels = {}, annotations = {}, ownerReferences = [] } = secret.metadata
  const differs = (
    has: Readonly<Record<string, string>>,
    should: Readonly<Record<string, string>>,
    what: string,
  ): string[] => Object.entries(should).flatMap(([key, value]) => (has[key] === value ? [] : [`${what} ${key}`]))
  const retained = wanted.secret.retain || annotations[marks.adopt] === 'true'
  const owned = ownerReferences.some(({ uid }) => uid === certificate.metadata.uid)
  return [
    ...differs(labels, { ...wanted.secret.labels, [marks.managedBy]: marks.managedByValue }, 'label'),
    ...differs(
      annotations,
      { ...wanted.secret.annotations, ...markFor(certificate, wanted), [marks.owner]: ownerOf(certificate) },
      'annotation',
    ),
    ...Object.keys(wanted.secret.counters ?? {}).flatMap((key) =>
      /^[0-9]{1,9}$/.test(annotations[key] ?? '') ? [] : [`annotation ${key}`],
    ),
    // Without them a later change of trigger or duration would go unnoticed.
    ...(annotations[marks.renewTrigger] === undefined ? [`annotation ${marks.renewTrigger}`] : []),
    ...(/^[0-9]{1,15}$/.test(annotations[marks.requestedDuration] ?? '')
      ? []
      : [`annotation ${marks.requestedDuration}`]),
    ...wanted.secret.items.flatMap(({ key }) => (secret.data?.[key] === undefined ? [`key ${key}`] : [])),
    ...(owned === retained ? ['owner reference'] : []),
  ]
}
