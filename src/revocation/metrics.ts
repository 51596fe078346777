/** What the status of CAs says of their revocation lists, as metrics: read when they are scraped; three for each CA. */

import { Gauge, type Registry } from '@prometheus-io/client'
import type { Caches } from '../control/context.ts'
import { fromTimestamp } from '../control/schedule.ts'
import { findCondition } from '../resources/conditions.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { listCondition } from './report.ts'

type Value = (authority: CertificateAuthority) => number | undefined

export const registerRevocationMetrics = (registry: Registry, { authorities }: Pick<Caches, 'authorities'>): void => {
  const gauge = (name: string, help: string, value: Value): void => {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['namespace', 'name'] as const,
        registers: [],
        collect() {
          this.reset()
          for (const authority of authorities.store.values()) {
            const { namespace = '', name: of } = authority.metadata
            const found = value(authority)
            if (found !== undefined) this.set({ namespace, name: of }, found)
          }
        },
      }),
    )
  }
  gauge('dbtls_crl_next_update_timestamp_seconds', 'End of the revocation list of the authority.', ({ status }) => {
    const at = fromTimestamp(status?.crl?.nextUpdate)
    return at === undefined ? undefined : at / 1000
  })
  gauge(
    'dbtls_crl_entries',
    'Certificates on the revocation list of the authority.',
    ({ status }) => status?.crl?.entries,
  )
  gauge(
    'dbtls_crl_current',
    'Whether the revocation list of the authority is as it should be (1) or not (0).',
    ({ status }) => {
      const condition = findCondition(status?.conditions, listCondition)
      return condition === undefined ? undefined : Number(condition.status === 'True')
    },
  )
}
