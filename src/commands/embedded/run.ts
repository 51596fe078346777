/** `dbtls run`: the controllers without a cluster, on a folder of manifests. */
import { existsSync } from 'node:fs'
import { keyOf } from '../../cluster/port.ts'
import type { KubeObject } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import type { Clock, Timer } from '../../runtime/clock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { Health } from '../../runtime/health.ts'
import { LagMonitor } from '../../runtime/lag.ts'
import type { Logger, LogLevel } from '../../runtime/log.ts'
import { createLogger } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { registerProcessMetrics } from '../../runtime/process-metrics.ts'
import { listenToPublish } from '../../publish/server.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import { overviewHandler } from '../../overview/handler.ts'
import { listen, operationsHandler } from '../../server/http.ts'
import type { ListeningServer } from '../../server/http.ts'
import { Exporter } from './exporter.ts'
import { CommandError, exitCodeOf } from '../shared/failures.ts'
import { Journal, named } from './journal.ts'
import { ManifestFolder } from './manifest-folder.ts'
import { problemText } from './manifests.ts'
import { listenAddress, namespaceList, parseOptions, publishAddress, wholeNumber } from '../shared/options.ts'
import { OutputFolder } from './output.ts'
import { type Readiness, type Warning, warningsOf } from '../shared/readiness.ts'
import { Session } from './session.ts'
import type { Io, Main } from '../shared/io.ts'

const usage = `usage: dbtls run [options]

Runs the controllers without a cluster: applies the manifests of a folder as they change, keeps its objects in one
SQLite file, writes Secrets and ConfigMaps as files, renews as time passes, and asks the servers of profiles with spec.probe
what they serve. Ctrl-C ends it; started again, it goes on where it was.

  --manifests DIR           YAML and JSON manifests, folders included (default: manifests)
  --state DIR               where objects and keys are kept; keep it safe (default: .dbtls/state)
  --out DIR                 OUT/<namespace>/secret/<name>/<key>, mode 0600 (default: .dbtls/out)
  --include-authority-keys  write the private keys of CAs, too
  --namespaces A,B          work on these namespaces only (default: all)
  --workers N               certificates worked on at the same time (default: 8)
  --publish-address ADDR    CA certificates and revocation lists over HTTP, or none (default: 127.0.0.1:8080, or nowhere
                            if that is taken)
  --metrics-address ADDR    /metrics, /healthz, /readyz, / (default: 127.0.0.1:9090, or nowhere if taken)
  --log-level LEVEL         debug, info, warn, error, silent (default: warn)
  --help                    this text

A manifest taken away takes its object along, and a certificate its Secret; the Secret of a CA stays in the state.
Exit codes: 0 ended by a signal, 1 could not start, 2 wrong usage.
`

const flags = {
  manifests: { type: 'string', default: 'manifests' },
  state: { type: 'string', default: '.dbtls/state' },
  out: { type: 'string', default: '.dbtls/out' },
  'include-authority-keys': { type: 'boolean', default: false },
  namespaces: { type: 'string' },
  workers: { type: 'string', default: '8' },
  'publish-address': { type: 'string' },
  'metrics-address': { type: 'string' },
  'log-level': { type: 'string', default: 'warn' },
} as const

interface Settings {
  readonly manifests: string
  readonly state: string
  readonly out: string
  readonly includeAuthorityKeys: boolean
  readonly namespaces: readonly string[] | undefined
  readonly workers: number
  readonly metricsAddress: string | undefined
  /** null: nothing is published. */
  readonly publishAddress: string | null | undefined
}

export const main: Main = async (args, io) => {
  const options = parseOptions('run', usage, flags, args, io)
  if (typeof options === 'number') return options
  const log = createLogger({ level: (options['log-level'] ?? 'warn') as LogLevel, format: 'text' })
  try {
    const settings: Settings = {
      manifests: options.manifests ?? flags.manifests.default,
      state: options.state ?? flags.state.default,
      out: options.out ?? flags.out.default,
      includeAuthorityKeys: options['include-authority-keys'] ?? false,
      namespaces: namespaceList(options.namespaces),
      workers: wholeNumber('workers', options.workers, 1, 1000),
      metricsAddress: listenAddress('metrics-address', options['metrics-address']),
      publishAddress: publishAddress(options['publish-address']),
    }
    await new Run(settings, io, log).untilStopped()
    return 0
  } catch (error) {
    return exitCodeOf(error, 'run', io.stderr)
  }
}

