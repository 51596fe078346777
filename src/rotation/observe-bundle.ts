/** Everything that a decision about a bundle that is only trusted needs, from caches and what is remembered of it. Decides nothing. */

import type { BundleMaterial } from '../authority/rotate-bundle.ts'
import { keyOf } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import { engineOf } from '../database/engines/external.ts'
import { authorityOf } from '../profile/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { DatabaseTLSProfileStatus } from '../resources/database-tls-profile-status.ts'
import { behindOf, type Consuming } from './consumers.ts'
import { isGoing, type Member } from './family.ts'
import { wishOf } from './observe.ts'
import { isUnasked, serversOf, unasked, unaskedOf } from './servers.ts'
import type { Waiting, World } from './state.ts'
import { strangersTo } from './strangers.ts'

export const observeBundle = (
  consuming: Consuming,
  authority: CertificateAuthority,
  { stage, former, bundle }: Pick<BundleMaterial, 'stage' | 'former' | 'bundle'>,
  now: number,
): World => {
  const head: Member = { authority, parent: undefined, isStranger: strangersTo(consuming.caches, authority) }
  const family = [head]
  const [signer, other] = stage === 'Next' || stage === 'Both' ? [former, bundle] : [bundle, former]
  const isPlain = stage === 'Plain'
  const { reloads } = isPlain
    ? { reloads: [] }
    : serversOf(consuming.caches, family, { to: undefined, asksServers: false })
  return {
    now,
    wish: wishOf(authority, now),
    newborn: authority.status?.rotation === undefined && authority.metadata.generation === 1,
    stage,
    signer: { fingerprint: signer ?? bundle, notAfter: Number.POSITIVE_INFINITY, expired: false, expiring: false },
    ...(other === undefined ? {} : { other: { fingerprint: other, usable: true } }),
    changesTrust: true,
    behind: isPlain ? [] : behindOf(consuming, family),
    ...{ reloads, leaves: [], unproved: [] },
    ...(isPlain ? { notServing: [], notProvable: [], proved: 0 } : needsOf(consuming, head, bundle)),
  }
}

type Needs = Pick<World, 'notServing' | 'notProvable' | 'proved'>
type Row = NonNullable<DatabaseTLSProfileStatus['endpoints']>[number]

/** Of servers whose clients are given this bundle: whether those take them without what is on its way out. `bundle`: trustHash. */
const needsOf = ({ caches, asksServers }: Consuming, head: Member, bundle: string): Needs => {
  const notServing: Waiting[] = []
  const notProvable: Waiting[] = []
  let proved = 0
  for (const profile of profilesOf(caches, head)) {
    for (const row of profile.status?.endpoints ?? []) {
      const waiting = { name: `${keyOf(profile)}: ${row.address}`, why: row.message ?? '' }
      const isSeen = row.verifiesUnder === bundle
      // With an address that may not be asked the others are seen, and it is not.
      if (isSeen && row.standing !== 'NotAsked') proved += 1
      else (isSeen || isBeyond(row) ? notProvable : notServing).push(waiting)
    }
    if (asksServers) notServing.push(...unaskedByBundle(profile))
  }
  return { notServing, notProvable, proved }
}

/** It is not asked, or has no TLS: what it needs cannot be seen, or is nothing. One that cannot be reached may come back with what it had. */
const isBeyond = (row: Row): boolean => isUnasked(row) || row.standing === 'NoTLS'

/** Where none is listed it asks those of its topology, which are known once they were asked. */
const unaskedByBundle = (profile: DatabaseTLSProfile): Waiting[] => {
  const { probe } = profile.spec
  if (probe === undefined) return []
  const isNew = (probe.endpoints ?? []).length === 0 && (profile.status?.endpoints ?? []).length === 0
  return isNew ? [{ name: `DatabaseTLSProfile ${keyOf(profile)}`, why: unasked }] : unaskedOf(profile)
}

/** Those whose servers bring their own certificates, which hang on what is in the bundle. */
const profilesOf = (caches: Caches, { authority, isStranger }: Member): DatabaseTLSProfile[] => {
  const key = keyOf(authority)
  return caches.profiles.store
    .by('authority', key)
    .filter((profile) => authorityOf(profile) === key && engineOf(profile.spec).managed)
    .filter((profile) => !isGoing(caches, profile) && !isStranger(profile))
}
