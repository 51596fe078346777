/**
 * A profile → the plain list of everything it asks for. Pure: the same profile and the same CAs give the same list.
 *
 * What is refused is left out, and everything else is still there. While there are refusals nothing that was delivered before
 * may be removed because it is missing here.
 */

import type { Context, Definition, Mounted, Reload } from '../database/engines/engine.ts'
import { engineOf } from '../database/engines/external.ts'
import { below, filesOf, plainPath } from '../database/engines/files.ts'
import { isBeyond, isAtLeast, parseVersion, type Version } from '../database/engines/version.ts'
import { normaliseDnsName, normaliseIpAddress } from '../pki/names/general-names.ts'
import { isAddress } from '../pki/names/ip-address.ts'
import { NameError } from '../pki/names/names.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { AuthorityRef } from '../resources/fields.ts'
import { type ClientPart, clientParts, guest } from './clients.ts'
import { Claims, Findings } from './findings.ts'
import { layoutOf, noLayout } from './layout.ts'
import { componentOf, type ServerPart, serverParts } from './servers.ts'
import type { Expansion, Known, Shared, WantedTrust } from './expansion.ts'
import { clientTrustName, serverTrustName, trustItems, trustPath } from './trust.ts'
import { endpointsOf } from './wanted-endpoints.ts'

export const expand = (profile: DatabaseTLSProfile, known: Known = {}): Expansion => {
  const findings = new Findings()
  const { spec } = profile
  const { definition, managed } = engineOf(spec)
  const holder = { profile: profile.metadata.name, namespace: profile.metadata.namespace ?? 'default' }
  const names = {
    objects: new Claims(),
    secrets: new Claims(),
    configMaps: new Claims(),
    identities: new Map<string, string>(),
  }
  const layout = layoutOf(profile, findings)
  const shared = { profile, definition, managed, holder, known, names, findings, layout: layout ?? noLayout }
  const version = versionOf(definition, spec.version, findings)
  const mountPath = plainPath.test(spec.mountPath ?? '/etc/dbtls') ? (spec.mountPath ?? '/etc/dbtls') : undefined
  if (mountPath === undefined)
    findings.refuse('spec.mountPath', {
      problem: 'it is no absolute path of letters, digits, "-", "_", "." and "/"',
      cure: 'write one, as /etc/dbtls',
    })
  const host = hostOf(shared, findings)
  const servers = managed || layout === undefined ? [] : serverParts(shared, version, host)
  const clients = layout === undefined ? [] : clientParts(shared)
  const reload = reloadOf(shared, version, servers, mountPath)
  const trust = trustOf(shared)
  const configMap =
    version === undefined || mountPath === undefined || host === undefined || layout === undefined
      ? undefined
      : configMapOf(shared, { version, mountPath, host, servers, clients })
  return {
    certificates: [...servers.flatMap((part) => part.certificates), ...clients.flatMap((part) => part.certificates)],
    trust,
    ...(configMap === undefined ? {} : { configMap }),
    endpoints: endpointsOf(shared, servers, host),
    ...(reload === undefined ? {} : { reload }),
    warnings: findings.warnings,
    refusals: findings.refusals,
  }
}

/** undefined where it was refused. */
const versionOf = (definition: Definition, given: string | undefined, findings: Findings): Version | undefined => {
  const { oldest, newest } = definition.versions
  const version = parseVersion(given ?? newest)
  const known = `${definition.engine} ${oldest} to ${newest}`
  const refuse = (problem: string): undefined =>
    findings.refuse('spec.version', {
      problem,
      cure: `write one of ${known}, or leave it out for the newest`,
    }) as undefined
  if (version === undefined) return refuse('it is no version of a database, as 8.4')
  if (!isAtLeast(version, oldest) || isBeyond(version, newest))
    return refuse(`${definition.engine} ${version.join('.')} is not known here`)
  return version
}

