/** What was measured beside what it should be, and the table of it. */

export interface Limit {
  readonly is: 'at least' | 'at most' | 'below'
  readonly value: number
  /** Where the limit comes from when it was measured in the same run. */
  readonly from?: string
}

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly measured: number
  /** Absent: told for comparison only. */
  readonly limit?: Limit
  readonly note?: string
}

export const holds = ({ measured, limit }: Figure): boolean => {
  if (limit === undefined) return true
  if (limit.is === 'at least') return measured >= limit.value
  return limit.is === 'at most' ? measured <= limit.value : measured < limit.value
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  if (low === undefined || high === undefined) throw new Error('the median of nothing')
  return (low + high) / 2
}

/** Of the mean: how far a ratio of two equals may be from 1 by chance; 0 for a single value. */
export const standardError = (values: readonly number[]): number => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length)
}

/** Three significant digits, and never an exponent. */
const digits = (value: number): string =>
  value >= 100 || value === 0 || Number.isInteger(value)
    ? String(Math.round(value))
    : String(Number(value.toPrecision(3)))

/** `123/s (121, 123, 130)`: a median, and what it is the median of. */
export const spreadOf = (values: readonly number[]): string =>
  values.length < 2 ? '' : `runs: ${values.map(digits).join(', ')}`

const limitText = ({ limit }: Figure): string => {
  if (limit === undefined) return ''
  const sign = { 'at least': '≥', 'at most': '≤', below: '<' }[limit.is]
  return `${sign} ${digits(limit.value)}${limit.from === undefined ? '' : ` (${limit.from})`}`
}

const verdict = (figure: Figure): string => {
  if (figure.limit === undefined) return ''
  return holds(figure) ? 'ok' : 'MISSED'
}

export const table = (figures: readonly Figure[]): string => {
  const rows = figures.map((figure) => [
    figure.name,
    `${digits(figure.measured)} ${figure.unit}`.trim(),
    limitText(figure),
    verdict(figure),
    figure.note ?? '',
  ])
  const all = [['figure', 'measured', 'limit', '', ''], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
