/** The certificates of servers: that which clients see, and those of the engine's components. */

import { keyFinding } from '../database/engines/demands.ts'
import type { Component, Definition, Role, Subject } from '../database/engines/engine.ts'
import type { Version } from '../database/engines/version.ts'
import { isAddress } from '../pki/names/ip-address.ts'
import { limits } from '../resources/engines.ts'
import type { Item } from '../resources/secret-items.ts'
import { keyOf, specOf } from './certificate-spec.ts'
import type { Shared, WantedCertificate } from './expansion.ts'
import { givenClients } from './given.ts'
import { matchingSubject, permittedNames } from './known.ts'
import type { Placement } from './layout.ts'
import { placeOf } from './reach.ts'
import {
  commonNameOf,
  type Group,
  isReachable,
  type Names,
  namesOfGroup,
  namesOfPod,
  replicasOf,
  TopologyError,
} from './topology.ts'

export interface ServerPart {
  /** `server`, or the name of the component. */
  readonly part: string
  readonly group: Group
  /** Without the ordinal that each pod's has. */
  readonly secretName: string
  readonly items: readonly Item[]
  readonly subject: Subject
  readonly certificates: readonly WantedCertificate[]
}

interface Wish {
  readonly part: string
  /** Where its names are written in the profile. */
  readonly field: string
  readonly group: Group
  readonly role: Role
  readonly secretName: string
  readonly items: readonly Item[]
  readonly layout?: string | undefined
  readonly component?: Component
}

export const serverParts = (shared: Shared, version: Version | undefined, host: string | undefined): ServerPart[] => {
  if (!keyFits(shared, version)) return []
  const wishes = [serverWish(shared, host), ...componentWishes(shared)]
  if (!fewEnough(shared, wishes)) return []
  const parts = wishes.flatMap((wish) => partOf(shared, wish) ?? [])
  consider(shared, parts)
  return parts
}

/** More certificates of pods than this would keep the operator from every other profile; status lists about as many. */
const mostPods = 2000

const podCount = ({ statefulSet }: Group): number => (statefulSet === undefined ? 0 : replicasOf(statefulSet))

const fewEnough = ({ profile, findings }: Shared, wishes: readonly Wish[]): boolean => {
  if (profile.spec.topology?.certificatePer !== 'Pod') return true
  const pods = wishes.reduce((sum, { group }) => sum + podCount(group), 0)
  if (pods <= mostPods) return true
  findings.refuse('spec.topology.certificatePer', {
    problem: `${pods} pods would have a certificate each, and a profile makes ${mostPods} of these at most`,
    cure: 'set Cluster, or make a profile for each group of servers',
  })
  return false
}

/** Whether the engine can use such a key at all. */
const keyFits = ({ profile, definition, findings }: Shared, version: Version | undefined): boolean => {
  const key = keyOf(profile)
  const newest = version ?? [Number.MAX_SAFE_INTEGER]
  const warning = definition.warnsOfKey?.(key, newest)
  if (warning !== undefined) findings.warn('spec.server.privateKey', warning)
  const refusal = keyFinding(definition.engine, key)
  if (refusal !== undefined) findings.refuse('spec.server.privateKey', refusal)
  return refusal === undefined
}

export const topologyGroup = ({ profile: { spec } }: Shared, host?: string): Group => {
  const { topology } = spec
  const given = spec.connection?.host === undefined ? undefined : host
  return {
    services: topology?.services,
    statefulSet: topology?.statefulSet,
    dnsNames: [...(topology?.extraDNSNames ?? []), ...(given === undefined || isAddress(given) ? [] : [given])],
    ipAddresses: [...(topology?.extraIPAddresses ?? []), ...(given !== undefined && isAddress(given) ? [given] : [])],
  }
}

/** The pods are those of the first; the second's are named along. */
const joined = (a: Group, b: Group): Group => {
  const [statefulSet, ...moreStatefulSets] = [a, b].flatMap((group) => [
    ...(group.statefulSet === undefined ? [] : [group.statefulSet]),
    ...(group.moreStatefulSets ?? []),
  ])
  return {
    services: [...(a.services ?? []), ...(b.services ?? [])],
    statefulSet,
    moreStatefulSets,
    dnsNames: [...(a.dnsNames ?? []), ...(b.dnsNames ?? [])],
    ipAddresses: [...(a.ipAddresses ?? []), ...(b.ipAddresses ?? [])],
  }
}

/** `__proto__` is a name like any other. */
export const componentOf = ({ components }: Definition, name: string): Component | undefined =>
  Object.hasOwn(components, name) ? components[name] : undefined

