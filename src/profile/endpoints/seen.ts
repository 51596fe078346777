/** What was seen of an endpoint at one look. */

import type { FaultReason } from '../../database/connect/fault.ts'

/** One address behind an endpoint's name. */
export interface Visited {
  readonly address: string
  /** It was not asked: why. */
  readonly refusal?: string
  /** No TLS came about. */
  readonly fault?: FaultReason
  readonly served?: {
    readonly serialNumber: string
    readonly fingerprint: string
    readonly issuer: string
    /** ms since the epoch */
    readonly notAfter: number
    /** As `DNS:orders.data.svc`. */
    readonly names: readonly string[]
    /** Fingerprints of what it sent above its own certificate, in that order. */
    readonly above: readonly string[]
  }
  /** Why clients would refuse the served certificate; clauses. */
  readonly problems: readonly string[]
  /** The server asked for a client certificate; absent where that is not known. */
  readonly requested?: boolean
  /** It ended the connection after it had shown its certificate, … */
  readonly refused: boolean
  /** … on which a client certificate had been sent. */
  readonly sent: boolean
}

/** Whether a server takes the certificates of the CA that signs clients; while it is replaced, of the next one too. */
export interface TrustSeen {
  readonly state: 'Trusted' | 'Refused' | 'NotRequested' | 'Anybody' | 'Unknown'
  /** Fingerprints of CAs whose clients it takes; absent where that is not known. */
  readonly trusts?: readonly string[]
  /** What keeps it from the next CA; a sentence. */
  readonly message?: string
}

export interface Look {
  /** ms since the epoch */
  readonly at: number
  readonly tookMs: number
  /** The name led nowhere, or is not asked. */
  readonly nameFault?: FaultReason
  readonly refusal?: string
  readonly visits: readonly Visited[]
  /** Addresses behind the name that were left out, because there are too many. */
  readonly leftOut?: number
  readonly trust?: TrustSeen
  /** Whether clients were seen to see the same if they trusted only what remains when something goes; `hash` is that of it. */
  readonly without?: { readonly hash: string; readonly same: boolean }
  /** What a server that wants a client certificate could be shown. */
  readonly client: 'Shown' | 'NotNeeded' | 'None' | 'Unreadable'
}

/** Where a name has addresses of two families, clients take the one that answers. */
export const withoutOtherFamily = (visits: readonly Visited[]): readonly Visited[] => {
  const isDead = ({ fault, refusal }: Visited): boolean => fault === 'ConnectFailed' || refusal !== undefined
  const family = ({ address }: Visited): boolean => address.includes(':')
  const dead = [true, false].filter((six) => visits.every((one) => family(one) !== six || isDead(one)))
  return dead.length === 1 ? visits.filter((one) => !dead.includes(family(one))) : visits
}

/** Of an address that may not be asked nothing is known, and nothing will be. */
export const isAsked = ({ refusal }: Visited): boolean => refusal === undefined

/** Whether a server answered at all, as a socket that is held for it counts. */
export const answered = ({ nameFault, refusal, visits }: Look): boolean =>
  refusal !== undefined ||
  (nameFault === undefined && visits.every(({ fault }) => fault !== 'ConnectFailed' && fault !== 'NoAnswer'))
