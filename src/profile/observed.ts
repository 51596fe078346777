/** What a look at a profile sees, gathered into one plain value. */

import type { Finding } from '../control/decision.ts'
import type { ConfigMap } from '../resources/core.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { Expansion } from './expansion.ts'
import type { WantedConfigMap } from './objects.ts'

export type ConfigMapSeen =
  | { readonly state: 'absent' }
  /** The cache shows the very version that was found good for these inputs. */
  | { readonly state: 'settled' }
  | { readonly state: 'present'; readonly live: ConfigMap }

export interface Observed {
  readonly profile: DatabaseTLSProfile
  /** Its namespace is being deleted. */
  readonly terminating: boolean
  /** Why the CAs cannot be asked; nothing is expanded while there is one. */
  readonly authorities: readonly Finding[]
  readonly expanded: Expanded | undefined
}

/** What follows from profile and CAs. */
export interface Wishes {
  readonly expansion: Expansion
  /** The certificates of the expansion, as they are applied. */
  readonly objects: readonly DatabaseCertificate[]
  readonly configMaps: readonly WantedConfigMap[]
}

/** The same, and what stands of it. */
export interface Expanded extends Wishes {
  readonly present: {
    /** Those of the profile, and any that bears a wanted name; by name. */
    readonly certificates: ReadonlyMap<string, DatabaseCertificate>
    /** Secret → the DatabaseCertificates of its namespace that write it. */
    readonly secretHolders: ReadonlyMap<string, readonly DatabaseCertificate[]>
    /** The same of ConfigMaps. */
    readonly configMaps: ReadonlyMap<string, ConfigMapSeen>
  }
  /** Objects that were other than applied as soon as they had been: `refusedKey` of decide.ts. */
  readonly unyielding: ReadonlySet<string>
}
