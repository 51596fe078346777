/**
 * What is known of endpoints, read from memory when it is scraped: a profile that goes takes its figures along, and there are never
 * more than `mostEndpoints` of one. How long looks take is told by protocol alone.
 */

import { Gauge, Histogram, type Registry } from '@prometheus-io/client'
import { type DialectName, dialects } from '../../database/connect/dialects/table.ts'
import type { Judged, Standing } from './judge.ts'
import type { Look } from './seen.ts'

export interface EndpointFigures {
  /** `namespace/name` of the profile. */
  readonly profile: string
  readonly address: string
  readonly look: Look
  readonly judged: Judged
}

const labelNames = ['namespace', 'profile', 'address'] as const
type Labels = Record<(typeof labelNames)[number], string>

const second = 1000
const isDown: ReadonlySet<Standing> = new Set<Standing>(['NoTLS', 'Unreachable', 'NotAsked'])
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Answers what to tell of each look. */
export const registerEndpointMetrics = (
  registry: Registry,
  figures: () => Iterable<EndpointFigures>,
  open: () => number,
): ((dialect: DialectName, look: Look) => void) => {
  const gauge = (name: string, help: string, value: (one: EndpointFigures) => number | undefined): void =>
    registry.registerMetric(
      new Gauge({
        ...{ name: `dbtls_endpoint_${name}`, help, labelNames, registers: [] },
        collect() {
          this.reset()
          for (const one of figures()) {
            const known = value(one)
            if (known !== undefined) this.set(labelsOf(one), known)
          }
        },
      }),
    )
  gauge('up', 'Whether the endpoint answered with a certificate when it was last asked: 1 or 0.', ({ judged }) =>
    Number(!isDown.has(judged.standing) || (judged.standing === 'NotAsked' && judged.servedSerial !== undefined)),
  )
  gauge(
    'serves_expected',
    'Whether the endpoint serves the certificate that it should, and clients take it: 1 or 0.',
    ({ judged }) => Number(judged.standing === 'Serving' || judged.standing === 'ClientRefused'),
  )
  gauge(
    'not_after_timestamp_seconds',
    'End of validity of the certificate that the endpoint served last.',
    ({ judged }) => (judged.notAfter === undefined ? undefined : judged.notAfter / second),
  )
  gauge(
    'trusts_clients',
    'Whether the endpoint was seen to trust the CA that signs its clients: 1 or 0; absent where it verifies nobody, or nothing was proved.',
    ({ judged: { trustProof } }) =>
      trustProof === 'Proved' || trustProof === 'Refused' ? Number(trustProof === 'Proved') : undefined,
  )
  registry.registerMetric(
    new Gauge({
      ...{ name: 'dbtls_endpoint_served_info', help: 'Which certificate the endpoint served last: always 1.' },
      ...{ labelNames: [...labelNames, 'serial_number'] as const, registers: [] },
      collect() {
        this.reset()
        for (const one of figures()) {
          const { servedSerial } = one.judged
          if (servedSerial !== undefined) this.set({ ...labelsOf(one), serial_number: servedSerial }, 1)
        }
      },
    }),
  )
  gauge('last_probe_timestamp_seconds', 'When the endpoint was last asked.', ({ look }) => look.at / second)
  registry.registerMetric(
    new Gauge({
      ...{ name: 'dbtls_probes_open', help: 'Endpoints that are being asked at this moment.', registers: [] },
      collect() {
        this.set(open())
      },
    }),
  )
  const took = new Histogram({
    name: 'dbtls_probe_duration_seconds',
    help: 'How long a look at an endpoint takes, by the protocol spoken before TLS.',
    labelNames: ['dialect'] as const,
    buckets,
    registers: [registry],
  })
  for (const dialect of Object.keys(dialects)) took.zero({ dialect })
  return (dialect, look) => took.observe({ dialect }, look.tookMs / second)
}

const labelsOf = ({ profile, address }: EndpointFigures): Labels => {
  const [namespace = '', name = ''] = profile.split('/')
  return { namespace, profile: name, address }
}
