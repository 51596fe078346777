/** The ConfigMap of a CA that holds its revocation list: how it is named, written, read back and judged. */

import { ApiError, ifFound } from '../cluster/errors.ts'
import type { Keyring } from '../authority/keyring.ts'
import { type Cluster, keyOf } from '../cluster/port.ts'
import { type Caches, marks } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import { dataHash } from '../material/hash.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import { type ParsedRevocationList, revocationListVerifies } from '../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type ConfigMap, configMaps } from '../resources/core.ts'
import { NotReady } from '../runtime/errors.ts'
import { formerList, type FormerList, formerLists, listIn } from './former.ts'
import type { StoredSeen } from './observed.ts'

type Named = Pick<CertificateAuthority, 'metadata'>

/** With the list of the present key, and the last ones of former keys. */
export const revocationListName = ({ metadata }: Named): string => `${metadata.name}-crl`

/** Key of the ConfigMap: PEM, `X509 CRL`. */
export const revocationListKey = 'ca.crl'

/** Base64 of the SubjectPublicKeyInfo that verifies the list, so that no reader needs the CA's Secret. */
const publicKeyMark = 'dbtls.dev/public-key'

const ownerOf = ({ metadata }: Named): string => `CertificateAuthority/${metadata.name}`

/** The object to write; `previous` is the very version to write over, undefined for a new one. */
export const configMapOf = (
  authority: Named,
  {
    der,
    spki,
    former,
  }: { readonly der: Uint8Array; readonly spki: Uint8Array; readonly former: readonly FormerList[] },
  previous: { readonly uid: string; readonly resourceVersion: string } | undefined,
): ConfigMap => {
  const data = Object.fromEntries([
    [revocationListKey, encodePem('X509 CRL', der)],
    ...former.map(({ name, pem }) => [name, pem] as const),
  ])
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: revocationListName(authority),
      namespace: authority.metadata.namespace ?? 'default',
      ...(previous === undefined ? {} : { uid: previous.uid, resourceVersion: previous.resourceVersion }),
      labels: { [marks.managedBy]: marks.managedByValue },
      annotations: {
        [marks.owner]: ownerOf(authority),
        [marks.dataHash]: hashOf(data, former),
        [publicKeyMark]: Buffer.from(spki).toString('base64'),
      },
      // No owner reference: a CA deleted by mistake and applied again goes on with its number.
    },
    data,
  }
}

/** Of our keys alone: what somebody adds under others is his. */
const hashOf = (data: Readonly<Record<string, string>>, former: readonly FormerList[]): string => {
  const ours = [revocationListKey, ...former.map(({ name }) => name)]
  return dataHash(new Map(ours.map((name) => [name, Buffer.from(data[name] ?? '')])))
}

export const readConfigMap = async (
  cluster: Cluster,
  authority: Named,
  signal: AbortSignal,
): Promise<ConfigMap | undefined> => {
  const namespace = authority.metadata.namespace ?? 'default'
  return ifFound(cluster.get(configMaps, { namespace, name: revocationListName(authority) }, { signal }))
}

/** `keys`: SubjectPublicKeyInfo of the present and of the other CA, where they are known besides. */
export const seeStored = (
  authority: CertificateAuthority,
  map: ConfigMap | undefined,
  keys: { readonly present?: Uint8Array | undefined; readonly other?: Uint8Array | undefined } = {},
): StoredSeen => {
  if (map === undefined) return { state: 'absent' }
  const { uid = '', resourceVersion = '', labels = {}, annotations = {} } = map.metadata
  const owner = annotations[marks.owner]
  const mine = ownerOf(authority)
  const ours = isOurs(authority, map)
  const content = contentOf(map)
  const list = ours ? verifiedList(authority, content) : undefined
  return {
    state: 'present',
    uid,
    resourceVersion,
    ours,
    owner,
    list,
    newest: ours ? (listOf(content, keys.present) ?? list) : undefined,
    other: ours ? listOf(content, keys.other) : undefined,
    former: ours ? formerIn(authority, content) : [],
    drift: [
      ...(labels[marks.managedBy] === marks.managedByValue ? [] : [`label ${marks.managedBy}`]),
      ...(owner === mine ? [] : [`annotation ${marks.owner}`]),
      ...(annotations[marks.dataHash] === hashOf(map.data ?? {}, content.former) ? [] : ['its contents']),
    ],
  }
}

const isOurs = (authority: CertificateAuthority, { metadata: { uid = '', annotations = {} } }: ConfigMap): boolean => {
  const owner = annotations[marks.owner]
  return (
    owner === ownerOf(authority) ||
    annotations[marks.adopt] === 'true' ||
    (owner === undefined && uid !== '' && authority.status?.crl?.configMapUid === uid)
  )
}

/** What a ConfigMap holds, read once: a list may have as many entries as the ledger. */
interface Content {
  readonly pem: string
  readonly present: ParsedRevocationList | undefined
  /** Those put aside. */
  readonly former: readonly FormerList[]
  /** SubjectPublicKeyInfo, as its mark says. */
  readonly spki: Uint8Array
}

const contentOf = ({ data = {}, metadata }: ConfigMap): Content => {
  const pem = data[revocationListKey] ?? ''
  const spki = Buffer.from(metadata.annotations?.[publicKeyMark] ?? '', 'base64')
  return { pem, present: listIn(pem), former: formerLists(data), spki }
}

/** Every list in the ConfigMap, of whatever key, none of them verified; empty where it is somebody else's. */
export const listsIn = (authority: CertificateAuthority, map: ConfigMap): ParsedRevocationList[] =>
  isOurs(authority, map) ? understood(contentOf(map)) : []

