/** `dbtls operator`: the controllers against a Kubernetes cluster, one replica acting at a time. */

import { randomBytes, webcrypto } from 'node:crypto'
import { hostname } from 'node:os'
import { ClusterEvents } from '../cluster/events.ts'
import { fenced } from '../cluster/fence.ts'
import type { Cluster } from '../cluster/port.ts'
import { KubernetesCluster } from '../cluster/kubernetes/client.ts'
import { type ClusterConfig, ConfigError } from '../cluster/kubernetes/cluster-config.ts'
import { loadClusterConfig } from '../cluster/kubernetes/config.ts'
import { LeaderElector } from '../cluster/leader.ts'
import { Operator, type OperatorOptions } from '../operator.ts'
import { clusterRules } from '../profile/endpoints/permitted.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { Health } from '../runtime/health.ts'
import { LagMonitor } from '../runtime/lag.ts'
import { createLogger, type Logger, type LogLevel } from '../runtime/log.ts'
import { HeapKeeper, v8Heap } from '../runtime/memory.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { registerProcessMetrics } from '../runtime/process-metrics.ts'
import { overviewHandler } from '../overview/handler.ts'
import { listenToPublish, type PublishOptions } from '../publish/server.ts'
import { listen, type ListeningServer, operationsHandler } from '../server/http.ts'
import { version } from '../version.ts'
import {
  duration,
  namespaceList,
  networkList,
  parseOptions,
  publishAddress,
  UsageError,
  type Values,
  wholeNumber,
} from './shared/options.ts'
import { writeProblem } from './shared/printable.ts'
import type { Io, Main } from './shared/io.ts'

const usage = `usage: dbtls operator [options]

Runs the controllers against a Kubernetes cluster: the one of the kubeconfig, or the one it runs in.

  --kubeconfig FILE         default: $KUBECONFIG, the pod's ServiceAccount, ~/.kube/config
  --context NAME            context of the kubeconfig
  --namespaces A,B          watch only these namespaces (default: all)
  --workers N               certificates worked on at the same time (default: 16)
  --publish-address ADDR    CA certificates and revocation lists over HTTP, or none (default: :8080)
  --metrics-address ADDR    /metrics, /healthz, /readyz and a page for people (default: :9090)
  --leader-elect=false      act without asking for the Lease; only ever with one replica
  --lease-namespace NS      namespace of the Lease (default: $POD_NAMESPACE, or the kubeconfig's)
  --lease-name NAME         name of the Lease (default: dbtls)
  --sweep-interval DURATION from a renewal to the mark of what it replaced in the ledger (default: 10m)
  --sign-requests           sign approved CertificateSigningRequests of the signers dbtls.dev/<namespace>.<ca>
  --probe=false             ask no server what it serves, and have none reload (spec.probe, spec.reload of profiles)
  --probe-allow A,B         addresses or networks of servers to ask although loopback, link-local or metadata
  --probe-deny A,B          addresses or networks never to ask
  --probe-other-namespaces  ask Services and pods of other namespaces than the profile's by their names, too
  --volume-delay DURATION   from a change of a Secret to that of a pod's volume at most (default: 150s)
  --log-level LEVEL         debug, info, warn, error (default: info)
  --log-format FORMAT       json or text (default: json)
  --help                    this text

Exit codes: 0 ended by a signal, 1 could not start or no longer leads, 2 wrong usage.
`

const flags = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespaces: { type: 'string' },
  workers: { type: 'string', default: '16' },
  'publish-address': { type: 'string', default: ':8080' },
  'metrics-address': { type: 'string', default: ':9090' },
  'leader-elect': { type: 'string', default: 'true' },
  'lease-namespace': { type: 'string' },
  'lease-name': { type: 'string', default: 'dbtls' },
  'sweep-interval': { type: 'string', default: '10m' },
  'sign-requests': { type: 'boolean', default: false },
  probe: { type: 'string', default: 'true' },
  'probe-allow': { type: 'string' },
  'probe-deny': { type: 'string' },
  'probe-other-namespaces': { type: 'boolean', default: false },
  'volume-delay': { type: 'string', default: '150s' },
  'log-level': { type: 'string', default: 'info' },
  'log-format': { type: 'string', default: 'json' },
} as const

