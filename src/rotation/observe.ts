/** Everything that one decision about a rotation needs, from caches and the CA's own Secret. Decides nothing. */

import { parentOf } from '../authority/names.ts'
import type { Material } from '../authority/rotate.ts'
import { keyOf } from '../cluster/port.ts'
import type { Caches, Context } from '../control/context.ts'
import { rotationOf } from '../control/rotation.ts'
import { renewalTime } from '../control/schedule.ts'
import { isOpen } from '../control/windows.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { defaultDuration } from '../resources/database-certificate.ts'
import { parseDuration } from '../resources/duration.ts'
import { aloneWith } from './alone.ts'
import { behindOf, type Consuming } from './consumers.ts'
import { familyOf, type Member, rotatingRelative } from './family.ts'
import { leavesOf, unseenOf } from './leaves.ts'
import { isRevoked, isUsable } from './material.ts'
import { serversOf } from './servers.ts'
import type { Wish, World } from './state.ts'

export const wishOf = (authority: CertificateAuthority, now: number): Wish => {
  const { trigger, abort, onTrigger, onExpiry, holdAt, reason, dropOld, trustSoak, dropSoak, windows } =
    rotationOf(authority)
  const { open, opensAt } = isOpen(windows, now)
  return {
    ...{ trigger, abort, onTrigger, onExpiry, holdAt },
    compromised: reason === 'Compromised',
    dropNow: dropOld === 'Now' && reason === 'Compromised',
    trustSoakMs: parseDuration(trustSoak),
    dropSoakMs: parseDuration(dropSoak),
    replaced: false,
    open,
    ...(opensAt === undefined ? {} : { opensAt }),
  }
}

/** `seen`: what the Secret of the CA holds. */
export const observe = (
  context: Pick<Context, 'caches'>,
  consuming: Consuming,
  authority: CertificateAuthority,
  seen: Pick<Material, 'stage' | 'certificate' | 'other' | 'trigger'>,
  now: number,
): World => {
  const { caches } = context
  const family = familyOf(caches, authority)
  const { certificate: signer, other, stage } = seen
  const to = stage === 'Next' || stage === 'Both' ? other?.fingerprint : signer.fingerprint
  const relative = rotatingRelative(caches, authority, family)
  const wish = wishOf(authority, now)
  const signs = stage === 'Switched' || stage === 'Dropped'
  const former = signs ? other : signer
  return {
    now,
    // Whoever revokes a CA wants it replaced as soon as proof allows.
    wish: former !== undefined && isRevoked(context, authority, former) ? { ...wish, compromised: true } : wish,
    ...(relative === undefined
      ? {}
      : { cannotBegin: `CertificateAuthority ${relative} is rotating, and this one hangs together with it.` }),
    newborn: authority.status?.rotation === undefined && authority.metadata.generation === 1,
    ...(seen.trigger === undefined ? {} : { handled: seen.trigger }),
    stage,
    signer: {
      fingerprint: signer.fingerprint,
      notAfter: signer.notAfter,
      expired: signer.notAfter <= now,
      expiring: now >= beginsAt(caches, authority, signer, family),
    },
    ...(other === undefined
      ? {}
      : { other: { fingerprint: other.fingerprint, usable: isUsable(context, authority, other, now) } }),
    changesTrust: parentOf(authority) === undefined,
    behind:
      stage === 'Plain'
        ? []
        : [
            ...behindOf(consuming, family),
            ...(stage === 'Both' ? unseenOf(caches, family, now, consuming.namespaces) : []),
          ],
    alone: stage === 'Next' || stage === 'Both' ? aloneWith(caches, authority) : [],
    leaves: signs ? leavesOf(caches, authority, signer, now, consuming.namespaces) : [],
    ...(stage === 'Plain' ? nobody : serversOf(caches, family, { to, signs, asksServers: consuming.asksServers })),
  }
}

const nobody = { reloads: [], unproved: [], notProvable: [], notServing: [], proved: 0 }

/** Time to sign everything again, on top of the soaks, ms. */
const spareMs = 24 * 3_600_000

/**
 * When another key has to be prepared at the latest: so early that the longest certificate signed by the former one before
 * the switch still fits, and at the time of an ordinary renewal where that comes first. Never in the first fifth of the life.
 */
export const beginsAt = (
  caches: Caches,
  authority: CertificateAuthority,
  { notBefore, notAfter }: Pick<ParsedCertificate, 'notBefore' | 'notAfter'>,
  family: readonly Member[] = familyOf(caches, authority),
): number => {
  const lifetime = notAfter - notBefore
  const { trustSoak, dropSoak } = rotationOf(authority)
  const soaks = parseDuration(trustSoak) + parseDuration(dropSoak)
  const room = longestLeaf(caches, family) + soaks + Math.min(spareMs, lifetime / 20)
  const { renewBefore } = authority.spec
  const rule = { renewBefore: renewBefore === undefined ? undefined : parseDuration(renewBefore) }
  const due = renewalTime(rule, notBefore, notAfter, authority.metadata.uid ?? '')
  return Math.max(notBefore + lifetime / 5, Math.min(due, notAfter - room))
}

const longestLeaf = (caches: Caches, family: readonly Member[]): number => {
  let longest = 0
  for (const { authority, isStranger } of family) {
    const most = authority.spec.policy?.maxDuration
    const limit = most === undefined ? Number.POSITIVE_INFINITY : parseDuration(most)
    for (const certificate of caches.certificates.store.by('authority', keyOf(authority)))
      if (!isStranger(certificate))
        longest = Math.max(longest, Math.min(limit, parseDuration(certificate.spec.duration ?? defaultDuration)))
  }
  return longest
}
