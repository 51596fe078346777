/**
 * What is known of the servers of profiles that a CA concerns: whether they have taken up what was delivered, have proved
 * whom they trust, and serve what they should. From status of the profiles alone, so that a restart knows the same.
 */

import { parentOf } from '../authority/names.ts'
import { isReordered } from '../authority/reordered.ts'
import { keyOf } from '../cluster/port.ts'
import { type Caches, existing } from '../control/context.ts'
import { engineOf } from '../database/engines/external.ts'
import { parseEndpoint } from '../database/connect/address.ts'
import { addressedAt } from '../profile/addressed.ts'
import { mostEndpoints } from '../profile/endpoints/plan.ts'
import { expand } from '../profile/expand.ts'
import { authorityOf, clientAuthorityOf } from '../profile/names.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { DatabaseTLSProfileStatus } from '../resources/database-tls-profile-status.ts'
import { saidOf } from './consumers.ts'
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

interface Question {
  /** Fingerprint of the CA that servers have to prove to trust. */
  readonly to: string | undefined
  /** It signs by now: what they show must not hang on the former one, where that is a root that is about to go. */
  readonly signs?: boolean
  /** Whether this operator asks any. */
  readonly asksServers: boolean
}

export const serversOf = (
  caches: Caches,
  family: readonly Member[],
  { to, signs = false, asksServers }: Question,
): ServersSeen => {
  const keys = new Set(family.map(({ authority }) => keyOf(authority)))
  const reloads: Waiting[] = []
  const unproved: Waiting[] = []
  const notProvable: Waiting[] = []
  const notServing: Waiting[] = []
  let proved = 0
  // Whoever trusts the root takes the former certificate of a CA below it, too.
  const without = signs && isRoot(family) ? to : undefined
  for (const profile of profilesOf(caches, family)) {
    reloads.push(...reloadsOf(caches, profile, keys))
    const rows = rowsFor(profile, keys)
    const hasClients = (profile.spec.clients ?? []).length > 0
    for (const row of rows) {
      const proof = proofOf(row, to, hasClients)
      if (proof === 'Proved') proved += 1
      else if (proof === 'NotProvable') notProvable.push(waiting(profile, row))
      else unproved.push({ ...waiting(profile, row), ...(isTold(row) ? {} : { passing: true }) })
    }
    const beyond = beyondOf(profile, keys)
    notProvable.push(...beyond)
    const takesClients = !engineOf(profile.spec).managed && keys.has(clientAuthorityOf(profile))
    if (asksServers && takesClients && beyond.length === 0) unproved.push(...unaskedOf(profile))
    if (!keys.has(authorityOf(profile))) continue
    notServing.push(...rowsNotServing(caches, profile, without).map(([row]) => waiting(profile, row)))
    if (asksServers && signs) notServing.push(...comingOf(profile))
  }
  return { reloads, unproved, notProvable, proved, notServing }
}

/** Of servers that are to take clients of one of these CAs. A managed one brings its own, and has none unless it says so. */
const rowsFor = (profile: DatabaseTLSProfile, keys: ReadonlySet<string>): Row[] => {
  const usual = engineOf(profile.spec).managed ? undefined : clientAuthorityOf(profile)
  return (profile.status?.endpoints ?? []).filter(({ clientAuthority = usual }) => keys.has(clientAuthority ?? ''))
}

export const unasked = 'it has not been asked yet'

/** Those that were listed a moment ago. An address that nobody can read is asked by nobody. */
export const unaskedOf = (profile: DatabaseTLSProfile): Waiting[] => {
  const asked = new Set((profile.status?.endpoints ?? []).map(({ address }) => address))
  const listed = (profile.spec.probe?.endpoints ?? []).filter((one) => parseEndpoint(one) !== undefined)
  return listed.flatMap((address) =>
    asked.has(address) ? [] : [{ name: `${keyOf(profile)}: ${address}`, why: unasked, passing: true as const }],
  )
}

