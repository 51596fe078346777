/**
 * What the parts of a profile's controller that deal with live servers are asked, and what they answer. Their verdicts go into
 * the one status write of a look and into the message of Ready.
 *
 * A look must not wait for a server: answer what is remembered, ask in the background, and have the profile looked at again
 * (`wake`) when something is known that status does not say yet.
 */

import type { Finding } from '../control/decision.ts'
import type { OtherConditions } from '../resources/conditions.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import type { DatabaseTLSProfileStatus } from '../resources/database-tls-profile-status.ts'
import type { Expansion, WantedEndpoint } from './expansion.ts'

export interface ProfileView {
  /** `namespace/name`. */
  readonly key: string
  readonly profile: DatabaseTLSProfile
  /** What it asks for, refusals included. */
  readonly expansion: Expansion
  /**
   * The profile's, by the name of the object: as the cache has them after this look's writes. One of the expansion may be
   * missing yet, and one that the expansion leaves out because it is refused may be there.
   */
  readonly certificates: ReadonlyMap<string, DatabaseCertificate>
}

export interface Verdict {
  /**
   * Put into status. Must be the same value while nothing changed that a person cares about: each difference is a write, and
   * the time of a probe alone is none.
   */
  readonly facts: Partial<DatabaseTLSProfileStatus>
  /** Conditions beside Ready, by type; undefined removes one. */
  readonly conditions?: OtherConditions | undefined
  /** Keep the profile from being Ready: `Wait` is Reconciling, `Stall` is Stalled. */
  readonly findings: readonly Finding[]
  /** Sentences beside a Ready profile. */
  readonly notes: readonly string[]
  /** Look again after so long, ms; absent: when woken. */
  readonly requeueAfterMs?: number | undefined
}

/** What is known of one server. */
export interface EndpointSeen {
  readonly endpoint: WantedEndpoint
  /** Of the certificate it showed last, upper-case hex; undefined: it has shown none since the start. */
  readonly servedSerial?: string | undefined
  /** When it showed it, ms since the epoch. */
  readonly seenAt?: number | undefined
  /** It shows the certificate that it should with the chain of a CA that is being replaced, and was given the other one. */
  readonly formerChain?: boolean | undefined
  /** Why it could not be asked the last time. */
  readonly problem?: string | undefined
  /** While the CA of clients is replaced. */
  readonly trust?: TrustProved | undefined
}

export interface TrustProved {
  /** `namespace/name` of the CA whose clients it is to take. */
  readonly authority: string
  /** It takes clients of the CA that signs now, and refuses those of the next one. */
  readonly lacksNext: boolean
  /** Hash of the trust bundle of that CA that it has proved to have loaded. */
  readonly loaded?: string
}

export interface EndpointsVerdict extends Verdict {
  readonly seen: readonly EndpointSeen[]
}

/** Looks at what live servers serve. */
export interface Endpoints {
  readonly look: (view: ProfileView) => EndpointsVerdict
  /** The profile is gone. */
  readonly forget: (key: string) => void
}

/** Has servers take up what was delivered. */
export interface Reloads {
  readonly look: (view: ProfileView, seen: readonly EndpointSeen[]) => Verdict
  readonly forget: (key: string) => void
}

export const noVerdict: Verdict = { facts: {}, findings: [], notes: [] }
export const nothingSeen: EndpointsVerdict = { ...noVerdict, seen: [] }
