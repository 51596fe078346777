/** How verbs show what they found: a table for people, JSON or YAML for programs. */

import { stringify } from 'yaml'
import type { Io } from './io.ts'
import { UsageError } from './options.ts'
import { printable } from './printable.ts'

export { writeProblem } from './printable.ts'

export const outputFlags = { output: { type: 'string', short: 'o', default: 'table' } } as const

export const outputUsage = `  -o, --output table|json|yaml  for people or for programs (default: table)
`

export type OutputForm = 'table' | 'json' | 'yaml'

export const outputForm = (text: string | undefined): OutputForm => {
  if (text === 'json' || text === 'yaml') return text
  if (text === undefined || text === 'table') return 'table'
  throw new UsageError(`--output is table, json or yaml, not "${text}"`)
}

/** Control characters that JSON and YAML let through as they are. */
const unescaped = /[\u007f-\u009f\u2028\u2029]/g

/** For programs; nothing in it drives a terminal either. */
export const writeValue = (
  { stdout }: Pick<Io, 'stdout'>,
  form: Exclude<OutputForm, 'table'>,
  value: unknown,
): void => {
  const json = `${JSON.stringify(value, null, 2)}\n`
  // Only a quoted string of YAML knows escapes.
  const quoted = json.search(unescaped) < 0 ? {} : ({ defaultStringType: 'QUOTE_DOUBLE' } as const)
  const text = form === 'json' ? json : stringify(value, { lineWidth: 0, ...quoted })
  stdout.write(text.replace(unescaped, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

export const writeLine = ({ stdout }: Pick<Io, 'stdout'>, text: string): void => {
  stdout.write(`${printable(text)}\n`)
}

/** Columns as wide as their widest cell, as kubectl prints them; the last one ends where it ends. */
export const writeTable = (
  io: Pick<Io, 'stdout'>,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void => {
  const all = [headings, ...rows].map((row) => row.map(printable))
  const widths = headings.map((_, column) => all.reduce((widest, row) => Math.max(widest, width(row[column] ?? '')), 0))
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
      .join('   ')
      .trimEnd(),
  )
  io.stdout.write(`${lines.join('\n')}\n`)
}

const width = (text: string): number => Array.from(text).length
