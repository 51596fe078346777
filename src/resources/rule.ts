/**
 * One rule, written once: the CEL expression the API server runs, beside the TypeScript twin that says the same where
 * there is no API server. test/conformance sends one corpus to both and compares the verdicts.
 */
import { durationPattern } from './duration.ts'

export interface Rule {
  /** CEL over `self`; with `oldSelf` in it, it is a transition rule: asked on updates only. */
  readonly rule: string
  /** Says what to do, not only what is wrong. */
  readonly message: string
  /** JSON path of the field to blame, below `self`: `.secret.items`. */
  readonly fieldPath?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  /** The twin. `self` has passed the schema; `oldSelf` is given to transition rules. */
  readonly holds: (self: unknown, oldSelf: unknown) => boolean
}

interface RuleInit<Self> extends Omit<Rule, 'holds'> {
  readonly holds: (self: Self, oldSelf: Self) => boolean
}

/** Gives the twin the type of the node it stands on; the schema has been checked before it is asked. */
export const rule = <Self>(init: RuleInit<Self>): Rule => init as unknown as Rule

export const isTransition = (candidate: Rule): boolean => /\boldSelf\b/.test(candidate.rule)

/** CEL: the string `x` is a duration. Rules guard with it, because `duration()` of anything else fails the whole write. */
export const celIsDuration = (x: string): string => `(${x} != '' && ${x}.matches(r'${durationPattern}'))`

/**
 * CEL: the duration `x` in milliseconds. `duration()` does not know `d`, so days are counted apart; text is never
 * built, because its size, and with it the cost of the rule, could not be estimated.
 */
export const celMilliseconds = (x: string): string =>
  `(${x}.endsWith('d') ? int(${x}.substring(0, size(${x}) - 1)) * 86400000 : duration(${x}).getMilliseconds())`

/** CEL: how many of the optional members are set. */
export const celCount = (...members: readonly string[]): string =>
  `[${members.map((member) => `has(${member})`).join(', ')}].filter(x, x).size()`

export const countSet = (...values: readonly unknown[]): number => values.filter((value) => value !== undefined).length
