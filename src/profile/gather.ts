/** Reads everything a look at a profile needs: from caches, and ConfigMaps live where the cache does not show what was found good. */

import { refusal, refusalOfTrust } from '../authority/allowed.ts'
import { labelsOfNamespace } from '../authority/keyring.ts'
import { ifFound } from '../cluster/errors.ts'
import { keyOf } from '../cluster/port.ts'
import { type Context, existing } from '../control/context.ts'
import { type Finding, stall, wait } from '../control/decision.ts'
import { engineOf } from '../database/engines/external.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { findCondition } from '../resources/conditions.ts'
import { configMaps as configMapResource } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { AuthorityRef } from '../resources/fields.ts'
import { expand } from './expand.ts'
import type { Expansion } from './expansion.ts'
import { knownAuthority } from './known.ts'
import type { Memory } from './memory.ts'
import { belongs, keyOfAuthority } from './names.ts'
import { certificateObject, configMapsOf, type WantedConfigMap } from './objects.ts'
import type { ConfigMapSeen, Expanded, Observed, Wishes } from './observed.ts'

export const gather = async (
  context: Context,
  profile: DatabaseTLSProfile,
  memory: Memory,
  signal: AbortSignal,
): Promise<Observed> => {
  const { namespaces } = context.caches
  const terminating =
    namespaces?.store.get(profile.metadata.namespace ?? 'default')?.metadata.deletionTimestamp !== undefined
  const { findings, authorities } = seeAuthorities(context, profile)
  if (terminating || findings.length > 0) return { profile, terminating, authorities: findings, expanded: undefined }
  return {
    profile,
    terminating,
    authorities: [],
    expanded: await seeAll(context, profile, authorities, memory, signal),
  }
}

const seeAll = async (
  context: Context,
  profile: DatabaseTLSProfile,
  authorities: ReadonlyMap<string, CertificateAuthority>,
  memory: Memory,
  signal: AbortSignal,
): Promise<Expanded> => {
  const own = context.caches.certificates.store.by('profile', keyOf(profile))
  const wishes = expandedOnce(profile, authorities, own, memory)
  const { expansion, configMaps: wanted } = wishes
  return {
    ...wishes,
    present: {
      certificates: seeCertificates(context, profile, expansion, own),
      secretHolders: seeHolders(context, profile, expansion),
      configMaps: await seeConfigMaps(context, profile, wanted, memory, signal),
    },
    unyielding: memory.unyielding,
  }
}

/** What the caches tell of the CAs: those that can be asked, and why others cannot. */
const seeAuthorities = (context: Context, profile: DatabaseTLSProfile) => {
  const { spec } = profile
  const authorities = new Map<string, CertificateAuthority>()
  const findings: Finding[] = []
  const see = (field: string, reference: AuthorityRef, signs: boolean): void => {
    const key = keyOfAuthority(reference, profile)
    const authority = existing(context.caches.authorities, key)
    const finding = authorityFinding(context, profile, { field, key, authority, signs })
    if (finding !== undefined) findings.push(finding)
    else if (authority !== undefined) authorities.set(key, authority)
  }
  see('spec.authorityRef', spec.authorityRef, !engineOf(spec).managed)
  if (spec.clientAuthorityRef !== undefined) see('spec.clientAuthorityRef', spec.clientAuthorityRef, true)
  return { findings, authorities }
}

interface Asked {
  readonly field: string
  readonly key: string
  readonly authority: CertificateAuthority | undefined
  /** Certificates of the profile are signed by it; else it is only trusted. */
  readonly signs: boolean
}

/** Its subject and policy shape the certificates: without them they would be made twice. */
const authorityFinding = (
  { caches }: Context,
  { metadata }: DatabaseTLSProfile,
  { field, key, authority, signs }: Asked,
): Finding | undefined => {
  const named = `CertificateAuthority ${key} of ${field}`
  if (authority === undefined)
    return stall('AuthorityNotFound', `${named} does not exist; create it or correct the reference.`)
  const refused = (signs ? refusal : refusalOfTrust)(
    authority,
    metadata.namespace ?? 'default',
    labelsOfNamespace(caches),
  )
  if (refused !== undefined) return stall('AuthorityNotAllowed', `${field}: ${refused}`)
  const { certificate, conditions, trustBundleHash } = authority.status ?? {}
  if (trustBundleHash !== undefined && (certificate !== undefined || !signs)) return undefined
  const ready = findCondition(conditions, 'Ready')
  return wait('AuthorityNotReady', `${named} is not Ready${ready === undefined ? '.' : `: ${ready.message}`}`)
}

