/** How far the objects of a cluster are, as their conditions say. */
import type { KubeObject } from '../../cluster/port.ts'
import type { Condition } from '../../resources/conditions.ts'
import { listCondition } from '../../revocation/report.ts'

export interface Readiness {
  readonly object: KubeObject
  readonly state: 'Ready' | 'Stalled' | 'Pending'
  readonly reason: string
  /** A sentence that says what to do. */
  readonly message: string
}

/** What is wrong beside the certificate of an object that may be Ready all the same. */
export interface Warning {
  readonly reason: string
  /** A sentence that says what to do. */
  readonly message: string
}

interface WithStatus extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined
}

export const readinessOf = (object: WithStatus): Readiness => {
  const conditions = object.status?.conditions ?? []
  const current = (type: string): Condition | undefined =>
    // What was said about a former generation says nothing about this one.
    conditions.find((one) => one.type === type && one.observedGeneration === object.metadata.generation)
  const stalled = current('Stalled')
  if (stalled?.status === 'True') return { object, state: 'Stalled', reason: stalled.reason, message: stalled.message }
  const ready = current('Ready')
  if (!ready) return { object, state: 'Pending', reason: 'Unseen', message: 'The controllers have not come to it yet.' }
  const state = ready.status === 'True' ? 'Ready' : 'Pending'
  return { object, state, reason: ready.reason, message: ready.message }
}

/** A CA that signs is Ready, whatever becomes of its revocation list. */
export const warningsOf = ({ status }: WithStatus): Warning[] =>
  (status?.conditions ?? []).flatMap(({ type, status: is, reason, message }) =>
    type === listCondition && is === 'False' ? [{ reason, message }] : [],
  )
