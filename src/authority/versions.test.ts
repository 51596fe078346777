import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distinguishedName, formatDistinguishedName, NameError, parseDistinguishedName } from '../pki/names/names.ts'
import { isNamed, nextVersionOf } from './versions.ts'

describe('a versioned name', () => {
  it.each([
    { of: 'CN=orders', next: 'CN=orders v2' },
    { of: 'CN=orders v2', next: 'CN=orders v3' },
    { of: 'CN=orders v9,O=Acme', next: 'CN=orders v10,O=Acme' },
    { of: 'CN=v2', next: 'CN=v2 v2' },
    { of: 'CN=orders v02', next: 'CN=orders v02 v2' },
    { of: 'EMAILADDRESS=a@example.com,CN=orders+OU=x', next: 'EMAILADDRESS=a@example.com,CN=orders v2+OU=x' },
  ])('of $of is $next', ({ of, next }) => {
    expect(formatDistinguishedName(nextVersionOf(parseDistinguishedName(of)))).toBe(
      formatDistinguishedName(parseDistinguishedName(next)),
    )
  })

  it('leaves every other byte of the name as it was', () => {
    const before = distinguishedName({ commonName: 'ca', organizations: ['Ünïted'], countries: ['DE'] })
    const [head, tail] = [Buffer.from(before), Buffer.from(nextVersionOf(before))]
    // SEQUENCE header of two bytes, then C and O.
    const others = head.length - 2 - 13
    expect(tail.subarray(2, 2 + others)).toEqual(head.subarray(2, 2 + others))
  })

  it.each([{ of: 'O=Acme' }, { of: `CN=${'x'.repeat(63)}` }])('cannot be had of $of', ({ of }) => {
    expect(() => nextVersionOf(parseDistinguishedName(of))).toThrow(NameError)
  })

  it('is a name of the same CA, whatever its version', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z ]{0,20}[a-z]$/), fc.integer({ min: 0, max: 12 }), (name, times) => {
        const asked = distinguishedName({ commonName: name })
        let held = asked
        for (let i = 0; i < times; i += 1) held = nextVersionOf(held)
        expect(isNamed(held, asked)).toBe(true)
        expect(isNamed(distinguishedName({ commonName: `${name}x` }), asked)).toBe(false)
      }),
    )
  })
})
