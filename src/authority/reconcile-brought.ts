/**
 * One look at an authority that is brought along: read, judge, report. There is nothing to make and nothing to renew; what
 * the user puts into the Secret or ConfigMap is followed, or refused with the exact reason.
 */

import { type Context, marks } from '../control/context.ts'
import { noFailure } from '../control/failure.ts'
import { report } from '../control/report.ts'
import { renewalWindow } from '../control/schedule.ts'
import type { ImportedAuthority } from '../pki/imports/authority.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReady } from '../resources/conditions.ts'
import { parseDuration } from '../resources/duration.ts'
import type { Reason } from '../resources/reasons.ts'
import { longestRequeueMs, type Result } from '../runtime/controller.ts'
import { type BroughtSeen, rivalOf } from './brought.ts'
import { factsOf, pairIn, type Standing, standingMessage, standingOf, writeRecord } from './brought-keep.ts'
import type { BroughtRecord } from './brought-record.ts'
import { type BroughtAuthority, seeBrought } from './brought-seen.ts'
import { seeBundle } from './bundle-seen.ts'
import { isBundle, nameOf } from './names.ts'
import type { Report } from './brought-report.ts'
import { bundleReport, bundleStanding, rememberBundle } from './reconcile-bundle.ts'
import { publicKeyHash } from './trust.ts'
import { renewedRotation } from './rotation-facts.ts'
import { windowNotes } from './status.ts'
import { notImplementedFields } from './wanted.ts'

/** The rotation mends status at once. */
const aheadMs = 1000

/** Certificate validity ends within its last second. */
const justAfter = 1000

export const reconcileBrought = async (
  context: Context,
  authority: CertificateAuthority,
  signal: AbortSignal,
): Promise<Result> => {
  const { caches, clock, events } = context
  const now = clock.now()
  const aside = setAside(context, authority)
  const found =
    aside === undefined
      ? await (isBundle(authority) ? lookAtBundle : lookAtAuthority)(context, authority, now, signal)
      : refusedReport(aside)
  if (found === undefined) return { requeueAfterMs: aheadMs }
  const { facts, outcome, warning, until } = found
  const wrote = await report(context, certificateAuthorities, caches.authorities, authority, facts, outcome, signal)
  if (wrote && warning !== undefined)
    events.record({ regarding: authority, type: 'Warning', action: 'Reconcile', ...warning })
  return { requeueAfterMs: until === undefined ? longestRequeueMs : Math.max(until - now, 0) + justAfter }
}

/** Undefined where the rotation is a step ahead of status. */
const lookAtBundle = async (
  context: Context,
  authority: CertificateAuthority,
  now: number,
  signal: AbortSignal,
): Promise<Report | undefined> => {
  const { given, recorded } = await seeBundle(context, authority, signal)
  if (given.state === 'refused') return refusedReport(given)
  const standing = bundleStanding(authority, given.bundle, recorded, now)
  if (standing.state === 'ahead') return undefined
  if (standing.state === 'refused') return refusedReport(standing)
  if (standing.state === 'known' && standing.write)
    await rememberBundle(context, authority, recorded, standing.record, signal)
  return bundleReport(authority, given.bundle, standing, now)
}

/** Likewise. */
const lookAtAuthority = async (
  context: Context,
  authority: CertificateAuthority,
  now: number,
  signal: AbortSignal,
): Promise<Report | undefined> => {
  const seen = await seeBrought(context, authority, signal)
  if ('state' in seen) {
    if (seen.state === 'trust') throw new Error('the authority is a bundle alone')
    return refusedReport(seen)
  }
  const standing = standingOf(authority, seen)
  if (standing.state === 'ahead') return undefined
  if (standing.state === 'known' && standing.write) await writeRecord(context, authority, seen, standing.record, signal)
  return reportOf(authority, seen, standing, now)
}

type Refused = Extract<BroughtSeen, { state: 'refused' }>

const refused = (reason: Reason, message: string): Refused => ({ state: 'refused', reason, message })

