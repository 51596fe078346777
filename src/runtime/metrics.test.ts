import { describe, expect, it } from 'vitest'
import { createMetrics } from './metrics.ts'

const lines = async (registry: { metrics(): Promise<string> }): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))

describe('createMetrics', () => {
  it('starts everything that was named at 0', async () => {
    const metrics = createMetrics()
    metrics.controller('certificate')
    metrics.restClient('api:6443')
    metrics.leaderElection('dbtls')
    const seen = await lines(metrics.registry)
    expect(seen.filter((line) => !line.endsWith(' 0'))).toEqual([])
    for (const sample of [
      'workqueue_depth{name="certificate",priority="user"}',
      'workqueue_adds_total{name="certificate"}',
      'workqueue_retries_total{name="certificate"}',
      'workqueue_queue_duration_seconds_count{name="certificate"}',
      'workqueue_work_duration_seconds_count{name="certificate"}',
      'workqueue_unfinished_work_seconds{name="certificate"}',
      'workqueue_longest_running_processor_seconds{name="certificate"}',
      'controller_runtime_reconcile_total{controller="certificate",result="success"}',
      'controller_runtime_reconcile_total{controller="certificate",result="requeue_after"}',
      'controller_runtime_reconcile_errors_total{controller="certificate"}',
      'controller_runtime_terminal_reconcile_errors_total{controller="certificate"}',
      'controller_runtime_reconcile_time_seconds_count{controller="certificate"}',
      'controller_runtime_active_workers{controller="certificate"}',
      'controller_runtime_max_concurrent_reconciles{controller="certificate"}',
      'rest_client_requests_total{code="200",method="PATCH",host="api:6443"}',
      'rest_client_request_duration_seconds_count{verb="watch"}',
      'leader_election_master_status{name="dbtls"}',
    ])
      expect(seen).toContain(`${sample} 0`)
  })

  it('keeps controllers and registries apart', async () => {
    const one = createMetrics()
    const other = createMetrics()
    one.controller('a').finished('error', 250)
    one.controller('b')
    other.controller('a')
    const seen = await lines(one.registry)
    expect(seen).toContain('controller_runtime_reconcile_total{controller="a",result="error"} 1')
    expect(seen).toContain('controller_runtime_reconcile_errors_total{controller="a"} 1')
    expect(seen).toContain('controller_runtime_reconcile_time_seconds_sum{controller="a"} 0.25')
    expect(seen).toContain('controller_runtime_reconcile_errors_total{controller="b"} 0')
    expect(await lines(other.registry)).toContain('controller_runtime_reconcile_errors_total{controller="a"} 0')
  })

  it('counts requests by code, method and host, and times them by verb', async () => {
    const metrics = createMetrics()
    const client = metrics.restClient('api:6443')
    client.request({ method: 'PATCH', code: 409, verb: 'patch', tookMs: 20 })
    client.request({ method: 'GET', code: '<error>', verb: 'watch', tookMs: 5 })
    const seen = await lines(metrics.registry)
    expect(seen).toContain('rest_client_requests_total{code="409",method="PATCH",host="api:6443"} 1')
    expect(seen).toContain('rest_client_requests_total{code="<error>",method="GET",host="api:6443"} 1')
    expect(seen).toContain('rest_client_request_duration_seconds_sum{verb="patch"} 0.02')
  })

  it('says who leads', async () => {
    const metrics = createMetrics()
    const election = metrics.leaderElection('dbtls')
    election.leading(true)
    expect(await lines(metrics.registry)).toContain('leader_election_master_status{name="dbtls"} 1')
    election.leading(false)
    expect(await lines(metrics.registry)).toContain('leader_election_master_status{name="dbtls"} 0')
  })
})
