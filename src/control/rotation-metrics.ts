/** What the status of CAs says of their rotations, as metrics: read when they are scraped, and next to nothing for a CA at rest. */

import { Gauge, type Registry } from '@prometheus-io/client'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Caches } from './context.ts'
import { isHeld, isRequested, pendingOf, phaseOf, soakEnd, underWay } from './rotation.ts'
import { fromTimestamp } from './schedule.ts'

const prefix = 'dbtls_authority_rotation'
const identity = ['namespace', 'name'] as const

type Value = (authority: CertificateAuthority) => number | undefined

const labelsOf = ({ metadata: { namespace = '', name } }: CertificateAuthority) => ({ namespace, name })

const seconds = (instant: number | undefined): number | undefined =>
  instant === undefined ? undefined : instant / 1000

export const registerRotationMetrics = (registry: Registry, { authorities }: Pick<Caches, 'authorities'>): void => {
  const gauge = (name: string, help: string, value: Value): void =>
    registry.registerMetric(
      new Gauge({
        ...{ name: `${prefix}_${name}`, help, labelNames: identity, registers: [] },
        collect() {
          this.reset()
          for (const authority of authorities.store.values()) {
            const found = value(authority)
            if (found !== undefined) this.set(labelsOf(authority), found)
          }
        },
      }),
    )
  registry.registerMetric(
    new Gauge({
      name: `${prefix}_phase`,
      help: '1 for the phase that the rotation of the authority is in; Idle where none is under way.',
      labelNames: [...identity, 'phase'] as const,
      registers: [],
      collect() {
        this.reset()
        for (const authority of authorities.store.values())
          this.set({ ...labelsOf(authority), phase: phaseOf(authority) }, 1)
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: `${prefix}_pending`,
      help: 'What the phase of a rotation under way still waits for, by kind; not_provable holds nothing up.',
      labelNames: [...identity, 'kind'] as const,
      registers: [],
      collect() {
        this.reset()
        for (const authority of authorities.store.values()) {
          const rotation = underWay(authority)
          if (rotation === undefined) continue
          for (const [kind, count] of pendingOf(rotation)) this.set({ ...labelsOf(authority), kind }, count)
        }
      },
    }),
  )
  gauge('started_timestamp_seconds', 'When the rotation under way began.', (authority) =>
    seconds(fromTimestamp(underWay(authority)?.startedAt)),
  )
  gauge('phase_started_timestamp_seconds', 'When the phase of the rotation under way began.', (authority) =>
    seconds(fromTimestamp(underWay(authority)?.phaseStartedAt)),
  )
  gauge('soak_end_timestamp_seconds', 'When the soak of the phase will be over, once it has begun.', (authority) =>
    seconds(soakEnd(authority)),
  )
  gauge('held', 'Whether a rotation under way is held at its phase (spec.rotation.holdAt): 1 or 0.', (authority) =>
    underWay(authority) === undefined ? undefined : Number(isHeld(authority)),
  )
  gauge('requested', 'Whether a rotation was asked for and has not begun: 1 or 0.', (authority) =>
    authority.spec.rotation === undefined ? undefined : Number(isRequested(authority)),
  )
  gauge('finished_timestamp_seconds', 'When the last rotation ended.', ({ status }) =>
    seconds(fromTimestamp(status?.rotation?.finishedAt)),
  )
}
