/**
 * Who holds another trust bundle, or a certificate of another form of the CA, than it has now: Secrets of certificates, trust
 * targets, ConfigMaps of profiles, and the CAs below with theirs. From the caches alone; what was never delivered is not
 * behind, for it will be delivered as it should be.
 */

import { standingUnder } from '../certificate/standing.ts'
import { keyOf, type PartialObject } from '../cluster/port.ts'
import { type Caches, marks } from '../control/context.ts'
import { keyOfAuthority } from '../profile/names.ts'
import { clientTrustName, serverTrustName, trustItems } from '../profile/trust.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { type Condition, findCondition } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { idOf, trustOf } from '../trust/names.ts'
import { scopeOf } from '../trust/scope.ts'
import { materialOf, resolve } from '../trust/wanted.ts'
import { isGoing, type Member } from './family.ts'
import type { Waiting } from './state.ts'

export interface Consuming {
  readonly caches: Caches
  /** The namespaces the operator was started for; undefined for all. */
  readonly namespaces: readonly string[] | undefined
  readonly asksServers: boolean
}

export const behindOf = (consuming: Consuming, family: readonly Member[]): Waiting[] =>
  family.flatMap((member) => [
    ...authorityBehind(member),
    ...certificatesBehind(consuming, member),
    ...targetsBehind(consuming, member.authority),
    ...profilesBehind(consuming, member.authority),
  ])

const authorityBehind = ({ authority, parent }: Member): Waiting[] => {
  const { status } = authority
  if (parent === undefined || status?.trustBundleHash === undefined) return []
  if (status.trustBundleHash === parent.status?.trustBundleHash) return []
  const name = `CertificateAuthority ${keyOf(authority)}`
  return [{ name, why: saidOf(status.conditions) ?? 'it has not taken over the roots of the CA above it yet' }]
}

/** Certificate and bundle that belong together: of the CA, or of the former one while its certificates are replaced. */
const isCurrent = (status: DatabaseCertificate['status'], { status: signer }: CertificateAuthority): boolean => {
  const standing = standingUnder(status, signer)
  const phase = signer?.rotation?.phase
  return standing === 'Former' ? phase === 'Signing' || phase === 'DropSoak' : standing !== undefined
}

export const isOfPresent = (status: DatabaseCertificate['status'], signer: CertificateAuthority['status']): boolean =>
  status?.authorityFingerprint === signer?.certificate?.fingerprint

const certificatesBehind = ({ caches }: Consuming, { authority, isStranger }: Member): Waiting[] => {
  const key = keyOf(authority)
  let recorded: ReadonlySet<string | undefined> | undefined
  /** It may have a Secret that its status does not tell of yet, because a crash came before it. */
  const isRecorded = ({ metadata }: DatabaseCertificate): boolean => {
    recorded ??= new Set(caches.ledger.store.by('authority', key).map(({ holder }) => holder))
    return recorded.has(metadata.uid)
  }
  return caches.certificates.store.by('authority', key).flatMap((certificate) => {
    const { status } = certificate
    if (isCurrent(status, authority) || isGoing(caches, certificate) || isStranger(certificate)) return []
    if (status?.trustBundleHash === undefined && !isRecorded(certificate)) return []
    const why = saidOf(status?.conditions) ?? 'its Secret is about to be written'
    // One that is new gets the present bundle with its first Secret.
    return { name: nameOf(certificate), why, ...(status?.trustBundleHash === undefined ? { passing: true } : {}) }
  })
}

export const nameOf = (certificate: DatabaseCertificate): string => `DatabaseCertificate ${keyOf(certificate)}`

/** What keeps it, in its own words. */
export const saidOf = (conditions: readonly Condition[] | undefined): string | undefined => {
  const ready = findCondition(conditions, 'Ready')
  return ready === undefined || ready.status === 'True' ? undefined : `${ready.reason}: ${ready.message}`
}

const targetsBehind = ({ caches, namespaces }: Consuming, authority: CertificateAuthority): Waiting[] => {
  const key = keyOf(authority)
  const present = [...caches.configMaps.store.by('trust', key), ...caches.secrets.store.by('trust', key)]
  if (present.length === 0) return []
  const { placements, unresolved } = resolve(authority, scopeOf(caches, namespaces))
  return present.flatMap((object) => {
    if (isGoing(caches, object) || trustOf(object) !== key) return []
    const placement = placements.get(idOf(object))
    const isLeft = placement === undefined && unresolved.has(`${object.kind}/${object.metadata.name}`)
    if (placement === undefined && !isLeft) return []
    if (placement !== undefined && isMadeFor(object, placement.target.hash)) return []
    return { name: idOf(object), why: targetReason(authority, isLeft) }
  })
}

const targetReason = ({ status }: CertificateAuthority, isLeft: boolean): string =>
  isLeft
    ? 'it cannot be told whether its namespace is meant'
    : (status?.trustTargets?.message ?? 'it is about to be written')

const isMadeFor = ({ metadata }: PartialObject, hash: string | undefined): boolean =>
  hash !== undefined && metadata.annotations?.[marks.inputsHash] === hash

const profilesBehind = ({ caches }: Consuming, authority: CertificateAuthority): Waiting[] => {
  const profiles = caches.profiles.store.by('authority', keyOf(authority))
  if (profiles.length === 0) return []
  const { hash } = materialOf(authority, trustItems)
  return profiles.flatMap((profile) => {
    if (isGoing(caches, profile)) return []
    return trustMapsOf(profile, keyOf(authority)).flatMap((name) => {
      const map = caches.configMaps.store.get(`${profile.metadata.namespace}/${name}`)
      const isOurs = map !== undefined && caches.configMaps.store.by('profile', keyOf(profile)).includes(map)
      if (!isOurs || isMadeFor(map, hash)) return []
      return { name: idOf(map), why: saidOf(profile.status?.conditions) ?? 'it is about to be written' }
    })
  })
}

/** The ConfigMaps in which a profile has what this CA is trusted by. */
const trustMapsOf = (profile: DatabaseTLSProfile, authority: string): string[] => {
  const { authorityRef, clientAuthorityRef } = profile.spec
  const holder = { profile: profile.metadata.name }
  return [
    ...(keyOfAuthority(authorityRef, profile) === authority ? [serverTrustName(holder)] : []),
    ...(clientAuthorityRef !== undefined && keyOfAuthority(clientAuthorityRef, profile) === authority
      ? [clientTrustName(holder)]
      : []),
  ]
}
