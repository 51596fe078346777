/** A CA that was brought along, as it is now: what its owner's Secret holds, and what is remembered of it. */

import type { Context } from '../control/context.ts'
import { marks } from '../control/context.ts'
import { dataOf, readSecret } from '../control/secrets.ts'
import type { ImportedAuthority } from '../pki/imports/authority.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Secret } from '../resources/core.ts'
import { type BroughtSeen, readBrought } from './brought.ts'
import {
  type BroughtRecord,
  type KeyOwner,
  keyOwnerOf,
  publishedTrust,
  readRecord,
  type RecordMarks,
} from './brought-record.ts'
import { recordSecretOf } from './names.ts'
import type { StoredAuthority, StoredOther } from './stored.ts'
import { StoredAuthorityError } from './stored.ts'
import { publicKeyHash } from './trust.ts'

type Reading = Pick<Context, 'cluster' | 'clock'>
type Owned = Extract<BroughtSeen, { state: 'authority' }>
type Version = { readonly uid: string; readonly resourceVersion: string }

export type RecordSeen<Remembered = BroughtRecord> =
  /** `version`: of one that is left of a CA of the same name. */
  | { readonly state: 'absent'; readonly version?: Version }
  /** Somebody else's, or changed by somebody: a clause. */
  | { readonly state: 'unusable'; readonly problem: string }
  | ({ readonly state: 'found'; readonly record: Remembered } & Version)

export interface BroughtAuthority {
  readonly brought: Owned
  readonly recorded: RecordSeen
  /** Whose key the owner's Secret holds; undefined where nothing is remembered. */
  readonly owner: KeyOwner | undefined
}

/** Both are read live. Rejects with ApiError alone. */
export const seeBrought = async (
  context: Reading,
  authority: CertificateAuthority,
  signal?: AbortSignal,
): Promise<BroughtAuthority | Exclude<BroughtSeen, Owned>> => {
  const [brought, recorded] = await Promise.all([
    readBrought(context, authority, signal),
    seeRecord(context, authority, signal),
  ])
  if (brought.state !== 'authority') return brought
  const owner = recorded.state === 'found' ? keyOwnerOf(recorded.record, brought.imported.certificate) : undefined
  return { brought, recorded, owner }
}

const seeRecord = (context: Reading, authority: CertificateAuthority, signal?: AbortSignal): Promise<RecordSeen> =>
  seeRemembered(
    context,
    authority,
    {
      read: readRecord,
      // One that was deleted and made anew begins with what its owner has now.
      isLeft: ({ stage }) => authority.status?.certificate === undefined && stage === 'Plain',
    },
    signal,
  )

export interface RecordReader<Remembered> {
  /** Throws StoredAuthorityError. */
  readonly read: (data: ReadonlyMap<string, Uint8Array>, said: RecordMarks) => Remembered
  /** Whether it was left by a CA of the same name. */
  readonly isLeft: (record: Remembered) => boolean
}

/** Read live. Rejects with ApiError alone. */
export const seeRemembered = async <Remembered>(
  { cluster }: Pick<Context, 'cluster'>,
  authority: CertificateAuthority,
  reader: RecordReader<Remembered>,
  signal?: AbortSignal,
): Promise<RecordSeen<Remembered>> => {
  const { namespace = 'default', name: authorityName } = authority.metadata
  const name = recordSecretOf(authority)
  if (name === undefined) return { state: 'absent' }
  const secret = await readSecret(cluster, { namespace, name }, signal)
  if (secret === undefined) return { state: 'absent' }
  return judged(secret, `CertificateAuthority/${authorityName}`, reader)
}

const judged = <Remembered>(
  secret: Secret,
  owner: string,
  { read, isLeft }: RecordReader<Remembered>,
): RecordSeen<Remembered> => {
  const { annotations = {}, uid = '', resourceVersion = '', name } = secret.metadata
  if (annotations[marks.owner] !== owner)
    return {
      state: 'unusable',
      problem: `Secret "${name}", in which dbtls would keep its former certificates, is somebody else's`,
    }
  try {
    const record = read(dataOf(secret), {
      stage: annotations[marks.rotationStage],
      hash: annotations[marks.dataHash],
      overlapped: annotations[marks.rotationOverlap] === 'true',
    })
    return isLeft(record)
      ? { state: 'absent', version: { uid, resourceVersion } }
      : { state: 'found', record, uid, resourceVersion }
  } catch (error) {
    if (!(error instanceof StoredAuthorityError)) throw error
    return {
      state: 'unusable',
      problem: `Secret "${name}", in which dbtls keeps its former certificates: ${error.message}`,
    }
  }
}

/** In the form of a CA of our own. A key is there where the owner's Secret holds it. */
export interface BroughtStored extends Pick<StoredAuthority, 'certificate' | 'chain' | 'trust'> {
  readonly pkcs8: Uint8Array | undefined
  readonly other?: StoredOther
}

export const storedOf = ({ brought: { imported }, recorded, owner }: BroughtAuthority): BroughtStored => {
  if (recorded.state !== 'found') return imported
  const { signer, other, stage } = recorded.record
  return {
    certificate: signer.certificate,
    chain: signer.chain,
    trust: publishedTrust(recorded.record),
    pkcs8: owner === 'Signer' ? imported.pkcs8 : undefined,
    // Nobody trusts it in the stage Next: there its key is of no use.
    ...(other === undefined
      ? {}
      : { other: otherOf(other, owner === 'Other' && stage !== 'Next' ? imported : undefined) }),
  }
}

const otherOf = (
  { name, certificate, chain }: NonNullable<BroughtRecord['other']>,
  keyed: ImportedAuthority | undefined,
): StoredOther => ({
  ...{ name, certificate, chain },
  ...(keyed === undefined ? {} : { pkcs8: keyed.pkcs8 }),
  encryptedWith: 'nothing',
  publicKeyHash: publicKeyHash(certificate),
})
