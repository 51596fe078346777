/** coordination.k8s.io/v1 Lease. */
import type { KubeObject, Resource } from './port.ts'

export interface Lease extends KubeObject {
  readonly spec?: {
    /** Absent or empty: free. */
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    /** RFC 3339 with microseconds. For people: clocks of different machines are never compared. */
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}

/** metav1.MicroTime. */
export const microTime = (instant: number): string => `${new Date(instant).toISOString().slice(0, -1)}000Z`
