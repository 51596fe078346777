/**
 * CA issuers, and the Certificates that made their CAs → CertificateAuthorities: one for each Secret with a key, because two
 * ledgers for one key would contradict each other. Pure.
 */

import { authorityFields, issuerFields } from './fields.ts'
import { authoritySecretOf, type Found, type Inventory, isAuthority, secretNameOf, titleOf } from './inventory.ts'
import { fieldNotes, type Note, readMetadata } from './notes.ts'

export interface PlannedAuthority {
  readonly namespace: string
  readonly name: string
  readonly secretName: string
  /** Those that sign with it; none where only a Certificate made it. */
  readonly issuers: readonly Found[]
  /** What made its certificate, where that was cert-manager. */
  readonly certificate: Found | undefined
  readonly spec: Readonly<Record<string, unknown>>
  readonly labels: Readonly<Record<string, string>>
  readonly notes: readonly Note[]
}

interface Place {
  readonly namespace: string
  readonly secretName: string
  readonly issuers: Found[]
  certificate: Found | undefined
}

/** `clusterNamespace`: where cert-manager looks for the Secrets of ClusterIssuers. */
export const planAuthorities = (inventory: Inventory, clusterNamespace: string): readonly PlannedAuthority[] => {
  const names = new Set<string>()
  const secretNames = new Set(inventory.certificates.map((one) => `${one.namespace}/${secretNameOf(one)}`))
  return placesOf(inventory, clusterNamespace).map((place) => planned(place, names, secretNames))
}

const placesOf = (inventory: Inventory, clusterNamespace: string): Place[] => {
  const places = new Map<string, Place>()
  const at = (namespace: string, secretName: string): Place => {
    const key = `${namespace}/${secretName}`
    const place = places.get(key) ?? { namespace, secretName, issuers: [], certificate: undefined }
    places.set(key, place)
    return place
  }
  for (const issuer of inventory.issuers) {
    const secretName = authoritySecretOf(issuer)
    const namespace = issuer.kind === 'ClusterIssuer' ? clusterNamespace : issuer.namespace
    if (secretName !== '') at(namespace, secretName).issuers.push(issuer)
  }
  for (const certificate of inventory.certificates) {
    const { namespace } = certificate
    const secretName = secretNameOf(certificate)
    if (!isAuthority(certificate) || secretName === '') continue
    const seen = inventory.issuerOf(certificate)
    const ofOurs = seen.state === 'found' && (seen.type === 'ca' || seen.type === 'selfSigned')
    if (ofOurs || places.has(`${namespace}/${secretName}`)) at(namespace, secretName).certificate ??= certificate
  }
  return [...places.values()]
}

const planned = (
  { namespace, secretName, issuers, certificate }: Place,
  names: Set<string>,
  secretNames: ReadonlySet<string>,
): PlannedAuthority => {
  const [first] = issuers
  const name = nameFor(first ?? certificate, (one) => names.has(`${namespace}/${one}`))
  names.add(`${namespace}/${name}`)
  const metadata = readMetadata(titleOf(first ?? certificate ?? nobody), (first ?? certificate)?.object ?? {})
  const shared = issuers.some(({ kind }) => kind === 'ClusterIssuer')
  const notes = [
    ...issuers.flatMap((issuer) => [
      ...(issuer === first ? metadata.notes : readMetadata(titleOf(issuer), issuer.object).notes),
      ...fieldNotes(titleOf(issuer), issuer.object, issuerFields),
    ]),
    ...(certificate === undefined ? [] : notesOfMaker(certificate, first === undefined)),
  ]
  // Beside the key of its owner dbtls remembers the certificates of the CA, in a Secret that nobody else may have.
  const record = secretNames.has(`${namespace}/${name}-ca`) && `${name}-ca` !== secretName
  return {
    namespace,
    name,
    secretName,
    issuers,
    certificate,
    spec: {
      source: { secret: { name: secretName } },
      ...(record ? { secretName: `${name.slice(0, 50)}-dbtls-record` } : {}),
      ...(shared ? { allowedNamespaces: { from: 'All' } } : {}),
    },
    labels: metadata.labels,
    notes,
  }
}

const nobody: Found = { kind: 'Certificate', namespace: '', name: '', object: {} }

const notesOfMaker = (certificate: Found, alone: boolean): Note[] => {
  const about = titleOf(certificate)
  return [
    ...readMetadata(about, certificate.object).notes,
    ...fieldNotes(about, certificate.object, authorityFields),
    {
      about,
      field: '',
      message: `cert-manager has renewed this CA${alone ? '' : ' for the issuer that signs with it'}. From now on that is for you to do: put a certificate for the same key into its Secret before it ends, or another key, which dbtls takes up as a rotation`,
    },
  ]
}

/** Names of authorities end at 63 characters. */
const nameFor = (maker: Found | undefined, isTaken: (name: string) => boolean): string => {
  const base = (maker?.name ?? 'ca').slice(0, 52).replace(/[^a-z0-9]+$/, '') || 'ca'
  const own = (maker?.name.length ?? 0) <= 63 ? (maker?.name ?? base) : base
  if (!isTaken(own)) return own
  const suffix = maker?.kind === 'ClusterIssuer' ? 'cluster' : 'ca'
  for (let count = 1; ; count += 1) {
    const name = `${base}-${suffix}${count === 1 ? '' : count}`
    if (!isTaken(name)) return name
  }
}
