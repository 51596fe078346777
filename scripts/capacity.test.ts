/** What docs/capacity.md reckons with is what docs/performance.md says was measured. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (page: string): string => readFileSync(new URL(`../docs/${page}`, import.meta.url), 'utf8')
const measured = read('performance.md')
const [, table = ''] = /^\| figure [^]*?\n\|[- |]+\n([^]*?)\n\n/m.exec(read('capacity.md')) ?? []
const figures = table.split('\n').flatMap((row) => {
  const [, what = '', figure = ''] = row.split('|').map((cell) => cell.trim())
  return (figure.match(/\d+(\.\d+)?/g) ?? []).map((number) => ({ what, number }))
})

it('has a table of figures', () => expect(figures.length).toBeGreaterThan(8))

it.each(figures)('$what: $number was measured', ({ number }) => {
  expect(measured).toMatch(new RegExp(`(?<![\\d.])${number.replace('.', String.raw`\.`)}(?![\\d.]*\\d)`))
})
