/**
 * What a rotation of a CA is decided from: what status remembers (State), what is asked for and was seen (World), and what
 * comes of it (Step). Instants and spans are in ms.
 */

import type { Stage } from '../authority/stage.ts'

/** Where a rotation stands; `Idle`: none is under way. */
export type Phase = 'Idle' | RunningPhase
export type RunningPhase = 'Prepared' | 'TrustBoth' | 'Signing' | 'DropSoak' | 'Dropped'

export type Mode = 'NewKey' | 'ReuseKey'
export type Cause = 'Trigger' | 'Expiry' | 'Replaced' | 'Abort'

/** Of `status.rotation`. */
export interface State {
  readonly phase: Phase
  readonly mode?: Mode
  readonly cause?: Cause
  readonly startedAt?: number
  readonly phaseStartedAt?: number
  /** Since when everything that the phase waits for, but time, has been seen. */
  readonly soakStartedAt?: number
  readonly finishedAt?: number
  /** The texts of spec.rotation that were acted on last. */
  readonly trigger: string
  readonly abort: string
  /** Fingerprints of the CA that is given up and of the one that takes its place. */
  readonly from?: string
  readonly to?: string
}

/** Somebody who is waited for, in words for a person: `DatabaseCertificate data/orders-server`, `data/orders: 10.0.0.3:3306`. */
export interface Waiting {
  readonly name: string
  readonly why: string
  /** It is new, or nothing is heard of it: that keeps a gate shut, and does not make a soak begin anew. */
  readonly passing?: true
}

export interface Wish {
  readonly trigger: string
  readonly abort: string
  readonly onTrigger: Mode
  readonly onExpiry: Mode
  readonly holdAt: '' | 'TrustBoth' | 'Signing' | 'DropSoak'
  readonly compromised: boolean
  /** Counts only together with `compromised`. */
  readonly dropNow: boolean
  readonly trustSoakMs: number
  readonly dropSoakMs: number
  /** The owner of a CA that was brought along gave it another key. */
  readonly replaced: boolean
  /** Whether a maintenance window is open, and when the next one opens; without `opensAt` none does. */
  readonly open: boolean
  readonly opensAt?: number
}

export interface World {
  readonly now: number
  readonly wish: Wish
  /** Why this CA can be given no new key, as a sentence for its owner. */
  readonly cannotBegin?: string
  /** Its first certificate was made in answer to the spec as it is: what that asks for has been done. */
  readonly newborn: boolean
  /** The trigger that was acted on last, as the Secret says it; undefined where it does not. */
  readonly handled?: string
  /** Read live, so never older than what status was written for. */
  readonly stage: Stage
  /** Of tls.crt. `expiring`: it is so near its end that a new key has to be prepared now. */
  readonly signer: {
    readonly fingerprint: string
    readonly notAfter: number
    readonly expired: boolean
    readonly expiring: boolean
  }
  /** Of next.crt or former.crt; `usable`: it can sign (it has not ended, its key fits, it is not revoked …). */
  readonly other?: { readonly fingerprint: string; readonly usable: boolean }
  /** False for an intermediate that is replaced under the same root. */
  readonly changesTrust: boolean
  /**
   * Consumers that hold another bundle than the present one: certificates, trust targets, ConfigMaps of profiles, CAs below
   * and their certificates. What was never delivered at all is not behind: it will be delivered with the present one.
   */
  readonly behind: readonly Waiting[]
  /** Servers that were told and are not done, workloads not restarted. */
  readonly reloads: readonly Waiting[]
  /** Probed servers that have not proved that they trust `to`: refused, unreachable, unknown. */
  readonly unproved: readonly Waiting[]
  /** Servers that ask for no client certificate, or that nobody asks: named, never waited for. */
  readonly notProvable: readonly Waiting[]
  /** How many probed servers have proved it. */
  readonly proved: number
  /** Unexpired, unrevoked, unsuperseded ledger entries of `from` whose holder exists or that have none. */
  readonly leaves: readonly Waiting[]
  /** Probed servers that serve another certificate than the delivered one, or what hangs on the former CA. */
  readonly notServing: readonly Waiting[]
  /** Those who are given one CA alone, and the other one at the switch: named, never waited for. */
  readonly alone?: readonly Waiting[]
}

/** For status.rotation.pending; what the phase does not wait for is 0 or absent. */
export interface Pending {
  readonly consumers: number
  readonly certificates: number
  readonly reloads?: number
  readonly endpoints?: number
  readonly notProvable?: number
}

/** What changes the CA's Secret. */
export type Write = 'Prepare' | 'Publish' | 'Switch' | 'SwitchBack' | 'Drop' | 'Finish' | 'Abandon' | 'RenewSameKey'

export type Step =
  /** Nothing is to be done before something changes, or before `wakeAt`. `message` is empty where nothing is waited for. */
  | {
      readonly act: 'Stay'
      readonly state: State
      readonly pending?: Pending
      readonly message: string
      readonly wakeAt?: number
    }
  /** The Secret is written, then `state` is reported. */
  | {
      readonly act: Write
      readonly state: State
      readonly message: string
      /** Of Switch: trust in the former CA goes in the same write. */
      readonly dropNow?: true
    }
  /** Only status moves; look again at once. */
  | { readonly act: 'Report'; readonly state: State; readonly message: string }
