/** A profile and what was issued for it → which servers are asked, and what each should serve. Pure. */

import type { FindAuthority } from '../../authority/lineage.ts'
import { keyOf } from '../../cluster/port.ts'
import { issuedAt, type LedgerEntry } from '../../ledger/entry.ts'
import { parseEndpoint } from '../../database/connect/address.ts'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import { engineOf } from '../../database/engines/external.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'
import { parseDuration } from '../../resources/duration.ts'
import { addressedAt } from '../addressed.ts'
import type { ProfileView } from '../collaborators.ts'
import type { WantedCertificate } from '../expansion.ts'
import { authorityOf, clientAuthorityOf } from '../names.ts'
import { placeOf } from '../reach.ts'
import type { Expected, Wish } from './judge.ts'
import { type Rotating, rotatingAt } from './rotating.ts'

export interface PlannedEndpoint {
  /** HOST:PORT as the profile has it. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly dialect: DialectName
  /** What clients verify. */
  readonly serverName: string
  readonly wish: Omit<Wish, 'wasOurs' | 'hasPresentChain'>
  /** `namespace/name` of the CA whose clients it is to take; absent where none of ours is. */
  readonly clientAuthority?: string
  /** While that CA is replaced, or one above it. */
  readonly proof?: PlannedProof
}

/** What is to be proved of a server: that it trusts the next CA. */
export interface PlannedProof extends Rotating {
  /**
   * `namespace/name` of DatabaseCertificates that a certificate may be modelled on, the likeliest first: those whose subject the
   * server knows. May be empty.
   */
  readonly templates: readonly string[]
}

export interface PlannedClient {
  /** As spec.clients names it. */
  readonly name: string
  /** `namespace/name` of its DatabaseCertificate. */
  readonly key: string
  /** Fingerprints of the certificate and of the CA that signed it. */
  readonly fingerprint: string
  readonly authority: string
}

export interface Plan {
  readonly namespace: string
  readonly clusterDomain: string
  readonly intervalMs: number
  readonly endpoints: readonly PlannedEndpoint[]
  /** Endpoints beyond `mostEndpoints`. */
  readonly leftOut: number
  readonly client: PlannedClient | undefined
}

/** The ledger's entry of what a certificate's CA signed under this number. */
export type FindEntry = (certificate: DatabaseCertificate, serialNumber: string) => LedgerEntry | undefined

/** One profile must not keep the operator busy with nothing else. */
export const mostEndpoints = 256

/** `shortestMs`: the operator says it, not the author of a profile. `findAuthority`: by `namespace/name`. */
export const planOf = (
  { profile, expansion, certificates }: ProfileView,
  findEntry: FindEntry,
  shortestMs: number,
  findAuthority: FindAuthority,
): Plan => {
  const place = placeOf(profile)
  const { definition, managed } = engineOf(profile.spec)
  const issued = expansion.certificates.flatMap((wanted) => {
    const certificate = certificates.get(wanted.name)
    return certificate === undefined ? [] : [{ wanted, certificate, expected: expectedOf(certificate, findEntry) }]
  })
  const client = clientOf(profile, issued, place.namespace)
  const given = new Set(profile.spec.probe?.endpoints ?? [])
  const planned = new Map<string, PlannedEndpoint>()
  for (const { address, dialect, part } of expansion.endpoints) {
    const where = parseEndpoint(address)
    if (where === undefined || planned.has(address)) continue
    const ofPart = issued.filter((one) => one.wanted.part === part)
    const { serverName, expected } = addressedAt(where.host, ofPart, {
      isGiven: given.has(address),
      preferred: profile.spec.connection?.host,
    })
    planned.set(address, {
      ...{ address, dialect, ...where, serverName },
      wish: {
        ...{
          expected: expected.flatMap((one) => one.expected ?? []),
          managed,
          engine: definition.engine,
          facesClients: part === 'server',
        },
        ...(client === undefined ? {} : { client: client.name }),
      },
      ...askedOf(profile, part, issued, findAuthority),
    })
  }
  const all = [...planned.values()]
  return {
    ...place,
    intervalMs: Math.max(shortestMs, parseDuration(profile.spec.probe?.interval ?? '5m')),
    endpoints: all.slice(0, mostEndpoints),
    leftOut: Math.max(0, all.length - mostEndpoints),
    client,
  }
}

/** Servers take clients of the CA for clients; what they say to each other is signed by their own. */
const askedOf = (
  profile: DatabaseTLSProfile,
  part: string,
  issued: readonly Issued[],
  findAuthority: FindAuthority,
): Pick<PlannedEndpoint, 'clientAuthority' | 'proof'> => {
  const isOwn = part !== 'server' || profile.spec.clientAuthorityRef === undefined
  if (isOwn && engineOf(profile.spec).managed) return {}
  const clientAuthority = (isOwn ? authorityOf : clientAuthorityOf)(profile)
  const rotating = rotatingAt(clientAuthority, findAuthority)
  if (rotating === undefined) return { clientAuthority }
  return { clientAuthority, proof: { ...rotating, templates: templatesFor(part, issued) } }
}

const mostTemplates = 4

const templatesFor = (part: string, issued: readonly Issued[]): readonly string[] => {
  const parts = part === 'server' ? ['client', 'server'] : [part]
  return parts
    .flatMap((one) => issued.filter(({ wanted, expected }) => wanted.part === one && expected !== undefined))
    .filter(({ wanted }) => wanted.spec.role !== 'Server')
    .slice(0, mostTemplates)
    .map(({ certificate }) => keyOf(certificate))
}

interface Issued {
  readonly wanted: WantedCertificate
  readonly certificate: DatabaseCertificate
  readonly expected: Expected | undefined
}

const expectedOf = (certificate: DatabaseCertificate, findEntry: FindEntry): Expected | undefined => {
  const { serialNumber, fingerprint } = certificate.status ?? {}
  if (serialNumber === undefined || fingerprint === undefined) return undefined
  const entry = findEntry(certificate, serialNumber)
  const since = entry === undefined ? Number.NaN : issuedAt(entry)
  return {
    ...{ certificate: certificate.metadata.name, serialNumber, fingerprint },
    ...(Number.isNaN(since) ? {} : { since }),
  }
}

/** The first in the order of the profile that has a certificate and whose key dbtls holds. */
const clientOf = (
  profile: DatabaseTLSProfile,
  issued: readonly Issued[],
  namespace: string,
): PlannedClient | undefined => {
  for (const { name } of profile.spec.clients ?? []) {
    const found = issued.find(
      ({ wanted }) => wanted.part === 'client' && wanted.name === `${profile.metadata.name}-${name}`,
    )
    const { fingerprint, authorityFingerprint: authority } = found?.certificate.status ?? {}
    if (found === undefined || fingerprint === undefined || authority === undefined) continue
    if (found.certificate.spec.request !== undefined) continue
    return { name, key: `${namespace}/${found.wanted.name}`, fingerprint, authority }
  }
  return undefined
}
