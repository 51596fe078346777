/** Objects on a real API server, operators as processes of their own with the rights of the chart, and people with kubectl. */
import { KubernetesCluster } from '../../../src/cluster/kubernetes/client.ts'
import { loadClusterConfig } from '../../../src/cluster/kubernetes/config.ts'
import type { KubeObject } from '../../../src/cluster/port.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { ControlPlane, type Operator } from '../../controlplane/harness/index.ts'
import type { Thing } from '../../e2e/support/api.ts'
import { Rig } from '../../e2e/support/rig.ts'
import { arrivalMs, type Site } from './site.ts'

const namespace = 'rotation'
const release = 'rotation-operator'
const args = ['--probe-allow=127.0.0.0/8', `--volume-delay=${arrivalMs / 1000}s`]

interface Lease extends Thing {
  readonly spec?: { readonly holderIdentity?: string }
}

export class PlaneSite implements Site {
  readonly namespace = namespace
  readonly cluster: KubernetesCluster
  readonly #plane: ControlPlane
  readonly #rig: Rig

  static async start(): Promise<PlaneSite> {
    const plane = await ControlPlane.start()
    const rig = await Rig.start(plane, { release }, [namespace])
    const clock = systemClock()
    const config = await loadClusterConfig({ env: {}, clock, kubeconfig: plane.adminKubeconfig })
    return new PlaneSite(plane, rig, new KubernetesCluster({ config, clock, version: 'test' }))
  }

  private constructor(plane: ControlPlane, rig: Rig, cluster: KubernetesCluster) {
    this.#plane = plane
    this.#rig = rig
    this.cluster = cluster
  }

  /** kubectl apply. */
  async apply(object: object): Promise<void> {
    const { metadata, ...rest } = object as KubeObject
    await this.#plane.apply(JSON.stringify({ ...rest, metadata: { namespace, ...metadata } }))
  }

  /** The only one: it asks for no Lease. */
  operator(): Promise<Operator> {
    return this.#rig.operator({ args: [...args, '--leader-elect=false'] })
  }

  /** One of several. */
  candidate(podName: string): Promise<Operator> {
    return this.#rig.operator({ args, podName })
  }

  /** Who holds the Lease of the candidates: the name of its pod, `_`, and more. Empty where nobody does. */
  async leader(): Promise<string> {
    const lease = await this.#rig.api.find<Lease>('leases', release, release)
    return lease?.spec?.holderIdentity ?? ''
  }

  /** Rejects where an operator was refused something, or its log shows a bug. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#rig.stop()
    } finally {
      await this.#plane.stop({ keep: process.env['DBTLS_KEEP'] !== undefined })
    }
  }
}
