/** Requests for what is published, by what was asked for and how it was answered; no label has a value of the client's making. */

import { Counter, Histogram, type Registry } from '@prometheus-io/client'
import type { Answered } from '../server/http.ts'
import { routes } from './routes.ts'

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD'])

export const publishMetrics = (registry: Registry): ((answered: Answered) => void) => {
  const requests = new Counter({
    name: 'dbtls_publish_requests_total',
    help: 'Requests for published certificates and revocation lists, by status code, method and route.',
    labelNames: ['code', 'method', 'route'] as const,
    registers: [registry],
  })
  const took = new Histogram({
    name: 'dbtls_publish_request_duration_seconds',
    help: 'How long it takes to answer a request for what is published.',
    labelNames: ['route'] as const,
    buckets,
    registers: [registry],
  })
  for (const route of routes) {
    requests.inc({ code: '200', method: 'GET', route }, 0)
    took.zero({ route })
  }
  return ({ route: asked, method: verb, status, tookMs }) => {
    const route = routes.find((known) => known === asked) ?? 'none'
    requests.inc({ code: String(status), method: methods.has(verb) ? verb : 'other', route })
    took.observe({ route }, tookMs / 1000)
  }
}
