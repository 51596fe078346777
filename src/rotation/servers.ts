/**
 * What is known of the servers of profiles that a CA concerns: whether they have taken up what was delivered, have proved
 * whom they trust, and serve what they should. From status of the profiles alone, so that a restart knows the same.
 */

import { keyOf } from '../cluster/port.ts'
import { type Caches, existing } from '../control/context.ts'
import { engineOf } from '../database/engines/external.ts'
import { parseEndpoint } from '../database/connect/address.ts'
import { isFor } from '../profile/addressed.ts'
import { keyOfAuthority } from '../profile/names.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile, DatabaseTLSProfileStatus } from '../resources/database-tls-profile.ts'
import { isGoing, type Member } from './family.ts'
import type { Waiting } from './state.ts'

type Row = NonNullable<DatabaseTLSProfileStatus['endpoints']>[number]

export interface ServersSeen {
  readonly reloads: readonly Waiting[]
  readonly unproved: readonly Waiting[]
  readonly notProvable: readonly Waiting[]
  readonly proved: number
  readonly notServing: readonly Waiting[]
}

/** `to`: fingerprint of the CA that servers have to prove to trust. */
export const serversOf = (caches: Caches, family: readonly Member[], to: string | undefined): ServersSeen => {
  const keys = new Set(family.map(({ authority }) => keyOf(authority)))
  const [head] = keys
  const reloads: Waiting[] = []
  const unproved: Waiting[] = []
  const notProvable: Waiting[] = []
  const notServing: Waiting[] = []
  let proved = 0
  for (const profile of profilesOf(caches, keys)) {
    const { authorityRef, clientAuthorityRef = authorityRef } = profile.spec
    reloads.push(...reloadsOf(caches, profile, keys))
    const hasClients = (profile.spec.clients ?? []).length > 0
    for (const row of profile.status?.endpoints ?? []) {
      const clients = row.clientAuthority ?? keyOfAuthority(clientAuthorityRef, profile)
      if (!keys.has(clients)) continue
      const proof = proofOf(row, to, { isHead: clients === head, hasClients })
      if (proof === 'Proved') proved += 1
      else (proof === 'NotProvable' ? notProvable : unproved).push(waiting(profile, row))
    }
    if (keys.has(keyOfAuthority(authorityRef, profile))) notServing.push(...notServingOf(caches, profile))
  }
  return { reloads, unproved, notProvable, proved, notServing }
}

const profilesOf = (caches: Caches, keys: ReadonlySet<string>): DatabaseTLSProfile[] => {
  const found = new Map<string, DatabaseTLSProfile>()
  for (const key of keys)
    for (const profile of caches.profiles.store.by('authority', key))
      if (!isGoing(caches, profile)) found.set(keyOf(profile), profile)
  return [...found.values()]
}

const waiting = (profile: DatabaseTLSProfile, { address, message = '' }: Row): Waiting => ({
  name: `${keyOf(profile)}: ${address}`,
  why: message,
})

/** With strategy None nobody tells them anything, and nobody knows: then proofs and soaks decide. */
const reloadsOf = (caches: Caches, profile: DatabaseTLSProfile, family: ReadonlySet<string>): Waiting[] => {
  const { spec, status } = profile
  if ((spec.reload?.strategy ?? 'None') === 'None' || engineOf(spec).managed) return []
  const key = keyOf(profile)
  const pending = (status?.reload?.pending ?? []).map(({ name, message }) => ({
    name: `${key}: ${name}`,
    why: message,
  }))
  if (pending.length > 0) return pending
  const late = (status?.reload?.authorities ?? []).filter(
    ({ name, trustBundleHash }) =>
      family.has(name) && existing(caches.authorities, name)?.status?.trustBundleHash !== trustBundleHash,
  )
  if (late.length === 0) return []
  return [{ name: `DatabaseTLSProfile ${key}`, why: 'its servers have not been told of the present CAs yet' }]
}

/**
 * A CA below the one that rotates is what the profile's clients come from: whether its servers trust another root nobody can
 * ask with it, unless they were asked all the same.
 */
const proofOf = (
  { trusts = [], trustProof, standing }: Row,
  to: string | undefined,
  { isHead, hasClients }: { readonly isHead: boolean; readonly hasClients: boolean },
): 'Proved' | 'NotProvable' | 'Unproved' => {
  if (trustProof === 'Proved' && to !== undefined && trusts.includes(to)) return 'Proved'
  if (trustProof === 'NotRequested' || trustProof === 'Anybody' || standing === 'NotAsked') return 'NotProvable'
  return isHead && hasClients ? 'Unproved' : 'NotProvable'
}

const notServingOf = (caches: Caches, profile: DatabaseTLSProfile): Waiting[] => {
  const rows = profile.status?.endpoints ?? []
  if (rows.length === 0 || engineOf(profile.spec).managed) return []
  const delivered = serverCertificates(caches, profile)
  return rows.flatMap((row) => (serves(row, delivered) ? [] : [waiting(profile, row)]))
}

/** Those that servers show: of role Server or Peer. */
const serverCertificates = (caches: Caches, profile: DatabaseTLSProfile): DatabaseCertificate[] =>
  caches.certificates.store.by('profile', keyOf(profile)).filter(({ spec }) => spec.role !== 'Client')

/**
 * What a server shows that is none of ours was given to it by others, and hangs on another CA. One that cannot be asked may
 * come back with what it had.
 */
const serves = ({ address, servedSerial, standing }: Row, delivered: readonly DatabaseCertificate[]): boolean => {
  if (standing === 'NotAsked' || standing === 'Other' || standing === 'NoTLS') return true
  if (servedSerial === undefined) return false
  const host = parseEndpoint(address)?.host
  const meant = host === undefined ? [] : delivered.filter((one) => isFor(one, host))
  return (meant.length > 0 ? meant : delivered).some(({ status }) => status?.serialNumber === servedSerial)
}

/** Whether the servers that are to show a certificate were seen to; true where nobody asks any. */
export const isServed = (caches: Caches, certificate: DatabaseCertificate, profile: DatabaseTLSProfile): boolean => {
  const rows = profile.status?.endpoints ?? []
  if (certificate.spec.role === 'Client' || rows.length === 0 || engineOf(profile.spec).managed) return true
  const delivered = serverCertificates(caches, profile)
  return rows.every((row) => {
    const host = parseEndpoint(row.address)?.host
    const meant = host === undefined ? [] : delivered.filter((one) => isFor(one, host))
    const expected = meant.length > 0 ? meant : delivered
    return !expected.includes(certificate) || serves(row, expected)
  })
}
