/** The stage: one control plane, the chart's ServiceAccount, the bundle as the operator, and an administrator's client. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KubernetesCluster } from '../../src/cluster/kubernetes/client.ts'
import { loadClusterConfig } from '../../src/cluster/kubernetes/config.ts'
import type { Resource } from '../../src/cluster/port.ts'
import { certificateAuthorities } from '../../src/resources/certificate-authority.ts'
import { isReady } from '../../src/resources/conditions.ts'
import { databaseCertificates, type DatabaseCertificate } from '../../src/resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import {
  ControlPlane,
  ensureNamespace,
  eventually,
  installChart,
  startOperator,
} from '../controlplane/harness/index.ts'
import type { InstalledChart, Operator } from '../controlplane/harness/index.ts'
import { entrypoint } from '../kind/image/operator-root.ts'
import { authority, certificate, numbers, profile } from './objects.ts'
import type { KeyAlgorithm } from './objects.ts'
import { inParallel } from './parallel.ts'

/** The chart's defaults. */
export const workers = 16
export const threads = 2
/** Those that the image gives Node, and the heap that Node takes where the chart's limit of memory is, 512Mi. */
const flags = [...entrypoint.slice(1, -1), '--max-old-space-size=256']
/** The administrator's requests at a time. */
const width = 16
const by = { fieldManager: 'bench' }

export const connect = async (kubeconfig: string): Promise<KubernetesCluster> => {
  const clock = systemClock()
  const config = await loadClusterConfig({ env: {}, kubeconfig, clock })
  return new KubernetesCluster({ config, clock, version: 'bench' })
}

export class Bench {
  readonly plane: ControlPlane
  readonly chart: InstalledChart
  readonly admin: KubernetesCluster
  readonly #program: string
  #operator: Operator | undefined

  private constructor(program: string, plane: ControlPlane, chart: InstalledChart, admin: KubernetesCluster) {
    this.#program = program
    this.plane = plane
    this.chart = chart
    this.admin = admin
  }

  /** `program`: the bundle. */
  static async start(program: string): Promise<Bench> {
    const plane = await ControlPlane.start()
    const chart = await installChart(plane, { release: 'dbtls' })
    return new Bench(program, plane, chart, await connect(plane.adminKubeconfig))
  }

  /** The environment of the chart's Deployment and of the image. */
  get environment(): Record<string, string> {
    return {
      NODE_ENV: 'production',
      UV_THREADPOOL_SIZE: String(threads),
      MALLOC_ARENA_MAX: '1',
      NODE_COMPILE_CACHE: join(this.plane.info.dir, 'compile-cache'),
      ...(process.env['BENCH_NODE_OPTIONS'] === undefined ? {} : { NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] }),
    }
  }

  /** Starts the operator; does not wait. */
  async launch(args: readonly string[] = []): Promise<Operator> {
    this.#operator = await startOperator(this.plane, this.chart, {
      command: [process.execPath, '--disable-warning=ExperimentalWarning', ...flags, this.#program],
      args: [`--workers=${workers}`, ...args],
      env: this.environment,
    })
    return this.#operator
  }

  async launchReady(args?: readonly string[]): Promise<Operator> {
    const operator = await this.launch(args)
    await operator.ready()
    return operator
  }

  /** The one that runs. */
  get operator(): Operator {
    if (this.#operator === undefined) throw new Error('no operator runs')
    return this.#operator
  }

  async stopOperator(): Promise<void> {
    await this.#operator?.stop()
    this.#operator = undefined
  }

  async stop(): Promise<void> {
    await this.stopOperator()
    this.admin.close()
    await this.plane.stop()
  }

  /** A namespace with a CA, which is Ready when an operator runs and `wait` is true. */
  async namespace(name: string, options: { readonly wait: boolean }): Promise<void> {
    await ensureNamespace(this.plane, name)
    await this.admin.create(certificateAuthorities, authority(name), by)
    if (!options.wait) return
    await eventually(`the CA of ${name}`, async () =>
      isReady(await this.admin.get(certificateAuthorities, { namespace: name, name: 'bench-ca' })),
    )
  }

  async createCertificates(namespace: string, count: number, from = 0, algorithm?: KeyAlgorithm): Promise<void> {
    await inParallel(width, numbers(count, from), async (index) => {
      await this.admin.create(databaseCertificates, certificate(namespace, index, algorithm), by)
    })
  }

  async createProfiles(namespace: string, count: number): Promise<void> {
    await inParallel(width, numbers(count), async (index) => {
      await this.admin.create(databaseTLSProfiles, profile(namespace, index), by)
    })
  }

  async certificates(namespace: string): Promise<readonly DatabaseCertificate[]> {
    return (await this.admin.list(databaseCertificates, { namespace })).items
  }

  /** What `kubectl patch` would do to each: a new renewTrigger. */
  async renewAll(namespace: string, renewTrigger: string): Promise<void> {
    await inParallel(width, await this.certificates(namespace), async (present) => {
      await this.admin.update(databaseCertificates, { ...present, spec: { ...present.spec, renewTrigger } }, by)
    })
  }

  async removeAll(resource: Resource, namespace: string): Promise<void> {
    const { items } = await this.admin.list(resource, { namespace, metadataOnly: true })
    await inParallel(width, items, ({ metadata }) => this.admin.delete(resource, { namespace, name: metadata.name }))
  }

  /**
   * Waits until every certificate of the namespace is Ready in its present generation and the server has become quiet.
   * Looks at the size of the audit log meanwhile, which costs neither the server nor the operator anything.
   */
  async settled(namespace: string, count: number, timeoutMs = 600_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      await this.#quiet(deadline)
      const all = await this.certificates(namespace)
      const done = all.filter((one) => isReady(one) && one.status?.observedGeneration === one.metadata.generation)
      if (all.length === count && done.length === count) return
      if (performance.now() > deadline) {
        const example = JSON.stringify(all.find((one) => !done.includes(one))?.status)
        throw new Error(`only ${done.length} of ${count} certificates of ${namespace} are Ready; one is ${example}`)
      }
    }
  }

  /** Waits until nothing is under way at the server, and no event is left to be sent. */
  async quiet(timeoutMs = 600_000): Promise<void> {
    await this.#quiet(performance.now() + timeoutMs)
  }

  /** Less than 10 KB of audit log a second: a few leases. */
  async #quiet(deadline: number): Promise<void> {
    const size = (): number => statSync(this.plane.info.auditFile ?? '').size
    let before = size()
    while (performance.now() < deadline) {
      await sleep(1_000)
      const now = size()
      if (now - before < 10_000) return
      before = now
    }
  }
}
