/** What Linux says about processes and the machine: /proc. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { must } from '../controlplane/harness/index.ts'

/** Linux counts in hundredths of a second whatever the kernel's own tick. */
const tickMs = 10

/** CPU time of one process since its start, user and system, ms. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickMs
}

/** Resident memory in MB (10^6 bytes): now, and the most it has been. */
export const residentMB = (pid: number): { readonly now: number; readonly peak: number } => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1.024e-3
  return { now: field('VmRSS'), peak: field('VmHWM') }
}

const busyMs = (): number => {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/).map(Number) ?? []
  return (user + nice + system + irq + softirq) * tickMs
}

/** Processors that others keep busy, while this run does nothing: 0 on a quiet machine. */
export const noise = async (ms = 3_000): Promise<number> => {
  const [before, start] = [busyMs(), performance.now()]
  await sleep(ms)
  return (busyMs() - before) / (performance.now() - start)
}

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGB: number
  readonly node: string
}

export const machine = (): Machine => ({
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memoryGB: Math.round(totalmem() / 1e9),
  node: process.version,
})

/** `1a2b3c4`, with a plus where files differ from it. */
export const commit = async (): Promise<string> => {
  const head = (await must('git', ['rev-parse', '--short', 'HEAD'])).stdout.trim()
  const changed = (await must('git', ['status', '--porcelain', '--', 'src', 'package-lock.json'])).stdout
  return changed === '' ? head : `${head}+`
}
