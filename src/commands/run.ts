/** `dbtls run`: the controllers without a cluster, on a folder of manifests. */
import { existsSync } from 'node:fs'
import { keyOf } from '../cluster/port.ts'
import type { KubeObject } from '../cluster/port.ts'
import { marks } from '../control/context.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import { systemClock } from '../runtime/clock.ts'
import { Health } from '../runtime/health.ts'
import { LagMonitor } from '../runtime/lag.ts'
import type { Logger, LogLevel } from '../runtime/log.ts'
import { createLogger } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { registerProcessMetrics } from '../runtime/process-metrics.ts'
import { listen, operationsHandler } from '../server/http.ts'
import type { ListeningServer } from '../server/http.ts'
import { Exporter } from './exporter.ts'
import { CommandError, exitCodeOf } from './failures.ts'
import { Journal, named } from './journal.ts'
import { ManifestFolder } from './manifest-folder.ts'
import { problemText } from './manifests.ts'
import { listenAddress, namespaceList, parseOptions, wholeNumber } from './options.ts'
import { OutputFolder } from './output.ts'
import type { Readiness } from './readiness.ts'
import { Session } from './session.ts'
import type { Io, Main } from './io.ts'

const usage = `usage: dbtls run [options]

Runs the controllers without a cluster: applies the manifests of a folder as they change, keeps its objects in one
SQLite file, writes Secrets and ConfigMaps as files, and renews as time passes. Ctrl-C ends it; started again, it goes
on where it was.

  --manifests DIR           YAML and JSON manifests, folders included (default: manifests)
  --state DIR               where objects and keys are kept; keep it safe (default: .dbtls/state)
  --out DIR                 OUT/<namespace>/secret/<name>/<key>, mode 0600 (default: .dbtls/out)
  --include-authority-keys  write the private keys of CAs, too
  --namespaces A,B          work on these namespaces only (default: all)
  --workers N               certificates worked on at the same time (default: 8)
  --metrics-address ADDR    /metrics, /healthz, /readyz (default: 127.0.0.1:9090, or nowhere if that is taken)
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
  #server: ListeningServer | undefined
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
    this.#session = new Session(session)
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
    const { manifests, metricsAddress, out, state } = this.#settings
    registerProcessMetrics(this.#metrics.registry, this.#lag, this.#clock)
    await this.#serve(metricsAddress)
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
    await this.#server?.close()
    this.#lag.stop()
  }

  async #serve(address: string | undefined): Promise<void> {
    const health = new Health()
    health.addReady('caches', () => (this.#session.operator.synced ? undefined : 'the caches are not filled yet'))
    const handler = operationsHandler(health, this.#metrics.registry)
    const wanted = address ?? '127.0.0.1:9090'
    try {
      this.#server = await listen({ address: wanted, handler, log: this.#log, clock: this.#clock })
      this.#journal.line('metrics', `http://${this.#server.address}/metrics`)
    } catch (error) {
      const why = `cannot listen on ${wanted}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
      if (address !== undefined) throw new CommandError(why)
      this.#journal.line('metrics', `off (${why}; name another address with --metrics-address)`)
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
    for (const { object, state, reason, message } of found) {
      if (state === 'Ready') continue
      const key = `${object.kind}/${keyOf(object)}`
      const text = `${named(object)}: ${reason}: ${message}`
      waiting.set(key, text)
      if (this.#told.get(key) !== text) this.#journal.problem(state === 'Stalled' ? 'stalled' : 'waiting', text)
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
