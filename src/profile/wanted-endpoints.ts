/** Where the servers of a profile listen. Pure. */

import { uriHost } from '../database/engines/quote/uri.ts'
import type { Shared, WantedEndpoint } from './expansion.ts'
import { placeOf } from './reach.ts'
import { componentOf, type ServerPart, topologyGroup } from './servers.ts'
import { type Group, type Place, replicasOf } from './topology.ts'

/** Those of probe.endpoints, or each pod, service or address of the topology. */
export const endpointsOf = (
  shared: Shared,
  parts: readonly ServerPart[],
  host: string | undefined,
): WantedEndpoint[] => {
  const { profile, definition, managed } = shared
  const { spec } = profile
  const port = spec.connection?.port ?? definition.port
  const given = spec.probe?.endpoints ?? []
  if (given.length > 0) return given.map((address) => ({ address, dialect: definition.dialect, part: 'server' }))
  if (managed)
    return host === undefined
      ? []
      : [{ address: `${uriHost(host)}:${port}`, dialect: definition.dialect, part: 'server' }]
  const place = placeOf(shared.profile)
  return parts.flatMap(({ part, group }) => {
    const component = componentOf(definition, part)
    const at = part === 'server' ? { port, dialect: definition.dialect } : component
    if (at?.port === undefined) return []
    const { port: open, dialect = 'plain' } = at
    const hosts = part === 'server' ? serverHosts(shared, host, place) : hostsOf(group, place)
    return [...new Set(hosts)].map((one) => ({ address: `${uriHost(one)}:${open}`, dialect, part }))
  })
}

/** Those of the topology; where it names none, those of components that run on the same servers. A proxy is looked at by itself. */
const serverHosts = (shared: Shared, host: string | undefined, place: Place): string[] => {
  const { definition, profile } = shared
  const same = (profile.spec.components ?? []).filter(({ name }) => {
    const component = componentOf(definition, name)
    const faces = component?.facesClients === true && component.dialect !== definition.dialect
    return faces || component?.raisesServer === true
  })
  const groups: readonly Group[] = [topologyGroup(shared, host), ...same]
  return groups.map((group) => hostsOf(group, place)).find((hosts) => hosts.length > 0) ?? []
}

const hostsOf = ({ services = [], statefulSet, dnsNames = [], ipAddresses = [] }: Group, place: Place): string[] => {
  const suffix = `${place.namespace}.svc.${place.clusterDomain}`
  if (statefulSet !== undefined) {
    const headless = statefulSet.headlessService ?? statefulSet.name
    return Array.from(
      { length: replicasOf(statefulSet) },
      (_, ordinal) => `${statefulSet.name}-${ordinal}.${headless}.${suffix}`,
    )
  }
  if (services.length > 0) return services.map((service) => `${service}.${suffix}`)
  return ipAddresses.length > 0 ? [...ipAddresses] : dnsNames.filter((name) => !name.startsWith('*'))
}
