/**
 * Which servers are asked at all. Whoever may write a profile may name endpoints, and the operator stands where that person does
 * not: on the node's link-local network with its metadata services, beside other pods, near its own loopback. Addresses are judged
 * after the look-up and then connected to as they are, so a name cannot change its meaning in between. docs/adr/0016.
 */

import { BlockList, isIP, SocketAddress } from 'node:net'
import type { Permits } from '../reach.ts'
import type { Place } from '../topology.ts'

export interface ProbeRules {
  /**
   * Names are made absolute as the cluster's DNS has them, since the search path of the operator's pod is another one than the
   * profile's. Otherwise they are looked up as they are.
   */
  readonly inCluster: boolean
  /** Whether names of Services and pods in other namespaces are asked. */
  readonly otherNamespaces: boolean
  /** ADDRESS or ADDRESS/PREFIX: asked although one of the networks below. */
  readonly allow: readonly string[]
  /** Never asked. Goes before `allow`. */
  readonly deny: readonly string[]
}

/** A cluster: nothing but what a database could listen on. */
export const clusterRules: ProbeRules = { inCluster: true, otherNamespaces: false, allow: [], deny: [] }

/** A person's own machine, whose loopback is theirs. */
export const localRules: ProbeRules = {
  inCluster: false,
  otherNamespaces: true,
  allow: ['127.0.0.0/8', '::1'],
  deny: [],
}

/** No database of a cluster listens here; metadata services of clouds do. */
const never: readonly string[] = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200', // Alibaba Cloud's metadata
  '168.63.129.16', // Azure's host
  '192.0.0.192', // Oracle Cloud's metadata
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::',
  '::1',
  'fe80::/10',
  'ff00::/8',
  'fd00:ec2::/32', // AWS: metadata, DNS and time
  'fd20:ce::254', // Google Cloud's metadata
]

/** The eight numbers of an IPv6 address, however it is written. */
const groupsOf = (address: string): readonly number[] => {
  const { address: plain } = new SocketAddress({ address, family: 'ipv6' })
  const text = plain.replace(/[0-9]+(\.[0-9]+){3}$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [before = [], after = []] = text
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))))
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

/**
 * An IPv6 address that stands for an IPv4 one, in any of the ways that gateways and hosts have for it: NAT64 (RFC 6052 §2.1, RFC
 * 8215), IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765 §2.1) and 6to4 (RFC 3056 §2). Mapped ones are understood by
 * BlockList.
 */
const inner = (address: string): string | undefined => {
  if (isIP(address) !== 6) return undefined
  const groups = groupsOf(address)
  const [first, second, third = 0] = groups
  const ends = (...start: readonly number[]): boolean =>
    groups.slice(0, 6).every((group, index) => group === (start[index] ?? 0))
  const dotted = (at: number): string =>
    groups
      .slice(at, at + 2)
      .flatMap((half) => [half >> 8, half & 0xff])
      .join('.')
  if (first === 0x2002) return dotted(1)
  const isLocal = first === 0x64 && second === 0xff9b && third === 1
  // `::` and `::1` are themselves.
  const isCompatible = ends() && groups[6] !== 0
  return isLocal || isCompatible || ends(0x64, 0xff9b) || ends(0, 0, 0, 0, 0xffff) ? dotted(6) : undefined
}

/** Undefined where the text is no network. */
export const parseNetwork = (
  text: string,
): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | undefined => {
  const [address = '', length, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined
  const longest = version === 4 ? 32 : 128
  const prefix = length === undefined ? longest : /^[0-9]{1,3}$/.test(length) ? Number(length) : Number.NaN
  return prefix <= longest ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

const listOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) throw new RangeError(`"${text}" is no address and no network`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return list
}

const holds = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')

export class Permission implements Permits {
  readonly #rules: ProbeRules
  readonly #never = listOf(never)
  readonly #allow: BlockList
  readonly #deny: BlockList

  /** Throws RangeError for a rule that is no network. */
  constructor(rules: ProbeRules) {
    this.#rules = rules
    this.#allow = listOf(rules.allow)
    this.#deny = listOf(rules.deny)
  }

  /** `host`: of an endpoint of a profile in `namespace`. */
  name(host: string, place: Place): ReturnType<Permits['name']> {
    if (isIP(host) !== 0 || !this.#rules.inCluster) return { name: host }
    const labels = host.replace(/\.$/, '').toLowerCase().split('.')
    const absolute = absoluteName(labels, place)
    const others = this.#rules.otherNamespaces ? undefined : otherNamespace(absolute.split('.'), place.namespace)
    if (others === undefined) return { name: absolute }
    return {
      refused: `it is a name of namespace ${others}, and this operator asks only servers of the profile's own namespace (--probe-other-namespaces)`,
    }
  }

  /** Why this address is not asked; undefined where it is. */
  refusal(address: string): string | undefined {
    const [bare = ''] = address.split('%')
    for (const one of [bare, inner(bare)]) {
      if (one === undefined) continue
      if (isIP(one) === 0) return 'it is no address'
      if (holds(this.#deny, one)) return 'the operator was told not to ask it (--probe-deny)'
      if (holds(this.#never, one) && !holds(this.#allow, one))
        return 'it is a loopback, link-local, multicast or metadata address, where no database is asked (--probe-allow)'
    }
    return undefined
  }
}

/** As a pod of the profile's namespace would find it, with the dot at the end that keeps search paths out. */
const absoluteName = (labels: readonly string[], { namespace, clusterDomain }: Place): string => {
  const [first = '', second] = labels
  const name = labels.join('.')
  if (labels.length === 1 && first !== 'localhost') return `${name}.${namespace}.svc.${clusterDomain}.`
  if (labels.length === 2 && second === namespace) return `${name}.svc.${clusterDomain}.`
  return labels.at(-1) === 'svc' ? `${name}.${clusterDomain}.` : `${name}.`
}

/**
 * The namespace that a name of a Service or pod belongs to, where it is another one. The domain of the cluster is not asked for:
 * the profile's author says what it is.
 */
const otherNamespace = (labels: readonly string[], own: string): string | undefined =>
  labels
    .filter((_, index) => index >= 1 && ['svc', 'pod'].includes(labels[index + 1] ?? ''))
    .find((label) => label !== own)
