/**
 * What is asked of the API server before a step that cannot be taken back: whether the CA is still the one that was decided
 * on (a watch lags behind, after a change of leaders by much), and whether the time is. A soak that is over, or a CA that has
 * ended, may be a clock that jumped.
 */

import { isDeepStrictEqual } from 'node:util'
import { events, microTime } from '../cluster/kinds.ts'
import type { Cluster } from '../cluster/port.ts'
import { ClockSkew, clocksDisagree } from '../control/clock-guard.ts'
import { type Context, fieldManager, marks } from '../control/context.ts'
import { certificateAuthorities, type CertificateAuthority } from '../resources/certificate-authority.ts'
import { NotReady } from '../runtime/errors.ts'
import type { State, Step } from './state.ts'

export const isAsItWas = async (
  cluster: Cluster,
  { metadata, status }: CertificateAuthority,
  signal: AbortSignal,
): Promise<boolean> => {
  const { name, namespace = 'default' } = metadata
  // A list of one: the operator may list and watch, and has no use for a right to get.
  const { items } = await cluster.list(certificateAuthorities, {
    namespace,
    fieldSelector: `metadata.name=${name}`,
    signal,
  })
  const [live] = items
  return (
    live?.metadata.uid === metadata.uid &&
    live?.metadata.generation === metadata.generation &&
    live?.metadata.deletionTimestamp === undefined &&
    live?.metadata.annotations?.[marks.hold] === metadata.annotations?.[marks.hold] &&
    isDeepStrictEqual(live?.status?.rotation, status?.rotation)
  )
}

/** Also where a soak begins: one that began under a clock that was behind seems over when it is corrected. */
export const followsFromTime = (state: State | undefined, step: Step): boolean =>
  step.act === 'Switch' ||
  step.act === 'Drop' ||
  (step.state.soakStartedAt !== undefined && step.state.soakStartedAt !== state?.soakStartedAt)

/** Creates an Event for trial, which leaves nothing and comes back with the server's time. Rejects with NotReady where the two differ. */
export const compareClocks = async (
  { cluster, clock, clockGuard }: Pick<Context, 'cluster' | 'clock' | 'clockGuard'>,
  { apiVersion, kind, metadata: { namespace = 'default', name, uid = '' } }: CertificateAuthority,
  signal: AbortSignal,
): Promise<void> => {
  const held = clockGuard.hold()
  if (held !== undefined) throw new NotReady('IssuanceFailed', clocksDisagree, held)
  const trial = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, 200)}.clock`, namespace },
    eventTime: microTime(clock.now()),
    reportingController: 'dbtls.dev/operator',
    reportingInstance: 'clock',
    action: 'CompareClocks',
    reason: 'Rotating',
    regarding: { apiVersion, kind, namespace, name, uid },
    type: 'Normal',
  } as const
  const { metadata } = await cluster.create(events, trial, { fieldManager, signal, metadataOnly: true, dryRun: true })
  try {
    clockGuard.judge(metadata.creationTimestamp)
  } catch (error) {
    if (!(error instanceof ClockSkew)) throw error
    throw new NotReady('IssuanceFailed', error.message)
  }
}
