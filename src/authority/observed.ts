/** Everything one decision about a CertificateAuthority needs; filled by gather.ts, judged by decide.ts. */

import type { Look as LookOf } from '../control/actor.ts'
import type { Owned } from '../control/owned.ts'
import type { ReferencedText } from '../control/secrets.ts'
import type { SigningPolicy } from '../pki/policy/policy.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { RevocationReason } from '../resources/issued-certificate.ts'
import type { AuthorityMaterial } from './keyring.ts'
import type { Publication } from './published.ts'
import type { StoredAuthority, StoredAuthorityError } from './stored.ts'
import type { Wanted } from './wanted.ts'

export type ParentSeen =
  | { readonly state: 'missing' | 'refused' | 'notReady'; readonly message: string }
  | {
      readonly state: 'usable'
      readonly uid: string
      readonly material: AuthorityMaterial
      readonly policy: SigningPolicy | undefined
      /** Undefined where it is not published. */
      readonly published: Publication | undefined
    }

export type SecretSeen = Owned<{
  /** What could be read of it, or why nothing could. */
  readonly stored: StoredAuthority | undefined
  readonly problem: StoredAuthorityError | undefined
  /** Under the parent's present key; undefined for a root and while the parent is not usable. */
  readonly signedByParent: boolean | undefined
  /** Chain or roots above it are no longer those of the parent. */
  readonly chainChanged: boolean
  /**
   * Whether its certificate is in the ledger; asked only while the authority reports none, because then nothing else
   * tells the authority's own Secret from one that somebody put in its place.
   */
  readonly recorded: boolean | undefined
  /** The spec.rotation.trigger that was acted on last, as far as the Secret says. */
  readonly trigger?: string | undefined
}>

export interface Observed {
  readonly name: string
  readonly uid: string
  /** Why a person or a restore holds it. */
  readonly held?: string | undefined
  /** Why its present certificate was revoked, where it was. */
  readonly revoked?: RevocationReason | undefined
  readonly notImplemented: readonly string[]
  readonly resolved: { readonly wanted: Wanted } | { readonly problems: readonly string[] }
  readonly status: CertificateAuthority['status']
  readonly passphrase: ReferencedText | undefined
  /** Undefined for a root. */
  readonly parent: ParentSeen | undefined
  readonly secret: SecretSeen
}

export type Look = LookOf<CertificateAuthority, Observed>
