/** Writing status: conditions and facts in one request, and no request when nothing changed. */

import { isDeepStrictEqual } from 'node:util'
import { isConflict, isNotFound } from '../cluster/errors.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import type { KubeObject, Resource } from '../cluster/port.ts'
import { type Condition, type WantedConditions, withConditions } from '../resources/conditions.ts'
import type { Reason } from '../resources/reasons.ts'
import { Retryable } from '../runtime/errors.ts'
import { type Context, fieldManager } from './context.ts'

export interface Outcome {
  readonly state: 'Ready' | 'Reconciling' | 'Stalled'
  readonly reason: Reason
  readonly message: string
}

export interface CommonStatus {
  readonly observedGeneration?: number | undefined
  readonly conditions?: readonly Condition[] | undefined
}

interface Reportable extends KubeObject {
  readonly status?: CommonStatus | undefined
}

/** What waits for somebody else looks again so often, in case the event it waits for says nothing about it, ms. */
export const waitingMs = 10 * 60 * 1000

const maxMessage = 4096

/**
 * Puts `fields` and the conditions that say `outcome` into the object's status. A field given as undefined is removed.
 * Answers whether anything had to be written. An object changed meanwhile is a Retryable: the next look sees it.
 */
export const report = async <T extends Reportable>(
  context: Context,
  resource: Resource<T>,
  cache: Informer<T>,
  object: T,
  fields: Partial<NonNullable<T['status']>>,
  outcome: Outcome,
  signal: AbortSignal,
): Promise<boolean> => {
  const generation = object.metadata.generation ?? 1
  const status = {
    ...object.status,
    ...fields,
    observedGeneration: generation,
    conditions: withConditions(object.status?.conditions, conditionsOf(outcome), context.clock.now(), generation),
  }
  return writeStatus(context, resource, cache, object, status, signal)
}

/**
 * Replaces the status, where it is another one; conditions are part of it. For what reports beside the reconciler of the
 * conditions: give `{...object.status, …}`, so that the rest stays.
 */
export const writeStatus = async <T extends Reportable>(
  context: Context,
  resource: Resource<T>,
  cache: Informer<T>,
  object: T,
  wanted: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<boolean> => {
  const status = withoutUndefined(wanted)
  if (isDeepStrictEqual(status, withoutUndefined({ ...object.status }))) return false
  const { name, namespace, uid, resourceVersion } = object.metadata
  const update = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, namespace, uid, resourceVersion },
    status,
  } as unknown as T
  try {
    // The server took it over the version that `object` is of: what it made of it is known but for the metadata.
    const { metadata } = await context.cluster.updateStatus(resource, update, {
      fieldManager,
      signal,
      metadataOnly: true,
    })
    cache.wrote({ ...object, metadata, status })
    return true
  } catch (error) {
    if (isConflict(error)) throw new Retryable('Conflict', 'The object changed while its status was being written.')
    if (isNotFound(error)) return false
    throw error
  }
}

const conditionsOf = ({ state, reason, message }: Outcome): WantedConditions => {
  const finding = { reason, message: message.slice(0, maxMessage) }
  if (state === 'Ready') return { ready: { status: 'True', ...finding } }
  const ready = { status: 'False', ...finding } as const
  return state === 'Stalled' ? { ready, stalled: finding } : { ready, reconciling: finding }
}

const withoutUndefined = (object: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
