/** What a profile asks for, as a plain list, and what every part of it is found out from. */

import type { Definition, Dialect, Reload, Remark } from '../database/engines/engine.ts'
import type { DatabaseCertificateSpec } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { AuthorityRef } from '../resources/fields.ts'
import type { Item } from '../resources/secret-items.ts'
import type { Claims, Findings } from './findings.ts'
import type { KnownAuthority } from './known.ts'
import type { ChosenLayout } from './layout.ts'

export interface Known {
  readonly authority?: KnownAuthority
  /** Of `clientAuthorityRef`, where there is one. */
  readonly clientAuthority?: KnownAuthority
  /** DNS names of the profile's DatabaseCertificates as they are now, by the name of the object. */
  readonly names?: ReadonlyMap<string, readonly string[]>
}

export interface WantedCertificate {
  /** Of the DatabaseCertificate, in the profile's namespace. */
  readonly name: string
  readonly spec: DatabaseCertificateSpec
  /** `server`, a component of the engine, or `client`. */
  readonly part: string
}

/** A ConfigMap that holds what is needed to trust a CA, and nothing private. */
export interface WantedTrust {
  readonly name: string
  readonly authorityRef: AuthorityRef
  readonly items: readonly Item[]
}

export interface WantedEndpoint {
  /** HOST:PORT, an IPv6 address in brackets. */
  readonly address: string
  readonly dialect: Dialect
  readonly part: string
}

export interface Expansion {
  readonly certificates: readonly WantedCertificate[]
  readonly trust: readonly WantedTrust[]
  /** Absent where the profile is wrong in a way that no file could be right. */
  readonly configMap?: { readonly name: string; readonly data: Readonly<Record<string, string>> }
  readonly endpoints: readonly WantedEndpoint[]
  readonly reload?: Reload & { readonly strategy: 'SQL' | 'Rollout' | 'None' }
  readonly warnings: readonly Remark[]
  readonly refusals: readonly Remark[]
}

/** What every part of an expansion looks at. */
export interface Shared {
  readonly profile: DatabaseTLSProfile
  readonly definition: Definition
  readonly managed: boolean
  readonly holder: { readonly profile: string; readonly namespace: string }
  readonly known: Known
  readonly names: {
    readonly objects: Claims
    readonly secrets: Claims
    readonly configMaps: Claims
    /** Which user each subject of a client stands for. */
    readonly identities: Map<string, string>
  }
  readonly findings: Findings
  readonly layout: ChosenLayout
}
