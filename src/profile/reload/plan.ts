/** A profile and what was issued for it → which servers and workloads should have taken up what. Pure. */

import { hash } from 'node:crypto'
import { parseEndpoint } from '../../database/connect/address.ts'
import type { DialectName } from '../../database/connect/dialects/table.ts'
import type { Reload } from '../../database/engines/engine.ts'
import { engineOf } from '../../database/engines/external.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'
import { addressedAt } from '../addressed.ts'
import type { ProfileView } from '../collaborators.ts'
import { authorityOf, clientAuthorityOf } from '../names.ts'

/** A certificate as it was delivered. */
export interface Delivered {
  readonly serial: string
  readonly secretName: string
  /** When it was signed, ms since the epoch; undefined where the ledger does not know. */
  readonly since: number | undefined
}

export interface PlannedServer {
  /** HOST:PORT as the profile has it. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly dialect: DialectName
  /** What its certificate is verified for. */
  readonly serverName: string
  /** It may serve any of these; never empty. */
  readonly delivered: readonly Delivered[]
}

export interface PlannedWorkload {
  readonly kind: 'StatefulSet' | 'Deployment'
  readonly name: string
  /** What its pods should have been started with, as the annotation says it: an empty part does not matter to them. */
  readonly goal: Goal
  /** Addresses of its servers that can be asked; the same serials as theirs. */
  readonly servers: readonly PlannedServer[]
  readonly since: number | undefined
}

export interface Goal {
  readonly leaf: string
  readonly trust: string
}

export interface ReloadPlan {
  readonly engine: string
  readonly strategy: 'SQL' | 'Rollout' | 'None'
  readonly reload: Reload
  readonly servers: readonly PlannedServer[]
  readonly workloads: readonly PlannedWorkload[]
  /** Each CA that servers are to trust. */
  readonly trust: readonly PlannedTrust[]
  /** Of them together; undefined while one is not known. */
  readonly trustHash: string | undefined
}

export interface PlannedTrust {
  /** `namespace/name`. */
  readonly authority: string
  /** Of the bundle that was delivered; undefined where that is not known, or in the middle of a change. */
  readonly hash: string | undefined
}

/** When a certificate's CA signed this number, ms since the epoch. */
export type FindIssued = (certificate: DatabaseCertificate, serialNumber: string) => number | undefined

/** More servers than these have their own means. */
const mostServers = 64

export interface PlanSources {
  readonly findIssued: FindIssued
  /** The bundle of a CA, as `namespace/name`, that signed nothing of the servers. */
  readonly trustHashOf: (authority: string) => string | undefined
  /** The bundle that is known to be loaded where `hash` is of the same CAs in another order: that alone is no reason to do anything. */
  readonly knownAs: (authority: string, hash: string) => string
  /** What the chain beside an unchanged certificate leads to now; undefined where it is the chain that it came with. */
  readonly chainOf: (certificate: DatabaseCertificate) => string | undefined
}

/** undefined where there is nothing to reload. */
export const planOf = (
  { profile, expansion, certificates }: ProfileView,
  { findIssued, trustHashOf, knownAs, chainOf }: PlanSources,
): ReloadPlan | undefined => {
  const { reload } = expansion
  if (reload === undefined) return undefined
  const delivered = (part: string): readonly Issued[] =>
    expansion.certificates.flatMap((wanted) => {
      const certificate = wanted.part === part ? certificates.get(wanted.name) : undefined
      const serial = certificate?.status?.serialNumber
      if (certificate === undefined || serial === undefined) return []
      return {
        ...{ certificate, serial, secretName: certificate.spec.secret.name, since: findIssued(certificate, serial) },
        chain: chainOf(certificate),
      }
    })
  const issued = delivered('server')
  const trust = trustsOf(profile, issued, trustHashOf, knownAs)
  const trustHash = bundlesOf(trust)
  const servers = serversOf({ profile, expansion }, issued)
  return {
    engine: profile.spec.engine,
    ...{ strategy: reload.strategy, reload, servers, trust, trustHash },
    workloads: reload.strategy === 'Rollout' ? workloadsOf(profile, reload, delivered, servers, trustHash) : [],
  }
}

interface Issued extends Delivered {
  readonly certificate: DatabaseCertificate
  readonly chain: string | undefined
}

