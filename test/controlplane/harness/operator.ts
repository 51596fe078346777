/** `dbtls operator` as a process of its own, the way a pod would run it. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { InstalledChart } from './chart.ts'
import type { Connection } from './connection.ts'
import { ManagedProcess, eventually, freePort } from './process.ts'
import type { Exit } from './process.ts'

const launcher = fileURLToPath(new URL('../../../bin/dbtls', import.meta.url))

export interface OperatorOptions {
  /** The program and its first arguments. Default: bin/dbtls, which runs the sources. */
  readonly command?: readonly [string, ...string[]]
  /** Default: the chart's, so with the rights of its ServiceAccount. */
  readonly kubeconfig?: string
  /** The name of the pod it believes to be: its identity in the Lease. */
  readonly podName?: string
  /** Added to the arguments of the chart's Deployment. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Operator {
  readonly pid: number
  /** `http://127.0.0.1:PORT`, with /metrics, /healthz and /readyz. */
  readonly metricsUrl: string
  /** `http://127.0.0.1:PORT`, where authorities are published. */
  readonly publishUrl: string
  readonly exited: Promise<Exit>
  readonly running: boolean
  /** Resolves when /readyz answers 200; rejects with the log when the process ends before, or after `timeoutMs` (60 s). */
  ready(timeoutMs?: number): Promise<void>
  /** Standard output and error so far. */
  logs(): string
  /** Text of /metrics. */
  metrics(): Promise<string>
  /** Resident memory in bytes. */
  residentBytes(): Promise<number>
  /** CPU seconds used so far, user and system. */
  cpuSeconds(): Promise<number>
  sigterm(): void
  sigkill(): void
  sigstop(): void
  sigcont(): void
  /** SIGTERM, SIGKILL after 15 s, and the exit. */
  stop(): Promise<Exit>
}

export const startOperator = async (
  plane: Connection,
  chart: InstalledChart,
  options: OperatorOptions = {},
): Promise<Operator> => {
  const metricsAddress = `127.0.0.1:${await freePort()}`
  const publishAddress = `127.0.0.1:${await freePort()}`
  const podName = options.podName ?? `dbtls-${metricsAddress.replace(/.*:/, '')}`
  const where = chart.namespaces === undefined ? [] : [`--namespaces=${chart.namespaces.join(',')}`]
  const addresses = [`--metrics-address=${metricsAddress}`, `--publish-address=${publishAddress}`]
  const chartArgs = [...addresses, `--lease-name=${chart.release}`, ...where]
  const [command, ...before] = options.command ?? [launcher]
  const process = new ManagedProcess(plane.reaper, {
    name: podName,
    command,
    args: [...before, 'operator', ...chartArgs, ...(options.args ?? [])],
    env: {
      ...globalThis.process.env,
      KUBECONFIG: options.kubeconfig ?? chart.kubeconfig,
      POD_NAME: podName,
      POD_NAMESPACE: chart.namespace,
      ...options.env,
    },
    logFile: join(plane.tempDir('operator'), `${podName}.log`),
  })
  const metricsUrl = `http://${metricsAddress}`
  const metrics = async (): Promise<string> => (await fetch(`${metricsUrl}/metrics`)).text()
  const gauge = async (name: string): Promise<number> => {
    const line = (await metrics()).split('\n').find((text) => text.startsWith(`${name} `))
    if (line === undefined) throw new Error(`no metric ${name} at ${metricsUrl}`)
    return Number(line.slice(name.length + 1))
  }
  return {
    pid: process.pid,
    metricsUrl,
    publishUrl: `http://${publishAddress}`,
    exited: process.exited,
    get running() {
      return process.running
    },
    ready: async (timeoutMs = 60_000) => {
      try {
        await eventually(`${podName} to be ready`, async () => (await fetch(`${metricsUrl}/readyz`)).ok, {
          timeoutMs,
          giveUp: () => (process.running ? undefined : `it ended with ${JSON.stringify(process.exit)}`),
        })
      } catch (error) {
        throw new Error(`${podName} is not ready; its log:\n${process.logs()}`, { cause: error })
      }
    },
    logs: () => process.logs(),
    metrics,
    residentBytes: () => gauge('process_resident_memory_bytes'),
    cpuSeconds: () => gauge('process_cpu_seconds_total'),
    sigterm: () => process.signal('SIGTERM'),
    sigkill: () => process.signal('SIGKILL'),
    sigstop: () => process.signal('SIGSTOP'),
    sigcont: () => process.signal('SIGCONT'),
    stop: () => process.stop(),
  }
}
