/** The built-in kinds the machinery itself writes: Leases for leader election, Events for people. */

import type { KubeObject, Resource } from './port.ts'

export interface Lease extends KubeObject {
  readonly spec?: {
    /** Absent or empty: free. */
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    /** MicroTime. For people: clocks of different machines are never compared. */
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export interface ObjectReference {
  readonly apiVersion?: string
  readonly kind?: string
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly fieldPath?: string
}

/** events.k8s.io/v1. `note` ends at 1,024 bytes, `reason` and `action` at 128 characters. */
export interface Event extends KubeObject {
  /** MicroTime. */
  readonly eventTime: string
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
  readonly reportingController: string
  readonly reportingInstance: string
  readonly action: string
  readonly reason: string
  readonly regarding: ObjectReference
  readonly related?: ObjectReference
  readonly note?: string
  readonly type: 'Normal' | 'Warning'
}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}
export const events: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

/** metav1.MicroTime: RFC 3339 with six decimals. */
export const microTime = (instant: number): string => `${new Date(instant).toISOString().slice(0, -1)}000Z`
