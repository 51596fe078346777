import { readdir, readFile } from 'node:fs/promises'
import type { Registry } from '@prometheus-io/client'
import { Counter, Gauge } from '@prometheus-io/client'
import type { Clock } from './clock.ts'
import type { LagMonitor } from './lag.ts'

/** Open file descriptors and their limit; undefined where the platform does not tell. */
const openDescriptors = async (): Promise<number | undefined> => {
  const names = await readdir('/proc/self/fd').catch(() => undefined)
  // One of them is the directory that is being read.
  return names && names.length - 1
}

const descriptorLimit = async (): Promise<number | undefined> => {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const found = /^Max open files\s+(\d+)/m.exec(limits)
  return found ? Number(found[1]) : undefined
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const registerLag = (registry: Registry, lag: LagMonitor): void => {
  const gauge = (part: string, what: string): Gauge =>
    new Gauge({
      name: `nodejs_eventloop_lag_${part}_seconds`,
      help: `${what} of the event loop's lag since the last scrape.`,
      registers: [],
    })
  const gauges = {
    p99: gauge('p99', 'The 99th percentile'),
    p50: gauge('p50', 'The median'),
    max: gauge('max', 'The maximum'),
    mean: gauge('mean', 'The mean'),
  }
  // The registry asks its metrics in the order of their registration, so this one fills the others before their turn.
  const sampler = new Gauge({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'The mean lag since the last scrape, under the name of older clients.',
    registers: [registry],
    collect() {
      const seen = lag.read()
      lag.reset()
      this.set(seen.mean)
      for (const part of ['p99', 'p50', 'max', 'mean'] as const) gauges[part].set(seen[part])
    },
  })
  sampler.set(0)
  for (const part of Object.values(gauges)) registry.registerMetric(part)
}

const registerCpu = (registry: Registry): void => {
  let counted = 0
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time used, user and system.',
    registers: [],
    collect() {
      const used = cpuSeconds()
      this.inc(Math.max(0, used - counted))
      counted = used
    },
  })
  registry.registerMetric(cpu)
}

/** Reads each value when it is scraped. */
const sampled = (
  registry: Registry,
  name: string,
  help: string,
  read: () => Promise<number | undefined> | number,
): void => {
  const gauge = new Gauge({
    name,
    help,
    registers: [],
    async collect() {
      const value = await read()
      if (value !== undefined) this.set(value)
    },
  })
  registry.registerMetric(gauge)
}

/** The `process_*` and `nodejs_*` metrics under the names that Prometheus' own clients use. */
export const registerProcessMetrics = (registry: Registry, lag: LagMonitor, clock: Clock): void => {
  registerLag(registry, lag)
  registerCpu(registry)
  const startSeconds = clock.now() / 1000 - process.uptime()
  sampled(registry, 'process_start_time_seconds', 'When the process started, since the epoch.', () => startSeconds)
  sampled(registry, 'process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  sampled(registry, 'process_open_fds', 'Open file descriptors.', openDescriptors)
  sampled(registry, 'process_max_fds', 'Most file descriptors that may be open.', descriptorLimit)
  sampled(registry, 'nodejs_heap_size_total_bytes', 'Size of the heap.', () => process.memoryUsage().heapTotal)
  sampled(registry, 'nodejs_heap_size_used_bytes', 'Used part of the heap.', () => process.memoryUsage().heapUsed)
  sampled(
    registry,
    'nodejs_external_memory_bytes',
    'Memory of buffers outside the heap.',
    () => process.memoryUsage().external,
  )
  const version = new Gauge({
    name: 'nodejs_version_info',
    help: 'The version of Node.js.',
    labelNames: ['version'],
    registers: [registry],
  })
  version.set({ version: process.version }, 1)
}
