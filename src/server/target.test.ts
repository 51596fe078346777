import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { queryOf, segmentsOf } from './target.ts'

describe('segmentsOf', () => {
  it.each([
    ['/', []],
    ['/?x=/a', []],
    ['http://pki.example', []],
    ['http://pki.example/', []],
    ['HTTP://pki.example:8080/ca/data/orders.crt?x', ['ca', 'data', 'orders.crt']],
    ['/ca/data/orders', ['ca', 'data', 'orders']],
    ['/c%61/d', ['ca', 'd']],
    ['/a%2561', ['a%61']],
    ['/%C3%A4', ['ä']],
    ['/__proto__/constructor', ['__proto__', 'constructor']],
  ])('%s', (target, segments) => expect(segmentsOf(target)).toEqual(segments))

  it.each([
    '',
    '*',
    'ca/data',
    'pki.example:443',
    'ftp://pki.example/ca',
    '//',
    '/ca/',
    '/ca//data',
    '/ca/./data',
    '/ca/../data',
    '/ca/%2e%2e/data',
    '/ca/.%2E/data',
    '/ca/a%2fb',
    '/ca/a%5Cb',
    '/ca\\..\\data',
    '/a%00',
    '/a%0d%0aSet-Cookie:x',
    '/a%7f',
    '/%',
    '/%zz',
    '/%C3',
    '/%ff',
    `/${'a/'.repeat(16)}a`,
  ])('refuses %s', (target) => expect(segmentsOf(target)).toBeUndefined())

  it('never throws, and never lets a way out of the path through', () => {
    const piece = fc.constantFrom(
      '/',
      '..',
      '%2e',
      '%2f',
      '%',
      '%00',
      '\\',
      'a',
      '?',
      '#',
      'http://',
      '%c3',
      '%25',
      'ä',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((found) => found.join('')),
          fc.string(),
        ),
        (target) => {
          for (const segment of segmentsOf(target) ?? []) {
            expect(segment).not.toMatch(/^\.{0,2}$/)
            expect(segment).not.toMatch(/[/\\\p{Cc}]/u)
          }
          expect(queryOf(target)).toBeInstanceOf(URLSearchParams)
        },
      ),
    )
  })
})

it('queryOf reads the query alone', () => {
  expect(queryOf('/a?serial=0A%3A1b&x=%zz#?serial=2').get('serial')).toBe('0A:1b')
  expect(queryOf('/a#?serial=2').get('serial')).toBeNull()
})
