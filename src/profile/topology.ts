/**
 * How servers are reached → the names their certificates carry. Pure: what the API server already checked is taken as it is,
 * what it cannot check (lengths of names put together) is a TopologyError.
 */

import { NameError } from '../pki/names/names.ts'
import { normaliseDnsName, normaliseIpAddress } from '../pki/names/general-names.ts'

export interface Place {
  readonly namespace: string
  /** DNS domain of the cluster, as cluster.local. */
  readonly clusterDomain: string
}

export interface StatefulSet {
  readonly name: string
  /** Default: the name of the StatefulSet. */
  readonly headlessService?: string | undefined
  /** Default: 1. */
  readonly replicas?: number | undefined
}

/** One group of servers that share their names. */
export interface Group {
  readonly services?: readonly string[] | undefined
  readonly statefulSet?: StatefulSet | undefined
  /** Of other groups that are named along. */
  readonly moreStatefulSets?: readonly StatefulSet[]
  readonly dnsNames?: readonly string[] | undefined
  readonly ipAddresses?: readonly string[] | undefined
}

export interface Names {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
}

export interface NameOptions {
  /**
   * Whether whoever checks the members' names takes `*.h` for `s-0.h`: Go and Java do, OpenSSL and Node want two labels
   * behind the wildcard (measured with OpenSSL 3, Node 24, Java 17, Go 1.26).
   */
  readonly bareWildcards: boolean
  /** Whether the CA signs wildcards at all; without them every pod is listed. */
  readonly wildcards: boolean
  /** DNS names of the certificate as it is. Pods beyond `replicas` that it names already are kept. */
  readonly kept: readonly string[]
}

/** A sentence about the field it names, with the cure. */
export class TopologyError extends Error {
  override readonly name = 'TopologyError'
  /** Below the group: `statefulSet.name`. */
  readonly field: string
  readonly cure: string

  constructor(field: string, problem: string, cure: string) {
    super(problem)
    this.field = field
    this.cure = cure
  }
}

/** What a DatabaseCertificate's dnsNames may hold. */
export const maxDnsNames = 200

export const loopback: Names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }

/** `c`, `c.n`, `c.n.svc`, `c.n.svc.d`: the four forms a name inside the cluster is asked for by (Kubernetes DNS specification). */
export const forms = (name: string, { namespace, clusterDomain }: Place): string[] => [
  name,
  `${name}.${namespace}`,
  `${name}.${namespace}.svc`,
  `${name}.${namespace}.svc.${clusterDomain}`,
]

/** Number of pods to name for `replicas`: the next power of two above it, at least 4, so that most changes cost no certificate. */
export const headroom = (replicas: number): number => Math.max(4, 2 ** Math.ceil(Math.log2(replicas + 1)))

/** The names of all servers of a group together, loopback included, normalised and each once. Throws TopologyError. */
export const namesOfGroup = (group: Group, place: Place, options: NameOptions): Names => {
  const sets = [...(group.statefulSet === undefined ? [] : [group.statefulSet]), ...(group.moreStatefulSets ?? [])]
  const fixed = [
    ...(group.services ?? []).flatMap((service) => forms(service, place)),
    ...sets.flatMap((set) => (options.wildcards ? forms(`*.${headlessOf(set)}`, place) : [])),
    ...(group.dnsNames ?? []),
    ...loopback.dnsNames,
  ]
  const dnsNames = normalised(fixed, place)
  const pods: string[] = []
  for (const set of sets)
    pods.push(...normalised(listedPods(set, place, options, maxDnsNames - dnsNames.length - pods.length), place))
  return bounded({
    dnsNames: [...new Set([...dnsNames.slice(0, -1), ...pods, ...loopback.dnsNames])],
    ipAddresses: addresses(group),
  })
}

/** The names of one pod: its own, and those by which the group as a whole is reached. */
export const namesOfPod = (group: Group, set: StatefulSet, ordinal: number, place: Place): Names => {
  checkPodName(set, ordinal)
  const names = [
    ...forms(`${set.name}-${ordinal}.${headlessOf(set)}`, place),
    ...(group.services ?? []).flatMap((service) => forms(service, place)),
    ...(group.dnsNames ?? []),
    ...loopback.dnsNames,
  ]
  return bounded({ dnsNames: normalised(names, place), ipAddresses: addresses(group) })
}