/** Of servers that are given certificates: those that will be asked soon. One beyond the number that is asked never is. */
const comingOf = (profile: DatabaseTLSProfile): Waiting[] =>
  engineOf(profile.spec).managed || (profile.status?.endpoints ?? []).length >= mostEndpoints ? [] : unaskedOf(profile)

const isRoot = ([head]: readonly Member[]): boolean => head !== undefined && parentOf(head.authority) === undefined

const why = `only ${mostEndpoints} servers of one profile are asked; make one for each part of them`

/** Those that nobody asks, because a profile has more than are asked. Like any other that cannot be asked they have the soak. */
const beyondOf = (profile: DatabaseTLSProfile, keys: ReadonlySet<string>): Waiting[] => {
  const rows = profile.status?.endpoints ?? []
  if (rows.length < mostEndpoints || engineOf(profile.spec).managed || !keys.has(clientAuthorityOf(profile))) return []
  const asked = new Set(rows.map(({ address }) => address))
  return addressesOf(profile).flatMap((address) =>
    asked.has(address) ? [] : [{ name: `${keyOf(profile)}: ${address}`, why }],
  )
}

/** Of a profile as it is in the cache. Hundreds of servers are not worth being expanded at each look. */
const expanded = new WeakMap<DatabaseTLSProfile['spec'], readonly string[]>()

const addressesOf = (profile: DatabaseTLSProfile): readonly string[] => {
  const known = expanded.get(profile.spec)
  if (known !== undefined) return known
  const wanted = expand(profile).endpoints.map(({ address }) => address)
  const addresses = [...new Set(wanted)].filter((one) => parseEndpoint(one) !== undefined)
  expanded.set(profile.spec, addresses)
  return addresses
}

const profilesOf = (caches: Caches, family: readonly Member[]): DatabaseTLSProfile[] => {
  const found = new Map<string, DatabaseTLSProfile>()
  for (const { authority, isStranger } of family) {
    const key = keyOf(authority)
    /** Its servers have loaded what this CA is trusted by. */
    const trusts = ({ status }: DatabaseTLSProfile): boolean =>
      (status?.reload?.authorities ?? []).some(({ name }) => name === key)
    for (const profile of caches.profiles.store.by('authority', key))
      if (!isGoing(caches, profile) && (trusts(profile) || !isStranger(profile))) found.set(keyOf(profile), profile)
  }
  return [...found.values()]
}

const waiting = (profile: DatabaseTLSProfile, { address, message = '' }: Row): Waiting => ({
  name: `${keyOf(profile)}: ${address}`,
  why: message,
})

/** What nobody can see is held for loaded by the profile's own controller, when its time has passed. */
const reloadsOf = (caches: Caches, profile: DatabaseTLSProfile, family: ReadonlySet<string>): Waiting[] => {
  const { reload } = profile.status ?? {}
  const key = keyOf(profile)
  const pending = (reload?.pending ?? []).map(({ name, message }) => ({ name: `${key}: ${name}`, why: message }))
  if (pending.length > 0) return pending
  const isLate = (reload?.authorities ?? []).some(
    ({ name, trustBundleHash, delivered }) =>
      family.has(name) && (delivered !== undefined || !isPresent(caches, name, trustBundleHash)),
  )
  const name = `DatabaseTLSProfile ${key}`
  if (isLate) return [{ name, why: 'its servers have not loaded the present CAs yet' }]
  if (knowsCertificates(caches, profile)) return []
  return [{ name, why: saidOf(profile.status?.conditions) ?? 'it is about to see what its certificates have become' }]
}

/** What is pending was found out together with these serial numbers: of others nothing is known yet. */
const knowsCertificates = (caches: Caches, profile: DatabaseTLSProfile): boolean =>
  (profile.status?.certificates ?? []).every(({ name, serialNumber }) => {
    const certificate = caches.certificates.store.get(`${profile.metadata.namespace}/${name}`)
    return certificate === undefined || certificate.status?.serialNumber === serialNumber
  })