/** What keeps the authority from being read at all. */
const setAside = (context: Context, authority: CertificateAuthority): Refused | undefined => {
  const held = authority.metadata.annotations?.[marks.hold]
  if (held !== undefined)
    return refused(
      'Held',
      `Annotation ${marks.hold} says "${held.slice(0, 256)}"; nothing is signed until it is removed.`,
    )
  const fields = notImplementedFields(authority)
  if (fields.length > 0)
    return refused('NotImplemented', `This version does not act on ${fields.join(', ')}; remove what is named.`)
  if (authority.spec.nameConstraints !== undefined)
    return refused(
      'RequestInvalid',
      'spec.nameConstraints: the certificate that is brought along cannot be given others than it has; use spec.policy, or leave them out.',
    )
  const rival = rivalOf(context, authority)
  return rival === undefined
    ? undefined
    : refused(
        'AuthoritySecretShared',
        `${nameOf(rival)} has its key in the same Secret; name that authority where this one is named, and delete this one.`,
      )
}

const reportOf = (
  authority: CertificateAuthority,
  seen: BroughtAuthority,
  standing: Exclude<Standing<BroughtRecord>, { state: 'ahead' }>,
  now: number,
): Report => {
  switch (standing.state) {
    case 'refused':
      return refusedReport(standing)
    case 'changed':
      return replacedReport(standing.record, seen.brought.imported)
    case 'known':
      return authorityReport(authority, seen, standing, now)
  }
}

/** Status keeps what it knew: leaves go on with what they were issued under. */
const refusedReport = ({ reason, message, until }: Omit<Refused, 'state'>): Report => ({
  facts: {},
  outcome: { state: 'Stalled', reason, message },
  warning: { reason, note: message },
  until,
})

/** What is trusted and delivered stays as it is: the rotation goes on from here. */
const replacedReport = (record: BroughtRecord, imported: ImportedAuthority): Report => {
  const message = standingMessage(record, imported)
  const [was, is] = [record.signer.certificate.fingerprint, imported.certificate.fingerprint]
  return {
    facts: { ...noFailure },
    outcome: { state: 'Ready', reason: 'AuthorityReplaced', message },
    warning: { reason: 'AuthorityReplaced', note: `${message} SHA-256 ${is} instead of ${was}.` },
  }
}

const authorityReport = (
  authority: CertificateAuthority,
  { brought: { imported, observed } }: BroughtAuthority,
  { record, note }: Extract<Standing<BroughtRecord>, { state: 'known' }>,
  now: number,
): Report => {
  const { notAfter, warnings } = imported
  const warnAt = notAfter - warningTime(authority, notAfter - record.signer.certificate.notBefore)
  const ending =
    now < warnAt
      ? []
      : ['Bring a renewed certificate before then, best with the same key: what was signed then stays valid.']
  const message = [
    standingMessage(record, imported),
    ...ending,
    ...warnings,
    ...(note === undefined ? [] : [note]),
    ...windowNotes(authority),
  ].join(' ')
  const same = authority.status?.observed?.secretUid === observed.secretUid && isReady(authority)
  // A foreign label moves the Secret's version; that alone is not worth a write.
  const facts = {
    ...factsOf(record, same ? undefined : observed),
    ...renewedRotation(authority.status, pairIn(record)),
  }
  return {
    facts,
    outcome: { state: 'Ready', reason: 'Ready', message },
    warning:
      replaced(authority, imported) ?? (ending.length > 0 ? { reason: 'AuthorityExpiring', note: message } : undefined),
    until: now < warnAt ? warnAt : notAfter,
  }
}

const warningTime = ({ spec }: CertificateAuthority, lifetime: number): number => {
  const renewBefore = spec.renewBefore === undefined ? undefined : parseDuration(spec.renewBefore)
  return Math.min(renewalWindow({ renewBefore }, lifetime), lifetime)
}

/** Where nobody remembers the former one, the owner's word is followed at once, but never in silence. */
const replaced = ({ status }: CertificateAuthority, { certificate }: ImportedAuthority): Report['warning'] => {
  const former = status?.certificate
  if (former === undefined || former.publicKeyHash === publicKeyHash(certificate)) return undefined
  return {
    reason: 'AuthorityReplaced',
    note: `The Secret holds another authority now: "${formatDistinguishedName(certificate.subject)}" (SHA-256 ${certificate.fingerprint}) instead of "${former.subject}" (SHA-256 ${former.fingerprint}). What the former one signed is issued anew.`,
  }
}