/** The host that clients connect to, normalised; undefined where none can be told. */
const hostOf = ({ profile, managed, holder }: Shared, findings: Findings): string | undefined => {
  const { connection, topology } = profile.spec
  if (connection?.host !== undefined)
    try {
      return isAddress(connection.host) ? normaliseIpAddress(connection.host) : normaliseDnsName(connection.host)
    } catch (error) {
      if (!(error instanceof NameError)) throw error
      findings.refuse('spec.connection.host', {
        problem: error.message.replace(/\.$/, ''),
        cure: 'write a DNS name or an address, without port',
      })
      return undefined
    }
  const [service] = topology?.services ?? []
  const first = topology?.extraDNSNames?.find((name) => !name.startsWith('*')) ?? topology?.extraIPAddresses?.[0]
  if (managed) {
    findings.refuse('spec.connection.host', {
      problem: 'an External server is known by it alone',
      cure: 'write the host name that its certificate is for',
    })
    return undefined
  }
  return service === undefined ? (first ?? componentHost(profile)) : `${service}.${holder.namespace}.svc`
}

const componentHost = ({ spec, metadata }: DatabaseTLSProfile): string | undefined => {
  const set = spec.topology?.statefulSet
  const namespace = metadata.namespace ?? 'default'
  if (set !== undefined) return `${set.headlessService ?? set.name}.${namespace}.svc`
  for (const { services, dnsNames, ipAddresses } of spec.components ?? []) {
    const [service] = services ?? []
    if (service !== undefined) return `${service}.${namespace}.svc`
    const other = dnsNames?.[0] ?? ipAddresses?.[0]
    if (other !== undefined) return other
  }
  return undefined
}

const trustOf = ({ profile: { spec }, managed, holder, names, findings }: Shared): WantedTrust[] => {
  const wanted: WantedTrust[] = []
  const add = (name: string, authorityRef: AuthorityRef): void => {
    const other = names.configMaps.take(name, name)
    if (other === undefined && name.length <= 253) wanted.push({ name, authorityRef, items: trustItems })
    else
      findings.refuse('metadata.name', {
        problem:
          other === undefined
            ? `ConfigMap "${name.slice(0, 40)}…" is longer than 253 characters`
            : `ConfigMap ${name} would be written twice`,
        cure: 'give the profile a shorter or another name',
      })
  }
  if (managed || spec.clientAuthorityRef !== undefined) add(serverTrustName(holder), spec.authorityRef)
  if (!managed && spec.clientAuthorityRef !== undefined) add(clientTrustName(holder), spec.clientAuthorityRef)
  return wanted
}

interface Parts {
  readonly version: Version
  readonly mountPath: string
  readonly host: string
  readonly servers: readonly ServerPart[]
  readonly clients: readonly ClientPart[]
}

const mountsOf = ({ profile, definition, holder }: Shared, mountPath: string, servers: readonly ServerPart[]) => {
  const mounted = (part: ServerPart | undefined, folder: string): Mounted => ({
    secretName: part?.secretName ?? `${holder.profile}-server-tls`,
    folder,
    files: filesOf(folder, part?.items ?? []),
    subject: part?.subject ?? {},
  })
  const server = mounted(
    servers.find(({ part }) => part === 'server'),
    mountPath,
  )
  const components = new Map([
    ...servers
      .filter(({ part }) => part !== 'server')
      .map((part) => [part.part, mounted(part, below(mountPath, part.part))] as const),
    ...(profile.spec.components ?? [])
      .filter(({ name }) => componentOf(definition, name)?.raisesServer === true)
      .map(({ name }) => [name, server] as const),
  ])
  return { server, components }
}

/** A layout that leaves out what these files would name is of an operator that configures its servers by itself. */
const configurable = ({ definition }: Shared, servers: readonly ServerPart[]): boolean => {
  const held = new Set(servers.find(({ part }) => part === 'server')?.items.map(({ content }) => content))
  return held.size === 0 || definition.serverItems.every(({ content }) => held.has(content))
}