/** The same for the same, as long as profile, CAs and names are those of the last look. */
const expandedOnce = (
  profile: DatabaseTLSProfile,
  authorities: ReadonlyMap<string, CertificateAuthority>,
  own: readonly DatabaseCertificate[],
  memory: Memory,
): Wishes => {
  const names = new Map(own.map(({ metadata, spec }) => [metadata.name, spec.dnsNames ?? []] as const))
  const inputs = JSON.stringify([
    profile.metadata.uid,
    profile.metadata.generation,
    [...authorities].map(([key, { metadata, status }]) => [
      key,
      metadata.uid,
      metadata.generation,
      status?.certificate?.fingerprint,
      status?.trustBundleHash,
    ]),
    [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ])
  if (memory.expanded?.inputs === inputs) return memory.expanded.wishes
  const { authorityRef, clientAuthorityRef } = profile.spec
  const known = (reference: AuthorityRef | undefined) => {
    const authority = reference === undefined ? undefined : authorities.get(keyOfAuthority(reference, profile))
    return authority === undefined ? undefined : knownAuthority(authority)
  }
  const [authority, clientAuthority] = [known(authorityRef), known(clientAuthorityRef)]
  const expansion = expand(profile, {
    ...(authority === undefined ? {} : { authority }),
    ...(clientAuthority === undefined ? {} : { clientAuthority }),
    names,
  })
  const objects = expansion.certificates.map((one) => certificateObject(profile, one))
  const wishes = { expansion, objects, configMaps: configMapsOf(profile, expansion, authorities) }
  memory.expanded = { inputs, wishes }
  return wishes
}

const seeCertificates = (
  { caches }: Context,
  profile: DatabaseTLSProfile,
  { certificates }: Expansion,
  own: readonly DatabaseCertificate[],
): ReadonlyMap<string, DatabaseCertificate> => {
  const named = certificates.flatMap(
    ({ name }) => caches.certificates.store.get(`${profile.metadata.namespace}/${name}`) ?? [],
  )
  return new Map([...own, ...named].map((one) => [one.metadata.name, one]))
}

const seeHolders = (
  { caches }: Context,
  profile: DatabaseTLSProfile,
  { certificates }: Expansion,
): ReadonlyMap<string, readonly DatabaseCertificate[]> =>
  new Map(
    certificates.map(({ spec: { secret } }) => {
      const among = caches.certificates.store.by('secret', `${profile.metadata.namespace}/${secret.name}`)
      return [secret.name, among.filter(({ spec }) => spec.secret.name === secret.name)]
    }),
  )

const seeConfigMaps = async (
  context: Context,
  profile: DatabaseTLSProfile,
  wanted: readonly WantedConfigMap[],
  memory: Memory,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ConfigMapSeen>> => {
  const namespace = profile.metadata.namespace ?? 'default'
  const { store } = context.caches.configMaps
  const hashes = new Map(wanted.map(({ name, hash }) => [name, hash]))
  const own = store.by('profile', keyOf(profile)).map(({ metadata }) => metadata.name)
  const seen = [...new Set([...hashes.keys(), ...own])].map(async (name): Promise<[string, ConfigMapSeen]> => {
    const cached = store.get(`${namespace}/${name}`)
    if (cached === undefined) return [name, { state: 'absent' }]
    const known = memory.configMaps.get(name)
    const { uid, resourceVersion } = cached.metadata
    const isKnown = known?.uid === uid && known?.resourceVersion === resourceVersion
    if (isKnown && known?.hash !== undefined && known.hash === hashes.get(name)) return [name, { state: 'settled' }]
    const live = await ifFound(context.cluster.get(configMapResource, { namespace, name }, { signal }))
    if (live === undefined) return [name, { state: 'absent' }]
    return [name, { state: 'present', live }]
  })
  return new Map(await Promise.all(seen))
}

/** The certificates of the profile, by name; while something is refused, also those that it does not ask for now. */
export const ownCertificates = (
  { caches }: Context,
  profile: DatabaseTLSProfile,
): ReadonlyMap<string, DatabaseCertificate> =>
  new Map(
    caches.certificates.store
      .by('profile', keyOf(profile))
      .filter((certificate) => belongs(certificate, profile) === 'ours')
      .map((certificate) => [certificate.metadata.name, certificate]),
  )
