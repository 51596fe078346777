import { describe, expect, it } from 'vitest'
import { systemClock } from './clock.ts'
import { LagMonitor } from './lag.ts'
import { Registry } from './metrics.ts'
import { registerProcessMetrics } from './process-metrics.ts'

const clock = systemClock()

const block = (ms: number): void => {
  const end = clock.monotonic() + ms
  while (clock.monotonic() < end);
}

const values = async (registry: Registry): Promise<Map<string, number>> => {
  const lines = (await registry.metrics()).split('\n').filter((line) => /^[a-z]/.test(line))
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.replace(/^.* /, ''))]))
}

describe('LagMonitor', () => {
  it('sees a blocked loop, and forgets it on reset', async () => {
    const lag = new LagMonitor()
    expect(lag.read()).toEqual({ p50: 0, p99: 0, max: 0, mean: 0 })
    await clock.sleep(30)
    block(200)
    await clock.sleep(30)
    expect(lag.read().max).toBeGreaterThan(0.15)
    lag.reset()
    expect(lag.read().max).toBe(0)
    lag.stop()
  })
})

describe('registerProcessMetrics', () => {
  it('reports the process, and in one scrape the lag since the last one', async () => {
    const registry = new Registry()
    const lag = new LagMonitor()
    registerProcessMetrics(registry, lag, clock)
    await clock.sleep(30)
    block(200)
    await clock.sleep(30)
    const first = await values(registry)
    expect(first.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0.15)
    expect(first.get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.15)
    expect(first.get('process_resident_memory_bytes')).toBeGreaterThan(1e6)
    expect(first.get('process_open_fds')).toBeGreaterThan(0)
    expect(first.get('process_max_fds')).toBeGreaterThan(0)
    expect(first.get(`nodejs_version_info{version="${process.version}"}`)).toBe(1)
    expect(first.get('process_start_time_seconds')).toBeCloseTo(clock.now() / 1000 - process.uptime(), 0)
    block(20)
    const second = await values(registry)
    expect(second.get('process_cpu_seconds_total')).toBeGreaterThan(first.get('process_cpu_seconds_total') ?? Infinity)
    expect(second.get('nodejs_eventloop_lag_max_seconds')).toBeLessThan(0.15)
    lag.stop()
  })
})
