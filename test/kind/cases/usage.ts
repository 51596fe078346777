/** What the pods of the operator take, as their own metrics tell it, after the work of the cases before this one. */
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../controlplane/harness/connection.ts'
import { commit } from '../../bench/machine.ts'
import { metric } from '../../bench/metric.ts'
import { operatorNamespace, release } from '../harness/install.ts'
import { cluster, clusterInfo } from '../harness/shared.ts'
import { writeUsage } from '../harness/usage.ts'
import type { Usage } from '../harness/usage.ts'

const mebibyte = 2 ** 20
/** The chart's. */
const memoryLimit = 512 * mebibyte

/** When the log of a pod says that it has started, seconds since the epoch. */
const startedAt = (log: string): number => {
  const line = log.split('\n').find((one) => one.includes('"msg":"started"'))
  if (line === undefined) throw new Error(`the log does not say that it has started:\n${log.slice(0, 2000)}`)
  return Date.parse((JSON.parse(line) as { time: string }).time) / 1000
}

const usageOf = async (plane: Connection, name: string): Promise<Usage['pods'][number]> => {
  const path = `/api/v1/namespaces/${operatorNamespace}/pods/${name}:9090/proxy/metrics`
  const text = await plane.kubectlOk(['get', '--raw', path])
  const began = metric(text, 'process_start_time_seconds')
  return {
    leads: metric(text, 'leader_election_master_status', 'name=') === 1,
    memory: metric(text, 'process_resident_memory_bytes'),
    cpuSeconds: metric(text, 'process_cpu_seconds_total'),
    aliveSeconds: Date.now() / 1000 - began,
    startSeconds: startedAt(await plane.kubectlOk(['-n', operatorNamespace, 'logs', name, '--tail=-1'])) - began,
  }
}

describe.skipIf(clusterInfo() === undefined)('the pods of the operator', () => {
  it('tell what they take of memory and processor, below their limit, and how fast they started', async () => {
    const plane = cluster()
    const selector = ['-l', `app.kubernetes.io/name=dbtls,app.kubernetes.io/instance=${release}`]
    const found = await plane.kubectlOk(['-n', operatorNamespace, 'get', 'pods', ...selector, '-o', 'name'])
    const names = found.trim().split('\n')
    expect(names).toHaveLength(2)
    const pods = await Promise.all(names.map((one) => usageOf(plane, one.replace('pod/', ''))))
    for (const { leads, memory, cpuSeconds, aliveSeconds, startSeconds } of pods) {
      console.log(
        `${leads ? 'leader' : 'standby'}: ${(memory / mebibyte).toFixed(0)} MiB, ${cpuSeconds.toFixed(1)} s of processor in ` +
          `${aliveSeconds.toFixed(0)} s; listened ${startSeconds.toFixed(2)} s after its start`,
      )
      expect(memory).toBeGreaterThan(0)
      expect(memory).toBeLessThan(memoryLimit)
      expect(cpuSeconds).toBeGreaterThan(0)
      expect(startSeconds).toBeGreaterThan(0)
    }
    expect(pods.filter(({ leads }) => leads)).toHaveLength(1)
    writeUsage({ commit: await commit(), date: new Date().toISOString(), pods })
  })
})
