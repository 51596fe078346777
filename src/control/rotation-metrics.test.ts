import { Registry } from '@prometheus-io/client'
import { describe, expect, it } from 'vitest'
import type { Caches } from './context.ts'
import { registerRotationMetrics } from './rotation-metrics.ts'

const authority = (name: string, rotation?: object, spec?: object) => ({
  metadata: { namespace: 'pki', name },
  spec: { rotation: spec },
  status: { rotation },
})

/** Lines of figures without the prefix and the labels of the CA named `ca`. */
const scrape = async (...authorities: unknown[]): Promise<string[]> => {
  const registry = new Registry()
  const caches = { authorities: { store: { values: () => authorities } } } as unknown as Caches
  registerRotationMetrics(registry, caches)
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return lines.map((line) => line.replace('dbtls_authority_rotation_', '').replace('namespace="pki",name="ca"', 'ca'))
}

describe('metrics of rotations', () => {
  it('tell of a CA at rest that it is', async () => {
    expect(await scrape(authority('ca'))).toEqual(['phase{ca,phase="Idle"} 1'])
    expect(await scrape(authority('ca', { phase: 'Idle', trigger: 'x', pending: { consumers: 0 } }))).toEqual([
      'phase{ca,phase="Idle"} 1',
    ])
  })

  it('tell the phase, since when, and what is waited for', async () => {
    const rotation = {
      ...{ phase: 'TrustBoth', trigger: '1', startedAt: '2027-01-01T00:00:00Z' },
      ...{ phaseStartedAt: '2027-01-01T00:01:00Z', soakStartedAt: '2027-01-01T00:02:00Z' },
      pending: { consumers: 2, certificates: 7, endpoints: 0, notProvable: 1 },
    }
    expect(await scrape(authority('ca', rotation, { trigger: '1', holdAt: '', trustSoak: '1h' }))).toEqual([
      'phase{ca,phase="TrustBoth"} 1',
      'pending{ca,kind="consumers"} 2',
      'pending{ca,kind="certificates"} 7',
      'pending{ca,kind="endpoints"} 0',
      'pending{ca,kind="not_provable"} 1',
      'started_timestamp_seconds{ca} 1798761600',
      'phase_started_timestamp_seconds{ca} 1798761660',
      'soak_end_timestamp_seconds{ca} 1798765320',
      'held{ca} 0',
      'requested{ca} 0',
    ])
  })

  it('tell that one is held and another one is asked for', async () => {
    const held = authority('ca', { phase: 'Signing', trigger: '1' }, { trigger: '2', holdAt: 'Signing' })
    expect(await scrape(held)).toEqual(expect.arrayContaining(['held{ca} 1', 'requested{ca} 1']))
  })

  it('tell when the last one ended, and nothing more of it', async () => {
    const over = { phase: 'Idle', trigger: '1', startedAt: '2027-01-01T00:00:00Z', finishedAt: '2027-01-02T00:00:00Z' }
    expect(await scrape(authority('ca', over, { trigger: '1' }))).toEqual([
      'phase{ca,phase="Idle"} 1',
      'requested{ca} 0',
      'finished_timestamp_seconds{ca} 1798848000',
    ])
  })

  it('forget a CA that is gone', async () => {
    const registry = new Registry()
    const present = [authority('ca', { phase: 'Signing' })]
    const caches = { authorities: { store: { values: () => present } } } as unknown as Caches
    registerRotationMetrics(registry, caches)
    expect(await registry.metrics()).toContain('name="ca"')
    present.pop()
    expect(await registry.metrics()).not.toContain('name="ca"')
  })
})