const serverWish = (shared: Shared, host: string | undefined): Wish => {
  const { profile, definition, holder } = shared
  const listed = profile.spec.components ?? []
  const having = (property: 'raisesServer' | 'facesClients') =>
    listed.filter(({ name }) => componentOf(definition, name)?.[property] === true)
  const raised = having('raisesServer')
  const facing = having('facesClients')
  const group = [...raised, ...facing].reduce<Group>((sum, one) => joined(sum, one), topologyGroup(shared, host))
  return {
    part: 'server',
    field: 'spec.topology',
    group,
    role: raised.length > 0 ? 'Peer' : definition.serverRole,
    ...secretOf(shared, profile.spec.server?.secretName, `${holder.profile}-server-tls`, shared.layout.server()),
  }
}

/** What the profile says goes before the layout, and that before what is usual. */
const secretOf = (
  { definition }: Shared,
  given: string | undefined,
  usual: string,
  placement: Placement | undefined,
): Pick<Wish, 'secretName' | 'items' | 'layout'> => ({
  secretName: given ?? placement?.secretName ?? usual,
  items: placement?.items ?? definition.serverItems,
  layout: placement?.layout,
})

const componentWishes = (shared: Shared): Wish[] => {
  const { profile, definition, holder, findings } = shared
  const listed = new Map((profile.spec.components ?? []).map((one, index) => [one.name, { one, index }]))
  const known = Object.keys(definition.components)
  const others = [...listed.keys()].filter((name) => !known.includes(name))
  for (const name of others)
    findings.warn(`spec.components[${listed.get(name)?.index}].name`, {
      problem: `${definition.engine} has no component "${name}" that is known here, so it gets a certificate and no configuration`,
      cure:
        known.length === 0 ? 'leave it out if that is not meant' : `use ${known.join(', ')} if one of these is meant`,
    })
  const some = [...listed.keys()].some((name) => known.includes(name))
  const components = [
    ...Object.entries(definition.components),
    ...others.map((name): [string, Component] => [name, { role: 'Peer' }]),
    ...shared.layout
      .morePeers([...known, ...others])
      .map((name): [string, Component] => [name, { role: 'Peer', always: true, sharesTopology: true }]),
  ]
  return components.flatMap(([name, component]) => {
    const found = listed.get(name)
    const wanted = found !== undefined || component.always === true || (component.withOthers === true && some)
    if (!wanted || component.raisesServer === true) return []
    const own: Group = found?.one ?? {}
    return {
      part: name,
      field: found === undefined ? 'spec.topology' : `spec.components[${found.index}]`,
      group: component.sharesTopology === true ? joined(topologyGroup(shared), own) : own,
      role: component.role,
      ...secretOf(shared, undefined, `${holder.profile}-${name}-tls`, shared.layout.component(name, component.role)),
      component,
    }
  })
}

const partOf = (shared: Shared, wish: Wish): ServerPart | undefined => {
  const { definition, holder, findings } = shared
  const fixed = wish.part === 'server' ? definition.serverSubject?.(holder) : wish.component?.subject?.(holder)
  if (fixed?.refused !== undefined) {
    findings.refuse('metadata.name', fixed.refused)
    return undefined
  }
  const certificates = namedCertificates(shared, wish).flatMap(({ suffix, names }) => {
    const name = `${holder.profile}-${wish.part}${suffix}`
    const secretName = `${wish.secretName}${suffix}`
    if (!claim(shared, wish.part, name, secretName)) return []
    const subject = fixed?.subject ?? { commonName: names === undefined ? undefined : derivedCommonName(shared, names) }
    const spec = specOf(shared.profile, {
      authorityRef: shared.profile.spec.authorityRef,
      role: wish.role,
      subject,
      matching: matchingSubject(shared.known.authority ?? {}),
      ...(names === undefined ? {} : { names }),
      secretName,
      items: wish.items,
      layout: wish.layout,
    })
    return { name, spec, part: wish.part }
  })
  const [first] = certificates
  if (first === undefined) return undefined
  return { ...wish, subject: first.spec.subject ?? {}, certificates }
}

/** Nobody asked for it, so it gives way to a policy that lists what a subject may hold. */
const derivedCommonName = ({ known }: Shared, names: Names): string | undefined => {
  const subject = known.authority?.policy?.subject
  return subject !== undefined && subject.commonName === undefined ? undefined : commonNameOf(names)
}

interface Named {
  readonly suffix: string
  /** Absent: a client of the cluster, which is known by its subject alone. */
  readonly names?: Names
}

