/** How verbs show what they found: a table for people, JSON for programs. */

import type { Io } from './io.ts'
import { UsageError } from './options.ts'

export const outputFlags = { output: { type: 'string', short: 'o', default: 'table' } } as const

export const outputUsage = `  -o, --output table|json   for people or for programs (default: table)
`

export type OutputForm = 'table' | 'json'

export const outputForm = (text: string | undefined): OutputForm => {
  if (text === 'json') return text
  if (text === undefined || text === 'table') return 'table'
  throw new UsageError(`--output is table or json, not "${text}"`)
}

export const writeJson = ({ stdout }: Pick<Io, 'stdout'>, value: unknown): void => {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Names and messages come from manifests and certificates; a control character among them must not drive the terminal. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
export const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')

export const writeLine = ({ stdout }: Pick<Io, 'stdout'>, text: string): void => {
  stdout.write(`${printable(text)}\n`)
}

/** A sentence about what keeps a verb from being done: one line on stderr. */
export const writeProblem = ({ stderr }: Pick<Io, 'stderr'>, text: string): void => {
  stderr.write(`${printable(text)}\n`)
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
