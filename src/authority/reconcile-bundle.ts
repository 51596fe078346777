/**
 * One look at a bundle that is only trusted. What its owner adds is trusted at once; what the owner takes out is, too, where no
 * spec.rotation says that it is to go in stages: then a rotation sees to it (docs/adr/0023), and here is only told.
 */

import type { Context } from '../control/context.ts'
import { noFailure } from '../control/failure.ts'
import type { ImportedTrust } from '../pki/imports/trust.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isPhaseOf, type Standing, writeRemembered } from './brought-keep.ts'
import {
  bundleData,
  bundleMoves,
  type BundleRecord,
  changeOf,
  hashOfRoots,
  isSameRoots,
  publishedRoots,
} from './bundle-record.ts'
import { type BundleSeen, isStaged } from './bundle-seen.ts'
import { recordSecretOf } from './names.ts'
import type { Report } from './brought-report.ts'

/** Pure. */
export const bundleStanding = (
  authority: CertificateAuthority,
  { certificates: given }: ImportedTrust,
  recorded: BundleSeen['recorded'],
  now: number,
): Standing<BundleRecord> => {
  if (recorded.state !== 'found') return withoutRecord(authority, given, recorded)
  const { record } = recorded
  if (!isPhaseOf(authority, record.stage)) return { state: 'ahead' }
  const change = changeOf(record, given, now)
  const isFollowed = record.stage === 'Plain' && !isStaged(authority)
  if (change !== 'Same' && !isFollowed) return { state: 'changed', record }
  return { state: 'known', record: { ...record, bundle: given }, write: !isSameRoots(record.bundle, given) }
}

const withoutRecord = (
  authority: CertificateAuthority,
  given: ImportedTrust['certificates'],
  recorded: Exclude<BundleSeen['recorded'], { state: 'found' }>,
): Standing<BundleRecord> => {
  const record = bundleMoves.settle(given)
  const isUnusable = recorded.state === 'unusable'
  const problem = isUnusable
    ? recorded.problem
    : `Secret "${recordSecretOf(authority)}", in which dbtls keeps what it trusted before, does not exist`
  if (!isPhaseOf(authority, 'Plain'))
    return {
      state: 'refused',
      reason: isUnusable ? 'AuthoritySecretInvalid' : 'AuthoritySecretMissing',
      message: `${problem}, and the transition to another bundle is under way. Restore it; or remove status.rotation (kubectl patch --subresource=status), and what the source holds is trusted at once, and nothing else. What was delivered stays in use.`,
    }
  if (!isStaged(authority)) return { state: 'known', record, write: false }
  return isUnusable
    ? { state: 'known', record, write: false, note: `${problem}: what is taken out would be trusted no more at once.` }
    : { state: 'known', record, write: true }
}

export const rememberBundle = async (
  context: Context,
  authority: CertificateAuthority,
  recorded: BundleSeen['recorded'],
  record: BundleRecord,
  signal: AbortSignal,
): Promise<void> => {
  const content = { stage: record.stage, data: bundleData(record) }
  await writeRemembered(context, authority, recorded, content, signal)
}

export const bundleReport = (
  authority: CertificateAuthority,
  bundle: ImportedTrust,
  standing: Extract<Standing<BundleRecord>, { state: 'known' | 'changed' }>,
  now: number,
): Report => {
  const { record } = standing
  const trusted = publishedRoots(record, now)
  const trustBundleHash = hashOfRoots(trusted)
  const { expired } = bundle
  const isNews = trustBundleHash !== authority.status?.trustBundleHash
  const note = standing.state === 'known' ? standing.note : undefined
  return {
    facts: {
      ...noFailure,
      ...{ certificate: undefined, trustBundleHash },
      ...(standing.state === 'known' ? rotationOf(authority, record) : {}),
    },
    outcome: { state: 'Ready', reason: 'Ready', message: bundleMessage(record, bundle, now, note) },
    warning: isNews && expired !== undefined ? { reason: 'TrustExpired', note: expired } : undefined,
    until: Math.min(bundle.nextEnd, ...trusted.map(({ notAfter }) => notAfter)),
  }
}

/** Of the condition Ready. */
export const bundleMessage = (
  record: BundleRecord,
  { certificates: given, expired, warnings }: ImportedTrust,
  now: number,
  note?: string,
): string => {
  const trusted = publishedRoots(record, now)
  const count = `${trusted.length} certificate${trusted.length === 1 ? ' is' : 's are'} trusted; nothing is signed by this authority.`
  const leaving = trusted.filter(({ fingerprint }) => !given.some((one) => one.fingerprint === fingerprint)).length
  const out =
    leaving === 0
      ? []
      : [
          `${leaving} of them ${leaving === 1 ? 'was' : 'were'} taken out of its source, and ${leaving === 1 ? 'is' : 'are'} trusted until nothing needs ${leaving === 1 ? 'it' : 'them'} (status.rotation says what does).`,
        ]
  return [
    count,
    ...out,
    ...(expired === undefined ? [] : [expired]),
    ...warnings,
    ...(note === undefined ? [] : [note]),
  ].join(' ')
}

/** What is added in the middle of a rotation makes another bundle of the one that stays. */
const rotationOf = ({ status }: CertificateAuthority, { stage, bundle }: BundleRecord) =>
  stage === 'Plain' || status?.rotation === undefined
    ? {}
    : { rotation: { ...status.rotation, to: hashOfRoots(bundle) } }
