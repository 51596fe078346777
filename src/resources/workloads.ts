/** What runs the servers: as much as a restart wants of it. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ */
import type { KubeObject, Resource } from '../cluster/port.ts'

export interface Workload extends KubeObject {
  readonly kind: 'StatefulSet' | 'Deployment'
  readonly spec: {
    readonly replicas?: number
    readonly paused?: boolean
    readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } }
    readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly readyReplicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    /** Of a StatefulSet. */
    readonly currentRevision?: string
    readonly updateRevision?: string
  }
}

const workload = (kind: Workload['kind'], plural: string): Resource<Workload> => ({
  ...{ group: 'apps', version: 'v1', plural, kind, namespaced: true },
})

export const workloads: Readonly<Record<Workload['kind'], Resource<Workload>>> = {
  StatefulSet: workload('StatefulSet', 'statefulsets'),
  Deployment: workload('Deployment', 'deployments'),
}
