import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { ControllerMetrics, ReconcileOutcome } from './controller.ts'
import type { Priority, QueueMetrics, UnfinishedWork } from './queue.ts'
import { priorities } from './queue.ts'

export { Registry } from '@prometheus-io/client'

/** What the HTTP client tells of each request. `code` is the HTTP status, or `<error>` when no answer came. */
export interface RestClientMetrics {
  request(done: {
    readonly method: string
    readonly code: number | '<error>'
    readonly verb: string
    readonly tookMs: number
  }): void
}

export interface LeaderElectionMetrics {
  leading(leads: boolean): void
}

/**
 * The metrics every operator is expected to have, under the names of client-go and controller-runtime, so that known
 * dashboards and alerts work. Whatever is asked for a name starts all its labels at 0.
 */
export interface Metrics {
  readonly registry: Registry
  controller(name: string): ControllerMetrics
  /** `host`: host and port of the API server. */
  restClient(host: string): RestClientMetrics
  /** `name`: of the Lease. */
  leaderElection(name: string): LeaderElectionMetrics
}

const outcomes: readonly ReconcileOutcome[] = ['success', 'error', 'requeue', 'requeue_after']
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] as const

const second = 1000
/** client-go: 10 ns to 10 s in powers of ten; what Node can measure starts at a microsecond. */
const queueBuckets = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]
const reconcileBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

const makeQueueMetrics = (registry: Registry): ((name: string) => QueueMetrics) => {
  const registers = [registry]
  const samples = new Map<string, () => UnfinishedWork>()
  const named = { labelNames: ['name'] as const, registers }
  const depth = new Gauge({
    name: 'workqueue_depth',
    help: 'Current depth of the work queue, without delayed keys, by priority.',
    labelNames: ['name', 'priority'],
    registers,
  })
  const adds = new Counter({ ...named, name: 'workqueue_adds_total', help: 'Keys added to the work queue.' })
  const retries = new Counter({ ...named, name: 'workqueue_retries_total', help: 'Keys added again under backoff.' })
  const waited = new Histogram({
    ...named,
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key stays in the queue before it is taken.',
    buckets: queueBuckets,
  })
  const worked = new Histogram({
    ...named,
    name: 'workqueue_work_duration_seconds',
    help: 'How long the processing of a key takes.',
    buckets: queueBuckets,
  })
  const unfinished = new Gauge({
    ...named,
    name: 'workqueue_unfinished_work_seconds',
    help: 'Seconds of work under way that work_duration has not seen yet. A large value points at stuck reconciles.',
    collect() {
      for (const [name, sample] of samples) this.set({ name }, sample().totalMs / second)
    },
  })
  const longest = new Gauge({
    ...named,
    name: 'workqueue_longest_running_processor_seconds',
    help: 'How long the longest running reconcile has been running.',
    collect() {
      for (const [name, sample] of samples) this.set({ name }, sample().longestMs / second)
    },
  })
  return (name) => {
    for (const priority of priorities) depth.set({ name, priority }, 0)
    for (const counter of [adds, retries]) counter.inc({ name }, 0)
    for (const histogram of [waited, worked]) histogram.zero({ name })
    for (const gauge of [unfinished, longest]) gauge.set({ name }, 0)
    return {
      depth: (priority: Priority, keys) => depth.set({ name, priority }, keys),
      added: () => adds.inc({ name }),
      retried: () => retries.inc({ name }),
      taken: (ms) => waited.observe({ name }, ms / second),
      done: (ms) => worked.observe({ name }, ms / second),
      observe: (sample) => void samples.set(name, sample),
    }
  }
}

const makeControllerMetrics = (registry: Registry): ((name: string) => ControllerMetrics) => {
  const named = { labelNames: ['controller'] as const, registers: [registry] }
  const prefix = 'controller_runtime'
  const queue = makeQueueMetrics(registry)
  const total = new Counter({
    name: `${prefix}_reconcile_total`,
    help: 'Reconciles, by result.',
    labelNames: ['controller', 'result'],
    registers: [registry],
  })
  const errors = new Counter({ ...named, name: `${prefix}_reconcile_errors_total`, help: 'Reconciles that failed.' })
  const terminal = new Counter({
    ...named,
    name: `${prefix}_terminal_reconcile_errors_total`,
    help: 'Reconciles that failed with an error that only a change of the object can cure.',
  })
  const timeouts = new Counter({
    ...named,
    name: `${prefix}_reconcile_timeouts_total`,
    help: 'Reconciles that were aborted because they took too long.',
  })
  const stuck = new Gauge({
    ...named,
    name: 'dbtls_stuck_reconciles',
    help: 'Reconciles that ignore that they were aborted. Their objects wait; above 0 for long, restart and report it.',
  })
  const took = new Histogram({
    ...named,
    name: `${prefix}_reconcile_time_seconds`,
    help: 'How long a reconcile takes.',
    buckets: reconcileBuckets,
  })
  const active = new Gauge({ ...named, name: `${prefix}_active_workers`, help: 'Workers that are reconciling.' })
  const max = new Gauge({ ...named, name: `${prefix}_max_concurrent_reconciles`, help: 'Workers there are.' })
  return (controller) => {
    for (const result of outcomes) total.inc({ controller, result }, 0)
    for (const counter of [errors, terminal, timeouts]) counter.inc({ controller }, 0)
    for (const gauge of [stuck, active, max]) gauge.set({ controller }, 0)
    took.zero({ controller })
    return {
      queue: queue(controller),
      maxWorkers: (workers) => max.set({ controller }, workers),
      activeWorkers: (change) => active.inc({ controller }, change),
      stuck: (change) => stuck.inc({ controller }, change),
      terminalError: () => terminal.inc({ controller }),
      timedOut: () => timeouts.inc({ controller }),
      finished: (result, ms) => {
        total.inc({ controller, result })
        if (result === 'error') errors.inc({ controller })
        took.observe({ controller }, ms / second)
      },
    }
  }
}

const makeRestClientMetrics = (registry: Registry): ((host: string) => RestClientMetrics) => {
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server, by status code, method and host.',
    labelNames: ['code', 'method', 'host'],
    registers: [registry],
  })
  const took = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'How long the API server takes to answer, by verb.',
    labelNames: ['verb'],
    buckets: requestBuckets,
    registers: [registry],
  })
  return (host) => {
    for (const method of methods) requests.inc({ code: '200', method, host }, 0)
    for (const verb of verbs) took.zero({ verb })
    return {
      request: ({ method, code, verb, tookMs }) => {
        requests.inc({ code: String(code), method, host })
        took.observe({ verb }, tookMs / second)
      },
    }
  }
}

const makeLeaderElectionMetrics = (registry: Registry): ((name: string) => LeaderElectionMetrics) => {
  const status = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process leads: 1 leads, 0 stands by.',
    labelNames: ['name'],
    registers: [registry],
  })
  return (name) => {
    status.set({ name }, 0)
    return { leading: (leads) => status.set({ name }, leads ? 1 : 0) }
  }
}

export const createMetrics = (registry: Registry = new Registry()): Metrics => ({
  registry,
  controller: makeControllerMetrics(registry),
  restClient: makeRestClientMetrics(registry),
  leaderElection: makeLeaderElectionMetrics(registry),
})