export const main: Main = async (args, io) => {
  const options = parseOptions('operator', usage, flags, args, io)
  if (typeof options === 'number') return options
  const log = createLogger({
    level: options['log-level'] as LogLevel,
    format: options['log-format'] === 'text' ? 'text' : 'json',
  })
  try {
    const workers = wholeNumber('workers', options.workers, 1, 1000)
    const sweepIntervalMs = duration('sweep-interval', options['sweep-interval'] ?? '')
    const watched = namespaceList(options.namespaces)
    const publish = publishAddress(options['publish-address']) ?? undefined
    const probes = probesOf(options)
    return await operate({ ...options, workers, sweepIntervalMs, watched, publish, probes }, io, log)
  } catch (error) {
    if (error instanceof UsageError) {
      writeProblem(io, `dbtls operator: ${error.message}`)
      return 2
    }
    if (!(error instanceof ConfigError)) throw error
    writeProblem(io, `dbtls operator: ${error.message}`)
    return 1
  }
}

const probesOf = (options: Values<typeof flags>): OperatorOptions['probes'] => {
  const allow = networkList('probe-allow', options['probe-allow'])
  const deny = networkList('probe-deny', options['probe-deny'])
  if (options.probe === 'false') return undefined
  if (options.probe !== 'true') throw new UsageError(`--probe is true or false, not "${options.probe ?? ''}"`)
  const arrivalMs = duration('volume-delay', options['volume-delay'] ?? '')
  return {
    arrivalMs,
    rules: { ...clusterRules, otherNamespaces: options['probe-other-namespaces'] === true, allow, deny },
  }
}

type Text = Exclude<keyof typeof flags, 'workers' | 'sign-requests' | 'probe-other-namespaces'>
interface Options extends Readonly<Partial<Record<Text, string>>> {
  readonly workers: number
  readonly sweepIntervalMs: number
  readonly 'sign-requests'?: boolean
  readonly watched: readonly string[] | undefined
  readonly probes: OperatorOptions['probes']
  /** Undefined: nothing is published. */
  readonly publish: string | undefined
}

const operate = async (options: Options, io: Io, log: Logger): Promise<number> => {
  const clock = systemClock()
  const { kubeconfig, context } = options
  const config = await loadClusterConfig({ env: io.env, clock, kubeconfig, context })
  const stopping = new AbortController()
  const metrics = createMetrics()
  const lag = new LagMonitor()
  registerProcessMetrics(metrics.registry, lag, clock)
  const raw = clusterOf(config, clock, metrics)

  const identity = `${io.env['POD_NAME'] ?? hostname()}_${randomBytes(4).toString('hex')}`
  const namespace = options['lease-namespace'] ?? io.env['POD_NAMESPACE'] ?? config.namespace
  const name = options['lease-name'] ?? 'dbtls'
  const leading = metrics.leaderElection(name)
  const elector =
    options['leader-elect'] === 'false'
      ? undefined
      : new LeaderElector({ cluster: raw, clock, log, identity, namespace, name, random: Math.random })
  const cluster = elector === undefined ? raw : fenced(raw, () => elector.mayWrite())
  const busy = (): boolean => operator.pending > 0
  const events = new ClusterEvents({ cluster, clock, log, reportingInstance: identity, busy })
  const operator = new Operator({
    cluster,
    namespaces: options.watched,
    clock,
    crypto: webcrypto,
    randomBytes: (size) => randomBytes(size),
    random: Math.random,
    log,
    metrics,
    events,
    workers: options.workers,
    sweepIntervalMs: options.sweepIntervalMs,
    signsRequests: options['sign-requests'] === true,
    probes: options.probes,
  })
  const heap = new HeapKeeper({
    ...{ heap: v8Heap(), clock, burst: options.workers },
    load: () => operator.pending,
    rest: () => events.waiting,
  })
  heap.start()

  const publishing = await publishOf(options.publish, raw, operator, { clock, log, registry: metrics.registry })
  const address = options['metrics-address'] ?? ':9090'
  const leads = elector && (() => elector.isLeading)
  const overview = overviewHandler({ caches: operator.caches, now: () => clock.now(), leads })
  const handler = operationsHandler(healthOf(operator, elector), metrics.registry, overview)
  const server = await listen({ address, handler, log, clock })
  log.info('started', {
    version: version(),
    server: config.server.origin,
    identity,
    metrics: server.address,
    publish: publishing?.address ?? 'none',
  })
  stopOnSignal(stopping, log)

  await operator.startCaches(stopping.signal)
  const lost = await lead(elector, operator, stopping, leading, log)
  // Also where the Lease was lost: watches that stay open would keep a process without work alive.
  stopping.abort()
  await operator.stop()
  await events.stop()
  await elector?.stop()
  leading.leading(false)
  await publishing?.close()
  await server.close()
  lag.stop()
  heap.stop()
  log.info('stopped')
  return lost ? 1 : 0
}

