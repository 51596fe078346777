/** Label and field selectors, as list and watch take them. */
import type { Json, JsonRecord } from './json.ts'
import { isRecord, member, textOf } from './json.ts'
import { badRequest } from './answers.ts'

export type Predicate = (object: JsonRecord) => boolean

const key = String.raw`[A-Za-z0-9][-A-Za-z0-9_./]*`
const setForm = new RegExp(String.raw`^(${key})\s+(in|notin)\s+\(([^()]*)\)$`)
const equalForm = new RegExp(String.raw`^(${key})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)$`)
const existsForm = new RegExp(String.raw`^(!?)\s*(${key})$`)

/** Splits at commas that stand outside parentheses. */
const terms = (selector: string): string[] => {
  const out: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i <= selector.length; i += 1) {
    const char = selector[i]
    if (char === '(') depth += 1
    if (char === ')') depth -= 1
    if (char !== undefined && !(char === ',' && depth === 0)) continue
    const term = selector.slice(start, i).trim()
    if (term !== '') out.push(term)
    start = i + 1
  }
  return out
}

const labelTerm = (term: string): ((labels: JsonRecord) => boolean) => {
  const set = setForm.exec(term)
  if (set) {
    const [, name = '', operator, list = ''] = set
    const values = list.split(',').map((value) => value.trim())
    return (labels) => {
      const value = member(labels, name)
      const listed = value !== undefined && values.includes(textOf(value))
      return operator === 'in' ? listed : !listed
    }
  }
  const equal = equalForm.exec(term)
  if (equal) {
    const [, name = '', operator, wanted = ''] = equal
    return (labels) => (member(labels, name) === wanted) !== (operator === '!=')
  }
  const exists = existsForm.exec(term)
  if (exists) {
    const [, not, name = ''] = exists
    return (labels) => (member(labels, name) !== undefined) !== (not === '!')
  }
  throw badRequest(`unable to parse requirement of the label selector: "${term}"`)
}

/** @throws ApiError 400 for a selector that cannot be parsed. */
export const labelPredicate = (selector: string | undefined): Predicate => {
  const tests = terms(selector ?? '').map(labelTerm)
  return (object) => {
    const metadata = member(object, 'metadata')
    const labels = isRecord(metadata) ? member(metadata, 'labels') : undefined
    const present = isRecord(labels) ? labels : {}
    return tests.every((test) => test(present))
  }
}

const valueAt = (object: JsonRecord, path: readonly string[]): Json | undefined => {
  let value: Json | undefined = object
  for (const step of path) value = isRecord(value) ? member(value, step) : undefined
  return value
}

/** @throws ApiError 400 for a field the kind does not offer. */
export const fieldPredicate = (selector: string | undefined, selectable: readonly string[]): Predicate => {
  const allowed = ['metadata.name', 'metadata.namespace', ...selectable]
  const tests = terms(selector ?? '').map((term) => {
    const [, field, operator, wanted] = /^([^=!]+)(==|=|!=)(.*)$/.exec(term) ?? []
    if (field === undefined || wanted === undefined) throw badRequest(`invalid field selector: "${term}"`)
    if (!allowed.includes(field)) throw badRequest(`field label not supported: ${field}`)
    const path = field.split('.')
    return (object: JsonRecord) => {
      const value = valueAt(object, path)
      const text = value === undefined || typeof value === 'object' ? '' : textOf(value)
      return (text === wanted) !== (operator === '!=')
    }
  })
  return (object) => tests.every((test) => test(object))
}