/** ms between looks at how far everything is. */
const lookMs = 200

class Run {
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #log: Logger
  readonly #journal: Journal
  readonly #metrics: Metrics
  readonly #session: Session
  readonly #out: OutputFolder
  readonly #exporter: Exporter
  readonly #folder: ManifestFolder
  readonly #lag = new LagMonitor()
  readonly #servers: ListeningServer[] = []
  #timer: Timer | undefined
  /** Secrets that are being read back. */
  #verifying = 0
  #told = new Map<string, string>()
  #summary = ''

  constructor(settings: Settings, io: Io, log: Logger) {
    const { manifests, namespaces, out, state, workers } = settings
    this.#settings = settings
    this.#log = log
    this.#clock = systemClock()
    this.#journal = new Journal(io)
    this.#metrics = createMetrics()
    const clock = this.#clock
    const session = { state, clock, log, metrics: this.#metrics, workers, namespaces, events: this.#journal.events }
    this.#session = new Session({ ...session, asksServers: true })
    const { cluster } = this.#session
    this.#out = new OutputFolder(out, () => clock.now().toString(36))
    this.#exporter = new Exporter({
      cluster,
      clock,
      folder: this.#out,
      includeAuthorityKeys: settings.includeAuthorityKeys,
      namespaces,
      report: {
        wrote: (object, path) => {
          this.#verifying += 1
          void this.#wrote(object, path).finally(() => (this.#verifying -= 1))
        },
        withdrew: (path) => this.#journal.line('withdrew', path),
        failed: (message) => this.#journal.problem('failed', message),
      },
    })
    this.#folder = new ManifestFolder({
      paths: [manifests],
      cluster,
      clock,
      report: {
        applied: ({ file, line, object }, outcome) =>
          this.#journal.line(outcome === 'created' ? 'applied' : 'changed', `${named(object)} (${file}:${line})`),
        removed: (object) => this.#journal.line('removed', named(object)),
        refused: (problem) =>
          problem.file === manifests && !existsSync(manifests)
            ? this.#journal.problem('waiting', `for the folder ${manifests}: it does not exist yet`)
            : this.#journal.problem('refused', problemText(problem)),
        warned: (problem) => this.#journal.problem('skipped', problemText(problem)),
        note: (message) => this.#journal.problem('note', message),
      },
    })
  }

  async untilStopped(): Promise<void> {
    const { promise: stopped, resolve } = Promise.withResolvers<string>()
    const stop = (signal: string): void => resolve(signal)
    process.once('SIGINT', stop).once('SIGTERM', stop)
    try {
      await this.#start()
      const signal = await stopped
      this.#journal.end()
      this.#journal.line('stopping', `on ${signal}; the state stays in ${this.#settings.state}`)
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      await this.#stop()
    }
  }

  async #start(): Promise<void> {
    const { manifests, metricsAddress, out, publishAddress: publish, state } = this.#settings
    registerProcessMetrics(this.#metrics.registry, this.#lag, this.#clock)
    await this.#serveMetrics(metricsAddress)
    if (publish !== null) await this.#publish(publish)
    this.#journal.line('watching', `${manifests}; state in ${state}, Secrets go to ${out}`)
    await this.#out.prepare()
    await this.#session.start()
    await this.#exporter.start()
    await this.#folder.start()
    this.#look()
  }

  async #stop(): Promise<void> {
    this.#timer?.cancel()
    await this.#folder.stop()
    // The controllers end first, so that what they still wrote is handed out, too.
    await this.#session.operator.stop()
    await this.#exporter.stop()
    await this.#session.stop()
    await Promise.all(this.#servers.map((server) => server.close()))
    this.#lag.stop()
  }

  async #serveMetrics(address: string | undefined): Promise<void> {
    const health = new Health()
    health.addReady('caches', () => (this.#session.operator.synced ? undefined : 'the caches are not filled yet'))
    const overview = overviewHandler({ caches: this.#session.operator.caches, now: () => this.#clock.now() })
    const handler = operationsHandler(health, this.#metrics.registry, overview)
    await this.#serve('metrics', '/metrics', address, 9090, (wanted) =>
      listen({ address: wanted, handler, log: this.#log, clock: this.#clock }),
    )
  }

  async #publish(address: string | undefined): Promise<void> {
    const { cluster, operator } = this.#session
    const { caches } = operator
    const rootsOf = (authority: CertificateAuthority) => operator.trustOf(authority)
    const shared = { cluster, caches, rootsOf, clock: this.#clock, log: this.#log, registry: this.#metrics.registry }
    await this.#serve('publish', '/', address, 8080, (wanted) => listenToPublish({ ...shared, address: wanted }))
  }

  /** An address that was asked for must be had; the one that nobody named may be taken by something else. */
  async #serve(
    what: 'metrics' | 'publish',
    path: string,
    address: string | undefined,
    port: number,
    serve: (address: string) => Promise<ListeningServer>,
  ): Promise<void> {
    const wanted = address ?? `127.0.0.1:${port}`
    try {
      const server = await serve(wanted)
      this.#servers.push(server)
      this.#journal.line(what, `http://${server.address}${path}`)
    } catch (error) {
      const why = `cannot listen on ${wanted}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
      if (address !== undefined) throw new CommandError(why)
      this.#journal.line(what, `off (${why}; name another address with --${what}-address)`)
    }
  }

  async #wrote(object: KubeObject, path: string): Promise<void> {
    const owner = object.metadata.annotations?.[marks.owner] ?? ''
    const [kind, name = ''] = owner.split('/')
    const certificate =
      kind === 'DatabaseCertificate'
        ? this.#session.operator.caches.certificates.store.get(`${object.metadata.namespace ?? ''}/${name}`)
        : undefined
    if (!certificate) {
      this.#journal.line('wrote', path)
      return
    }
    const { problems, verified } = await this.#session.verify(certificate).catch((error: unknown) => ({
      verified: [],
      problems: [`cannot be verified: ${error instanceof Error ? error.message : String(error)}`],
    }))
    this.#journal.line('wrote', `${path}${problems.length > 0 ? '' : ` (verified: ${verified.join(', ')})`}`)
    for (const problem of problems) this.#journal.problem('wrong', `${path}: ${problem}`)
  }

  #look(): void {
    const found = this.#session.readiness()
    const ready = found.filter(({ state }) => state === 'Ready')
    const busy = this.#session.operator.pending > 0 || !this.#exporter.idle || this.#verifying > 0
    this.#journal.progress(`${ready.length} of ${found.length} ready${busy ? ' …' : ''}`)
    if (!busy) this.#settled(found, ready.length)
    this.#timer = this.#clock.setTimer(lookMs, () => this.#look())
  }

  /** Tells what waits and why, once, and how things stand when that has changed. */
  #settled(found: readonly Readiness[], ready: number): void {
    const waiting = new Map<string, string>()
    const tell = (verb: string, object: KubeObject, { reason, message }: Warning): void => {
      const key = `${verb} ${object.kind}/${keyOf(object)}`
      const text = `${named(object)}: ${reason}: ${message}`
      waiting.set(key, text)
      if (this.#told.get(key) !== text) this.#journal.problem(verb, text)
    }
    for (const one of found) {
      if (one.state !== 'Ready') tell(one.state === 'Stalled' ? 'stalled' : 'waiting', one.object, one)
      for (const warning of warningsOf(one.object)) tell('warning', one.object, warning)
    }
    this.#told = waiting
    const { failures } = this.#exporter
    const summary = `${ready} of ${found.length} ready; ${this.#nextRenewal()}${this.#whereabouts(failures)}`
    if (summary !== this.#summary && found.length > 0)
      if (failures.length > 0) this.#journal.problem('unwritten', summary)
      else this.#journal.line('ready', summary)
    this.#summary = summary
  }

  #whereabouts([first, ...others]: readonly string[]): string {
    if (first === undefined) return `Secrets are in ${this.#settings.out}`
    const count = others.length + 1
    return `${count} Secret${count === 1 ? '' : 's'} could not be written: ${first}`
  }

  #nextRenewal(): string {
    const dates = [...this.#session.operator.caches.certificates.store.values()].flatMap(
      ({ status }) => status?.renewAt ?? [],
    )
    const [first] = dates.toSorted()
    return first === undefined ? '' : `next renewal ${first}; `
  }
}
