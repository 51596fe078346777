/** The ConfigMap of a CA that holds its revocation list: how it is named, written, read back and judged. */

import { createHash } from 'node:crypto'
import { ifFound } from '../cluster/errors.ts'
import type { Cluster } from '../cluster/port.ts'
import { type Caches, marks } from '../control/context.ts'
import { dataHash } from '../material/hash.ts'
import { decodePem, encodePem } from '../pki/encoding/pem.ts'
import {
  type ParsedRevocationList,
  parseRevocationList,
  revocationListVerifies,
} from '../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type ConfigMap, configMaps } from '../resources/core.ts'
import type { StoredSeen } from './observed.ts'

type Named = Pick<CertificateAuthority, 'metadata'>

/** Of the present key. The list of a former key would have a name of its own. */
export const revocationListName = ({ metadata }: Named): string => `${metadata.name}-crl`

/** Key of the ConfigMap: PEM, `X509 CRL`. */
export const revocationListKey = 'ca.crl'

/** Base64 of the SubjectPublicKeyInfo that verifies the list, so that no reader needs the CA's Secret. */
const publicKeyMark = 'dbtls.dev/public-key'

const ownerOf = ({ metadata }: Named): string => `CertificateAuthority/${metadata.name}`

/** The object to write; `previous` is the very version to write over, undefined for a new one. */
export const configMapOf = (
  authority: Named,
  der: Uint8Array,
  spki: Uint8Array,
  previous: { readonly uid: string; readonly resourceVersion: string } | undefined,
): ConfigMap => {
  const pem = encodePem('X509 CRL', der)
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
        [marks.dataHash]: hashOf(pem),
        [publicKeyMark]: Buffer.from(spki).toString('base64'),
      },
      // No owner reference: a CA deleted by mistake and applied again goes on with its number.
    },
    data: { [revocationListKey]: pem },
  }
}

const hashOf = (pem: string): string => dataHash(new Map([[revocationListKey, Buffer.from(pem)]]))

export const readConfigMap = async (
  cluster: Cluster,
  authority: Named,
  signal: AbortSignal,
): Promise<ConfigMap | undefined> => {
  const namespace = authority.metadata.namespace ?? 'default'
  return ifFound(cluster.get(configMaps, { namespace, name: revocationListName(authority) }, { signal }))
}

export const seeStored = (authority: CertificateAuthority, map: ConfigMap | undefined): StoredSeen => {
  if (map === undefined) return { state: 'absent' }
  const { uid = '', resourceVersion = '', labels = {}, annotations = {} } = map.metadata
  const owner = annotations[marks.owner]
  const mine = ownerOf(authority)
  const ours =
    owner === mine ||
    annotations[marks.adopt] === 'true' ||
    (owner === undefined && uid !== '' && authority.status?.crl?.configMapUid === uid)
  return {
    state: 'present',
    uid,
    resourceVersion,
    ours,
    owner,
    list: ours ? verifiedList(authority, map) : undefined,
    drift: [
      ...(labels[marks.managedBy] === marks.managedByValue ? [] : [`label ${marks.managedBy}`]),
      ...(owner === mine ? [] : [`annotation ${marks.owner}`]),
      ...(annotations[marks.dataHash] === hashOf(map.data?.[revocationListKey] ?? '') ? [] : ['its contents']),
    ],
  }
}

/** The list in the ConfigMap, where the key of the CA signed it. Whoever can write ConfigMaps cannot forge that. */
const verifiedList = (authority: CertificateAuthority, map: ConfigMap): ParsedRevocationList | undefined => {
  const spki = Buffer.from(map.metadata.annotations?.[publicKeyMark] ?? '', 'base64')
  const hash = createHash('sha256').update(spki).digest('hex')
  if (hash !== authority.status?.certificate?.publicKeyHash) return undefined
  try {
    const [block] = decodePem(map.data?.[revocationListKey] ?? '')
    if (block?.label !== 'X509 CRL') return undefined
    const list = parseRevocationList(block.der)
    return list.unknownCritical.length === 0 && revocationListVerifies(list, spki) ? list : undefined
  } catch {
    // What cannot be read is not a list; the next one takes its place.
    return undefined
  }
}

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

/** Reads a list once for each version of its ConfigMap, as the cache of ConfigMaps tells. */
export class RevocationLists {
  readonly #cluster: Cluster
  readonly #caches: Caches
  readonly #known = new Map<string, { readonly version: string; readonly list: ParsedRevocationList | undefined }>()

  constructor(cluster: Cluster, caches: Caches) {
    this.#cluster = cluster
    this.#caches = caches
  }

  async read(authority: CertificateAuthority, signal: AbortSignal): Promise<ParsedRevocationList | undefined> {
    const key = `${authority.metadata.namespace}/${revocationListName(authority)}`
    const map = this.#caches.configMaps.store.get(key)
    if (map === undefined) {
      this.#known.delete(key)
      return undefined
    }
    const version = `${map.metadata.uid} ${map.metadata.resourceVersion} ${authority.status?.certificate?.publicKeyHash}`
    const known = this.#known.get(key)
    if (known?.version === version) return known.list
    const list = await read(this.#cluster, authority, signal)
    this.#known.set(key, { version, list })
    return list
  }
}
