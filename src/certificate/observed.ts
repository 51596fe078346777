/** Everything one decision about a DatabaseCertificate needs, as plain values; filled by gather.ts, judged by decide.ts. */

import type { AuthorityMaterial } from '../authority/keyring.ts'
import type { Publication } from '../authority/published.ts'
import type { Look as LookOf } from '../control/actor.ts'
import type { Owned } from '../control/owned.ts'
import type { ReferencedText } from '../control/secrets.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { KeyAlgorithm } from '../pki/plan.ts'
import type { SigningPolicy } from '../pki/policy/policy.ts'
import type { DatabaseCertificate, DatabaseCertificateStatus } from '../resources/database-certificate.ts'
import type { Count } from './counters.ts'
import type { AuthorityKeySeen } from './key-export.ts'
import type { RequestSeen } from './requested.ts'
import type { Wanted } from './wanted.ts'

export type AuthoritySeen =
  { readonly state: 'missing' | 'refused' | 'notReady'; readonly message: string } | UsableAuthority

export interface UsableAuthority {
  readonly state: 'usable'
  /** `CertificateAuthority namespace/name`, for messages. */
  readonly name: string
  readonly uid: string
  readonly material: AuthorityMaterial
  /** Absent: it signs whatever its name constraints allow. */
  readonly policy?: { readonly rules: SigningPolicy; readonly hash: string }
  /** Undefined where it is not published. */
  readonly published: Publication | undefined
}

/** What the ledger says of the certificate in the Secret; undefined where it has no entry. */
export type EntrySeen =
  { readonly state: 'Valid' | 'Superseded' | 'Expired' } | { readonly state: 'Revoked'; readonly reason: string }

export type RevocationListSeen =
  /** DER, with its number. */
  | { readonly state: 'found'; readonly list: Uint8Array; readonly number: string }
  /** None yet, and whether the CA makes any. */
  | { readonly state: 'absent'; readonly made: boolean }

export type SecretSeen = Owned<{
  readonly type: string
  readonly immutable: boolean
  /** Made by somebody else and handed over by annotation: it outlives the certificate, with what else is in it. */
  readonly adopted: boolean
  readonly leaf: ParsedCertificate | undefined
  /** The leaf was there before: it is kept where it is as good as what is asked for (taken-over.ts). */
  readonly takenOver: boolean
  /** Why the leaf is replaced, where that is certain without having read it; nothing else is known of the Secret then. */
  readonly due?: string
  /** PKCS#8 that belongs to the leaf. */
  readonly privateKey: Uint8Array | undefined
  readonly keyAlgorithm: KeyAlgorithm | undefined
  readonly password: string | undefined
  /** Does the signing CA's present key verify the leaf's signature? Undefined while no CA is usable. */
  readonly signedByAuthority: boolean | undefined
  /** The former CA has signed the leaf, and its turn to be replaced has not come. */
  readonly waits: boolean
  /** ms, as asked for when the leaf was issued. */
  readonly requestedDuration: number | undefined
  readonly renewTrigger: string | undefined
  /** True when the bytes are those written last and nothing they were made from has changed. */
  readonly outputsCurrent: boolean
  /** Keys under which it does not hold the present revocation list, and should. */
  readonly staleLists: readonly string[]
  /** What its counting annotations say, and the bytes that they were counted for. */
  readonly counted: ReadonlyMap<string, Count>
}>

export interface Observed {
  /** `DatabaseCertificate namespace/name`, for messages. */
  readonly name: string
  readonly uid: string
  readonly generation: number
  readonly resolved: { readonly wanted: Wanted } | { readonly problems: readonly string[] }
  readonly status: DatabaseCertificateStatus | undefined
  readonly authority: AuthoritySeen
  /** Undefined where no password is referenced. */
  readonly password: ReferencedText | undefined
  /** Undefined without `spec.request`. */
  readonly request: RequestSeen | undefined
  readonly secret: SecretSeen
  /** Its CA is replaced, and a renewal by time alone has not been given its turn. */
  readonly queued?: boolean
  readonly entry: EntrySeen | undefined
  /** Undefined where no item holds one. */
  readonly revocationList: RevocationListSeen | undefined
  /** Undefined where no item holds the authority's private key, or the authority cannot be used. */
  readonly authorityKey: AuthorityKeySeen | undefined
  /** Who else has the common name, where the CA gives each to one certificate alone, in words. */
  readonly commonNameHolder: string | undefined
  /** Who else has the key that the certificate would be for, in words. */
  readonly keyHolder: string | undefined
  /** The CA has a certificate for the key of the request that was revoked because others have that key. */
  readonly keyCompromised: boolean
}

export type Look = LookOf<DatabaseCertificate, Observed>

/** For a cure that only an authority which can sign, and a spec that can be resolved, lead to. */
export const usable = (seen: Observed): { wanted: Wanted; authority: UsableAuthority } => {
  if (!('wanted' in seen.resolved) || seen.authority.state !== 'usable')
    throw new Error('a cure that needs an authority was chosen without one')
  return { wanted: seen.resolved.wanted, authority: seen.authority }
}
