import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entityTag, isListed, isUnchanged } from './conditional.ts'

const tag = '"abc"'

describe('If-None-Match', () => {
  it.each([
    ['"abc"', true],
    ['W/"abc"', true],
    ['*', true],
    [' * ', true],
    ['"x", "abc"', true],
    ['"x",W/"abc"', true],
    ['"x" , , "abc"', true],
    ['"a,b","abc"', true],
    ['"x"', false],
    ['""', false],
    ['', false],
    ['abc', false],
    ['"ABC"', false],
    ['w/"abc"', false],
    ['*, "x"', false],
    ['"abc', false],
    ['"abc" "x"', false],
    ['x"abc"', false],
    ['"a"abc"', false],
  ])('%s → %s', (header, listed) => expect(isListed(header, tag)).toBe(listed))

  it('finds a tag in every list of tags, and never one that is not in it', () => {
    const opaque = fc.stringMatching(/^[!#-~]{0,12}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(opaque, fc.boolean())), opaque, (items, wanted) => {
        const header = items.map(([text, weak]) => `${weak ? 'W/' : ''}"${text}"`).join(', ')
        expect(isListed(header, `"${wanted}"`)).toBe(items.some(([text]) => text === wanted))
      }),
    )
  })

  it('takes a long header of nothing but commas and quotes in no time', () => {
    for (const header of [','.repeat(100_000), '"'.repeat(99_999), `${' '.repeat(100_000)}x`, 'W/'.repeat(50_000)])
      expect(isListed(header, tag)).toBe(false)
  })
})

describe('If-Modified-Since', () => {
  const changed = Date.UTC(2026, 5, 1, 12, 0, 0, 700)
  it.each([
    ['Mon, 01 Jun 2026 12:00:00 GMT', true],
    ['Tue, 02 Jun 2026 12:00:00 GMT', true],
    ['Mon, 01 Jun 2026 11:59:59 GMT', false],
    ['2026-06-02', false],
    ['Mon, 99 Jun 2026 12:00:00 GMT', false],
    ['', false],
  ])('%s → %s', (since, unchanged) => expect(isUnchanged({ 'if-modified-since': since }, tag, changed)).toBe(unchanged))

  it('counts only where there is no If-None-Match, and where the date of the change is known', () => {
    const later = 'Tue, 02 Jun 2026 12:00:00 GMT'
    expect(isUnchanged({ 'if-modified-since': later, 'if-none-match': '"x"' }, tag, changed)).toBe(false)
    expect(isUnchanged({ 'if-modified-since': later }, tag, undefined)).toBe(false)
    expect(isUnchanged({}, tag, changed)).toBe(false)
  })
})

it('entity tags are equal exactly for the same bytes, whatever holds them', () => {
  expect(entityTag('ä')).toBe(entityTag(Buffer.from('ä')))
  expect(entityTag('a')).not.toBe(entityTag('b'))
  expect(entityTag('a')).toMatch(/^"[\w-]{43}"$/)
})
