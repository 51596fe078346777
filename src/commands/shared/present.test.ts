import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Io } from './io.ts'
import { outputForm, writeJson, writeTable } from './present.ts'

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
  it('is JSON that parses', () => {
    expect(JSON.parse(shown((io) => writeJson(io, { items: [{ a: '\u001b' }] })))).toEqual({ items: [{ a: '\u001b' }] })
  })
  it.each(['yaml', '', 'JSON'])('is not %j', (text) => {
    expect(() => outputForm(text)).toThrow('--output is table or json')
  })
})