const configMapOf = (shared: Shared, parts: Parts): Expansion['configMap'] => {
  const { profile, definition, managed, holder, known, names, findings } = shared
  const { spec } = profile
  const name = spec.config?.configMapName ?? `${holder.profile}-tls-config`
  const other = names.configMaps.take(name, 'spec.config.configMapName')
  if (other !== undefined || name.length > 253) {
    findings.refuse('spec.config.configMapName', {
      problem:
        other === undefined
          ? `"${name.slice(0, 40)}…" is longer than 253 characters`
          : `ConfigMap ${name} is taken by the trust bundle`,
      cure: 'choose another name',
    })
    return undefined
  }
  const { server, components } = mountsOf(shared, parts.mountPath, parts.servers)
  const listed = parts.clients.flatMap(({ client }) => client?.(parts.mountPath) ?? [])
  const clients = listed.length === 0 ? [guest(shared, parts.mountPath)] : listed
  const clientAuthority = spec.clientAuthorityRef === undefined ? known.authority : known.clientAuthority
  const context: Context = {
    profile: holder.profile,
    namespace: holder.namespace,
    version: parts.version,
    managed,
    host: parts.host,
    port: spec.connection?.port ?? definition.port,
    server,
    components,
    clientTrust: spec.clientAuthorityRef === undefined ? server.files.trust : trustPath(parts.mountPath, 'client-ca'),
    clients,
    clientIssuer: clientAuthority?.subject,
  }
  const data = {
    ...(managed || !configurable(shared, parts.servers) ? {} : definition.serverFiles(context)),
    ...definition.clientFiles(context),
  }
  return { name, data }
}

const reloadOf = (
  shared: Shared,
  version: Version | undefined,
  servers: readonly ServerPart[],
  mountPath: string | undefined,
): Expansion['reload'] => {
  const { profile, definition, managed, findings } = shared
  const { spec } = profile
  if (version === undefined || mountPath === undefined) return undefined
  const strategy = spec.reload?.strategy ?? 'None'
  if (managed && strategy !== 'None') {
    findings.refuse('spec.reload.strategy', {
      problem: 'an External server brings its own certificate, so there is nothing to reload',
      cure: 'leave reload out',
    })
    return undefined
  }
  if (managed) return undefined
  const { server, components } = mountsOf(shared, mountPath, servers)
  const clientTrust = spec.clientAuthorityRef === undefined ? server.files.trust : trustPath(mountPath, 'client-ca')
  const reload = definition.reload(version, { server, components, clientTrust })
  if (strategy === 'SQL' && reload.statements.length === 0) {
    findings.refuse('spec.reload.strategy', {
      problem: `${definition.engine} ${version.join('.')} has no statement that reloads certificates`,
      cure: reload.leaf === 'Automatic' ? 'set None: it reads renewed files by itself' : 'set Rollout or None',
    })
    return undefined
  }
  return reloadFits(profile, reload, servers, findings) ? { ...reload, strategy } : undefined
}

/** Whether what spec.reload names is there. */
const reloadFits = (
  { spec }: DatabaseTLSProfile,
  { leaf, authority }: Reload,
  servers: readonly ServerPart[],
  findings: Findings,
): boolean => {
  const { strategy = 'None', client, workloads } = spec.reload ?? {}
  const { length } = findings.refusals
  if (strategy === 'SQL' && client !== undefined && !(spec.clients ?? []).some(({ name }) => name === client))
    findings.refuse('spec.reload.client', {
      problem: `no client is called "${client}"`,
      cure: 'name one of spec.clients, or leave it out',
    })
  if (strategy !== 'Rollout') return findings.refusals.length === length
  const parts = new Set(['server', ...servers.map(({ part }) => part)])
  for (const [index, { component }] of (workloads ?? []).entries())
    if (component !== undefined && !parts.has(component))
      findings.refuse(`spec.reload.workloads[${index}].component`, {
        problem: `no component "${component}" has a certificate`,
        cure: 'name one of spec.components, or leave it out for the server',
      })
  const sets = [spec.topology, ...(spec.components ?? [])].some((one) => one?.statefulSet !== undefined)
  if (workloads === undefined && !sets)
    findings.refuse('spec.reload.workloads', {
      problem: 'nothing says what to restart',
      cure: 'list the workloads, or set topology.statefulSet',
    })
  if (leaf === 'Automatic' && authority === 'Automatic')
    findings.warn('spec.reload.strategy', {
      problem: `${spec.engine} reads renewed files by itself, so nothing is restarted`,
      cure: 'set None',
    })
  return findings.refusals.length === length
}
