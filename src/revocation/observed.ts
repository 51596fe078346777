/** Everything one decision about a revocation list needs; filled by gather.ts, judged by decide.ts. */

import type { Owned } from '../control/owned.ts'
import type { LedgerEntry } from '../ledger/entry.ts'
import type { Signer } from '../pki/certificates/signer.ts'
import type { ParsedRevocationList } from '../pki/revocation/revocation-list.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { ListKey } from './entries.ts'
import type { FormerList } from './former.ts'
import type { ListPolicy } from './wanted.ts'

export type StoredSeen = Owned<{
  /** Where the CA's present key signed it. */
  readonly list: ParsedRevocationList | undefined
  /** The newest that this key has signed, under whatever name: at the switch of a rotation the lists change places. */
  readonly newest: ParsedRevocationList | undefined
  /** That of the other CA, while one takes the place of another. */
  readonly other: ParsedRevocationList | undefined
  /** The last lists of keys before it, and that of the other CA. */
  readonly former: readonly FormerList[]
}>

export type SignerSeen =
  | { readonly state: 'usable'; readonly notBefore: number; readonly notAfter: number; readonly mayIssue: boolean }
  /** `message`: a clause that says why. */
  | { readonly state: 'unusable'; readonly message: string }

/** The next or the former CA of a rotation, where its key is at hand and its lists would be believed. */
export interface OtherSeen {
  readonly name: 'next' | 'former'
  readonly key: ListKey
  readonly signer: Signer
}

export interface Observed {
  readonly name: string
  readonly uid: string
  readonly listName: string
  readonly policy: ListPolicy
  /** Not while the CA is held: its ledger may not be complete yet. */
  readonly mayAct: boolean
  readonly status: NonNullable<CertificateAuthority['status']>['crl']
  /** Undefined while the CA has no certificate. */
  readonly key: ListKey | undefined
  readonly signer: SignerSeen
  readonly other: OtherSeen | undefined
  readonly stored: StoredSeen
  readonly ledger: readonly LedgerEntry[]
  /** The largest number that this process has tried to publish. */
  readonly tried: bigint | undefined
}