/** Whether anything but the loopback leads to these servers. */
export const isReachable = ({ dnsNames, ipAddresses }: Names): boolean =>
  dnsNames.some((name) => !loopback.dnsNames.includes(name)) ||
  ipAddresses.some((address) => !loopback.ipAddresses.includes(address))

/** X.520 ub-common-name, characters. */
export const maxCommonName = 64

/** A common name that is one of the names and not too long; verifiers of today read the names alone. */
export const commonNameOf = ({ dnsNames }: Names): string | undefined =>
  dnsNames.find((name) => name.length <= maxCommonName && !name.startsWith('*') && !loopback.dnsNames.includes(name))

export const replicasOf = ({ replicas = 1 }: Pick<StatefulSet, 'replicas'>): number => replicas

const headlessOf = (set: StatefulSet): string => set.headlessService ?? set.name

/** Pods that a wildcard does not stand for. */
const listedPods = (set: StatefulSet, place: Place, options: NameOptions, room: number): string[] => {
  if (options.wildcards && options.bareWildcards) return []
  const namesOf = (ordinal: number): string[] => {
    const all = forms(`${set.name}-${ordinal}.${headlessOf(set)}`, place)
    return options.wildcards ? all.slice(0, 1) : all
  }
  const replicas = replicasOf(set)
  checkPodName(set, replicas - 1)
  const perPod = namesOf(0).length
  const most = Math.floor(room / perPod)
  if (replicas > most)
    throw new TopologyError(
      'statefulSet.replicas',
      `the names of ${replicas} pods are more than one certificate holds (${maxDnsNames})`,
      'set topology.certificatePer: Pod',
    )
  const kept = new Set(options.kept)
  const isKept = (ordinal: number): boolean => namesOf(ordinal).every((name) => kept.has(name))
  let count = 0
  while (count < most && isKept(count)) count += 1
  const pods = count >= replicas ? count : Math.min(headroom(replicas), most)
  return Array.from({ length: pods }, (_, ordinal) => ordinal)
    .filter((ordinal) => podName(set, ordinal).length <= maxLabel)
    .flatMap(namesOf)
}

const maxLabel = 63

const podName = (set: StatefulSet, ordinal: number): string => `${set.name}-${ordinal}`

const checkPodName = (set: StatefulSet, ordinal: number): void => {
  const name = podName(set, ordinal)
  if (name.length <= maxLabel) return
  throw new TopologyError(
    'statefulSet.name',
    `its pod "${name}" would have ${name.length} characters, more than a DNS label holds (${maxLabel})`,
    'give the StatefulSet a shorter name',
  )
}

const normalised = (names: readonly string[], { clusterDomain }: Place): string[] => {
  const read = (name: string): string => {
    try {
      return normaliseDnsName(name)
    } catch (error) {
      if (!(error instanceof NameError)) throw error
      if (name.endsWith(`.svc.${clusterDomain}`))
        throw new TopologyError(
          'clusterDomain',
          lowered(error.message),
          'write the DNS domain of the cluster, as cluster.local',
        )
      throw new TopologyError('dnsNames', lowered(error.message), 'write a DNS name, as db.example.com')
    }
  }
  return [...new Set(names.map(read))]
}

const addresses = (group: Group): string[] => {
  const read = (address: string): string => {
    try {
      return normaliseIpAddress(address)
    } catch (error) {
      if (!(error instanceof NameError)) throw error
      throw new TopologyError('ipAddresses', lowered(error.message), 'write an address, as 192.0.2.7 or 2001:db8::7')
    }
  }
  return [...new Set([...(group.ipAddresses ?? []), ...loopback.ipAddresses].map(read))]
}

const bounded = (names: Names): Names => {
  if (names.dnsNames.length <= maxDnsNames && names.ipAddresses.length <= maxDnsNames) return names
  throw new TopologyError(
    'services',
    `services and names make ${names.dnsNames.length} DNS names and ${names.ipAddresses.length} addresses, more than one certificate holds (${maxDnsNames} each)`,
    'list fewer, or make a profile for each group of servers',
  )
}

const lowered = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '')
