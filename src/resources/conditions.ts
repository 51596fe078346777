/** Conditions of a status, after the API conventions of Kubernetes and kstatus. */
import { z } from 'zod'

export const condition = z
  .object({
    type: z.string().min(1).max(316).meta({ description: 'Ready, Reconciling, Stalled or Serving.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether the condition holds.' }),
    observedGeneration: z.int().min(0).optional().meta({ description: 'metadata.generation that was looked at.' }),
    lastTransitionTime: z.string().max(40).meta({ description: 'When status last changed.', format: 'date-time' }),
    reason: z.string().min(1).max(1024).meta({ description: 'One word for programs.' }),
    message: z.string().max(32768).meta({ description: 'A sentence for people, with what to do.' }),
  })
  .meta({ description: 'One observation.' })
export type Condition = z.output<typeof condition>

export const conditions = z
  .array(condition)
  .max(16)
  .meta({
    description:
      'Ready always; Reconciling while something is under way; Stalled while only a change of something else can help; Serving of a profile whose endpoints are asked.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  })

export interface Finding {
  readonly reason: string
  readonly message: string
}

export interface WantedCondition extends Finding {
  readonly status: Condition['status']
}

export interface WantedConditions {
  readonly ready: WantedCondition
  /** Something is under way. Ignored beside `stalled`: kstatus would show progress where there is none. */
  readonly reconciling?: Finding | undefined
  readonly stalled?: Finding | undefined
}

const own = new Set(['Ready', 'Reconciling', 'Stalled'])

/** RFC 3339 in whole seconds, as metav1.Time is written. */
export const timestamp = (instant: number): string => `${new Date(instant).toISOString().slice(0, 19)}Z`

const next = (
  previous: readonly Condition[],
  type: string,
  status: Condition['status'],
  { reason, message }: Finding,
  now: number,
  generation: number | undefined,
): Condition => {
  const before = previous.find((one) => one.type === type)
  return {
    type,
    status,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : timestamp(now),
    reason,
    message: message.slice(0, 32768),
  }
}

const same = (a: Condition, b: Condition | undefined): boolean =>
  b !== undefined &&
  a.type === b.type &&
  a.status === b.status &&
  a.observedGeneration === b.observedGeneration &&
  a.lastTransitionTime === b.lastTransitionTime &&
  a.reason === b.reason &&
  a.message === b.message

/**
 * The conditions that follow from `wanted`. Conditions of other types are kept. `previous` itself is returned when
 * nothing changed, so that `===` tells whether a write is due. `now` in ms since the epoch.
 */
export const withConditions = (
  previous: readonly Condition[] | undefined,
  wanted: WantedConditions,
  now: number,
  generation: number | undefined,
): readonly Condition[] => {
  const before = previous ?? []
  const made = [next(before, 'Ready', wanted.ready.status, wanted.ready, now, generation)]
  if (wanted.stalled) made.push(next(before, 'Stalled', 'True', wanted.stalled, now, generation))
  else if (wanted.reconciling) made.push(next(before, 'Reconciling', 'True', wanted.reconciling, now, generation))
  made.push(...before.filter((one) => !own.has(one.type)))
  return made.length === before.length && made.every((one, at) => same(one, before[at])) ? before : made
}

/** By type, other ones than those above; undefined removes one. */
export type OtherConditions = Readonly<Record<string, WantedCondition | undefined>>

/** The conditions with these in place of the former ones. `previous` itself is returned when nothing changed. */
export const withOtherConditions = (
  previous: readonly Condition[],
  wanted: OtherConditions,
  now: number,
  generation: number | undefined,
): readonly Condition[] =>
  Object.entries(wanted).reduce((before, [type, finding]) => {
    const others = before.filter((one) => one.type !== type)
    if (finding === undefined) return others.length === before.length ? before : others
    const made = next(before, type, finding.status, finding, now, generation)
    return same(made, findCondition(before, type)) ? before : [...others, made]
  }, previous)

export const findCondition = (list: readonly Condition[] | undefined, type: string): Condition | undefined =>
  list?.find((one) => one.type === type)

/** Ready for this generation: what `kubectl wait --for=condition=Ready` asks. */
export const isReady = (object: {
  readonly metadata: { readonly generation?: number }
  readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined
}): boolean => {
  const ready = findCondition(object.status?.conditions, 'Ready')
  return ready?.status === 'True' && (ready.observedGeneration ?? 0) >= (object.metadata.generation ?? 0)
}