const understood = ({ present, former }: Content): ParsedRevocationList[] =>
  [...(present === undefined ? [] : [present]), ...former.map(({ list }) => list)].filter(
    ({ unknownCritical }) => unknownCritical.length === 0,
  )

/** Those put aside, and the one in their place until now, where the key in its mark has signed it and the CA has another. */
const formerIn = (authority: CertificateAuthority, { pem, present, former, spki }: Content): FormerList[] => {
  const last = isOfPresentKey(authority, spki) || !isSignedBy(present, spki) ? undefined : formerList(pem, present)
  return [...former, ...(last === undefined ? [] : [last])]
}

/** The list in the ConfigMap, where the key of the CA signed it. Whoever can write ConfigMaps cannot forge that. */
const verifiedList = (authority: CertificateAuthority, { present, spki }: Content): ParsedRevocationList | undefined =>
  isOfPresentKey(authority, spki) && isSignedBy(present, spki) ? present : undefined

const isOfPresentKey = ({ status }: CertificateAuthority, spki: Uint8Array): boolean =>
  publicKeyHash(spki) === status?.certificate?.publicKeyHash

const listOf = (content: Content, spki: Uint8Array | undefined): ParsedRevocationList | undefined =>
  spki === undefined ? undefined : newestOf(understood(content).filter((list) => revocationListVerifies(list, spki)))

const isSignedBy = (list: ParsedRevocationList | undefined, spki: Uint8Array): boolean =>
  list !== undefined && list.unknownCritical.length === 0 && revocationListVerifies(list, spki)

/** The one with the highest number. */
export const newestOf = (lists: readonly ParsedRevocationList[]): ParsedRevocationList | undefined =>
  lists.reduce<ParsedRevocationList | undefined>(
    (newest, list) => ((list.number ?? 0n) >= (newest?.number ?? 0n) ? list : newest),
    undefined,
  )

/** DER of the list that is published now, verified against the CA's key; undefined while there is none. Also after spec.crl is gone. */
export const readRevocationList = async (
  cluster: Cluster,
  authority: CertificateAuthority,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> => (await read(cluster, authority, signal))?.der

const read = async (
  cluster: Cluster,
  authority: CertificateAuthority,
  signal: AbortSignal,
): Promise<ParsedRevocationList | undefined> => {
  const seen = seeStored(authority, await readConfigMap(cluster, authority, signal))
  return seen.state === 'present' && seen.ours ? seen.list : undefined
}

interface Lists {
  /** That of the key that signs now. */
  readonly list: ParsedRevocationList | undefined
  /** That of the other CA of a rotation. */
  readonly other: ParsedRevocationList | undefined
}

const none: Lists = { list: undefined, other: undefined }

/** Reads a list once for each version of its ConfigMap, as the cache of ConfigMaps tells. */
export class RevocationLists {
  readonly #cluster: Cluster
  readonly #caches: Caches
  readonly #keyring: Pick<Keyring, 'load'> | undefined
  readonly #known = new Map<string, { readonly version: string; readonly lists: Lists }>()

  /** Without a keyring nothing is known of the other CA of a rotation. */
  constructor(cluster: Cluster, caches: Caches, keyring?: Pick<Keyring, 'load'>) {
    this.#cluster = cluster
    this.#caches = caches
    this.#keyring = keyring
  }

  /** That of the present key. */
  async read(authority: CertificateAuthority, signal: AbortSignal): Promise<ParsedRevocationList | undefined> {
    return (await this.#read(authority, signal)).list
  }

  /** What is delivered, DER: the present one, and behind it that of the other CA, for certificates of both are met. */
  async delivered(authority: CertificateAuthority, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { list, other } = await this.#read(authority, signal)
    return list === undefined || other === undefined ? list?.der : Buffer.concat([list.der, other.der])
  }

  /** Serial numbers on either; undefined without a present one. */
  async serialNumbers(authority: CertificateAuthority, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    const { list, other } = await this.#read(authority, signal)
    return list && new Set([list, other].flatMap((one) => one?.revoked.map(({ serialNumber }) => serialNumber) ?? []))
  }

  async #read(authority: CertificateAuthority, signal: AbortSignal): Promise<Lists> {
    const key = `${authority.metadata.namespace}/${revocationListName(authority)}`
    const map = this.#caches.configMaps.store.get(key)
    if (map === undefined) {
      this.#known.delete(key)
      return none
    }
    const { certificate, rotation } = authority.status ?? {}
    const { uid, resourceVersion } = map.metadata
    const version = [uid, resourceVersion, certificate?.publicKeyHash, rotation?.from, rotation?.to].join(' ')
    const known = this.#known.get(key)
    if (known?.version === version) return known.lists
    const spki = isRotating(authority) ? await this.#otherKey(authority) : undefined
    const seen = seeStored(authority, await readConfigMap(this.#cluster, authority, signal), { other: spki })
    const lists = seen.state === 'present' && seen.ours ? seen : none
    this.#known.set(key, { version, lists })
    return lists
  }

  async #otherKey(authority: CertificateAuthority): Promise<Uint8Array | undefined> {
    if (this.#keyring === undefined) return undefined
    try {
      const { next, former } = await this.#keyring.load(authority)
      return (next ?? former)?.certificate.spki
    } catch (error) {
      if (error instanceof ApiError || !(error instanceof Error)) throw error
      // Half of what is to be delivered must not pass for all of it.
      throw new NotReady('AuthorityNotReady', `CertificateAuthority ${keyOf(authority)}: ${error.message}.`, 1000)
    }
  }
}
