import fc from 'fast-check'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Io } from './io.ts'
import { parse } from 'yaml'
import { outputForm, writeTable, writeValue } from './present.ts'

const fromCode = (code: number): string => String.fromCharCode(code)

const shown = (work: (io: Io) => void): string => {
  const stdout = new PassThrough()
  work({ stdout } as unknown as Io)
  return String(stdout.read() ?? '')
}

describe('what verbs show', () => {
  it('is a table with columns as wide as their widest cell', () => {
    const rows = [
      ['orders', 'Ready', ''],
      ['a', 'Stalled', 'Müller needs\u001b[31m a line\nless'],
    ]
    expect(shown((io) => writeTable(io, ['NAME', 'STATE', 'MESSAGE'], rows))).toBe(
      'NAME     STATE     MESSAGE\norders   Ready\na        Stalled   Müller needs [31m a line less\n',
    )
  })
  it.each([
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parse(text)],
  ] as const)('is %s that a parser reads back, whatever is in it, and that drives no terminal', (form, read) => {
    const text = fc.string({ unit: fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.constant(0x2028)).map(fromCode) })
    fc.assert(
      fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text), fc.integer(), fc.boolean())), (value) => {
        const printed = shown((io) => writeValue(io, form, { items: [value] }))
        expect(read(printed)).toEqual({ items: [value] })
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        expect(printed).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/)
      }),
    )
  })
  it('is YAML without needless quotes', () => {
    expect(shown((io) => writeValue(io, 'yaml', { ready: true, items: [{ name: 'orders' }] }))).toBe(
      'ready: true\nitems:\n  - name: orders\n',
    )
  })
  it.each(['xml', '', 'JSON'])('is not %j', (text) => {
    expect(() => outputForm(text)).toThrow('--output is table, json or yaml')
  })
})
