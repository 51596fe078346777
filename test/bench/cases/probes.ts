/** Five hundred endpoints asked once a minute. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { must } from '../../controlplane/harness/index.ts'
import { type Figure, median } from '../figures.ts'
import type { ProbeJob, ProbeResult } from '../probe-loop.ts'
import type { Servers } from '../probe-servers.ts'
import type { Sizes } from '../sizes.ts'

const script = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

export const probes = async (sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  const { count, intervalMs, measuredMs } = sizes.probes
  const child = spawn(process.execPath, [script('probe-servers.ts'), String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const job: ProbeJob = { servers: JSON.parse(line) as Servers, intervalMs, measuredMs, bare: sizes.batch }
    const { stdout } = await must(process.execPath, [script('probe-loop.ts')], { stdin: JSON.stringify(job) })
    const result = JSON.parse(stdout) as ProbeResult
    say(`probes: ${JSON.stringify({ ...result, tookMs: undefined })}`)
    if (result.failed > 0) throw new Error(`${result.failed} of the probes did not find what is served`)
    return figuresOf(count, result)
  } finally {
    child.stdin.end()
  }
}

const figuresOf = (
  count: number,
  { looks, seconds, cpuMs, mostOpen, mostSockets, tookMs, bareMs }: ProbeResult,
): Figure[] => {
  const each = cpuMs / looks
  const perMinute = (looks / seconds) * 60
  return [
    {
      ...{ name: `${count} endpoints asked`, unit: '/min', measured: perMinute },
      note: `${looks} looks in ${seconds.toFixed(0)} s, median ${median(tookMs).toFixed(1)} ms`,
    },
    {
      ...{ name: 'processor of 500 endpoints a minute', unit: '%', measured: (each * 500) / 600 },
      limit: { is: 'below', value: 5 },
    },
    {
      ...{ name: 'CPU of a probe', unit: 'ms', measured: each },
      limit: { is: 'at most', value: 3 * bareMs, from: `3 × a bare TLS connection, ${bareMs.toFixed(2)} ms` },
    },
    {
      ...{ name: 'endpoints under way at the most', unit: '', measured: mostOpen, limit: { is: 'at most', value: 32 } },
      note: `${mostSockets} sockets`,
    },
  ]
}
