/** What is to be remembered of a CA that was brought along, after a look at what its owner's Secret holds. Decides and writes. */

import { type Context, marks } from '../control/context.ts'
import { noFailure } from '../control/failure.ts'
import { type SecretContent, writeSecret } from '../control/write-secret.ts'
import { isRotating, phaseOf } from '../control/rotation.ts'
import { toTimestamp } from '../control/schedule.ts'
import type { ImportedAuthority } from '../pki/imports/authority.ts'
import { equal } from '../pki/certificates/parse.ts'
import { subjectKeyId } from '../pki/keys/keys.ts'
import { formatDistinguishedName } from '../pki/names/names.ts'
import type { CertificateAuthority, CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import type { Reason } from '../resources/reasons.ts'
import {
  type BroughtRecord,
  isSameParty,
  keyWanted,
  type Party,
  partyOf,
  publishedTrust,
  recordData,
} from './brought-record.ts'
import type { BroughtAuthority, RecordSeen } from './brought-seen.ts'
import { certificateFacts } from './facts.ts'
import { recordSecretOf } from './names.ts'
import type { Stage } from './stage.ts'
import { publicKeyHash, trustHash } from './trust.ts'

/** Of what its owner gives, against what is remembered of it: `Remembered`. */
export type Standing<Remembered> =
  /** It is as remembered, or is remembered from now on; `write`: that has changed. `note`: a sentence. */
  | { readonly state: 'known'; readonly record: Remembered; readonly write: boolean; readonly note?: string }
  /** Another key than the one that is to be there, or a certificate too few or too many: a rotation has to see to it. */
  | { readonly state: 'changed'; readonly record: Remembered }
  /** The Secret of a rotation is a step ahead of status, which the rotation mends. */
  | { readonly state: 'ahead' }
  | { readonly state: 'refused'; readonly reason: Reason; readonly message: string }

/** Pure. */
export const standingOf = (authority: CertificateAuthority, seen: BroughtAuthority): Standing<BroughtRecord> => {
  const { brought, recorded, owner } = seen
  const party = partyOf(brought.imported)
  if (recorded.state !== 'found') return withoutRecord(authority, seen, party)
  const { record } = recorded
  if (!isInStep(authority, record)) return { state: 'ahead' }
  if (owner !== keyWanted(record.stage)) return { state: 'changed', record }
  if (owner === 'Signer')
    return { state: 'known', record: { ...record, signer: party }, write: !isSameParty(record.signer, party) }
  const { other } = record
  if (other === undefined) return { state: 'changed', record }
  return {
    state: 'known',
    record: { ...record, other: { ...party, name: other.name } },
    write: !isSameParty(other, party),
  }
}

const withoutRecord = (
  authority: CertificateAuthority,
  { recorded }: BroughtAuthority,
  signer: Party,
): Standing<BroughtRecord> => {
  const record = { stage: 'Plain', signer } as const
  const problem =
    recorded.state === 'unusable'
      ? recorded.problem
      : `Secret "${recordSecretOf(authority)}", in which dbtls keeps its former certificates, does not exist`
  if (isRotating(authority))
    return {
      state: 'refused',
      reason: recorded.state === 'unusable' ? 'AuthoritySecretInvalid' : 'AuthoritySecretMissing',
      message: `${problem}, and a rotation is under way. Restore it; or remove status.rotation (kubectl patch --subresource=status), and the CA in the Secret of spec.source.secret is used at once. Nothing is signed meanwhile.`,
    }
  if (recorded.state === 'unusable')
    return { state: 'known', record, write: false, note: `${problem}: another key would be used without a transition.` }
  return { state: 'known', record, write: true }
}

/** The phases in which a Secret is at a stage. */
const phases: Readonly<Record<Stage, readonly string[]>> = {
  Plain: ['Idle'],
  Next: ['Prepared'],
  Both: ['TrustBoth'],
  Switched: ['Signing', 'DropSoak'],
  Dropped: ['Dropped', 'Signing'],
}

/** Whether status says a phase in which a Secret is at this stage. */
export const isPhaseOf = (authority: Pick<CertificateAuthority, 'status'>, stage: Stage): boolean =>
  phases[stage].includes(phaseOf(authority))

const isInStep = (authority: CertificateAuthority, { stage, signer }: BroughtRecord): boolean => {
  const certificate = authority.status?.certificate
  if (certificate === undefined) return stage === 'Plain'
  return isPhaseOf(authority, stage) && certificate.publicKeyHash === publicKeyHash(signer.certificate)
}

export const writeRecord = async (
  context: Context,
  authority: CertificateAuthority,
  { recorded }: Pick<BroughtAuthority, 'recorded'>,
  record: BroughtRecord,
  signal: AbortSignal,
): Promise<void> => {
  const { stage, overlapped } = record
  const content = { stage, overlapped, data: recordData(record) }
  await writeRemembered(context, authority, recorded, content, signal)
}

interface RememberedContent {
  readonly stage: Stage
  /** Of BroughtRecord. */
  readonly overlapped?: boolean | undefined
  readonly data: ReadonlyMap<string, Uint8Array>
}

/** The Secret in which something that was brought along is remembered. */
export const writeRemembered = async (
  context: Context,
  authority: CertificateAuthority,
  recorded: RecordSeen<unknown>,
  { stage, overlapped, data }: RememberedContent,
  signal: AbortSignal,
): Promise<void> => {
  const name = recordSecretOf(authority)
  if (name === undefined) throw new Error('the authority was not brought along')
  const content: SecretContent = {
    namespace: authority.metadata.namespace ?? 'default',
    name,
    type: 'Opaque',
    data,
    labels: {},
    annotations: {
      [marks.private]: 'true',
      [marks.rotationStage]: stage,
      ...(overlapped === true ? { [marks.rotationOverlap]: 'true' } : {}),
    },
    owner: `CertificateAuthority/${authority.metadata.name}`,
    previous: previousOf(recorded),
  }
  await writeSecret(context, content, signal)
}

const previousOf = (recorded: RecordSeen<unknown>): SecretContent['previous'] => {
  if (recorded.state === 'found') return { uid: recorded.uid, resourceVersion: recorded.resourceVersion }
  return recorded.state === 'absent' ? recorded.version : undefined
}

/** What the condition Ready says of a CA and of the one that its owner has brought. */
export const standingMessage = ({ stage, signer, other }: BroughtRecord, imported: ImportedAuthority): string => {
  const { certificate, notAfter } = imported
  const isSigner = equal(certificate.spki, signer.certificate.spki)
  if (isSigner && keyWanted(stage) === 'Other')
    return `Its owner has brought ${quoted(certificate)} back; the rotation is given up.`
  if (isSigner) return `${quoted(certificate)} can sign, and is valid until ${toTimestamp(notAfter)}.`
  const isBack = other?.name === 'former' && equal(certificate.spki, other.certificate.spki)
  return isBack
    ? `Its owner has brought ${quoted(certificate)} back. ${meanwhile}`
    : `Its owner has replaced ${quoted(signer.certificate)} by ${quoted(certificate)}. ${meanwhile}`
}

const meanwhile =
  'It signs when everybody trusts it (status.rotation says who does not); until then nothing is signed but what would end.'

const quoted = ({ subject }: Pick<ImportedAuthority['certificate'], 'subject'>): string =>
  `"${formatDistinguishedName(subject)}"`

/** What status says of the CA that signs. `observed`: absent where status knows it already. */
export const factsOf = (
  record: BroughtRecord,
  observed: CertificateAuthorityStatus['observed'] | undefined,
): Partial<CertificateAuthorityStatus> => {
  const { certificate } = record.signer
  return {
    certificate: certificateFacts(certificate, certificate.subjectKeyId ?? subjectKeyId(certificate.spki)),
    renewAt: undefined,
    trustBundleHash: trustHash(publishedTrust(record)),
    ...noFailure,
    ...(observed === undefined ? {} : { observed }),
  }
}

/** For what status says of a rotation. */
export const pairIn = (record: BroughtRecord) => ({
  ...{ stage: record.stage, certificate: record.signer.certificate },
  ...{ trust: publishedTrust(record), other: record.other },
})
