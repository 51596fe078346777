/** Runs the raw loop beside an idle control plane, and tidies up behind it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { configMaps, secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { issuedCertificates } from '../../src/resources/issued-certificate.ts'
import { workers } from './bench.ts'
import type { Bench } from './bench.ts'
import { certificateName } from './objects.ts'
import type { Order, ProfileTemplate, RawJob, Template, Told } from './raw-loop.ts'

const script = fileURLToPath(new URL('raw-loop.ts', import.meta.url))

/** What the operator wrote for this certificate of `namespace`: as long, and as many fields, as the real thing. */
export const templateOf = async ({ admin }: Bench, namespace: string, name = certificateName(0)): Promise<Template> => {
  const certificate = await admin.get(databaseCertificates, { namespace, name })
  const serial = certificate.status?.serialNumber?.toLowerCase() ?? ''
  const [issued, secret] = await Promise.all([
    admin.get(issuedCertificates, { namespace, name: `bench-ca-${serial}` }),
    admin.get(secrets, { namespace, name: certificate.spec.secret.name }),
  ])
  return { certificate, issued, secret }
}

/** What the operator wrote for the profile of this name, beside its certificates. */
export const profileTemplateOf = async (
  { admin }: Bench,
  namespace: string,
  name: string,
): Promise<ProfileTemplate> => {
  const [profile, configMap] = await Promise.all([
    admin.get(databaseTLSProfiles, { namespace, name }),
    admin.get(configMaps, { namespace, name: `${name}-tls-config` }),
  ])
  return { profile, configMap }
}

/** The process of raw-loop.ts, in a namespace of its own. */
export class RawLoop {
  readonly #bench: Bench
  readonly #namespace: string
  readonly #process: ChildProcess

  private constructor(bench: Bench, namespace: string, process: ChildProcess) {
    this.#bench = bench
    this.#namespace = namespace
    this.#process = process
  }

  /** Only while no operator looks at `namespace`: it would mend what this leaves half done. `rounds`: of all orders together. */
  static async start(
    bench: Bench,
    namespace: string,
    templates: readonly Template[],
    rounds: number,
    { rsaKeys = false, profile }: Partial<Pick<RawJob, 'rsaKeys' | 'profile'>> = {},
  ): Promise<RawLoop> {
    await bench.namespace(namespace, { wait: false })
    if (profile === undefined) await bench.createCertificates(namespace, rounds)
    else await bench.createProfiles(namespace, Math.ceil(rounds / templates.length))
    const process = fork(script, { env: { ...env, ...bench.environment } })
    const loop = new RawLoop(bench, namespace, process)
    const { kubeconfig } = bench.chart
    await loop.#ask({ kubeconfig, namespace, templates, concurrency: workers, rsaKeys, profile } satisfies RawJob)
    return loop
  }

  async warmUp(count: number): Promise<void> {
    await this.#ask({ do: 'warmUp', count })
  }

  /** Rounds a second. */
  async create(count: number): Promise<number> {
    return this.#rate({ do: 'create', count })
  }

  /** Of the `count` that were created last; rounds a second. */
  async renew(count: number): Promise<number> {
    return this.#rate({ do: 'renew', count })
  }

  /** ms of each round. */
  async alone(count: number): Promise<readonly number[]> {
    return (await this.#ask({ do: 'alone', count })).ms
  }

  /** Ends it, and tidies up behind it. */
  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.disconnect()
    await ended
    // Owners last: then there is nothing to do for the garbage collector, which would take half a minute over it.
    const written = [issuedCertificates, secrets, configMaps, databaseCertificates, databaseTLSProfiles]
    for (const resource of written) await this.#bench.removeAll(resource, this.#namespace)
    await this.#bench.plane.kubectlOk(['delete', 'namespace', this.#namespace, '--wait'])
  }

  async #rate(order: Order): Promise<number> {
    const { ms } = await this.#ask(order)
    return (order.count * 1000) / (ms[0] ?? Number.NaN)
  }

  async #ask(message: RawJob | Order): Promise<Told> {
    this.#process.send(message)
    const ended = new AbortController()
    const { signal } = ended
    const exit = once(this.#process, 'exit', { signal }).then(([code]) => {
      throw new Error(`the raw loop in ${this.#namespace} ended with ${String(code)}`)
    })
    try {
      return ((await Promise.race([once(this.#process, 'message', { signal }), exit])) as [Told])[0]
    } finally {
      exit.catch(() => undefined)
      ended.abort()
    }
  }
}

/** Rounds a second of a loop that is warm. */
export const rawRate = async (
  bench: Bench,
  namespace: string,
  templates: readonly Template[],
  rounds: number,
  { warmUp = rounds, ...options }: Partial<Pick<RawJob, 'rsaKeys' | 'profile'>> & { readonly warmUp?: number } = {},
): Promise<number> => {
  const loop = await RawLoop.start(bench, namespace, templates, warmUp + rounds, options)
  await loop.warmUp(warmUp)
  const perSecond = await loop.create(rounds)
  await loop.stop()
  return perSecond
}
