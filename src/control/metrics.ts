/** What the caches hold, as metrics: read when they are scraped, so that nothing has to be kept in step. */

import { Gauge, type Registry } from '@prometheus-io/client'
import type { KubeObject } from '../cluster/port.ts'
import type { CertificateAuthorityStatus } from '../resources/certificate-authority.ts'
import { type Condition, findCondition } from '../resources/conditions.ts'
import type { Caches } from './context.ts'
import { fromTimestamp } from './schedule.ts'

const states = ['Ready', 'Reconciling', 'Stalled', 'Unknown'] as const
type State = (typeof states)[number]

interface Conditioned extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined
}

const stateOf = ({ status }: Conditioned): State =>
  (['Stalled', 'Reconciling', 'Ready'] as const).find(
    (type) => findCondition(status?.conditions, type)?.status === 'True',
  ) ?? 'Unknown'

const identity = { labelNames: ['namespace', 'name'] as const }

export const registerResourceMetrics = (
  registry: Registry,
  caches: Pick<Caches, 'authorities' | 'certificates'>,
): void => {
  counted(registry, 'dbtls_certificates', 'DatabaseCertificates by state.', () => caches.certificates.store.values())
  counted(registry, 'dbtls_authorities', 'CertificateAuthorities by state.', () => caches.authorities.store.values())
  const dates = (name: string, help: string, read: () => Iterable<Dated>): void =>
    registry.registerMetric(
      new Gauge({
        ...{ ...identity, name, help, registers: [] },
        collect() {
          this.reset()
          for (const [{ namespace = '', name: of }, at] of read()) {
            const instant = fromTimestamp(at)
            if (instant !== undefined) this.set({ namespace, name: of }, instant / 1000)
          }
        },
      }),
    )
  const certificates = function* (at: 'notAfter' | 'renewAt'): Iterable<Dated> {
    for (const { metadata, status } of caches.certificates.store.values()) yield [metadata, status?.[at]]
  }
  const authorities = function* (at: (status: CertificateAuthorityStatus) => string | undefined): Iterable<Dated> {
    for (const { metadata, status } of caches.authorities.store.values()) yield [metadata, status && at(status)]
  }
  dates('dbtls_certificate_not_after_timestamp_seconds', 'End of validity of the certificate in the Secret.', () =>
    certificates('notAfter'),
  )
  dates('dbtls_certificate_renewal_timestamp_seconds', 'When the certificate is to be renewed.', () =>
    certificates('renewAt'),
  )
  dates('dbtls_authority_not_after_timestamp_seconds', 'End of validity of the certificate of the authority.', () =>
    authorities(({ certificate }) => certificate?.notAfter),
  )
  dates('dbtls_authority_renewal_timestamp_seconds', 'When the authority is to be renewed.', () =>
    authorities(({ renewAt }) => renewAt),
  )
}

type Dated = readonly [metadata: KubeObject['metadata'], at: string | undefined]

const counted = (registry: Registry, name: string, help: string, objects: () => Iterable<Conditioned>): void => {
  registry.registerMetric(
    new Gauge({
      name,
      help,
      labelNames: ['state'] as const,
      registers: [],
      collect() {
        const counts = new Map<State, number>(states.map((state) => [state, 0]))
        for (const object of objects()) {
          const state = stateOf(object)
          counts.set(state, (counts.get(state) ?? 0) + 1)
        }
        for (const [state, count] of counts) this.set({ state }, count)
      },
    }),
  )
}