/** Counts every request as client-go does. */
const clusterOf = (config: ClusterConfig, clock: Clock, metrics: Metrics): KubernetesCluster => {
  const requests = metrics.restClient(config.server.host)
  return new KubernetesCluster({
    config,
    clock,
    version: version(),
    onRequest: ({ code, method, seconds, verb }) =>
      requests.request({
        method,
        code: code === '<error>' ? code : Number(code),
        verb: verb === 'apply' ? 'patch' : verb,
        tookMs: seconds * 1000,
      }),
  })
}

const healthOf = (operator: Operator, elector: LeaderElector | undefined): Health => {
  const health = new Health()
  health.addReady('caches', () => (operator.synced ? undefined : 'the caches are not filled yet'))
  if (elector !== undefined)
    health.addLive('leader-election', () =>
      elector.isLeading && !elector.mayWrite() ? 'the Lease is held but could not be renewed in time' : undefined,
    )
  return health
}

const stopOnSignal = (stopping: AbortController, log: Logger): void => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      log.info('stopping', { signal })
      stopping.abort()
    })
}

/** Every replica serves what is published, the leader or not: readers need no leader. */
const publishOf = async (
  address: string | undefined,
  cluster: Cluster,
  { caches, trustOf }: Operator,
  shared: Pick<PublishOptions, 'clock' | 'log' | 'registry'>,
): Promise<ListeningServer | undefined> => {
  if (address === undefined) return undefined
  try {
    return await listenToPublish({ ...shared, address, cluster, caches, rootsOf: trustOf })
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new ConfigError(`cannot publish on ${address}: ${why}; name another address with --publish-address, or none`)
  }
}

/** Acts while it leads. True when leadership was lost: the process must end, because another one may act by now. */
const lead = async (
  elector: LeaderElector | undefined,
  operator: Operator,
  stopping: AbortController,
  leading: { leading(leads: boolean): void },
  log: Logger,
): Promise<boolean> => {
  const { promise: ended, resolve } = Promise.withResolvers<boolean>()
  stopping.signal.addEventListener('abort', () => resolve(false), { once: true })
  if (stopping.signal.aborted) return false
  const act = (): void => {
    leading.leading(true)
    log.info('acting')
    operator.startControllers()
  }
  if (elector === undefined) act()
  else
    elector.start({
      onStarted: act,
      onLost: () => {
        log.error('the Lease was lost; ending, so that the new leader is alone')
        resolve(true)
      },
    })
  return ended
}
