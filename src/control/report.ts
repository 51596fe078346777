/** Writing status: conditions and facts in one request, and no request when nothing changed. */

import { isDeepStrictEqual } from 'node:util'
import { isConflict, isNotFound } from '../cluster/errors.ts'
import type { Informer } from '../cluster/cache/informer.ts'
import { compareResourceVersions, keyOf, type KubeObject, type Resource } from '../cluster/port.ts'
import {
  type Condition,
  type OtherConditions,
  type WantedConditions,
  withConditions,
  withOtherConditions,
} from '../resources/conditions.ts'
import type { Reason } from '../resources/reasons.ts'
import { NotReady } from '../runtime/errors.ts'
import { type Context, fieldManager } from './context.ts'

export interface Outcome {
  readonly state: 'Ready' | 'Reconciling' | 'Stalled'
  readonly reason: Reason
  readonly message: string
  /** Conditions beside these. */
  readonly others?: OtherConditions | undefined
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

/** When the event of a change should not come, ms. */
const conflictMs = 1000

/**
 * Puts `fields` and the conditions that say `outcome` into the object's status. A field given as undefined is removed.
 * Answers whether anything had to be written. An object whose spec, or the same part of whose status, changed meanwhile is NotReady: the next look sees it.
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
    conditions: withOtherConditions(
      withConditions(object.status?.conditions, conditionsOf(outcome), context.clock.now(), generation),
      outcome.others ?? {},
      context.clock.now(),
      generation,
    ),
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
  const base = withoutUndefined({ ...object.status })
  const ours = withoutUndefined(wanted)
  for (let tried: T | undefined; ;) {
    const target = newest(cache, object)
    const status = target === object ? ours : merged(base, ours, withoutUndefined({ ...target.status }))
    // Nothing newer than what was refused: the event that brings it looks again.
    if (target === tried || status === undefined)
      throw new NotReady('Conflict', 'The object changed while its status was being written.', conflictMs)
    if (isDeepStrictEqual(status, withoutUndefined({ ...target.status }))) return false
    try {
      await put(context, resource, cache, target, status, signal)
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      if (!isConflict(error)) throw error
      tried = target
    }
  }
}

/** Several controllers report on one CA, each its own fields, and a write of one makes what the others hold an old version. */
const newest = <T extends Reportable>(cache: Informer<T>, object: T): T => {
  const { uid, generation, resourceVersion = '' } = object.metadata
  const cached = cache.store.get(keyOf(object))
  // Of another spec what was found is not true any more.
  if (cached === undefined || cached.metadata.uid !== uid || cached.metadata.generation !== generation) return object
  return (compareResourceVersions(cached.metadata.resourceVersion ?? '', resourceVersion) ?? 0) > 0 ? cached : object
}

const put = async <T extends Reportable>(
  { cluster }: Context,
  resource: Resource<T>,
  cache: Informer<T>,
  target: T,
  status: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<void> => {
  const { name, namespace, uid, resourceVersion } = target.metadata
  const update = {
    apiVersion: target.apiVersion,
    kind: target.kind,
    metadata: { name, namespace, uid, resourceVersion },
    status,
  } as unknown as T
  // The server took it over the version that `target` is of: what it made of it is known but for the metadata.
  const { metadata } = await cluster.updateStatus(resource, update, { fieldManager, signal, metadataOnly: true })
  cache.wrote({ ...target, metadata, status })
}

type Fields = Readonly<Record<string, unknown>>

/**
 * What changed from `base` to `ours`, put upon `theirs`; undefined where both have changed the same field, or the same
 * condition, to something else: then one of the two does not know what the other has seen.
 */
const merged = (base: Fields, ours: Fields, theirs: Fields): Fields | undefined => {
  const fields = mergedFields(without(base), without(ours), without(theirs))
  const conditions = mergedFields(byType(base), byType(ours), byType(theirs))
  if (fields === undefined || conditions === undefined) return undefined
  const list = Object.values(conditions)
  return list.length === 0 ? fields : { ...fields, conditions: list }
}

const without = (status: Fields): Fields => withoutUndefined({ ...status, conditions: undefined })

const byType = ({ conditions }: Fields): Fields =>
  Object.fromEntries(((conditions ?? []) as readonly Condition[]).map((one) => [one.type, one]))

const mergedFields = (base: Fields, ours: Fields, theirs: Fields): Fields | undefined => {
  const result: Record<string, unknown> = { ...theirs }
  for (const field of new Set([...Object.keys(base), ...Object.keys(ours)])) {
    if (isDeepStrictEqual(base[field], ours[field])) continue
    const sameAsBefore = isDeepStrictEqual(base[field], theirs[field])
    if (!sameAsBefore && !isDeepStrictEqual(ours[field], theirs[field])) return undefined
    result[field] = ours[field]
  }
  return withoutUndefined(result)
}

const conditionsOf = ({ state, reason, message }: Outcome): WantedConditions => {
  const finding = { reason, message: message.slice(0, maxMessage) }
  if (state === 'Ready') return { ready: { status: 'True', ...finding } }
  const ready = { status: 'False', ...finding } as const
  return state === 'Stalled' ? { ready, stalled: finding } : { ready, reconciling: finding }
}

const withoutUndefined = (object: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
