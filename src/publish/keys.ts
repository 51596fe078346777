/**
 * The certificates and revocation lists of an authority by the key that they are of: while one key takes the place of another,
 * and for as long as anything hangs on the former one, a client is led to those of the key that signed what it checks. What is
 * kept is found out once for each version of what it comes from, so that identifiers that are made up cost the cluster nothing.
 */

import { type Cluster, keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { isRotating } from '../control/rotation.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import { isBrought, recordSecretOf } from '../authority/names.ts'
import { isSelfSigned } from '../authority/stored.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import { subjectKeyId } from '../pki/keys/keys.ts'
import { revocationListVerifies } from '../pki/revocation/revocation-list.ts'
import { authoritySecretName, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { issuedCertificates } from '../resources/issued-certificate.ts'
import { listsIn, newestOf, readConfigMap, revocationListName } from '../revocation/stored.ts'
import { BoundedCache } from './bounded-cache.ts'
import { only, readable } from './certificates.ts'
import { type RevocationListView, viewOf } from './revocation-list.ts'

export interface KeySources {
  readonly cluster: Cluster
  readonly caches: Pick<Caches, 'ledger' | 'configMaps'>
  /** The certificate of the present key; undefined while there is none. */
  readonly ownOf: (authority: CertificateAuthority) => Promise<ParsedCertificate | undefined>
}

const mostAuthorities = 1000
/** Of one authority: each renewal leaves one. */
const mostCertificates = 32

type Lists = ReadonlyMap<string, RevocationListView>

export class KeyReader {
  readonly #sources: KeySources
  readonly #certificates = new BoundedCache<readonly ParsedCertificate[]>(mostAuthorities)
  readonly #lists = new BoundedCache<Lists>(mostAuthorities)
  // The client of the cluster ends each read in time by itself.
  readonly #signal = new AbortController().signal

  constructor(sources: KeySources) {
    this.#sources = sources
  }

  /** `keyId`: subject key identifier, lower-case hex. Undefined where the authority has and had no such key, as far as is known. */
  async certificate(authority: CertificateAuthority, keyId: string): Promise<ParsedCertificate | undefined> {
    return (await this.#ofAllKeys(authority)).find((one) => keyIdOf(one) === keyId)
  }

  /** That of the key, verified with its certificate. One whose certificate nobody has any more is for its reader to verify. */
  async revocationList(authority: CertificateAuthority, keyId: string): Promise<RevocationListView | undefined> {
    const { namespace = 'default' } = authority.metadata
    const map = this.#sources.caches.configMaps.store.get(`${namespace}/${revocationListName(authority)}`)?.metadata
    if (map === undefined) return undefined
    const certificates = await this.#ofAllKeys(authority)
    const version = [map.uid, map.resourceVersion, ...certificates.map(({ fingerprint }) => fingerprint)].join(' ')
    const lists = await this.#lists.get(keyOf(authority), version, () => this.#readLists(authority, certificates))
    return lists.get(keyId)
  }

  async #readLists(authority: CertificateAuthority, certificates: readonly ParsedCertificate[]): Promise<Lists> {
    const map = await readConfigMap(this.#sources.cluster, authority, this.#signal)
    const byKey = Map.groupBy(map === undefined ? [] : listsIn(authority, map), ({ authorityKeyId }) =>
      Buffer.from(authorityKeyId ?? []).toString('hex'),
    )
    return new Map(
      [...byKey].flatMap(([keyId, lists]) => {
        const signer = certificates.find((one) => keyIdOf(one) === keyId)
        const good = lists.filter((list) => signer === undefined || revocationListVerifies(list, signer.spki))
        const newest = newestOf(good)
        return newest === undefined ? [] : [[keyId, viewOf(newest.der)] as const]
      }),
    )
  }

  /** Of each key the one to hand out first. */
  async #ofAllKeys(authority: CertificateAuthority): Promise<readonly ParsedCertificate[]> {
    // Kept there; and asked for again where it could not be found.
    const own = await this.#sources.ownOf(authority)
    const { rotation } = authority.status ?? {}
    const recorded = this.#sources.caches.ledger.store
      .by('heldByAuthority', keyOf(authority))
      .toSorted((a, b) => b.notBefore - a.notBefore)
      .slice(0, mostCertificates)
    const entries = recorded.map((entry) => `${entry.metadata.namespace}/${entry.metadata.name}`)
    const version = [
      authority.metadata.uid,
      own?.fingerprint,
      rotation?.phase,
      rotation?.from,
      rotation?.to,
      ...entries,
    ]
    return this.#certificates.get(keyOf(authority), version.join(' '), () => this.#readAll(authority, own, recorded))
  }

  async #readAll(
    authority: CertificateAuthority,
    own: ParsedCertificate | undefined,
    recorded: readonly LedgerEntry[],
  ): Promise<readonly ParsedCertificate[]> {
    const found = (await Promise.all(recorded.map((entry) => this.#readEntry(entry)))).flat()
    const { from, to } = authority.status?.rotation ?? {}
    const pair = [from, to].filter((fingerprint) => fingerprint !== undefined)
    const complete = pair.every((fingerprint) => [own, ...found].some((one) => one?.fingerprint === fingerprint))
    const stored = isRotating(authority) && !complete ? await this.#readSecret(authority, pair) : []
    const others = [...found, ...stored]
    const named = others.filter(({ fingerprint }) => pair.includes(fingerprint))
    // One that the former CA has signed for a root leads to it, too, but not from everywhere.
    const roots = others.filter(isSelfSigned)
    return [...(own === undefined ? [] : [own]), ...named, ...roots, ...others]
  }

  async #readEntry({
    metadata: { namespace = 'default', name },
    serialNumber,
  }: LedgerEntry): Promise<ParsedCertificate[]> {
    const { items } = await this.#sources.cluster.list(issuedCertificates, {
      namespace,
      fieldSelector: `spec.serialNumber=${serialNumber}`,
    })
    return items
      .filter(({ metadata }) => metadata.name === name)
      .flatMap(({ spec }) => readable(spec.certificate))
      .filter(({ isCa }) => isCa)
  }

  async #readSecret(authority: CertificateAuthority, pair: readonly string[]): Promise<ParsedCertificate[]> {
    const { namespace = 'default' } = authority.metadata
    // Of one that was brought along, what is remembered; its own Secret may have the next certificate already.
    const name = isBrought(authority) ? recordSecretOf(authority) : authoritySecretName(authority)
    const secret = name === undefined ? undefined : await readSecret(this.#sources.cluster, { namespace, name })
    if (secret === undefined) return []
    const data = dataOf({ ...secret, data: only(secret.data ?? {}, ['tls.crt', 'next.crt', 'former.crt']) })
    return [...data.values()]
      .flatMap((pem) => readable(Buffer.from(pem).toString('utf8')))
      .filter(({ fingerprint }) => pair.includes(fingerprint))
  }
}

const keyIdOf = ({ subjectKeyId: said, spki }: ParsedCertificate): string =>
  Buffer.from(said ?? subjectKeyId(spki)).toString('hex')
