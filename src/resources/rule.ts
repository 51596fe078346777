/**
 * One rule, written once: the CEL expression the API server runs, beside the TypeScript twin that says the same where
 * there is no API server. test/conformance sends one corpus to both and compares the verdicts.
 */
import { durationPattern } from './duration.ts'

export interface Rule {
  /** CEL over `self`; with `oldSelf` in it, it is a transition rule: asked on updates only. Absent: CEL cannot say it. */
  readonly rule?: string
  /** Says what to do, not only what is wrong. */
  readonly message: string
  /** JSON path of the field to blame, below `self`: `.secret.items`. */
  readonly fieldPath?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  /** The twin. `self` has passed the schema; `oldSelf` is given to transition rules. */
  readonly holds: (self: unknown, oldSelf: unknown) => boolean
  /** What is wrong with this very value; follows the message where the twin is asked. */
  readonly detail?: (self: unknown) => string
}

interface RuleInit<Self> extends Omit<Rule, 'holds' | 'detail'> {
  readonly rule: string
  readonly holds: (self: Self, oldSelf: Self) => boolean
}

/** Gives the twin the type of the node it stands on; the schema has been checked before it is asked. */
export const rule = <Self>(init: RuleInit<Self>): Rule => init as unknown as Rule

interface TwinInit<Self> extends Omit<Rule, 'rule' | 'holds' | 'detail'> {
  readonly holds: (self: Self) => boolean
  readonly detail: (self: Self) => string
}

/** A rule that only the twin can ask: the API server lets the value pass, and the operator has to find it. */
export const twinOnly = <Self>(init: TwinInit<Self>): Rule => init as unknown as Rule

export const isTransition = (candidate: Rule): boolean => /\boldSelf\b/.test(candidate.rule ?? '')

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
