import { Registry } from '@prometheus-io/client'
import { describe, expect, it } from 'vitest'
import type { Caches } from './context.ts'
import { registerResourceMetrics } from './metrics.ts'

const certificate = (name: string, condition: string | undefined, notAfter?: string, renewAt?: string) => ({
  metadata: { namespace: 'data', name },
  status: { notAfter, renewAt, conditions: condition === undefined ? [] : [{ type: condition, status: 'True' }] },
})

const scrape = (certificates: unknown[], authorities: unknown[] = []): Promise<string> => {
  const registry = new Registry()
  const cache = (objects: unknown[]) => ({ store: { values: () => objects } })
  registerResourceMetrics(registry, {
    certificates: cache(certificates),
    authorities: cache(authorities),
  } as unknown as Caches)
  return registry.metrics()
}

describe('resource metrics', () => {
  it('count certificates by state, zero where there is none', async () => {
    const text = await scrape([certificate('a', 'Ready'), certificate('b', 'Ready'), certificate('c', undefined)])
    expect(text).toContain('dbtls_certificates{state="Ready"} 2')
    expect(text).toContain('dbtls_certificates{state="Stalled"} 0')
    expect(text).toContain('dbtls_certificates{state="Unknown"} 1')
  })

  it('tell when each certificate and authority ends and is renewed, and nothing of those without one', async () => {
    const authority = {
      metadata: { namespace: 'pki', name: 'ca' },
      status: { certificate: { notAfter: '2036-01-01T00:00:00Z' }, renewAt: '2033-01-01T00:00:00Z' },
    }
    const text = await scrape(
      [certificate('a', 'Ready', '2026-11-21T00:00:00Z', '2026-10-01T00:00:00Z'), certificate('b', 'Stalled')],
      [authority],
    )
    expect(text).toContain('dbtls_certificate_not_after_timestamp_seconds{namespace="data",name="a"} 1795219200')
    expect(text).not.toContain('name="b"')
    expect(text).toContain('dbtls_certificate_renewal_timestamp_seconds{namespace="data",name="a"} 1790812800')
    expect(text).toContain('dbtls_authority_not_after_timestamp_seconds{namespace="pki",name="ca"} 2082758400')
    expect(text).toContain('dbtls_authority_renewal_timestamp_seconds{namespace="pki",name="ca"} 1988150400')
  })
})