const trustsOf = (
  profile: DatabaseTLSProfile,
  issued: readonly Issued[],
  trustHashOf: PlanSources['trustHashOf'],
  knownAs: PlanSources['knownAs'],
): readonly PlannedTrust[] => {
  const authority = authorityOf(profile)
  const hashes = new Set(
    issued.map(({ certificate: { status } }) => status?.trustBundleHash && knownAs(authority, status.trustBundleHash)),
  )
  // In the middle of a change each certificate has its own.
  const [own] = hashes.size > 1 ? [] : hashes
  const clients = clientAuthorityOf(profile)
  if (clients === authority) return [{ authority, hash: own }]
  const delivered = trustHashOf(clients)
  return [
    { authority, hash: own },
    { authority: clients, hash: delivered === undefined ? undefined : knownAs(clients, delivered) },
  ]
}

/** One value for all CAs of a profile; undefined where one is not known. */
export const bundlesOf = (trust: readonly PlannedTrust[]): string | undefined => {
  const hashes = trust.flatMap(({ hash: one }) => one ?? [])
  if (hashes.length < Math.max(1, trust.length)) return undefined
  return hashes.length === 1 ? hashes[0] : short(hashes.join(' '), 64)
}

const short = (text: string, length: number): string => hash('sha256', text, 'hex').slice(0, length)

const serversOf = (
  { profile, expansion }: Pick<ProfileView, 'profile' | 'expansion'>,
  issued: readonly Issued[],
): readonly PlannedServer[] => {
  const { definition } = engineOf(profile.spec)
  const given = profile.spec.reload?.endpoints ?? []
  const all =
    given.length > 0
      ? given.map((address) => ({ address, dialect: definition.dialect }))
      : expansion.endpoints.filter(({ part }) => part === 'server')
  const planned = new Map<string, PlannedServer>()
  for (const { address, dialect } of all) {
    const where = parseEndpoint(address)
    if (where === undefined || issued.length === 0) continue
    const { serverName, expected } = addressedAt(where.host, issued, { isGiven: given.length > 0 })
    const delivered = expected.map(({ serial, secretName, since }) => ({ serial, secretName, since }))
    planned.set(address, { address, dialect, ...where, serverName, delivered })
  }
  return [...planned.values()].slice(0, mostServers)
}

/** Those that are named, or the StatefulSets of the topology and of the components. */
const workloadsOf = (
  { spec }: DatabaseTLSProfile,
  { leaf, authority }: Reload,
  delivered: (part: string) => readonly Issued[],
  servers: readonly PlannedServer[],
  trustHash: string | undefined,
): readonly PlannedWorkload[] => {
  const usual = [
    ...(spec.topology?.statefulSet === undefined ? [] : [{ name: spec.topology.statefulSet.name, part: 'server' }]),
    ...(spec.components ?? []).flatMap(({ name, statefulSet }) =>
      statefulSet === undefined ? [] : [{ name: statefulSet.name, part: name }],
    ),
  ].map((one) => ({ kind: 'StatefulSet' as const, ...one }))
  const given = spec.reload?.workloads?.map(({ kind, name, component = 'server' }) => ({ kind, name, part: component }))
  const parts = new Map<string, { readonly kind: PlannedWorkload['kind']; readonly name: string; part: string[] }>()
  for (const { kind, name, part } of given ?? usual) {
    const key = `${kind}/${name}`
    parts.set(key, { kind, name, part: [...(parts.get(key)?.part ?? []), part] })
  }
  return [...parts.values()].flatMap(({ kind, name, part }) => {
    const issued = part.flatMap(delivered)
    if (issued.length === 0 || trustHash === undefined) return []
    const serials = issued.map(({ serial, chain }) => (chain === undefined ? serial : `${serial}/${chain}`)).toSorted()
    return {
      ...{ kind, name },
      // What the servers read by themselves is no reason to restart them.
      goal: {
        leaf: leaf === 'Automatic' ? '' : short(serials.join(' '), 16),
        trust: authority === 'Automatic' ? '' : trustHash.slice(0, 16),
      },
      servers: part.includes('server') ? servers : [],
      since: Math.max(...issued.map(({ since }) => since ?? 0)) || undefined,
    }
  })
}
