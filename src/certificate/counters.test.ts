import { describe, expect, it } from 'vitest'
import type { Secret } from '../resources/core.ts'
import { countsIn, countsOf } from './counters.ts'

const wanted = { counters: { 'a.example/generation': 'ca.crt' } }
const bytes = (text: string) => new Map([['ca.crt', Buffer.from(text)]])
const secret = (annotation: string | undefined): Secret =>
  ({
    metadata: { annotations: annotation === undefined ? {} : { 'a.example/generation': annotation } },
  }) as unknown as Secret
const next = (annotation: string | undefined, was: string, is: string) =>
  countsOf(wanted, countsIn(wanted, secret(annotation), bytes(was)), bytes(is))['a.example/generation']

describe('an annotation that counts', () => {
  it.each([
    { name: 'stays where nothing changed', has: '3', was: 'a', is: 'a', says: '3' },
    { name: 'grows by one with a change', has: '3', was: 'a', is: 'b', says: '4' },
    { name: 'begins with zero where somebody took it off', has: undefined, was: 'a', is: 'b', says: '0' },
    { name: 'begins with zero where it is no number', has: 'three', was: 'a', is: 'a', says: '0' },
    { name: 'is never negative', has: '-1', was: 'a', is: 'a', says: '0' },
  ])('$name', ({ has, was, is, says }) => {
    expect(next(has, was, is)).toBe(says)
  })

  it('begins with zero in a Secret that is new', () => {
    expect(countsOf(wanted, new Map(), bytes('a'))).toEqual({ 'a.example/generation': '0' })
  })

  it('grows with a key that was not there', () => {
    const before = countsIn(wanted, secret('7'), new Map())
    expect(countsOf(wanted, before, bytes('a'))).toEqual({ 'a.example/generation': '8' })
  })

  it('is none where none is asked for', () => {
    expect(countsOf({}, new Map(), bytes('a'))).toEqual({})
  })
})
