import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { durationMaxLength, formatDuration, isDuration, parseDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    ['90d', 7_776_000_000],
    ['2160h', 7_776_000_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['0.001h', 3600],
    ['0.007m', 420],
    ['1h0m0.25s', 3_600_250],
    ['500ms', 500],
    ['1m500ms', 60_500],
    ['0s', 0],
    ['0d', 0],
    ['99999d', 8_639_913_600_000],
    ['007d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    '',
    'd',
    '90',
    '-1h',
    '+1h',
    '1D',
    '1d1h',
    '1.5d',
    '1m1h',
    '1h1h',
    '.5h',
    '1.h',
    '1.2345h',
    '100000d',
    '1us',
    ' 1h',
    '1h\n',
    '1 h',
    '1e3s',
    '١d',
  ])('refuses %j with a sentence', (text) => {
    expect(() => parseDuration(text)).toThrow(/is not a duration: it must be whole days/)
  })

  it('does not repeat a long text in its error', () => {
    expect(() => parseDuration('1'.repeat(10_000))).toThrow(/^"1{48}" is not/)
  })

  it('reads what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 * 3_600_000 }), (ms) => {
        const text = formatDuration(ms)
        expect(text.length).toBeLessThanOrEqual(durationMaxLength)
        expect(parseDuration(text)).toBe(ms)
      }),
    )
  })

  it('adds up its parts, whatever they are', () => {
    const thousandths = fc.integer({ min: 0, max: 999_999_999 })
    fc.assert(
      fc.property(thousandths, thousandths, (h, s) => {
        const decimal = (n: number) => `${Math.floor(n / 1000)}.${String(n % 1000).padStart(3, '0')}`
        expect(parseDuration(`${decimal(h)}h${decimal(s)}s`)).toBe(h * 3600 + s)
      }),
    )
  })

  it('never throws anything but a RangeError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('0', '9', '.', 'd', 'h', 'm', 's') }), (text) => {
        if (isDuration(text)) expect(parseDuration(text)).toBeGreaterThanOrEqual(0)
        else expect(() => parseDuration(text)).toThrow(RangeError)
      }),
    )
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [86_400_000, '1d'],
    [90_000_000, '25h'],
    [5_400_000, '1h30m'],
    [60_500, '1m500ms'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (ms) => {
    expect(() => formatDuration(ms)).toThrow(RangeError)
  })
})