/** One for all, or one for each pod; none where the names cannot be had, which is then said. */
const namedCertificates = (shared: Shared, wish: Wish): Named[] => {
  if (wish.role === 'Client') return [{ suffix: '' }]
  const { profile, definition, holder, known, findings } = shared
  const set = wish.group.statefulSet
  const perPod = profile.spec.topology?.certificatePer === 'Pod' && set !== undefined
  const options = {
    bareWildcards: definition.bareWildcards,
    wildcards: known.authority?.policy?.allowWildcards !== false,
    kept: known.names?.get(`${holder.profile}-${wish.part}`) ?? [],
  }
  try {
    const all: Named[] = perPod
      ? Array.from({ length: replicasOf(set) }, (_, ordinal) => ({
          suffix: `-${ordinal}`,
          names: namesOfPod(wish.group, set, ordinal, placeOf(shared.profile)),
        }))
      : [{ suffix: '', names: namesOfGroup(wish.group, placeOf(shared.profile), options) }]
    return withinPolicy(shared, wish, all)
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error
    const member = wish.field === 'spec.topology' ? (topologyFields[error.field] ?? error.field) : error.field
    const field = error.field === 'clusterDomain' ? 'spec.topology.clusterDomain' : `${wish.field}.${member}`
    findings.refuse(field, { problem: error.message, cure: error.cure })
    return []
  }
}

const topologyFields: Readonly<Record<string, string>> = { dnsNames: 'extraDNSNames', ipAddresses: 'extraIPAddresses' }

const withinPolicy = (shared: Shared, wish: Wish, all: readonly Named[]): Named[] => {
  const { known, findings } = shared
  const asked = new Set(
    [...(wish.group.dnsNames ?? []), ...(wish.group.ipAddresses ?? [])].map((name) => name.toLowerCase()),
  )
  const leftOut = new Set<string>()
  const kept = all.map(({ suffix, names = { dnsNames: [], ipAddresses: [] } }) => {
    const permitted = permittedNames(names, known.authority ?? {}, asked)
    for (const name of permitted.leftOut) leftOut.add(name)
    return { suffix, names: permitted.names }
  })
  if (!kept.every(({ names }) => isReachable(names))) {
    findings.refuse(wish.field, {
      problem:
        leftOut.size === 0
          ? 'it names no server'
          : `the policy of the CA allows none of its names (${listed([...leftOut])})`,
      cure:
        leftOut.size === 0
          ? `list services, a statefulSet or names of the ${wish.part === 'server' ? 'servers' : wish.part}`
          : 'allow them in policy.allowedDNSNames or policy.allowedIPRanges',
    })
    return []
  }
  if (leftOut.size > 0)
    findings.warn(wish.field, {
      problem: `the policy of the CA does not allow ${listed([...leftOut])}, so the certificate of ${wish.part} does without`,
      cure: 'connect by the names that are left, or widen policy.allowedDNSNames and policy.allowedIPRanges',
    })
  return kept
}

const listed = (names: readonly string[]): string =>
  names.length <= 6 ? names.join(', ') : `${names.slice(0, 6).join(', ')} and ${names.length - 6} more`

/** Whether both names are free; says whose they are where they are not. */
export const claim = (
  { names, findings }: Pick<Shared, 'names' | 'findings'>,
  part: string,
  name: string,
  secretName: string,
  field = part === 'server' ? 'spec.server.secretName' : 'spec.components',
): boolean => {
  const refuse = (problem: string, cure: string): boolean => {
    findings.refuse(field, { problem, cure })
    return false
  }
  for (const text of [name, secretName])
    if (text.length > 253)
      return refuse(`"${text.slice(0, 40)}…" is longer than 253 characters`, 'choose shorter names')
  const other = names.objects.take(name, part)
  if (other !== undefined)
    return refuse(`DatabaseCertificate ${name} is the one of ${other} already`, 'give one of the two another name')
  const owner = names.secrets.take(secretName, part)
  if (owner !== undefined)
    return refuse(`Secret ${secretName} is the one of ${owner} already`, 'choose another secretName')
  return true
}

/** Rules over the whole of it. */
const consider = (shared: Shared, parts: readonly ServerPart[]): void => {
  const { profile, definition, known, findings } = shared
  const raised = (profile.spec.components ?? []).some(
    ({ name }) => componentOf(definition, name)?.raisesServer === true,
  )
  if (profile.spec.clientAuthorityRef !== undefined && (limits[definition.engine].oneTrustFile === true || raised))
    findings.refuse('spec.clientAuthorityRef', {
      problem: `${definition.engine} reads the CAs of clients and of its other servers from one file`,
      cure: 'leave it out, so that one CA signs both',
    })
  const seen = {
    components: (profile.spec.components ?? []).map(({ name }) => name),
    authoritySelfSigned: known.authority?.selfSigned,
    dnsNames: parts.flatMap(({ certificates }) =>
      certificates.flatMap(({ spec }) => (spec.dnsNames ?? []).filter((name) => name !== 'localhost')),
    ),
    clients: givenClients(profile),
  }
  for (const { field, problem, cure } of definition.refuses?.(seen) ?? []) findings.refuse(field, { problem, cure })
  for (const { field, problem, cure } of definition.warns?.(seen) ?? []) findings.warn(field, { problem, cure })
}
