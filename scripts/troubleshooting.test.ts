/** docs/troubleshooting.md has every reason that a condition or event can carry, once, and no other. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { reasons } from '../src/resources/reasons.ts'

const page = readFileSync(new URL('../docs/troubleshooting.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([A-Za-z]+)` +\| (.*?) +\|$/gm)].map(([, reason = '', text = '']) => ({
  reason,
  text,
}))

it('has a row for every reason: add one where it belongs', () => {
  expect(rows.map(({ reason }) => reason).toSorted()).toEqual(Object.keys(reasons).toSorted())
})

it('says more than the reference does', () => {
  const said: Readonly<Record<string, string>> = reasons
  expect(rows.filter(({ reason, text }) => text === said[reason])).toEqual([])
})
