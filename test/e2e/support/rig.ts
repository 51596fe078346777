/** One test file's world: the chart installed by helm, operators under its ServiceAccount, namespaces that go at the end. */
import type {
  AuditLine,
  ChartOptions,
  Connection,
  InstalledChart,
  Operator,
  OperatorOptions,
  Permission,
} from '../../controlplane/harness/index.ts'
import {
  ensureNamespace,
  eventually,
  forbiddenOf,
  installChart,
  startOperator,
  writesOf,
} from '../../controlplane/harness/index.ts'
import type { Condition, CustomThing, SecretThing } from './api.ts'
import { Api } from './api.ts'
import type { Manifest } from './manifests.ts'
import { yamlOf } from './manifests.ts'

export const certificates = 'databasecertificates'
export const authorities = 'certificateauthorities'

/** Used only where the API server does not send what there is at the beginning of a watch (WatchList). */
export const listPermissions: ReadonlySet<Permission> = new Set([
  'list /configmaps',
  'list /namespaces',
  'list /secrets',
  'list dbtls.dev/certificateauthorities',
  'list dbtls.dev/databasecertificates',
  'list dbtls.dev/databasetlsprofiles',
  'list dbtls.dev/issuedcertificates',
])

export class Rig {
  readonly plane: Connection
  readonly api: Api
  readonly chart: InstalledChart
  readonly #operators: Operator[] = []
  readonly #namespaces: readonly string[]

  private constructor(plane: Connection, chart: InstalledChart, namespaces: readonly string[]) {
    this.plane = plane
    this.api = new Api(plane)
    this.chart = chart
    this.#namespaces = namespaces
  }

  /** `namespaces` are made, and deleted at the end. */
  static async start(plane: Connection, chart: ChartOptions, namespaces: readonly string[]): Promise<Rig> {
    for (const name of namespaces) await ensureNamespace(plane, name)
    return new Rig(plane, await installChart(plane, chart), namespaces)
  }

  /** An operator whose caches are filled; the first one of a Lease acts a moment later. */
  async operator(options: OperatorOptions = {}): Promise<Operator> {
    const operator = await startOperator(this.plane, this.chart, options)
    this.#operators.push(operator)
    await operator.ready()
    return operator
  }

  apply(...manifests: readonly Manifest[]): Promise<string> {
    return this.plane.apply(yamlOf(...manifests))
  }

  secret(namespace: string, name: string): Promise<SecretThing> {
    return this.api.get<SecretThing>('secrets', namespace, name)
  }

  condition(thing: CustomThing, type: string): Condition | undefined {
    return thing.status?.conditions?.find((one) => one.type === type)
  }

  /** Until `Ready` is True for the present generation. */
  ready(namespace: string, plural: string, name: string, timeoutMs = 90_000): Promise<CustomThing> {
    return this.#until(`${plural} ${namespace}/${name} to be Ready`, namespace, plural, name, timeoutMs, (thing) =>
      this.isReady(thing),
    )
  }

  /** Until it says `reason` and is not Ready, for the present generation; answers the condition `Ready`. */
  async refused(
    namespace: string,
    plural: string,
    name: string,
    reason: string,
    timeoutMs = 90_000,
  ): Promise<Condition> {
    const thing = await this.#until(
      `${plural} ${namespace}/${name} to say ${reason}`,
      ...([namespace, plural, name, timeoutMs] as const),
      (seen) => {
        const ready = this.condition(seen, 'Ready')
        return ready?.status === 'False' && ready.reason === reason && this.#isCurrent(seen)
      },
    )
    return this.condition(thing, 'Ready') as Condition
  }

  isReady(thing: CustomThing): boolean {
    return this.condition(thing, 'Ready')?.status === 'True' && this.#isCurrent(thing)
  }

  #isCurrent({ metadata, status }: CustomThing): boolean {
    return status?.observedGeneration === metadata.generation
  }

  async #until(
    what: string,
    namespace: string,
    plural: string,
    name: string,
    timeoutMs: number,
    holds: (thing: CustomThing) => boolean,
  ): Promise<CustomThing> {
    let last: CustomThing | undefined
    try {
      return await eventually(
        what,
        async () => {
          last = await this.api.get<CustomThing>(plural, namespace, name)
          return holds(last) && last
        },
        { timeoutMs },
      )
    } catch (error) {
      throw new Error(`${what}: not within ${timeoutMs} ms; its status is ${JSON.stringify(last?.status, null, 1)}`, {
        cause: error,
      })
    }
  }

  /** Until the Secret is as `holds` wants it. */
  secretUntil(
    what: string,
    namespace: string,
    name: string,
    holds: (secret: SecretThing) => boolean,
    timeoutMs = 90_000,
  ): Promise<SecretThing> {
    return eventually(
      what,
      async () => {
        const secret = await this.secret(namespace, name)
        return holds(secret) && secret
      },
      { timeoutMs },
    )
  }

  /** Until all of `count` certificates of the namespace are Ready. */
  async allReady(namespace: string, count: number, timeoutMs = 120_000): Promise<readonly CustomThing[]> {
    return eventually(
      `${count} certificates of ${namespace} to be Ready`,
      async () => {
        const all = await this.api.list<CustomThing>(certificates, namespace)
        return all.length === count && all.every((one) => this.isReady(one)) && all
      },
      { timeoutMs, everyMs: 200 },
    )
  }

  /** Until the operator has asked for no write for `quietMs`; its Lease does not count. */
  async quiet(quietMs = 1_000, timeoutMs = 90_000): Promise<void> {
    const { user } = this.chart
    await eventually(
      'the operator to come to rest',
      async () => writesOf(this.plane.auditLog(), { user, since: Date.now() - quietMs }).length === 0,
      { timeoutMs, everyMs: 200 },
    )
  }

  writes(since: number, until?: number): AuditLine[] {
    const { user } = this.chart
    return writesOf(this.plane.auditLog(), { user, since, ...(until === undefined ? {} : { until }) })
  }

  get operators(): readonly Operator[] {
    return this.#operators
  }

  /** Requests that RBAC refused to the operator, `verb resource`, over the whole run. */
  forbidden(): string[] {
    return forbiddenOf(this.plane.auditLog(), { user: this.chart.user }).map(
      ({ verb, requestURI }) => `${verb} ${requestURI}`,
    )
  }

  /** Ends the operators and removes namespaces and chart; what went wrong in silence is thrown. */
  async stop(): Promise<void> {
    for (const operator of this.#operators) await operator.stop()
    this.api.close()
    const problems = [
      ...this.forbidden().map((request) => `RBAC refused ${request}`),
      ...this.#operators.flatMap((operator) => logProblems(operator.logs())),
    ]
    await this.chart.uninstall()
    await this.plane.kubectl(['delete', 'namespace', '--timeout=60s', this.chart.namespace, ...this.#namespaces])
    if (problems.length > 0) throw new Error([...new Set(problems)].slice(0, 20).join('\n'))
  }
}

/** Keys must not be in logs, nor traces of a bug. */
const logProblems = (log: string): string[] => {
  const suspicious = /PRIVATE KEY|unhandled|TypeError|ReferenceError|RangeError|is not a function/i
  return log
    .split('\n')
    .filter((line) => suspicious.test(line))
    .map((line) => `the log says ${line.slice(0, 500)}`)
}
