/**
 * Annotations that count how often a key of the Secret has changed: some operators act on a change only when a number has
 * grown. Pure.
 */
import type { Secret } from '../resources/core.ts'
import type { WantedSecret } from './wanted.ts'

export interface Count {
  /** Undefined where the annotation is missing or no number. */
  readonly value: number | undefined
  readonly bytes: Uint8Array | undefined
}

type Counters = Pick<WantedSecret, 'counters'>

/** As the Secret has them. */
export const countsIn = (
  { counters = {} }: Counters,
  { metadata }: Secret,
  data: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Count> =>
  new Map(
    Object.entries(counters).map(([annotation, key]) => {
      const text = metadata.annotations?.[annotation] ?? ''
      return [annotation, { value: /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined, bytes: data.get(key) }]
    }),
  )

/** As they are to be: one more where the bytes are others than those counted last, from zero on; never less than before. */
export const countsOf = (
  { counters = {} }: Counters,
  before: ReadonlyMap<string, Count>,
  data: ReadonlyMap<string, Uint8Array>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(counters).map(([annotation, key]) => {
      const { value, bytes } = before.get(annotation) ?? {}
      const changed = value !== undefined && !same(bytes, data.get(key))
      return [annotation, String((value ?? 0) + (changed ? 1 : 0))]
    }),
  )

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : Buffer.from(a).equals(b)