/** The same CAs in the order of the former one are no other bundle: nobody has to load that. */
const isPresent = (caches: Caches, authority: string, hash: string): boolean => {
  const find = (key: string) => existing(caches.authorities, key)
  const present = find(authority)?.status?.trustBundleHash
  return present !== undefined && (hash === present || isReordered(authority, [hash, present], find))
}

/**
 * Where one of the addresses behind a name may not be asked, the others count: what they have not proved is waited for, and when they have,
 * that one is left. One that takes no client of ours even of today, and is to take none, has a rule of its own that nobody can look behind.
 */
const proofOf = (
  { trusts, trustProof, standing }: Row,
  to: string | undefined,
  hasClients: boolean,
): 'Proved' | 'NotProvable' | 'Unproved' => {
  const isProved = trustProof === 'Proved' && to !== undefined && trusts?.includes(to) === true
  if (standing === 'NotAsked' && (isProved || trustProof === undefined)) return 'NotProvable'
  if (isProved) return 'Proved'
  if (trustProof === 'NotRequested' || trustProof === 'Anybody') return 'NotProvable'
  return !hasClients && trustProof === 'Refused' && trusts?.length === 0 ? 'NotProvable' : 'Unproved'
}

/** It has given an answer; one that is being restarted gives none. */
const isTold = ({ trustProof }: Row): boolean => trustProof === 'Refused' || trustProof === 'Proved'

interface Shown {
  readonly certificate: DatabaseCertificate
}

/**
 * Rows of servers that show another certificate than they should, each with those that it should show. `to`: fingerprint of the
 * CA that is to be all that they need; undefined: serial numbers alone count.
 */
const rowsNotServing = (
  caches: Caches,
  profile: DatabaseTLSProfile,
  to?: string,
): readonly (readonly [row: Row, expected: readonly Shown[]])[] => {
  const rows = profile.status?.endpoints ?? []
  if (rows.length === 0 || engineOf(profile.spec).managed) return []
  const delivered = caches.certificates.store
    .by('profile', keyOf(profile))
    .filter(({ spec }) => spec.role !== 'Client')
    .map((certificate) => ({ certificate }))
  return rows.flatMap((row) => {
    const host = parseEndpoint(row.address)?.host
    const expected = host === undefined ? delivered : addressedAt(host, delivered).expected
    return serves(row, expected) && (to === undefined || needsNoFormer(row, to)) ? [] : [[row, expected] as const]
  })
}

/**
 * What a server shows that is none of ours was given to it by others, and hangs on another CA. One that cannot be asked may
 * come back with what it had.
 */
const serves = (row: Row, expected: readonly Shown[]): boolean => {
  const { servedSerial, standing } = row
  if (isUnasked(row) || standing === 'Other' || standing === 'NoTLS') return true
  return (
    servedSerial !== undefined && expected.some(({ certificate }) => certificate.status?.serialNumber === servedSerial)
  )
}

/** The same certificate may have come with another chain. Seen since the switch: what was seen before says nothing of it. */
const needsNoFormer = (row: Row, to: string): boolean =>
  row.verifiesUnder === to || isUnasked(row) || row.standing === 'NoTLS'

/** None of its addresses may be asked: one that may would have shown something. */
export const isUnasked = ({ standing, servedSerial }: Row): boolean =>
  standing === 'NotAsked' && servedSerial === undefined

/**
 * Whether the servers that are to show a certificate were seen to; true where nobody asks any. For one look at many
 * certificates: the servers of a profile are gone through once.
 */
export const servedBy = (
  caches: Caches,
): ((certificate: DatabaseCertificate, profile: DatabaseTLSProfile) => boolean) => {
  const known = new Map<DatabaseTLSProfile, ReadonlySet<DatabaseCertificate>>()
  return (certificate, profile) => {
    const found = known.get(profile)
    const unserved =
      found ??
      new Set(rowsNotServing(caches, profile).flatMap(([, expected]) => expected.map((one) => one.certificate)))
    if (found === undefined) known.set(profile, unserved)
    return !unserved.has(certificate)
  }
}
