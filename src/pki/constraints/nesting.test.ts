import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { constraintViolations } from './check.ts'
import { nestingProblems } from './nesting.ts'
import { closeOpenTypes, nameConstraints } from './name-constraints.ts'
import { emptyName } from '../names/names.ts'
import type { NameConstraints } from '../plan.ts'

const permitted = (fields: object): NameConstraints => nameConstraints({ permitted: fields }) as NameConstraints
const excluded = (fields: object): NameConstraints => nameConstraints({ excluded: fields }) as NameConstraints

describe('name constraints below others', () => {
  test.each([
    ['the same domain', { dnsDomains: ['svc'] }, { dnsDomains: ['svc'] }],
    ['a domain below', { dnsDomains: ['svc'] }, { dnsDomains: ['data.svc'] }],
    ['one of several', { dnsDomains: ['a.b', 'svc'] }, { dnsDomains: ['data.svc'] }],
    ['a range within', { ipRanges: ['10.0.0.0/8'] }, { ipRanges: ['10.1.0.0/16', '10.1.2.3/32'] }],
    ['a range of IPv6 within', { ipRanges: ['fd00::/8'] }, { ipRanges: ['fd12::/16'] }],
    ['a mailbox of a host', { emailAddresses: ['a.example'] }, { emailAddresses: ['dba@a.example'] }],
    ['a host of a domain', { emailAddresses: ['.example'] }, { emailAddresses: ['a.example', '.b.example'] }],
    ['a host of URIs', { uriDomains: ['.example'] }, { uriDomains: ['a.example', '.b.example'] }],
  ])('may permit %s', (_, above, own) => expect(nestingProblems(permitted(own), [permitted(above)])).toEqual([]))

  test.each([
    ['another domain', { dnsDomains: ['svc'] }, { dnsDomains: ['example.com'] }],
    ['the domain above', { dnsDomains: ['data.svc'] }, { dnsDomains: ['svc'] }],
    ['a domain that ends alike', { dnsDomains: ['data.svc'] }, { dnsDomains: ['mydata.svc'] }],
    ['a wider range', { ipRanges: ['10.1.0.0/16'] }, { ipRanges: ['10.0.0.0/8'] }],
    ['a range beside', { ipRanges: ['10.0.0.0/8'] }, { ipRanges: ['11.0.0.0/16'] }],
    ['a range of the other family', { ipRanges: ['10.0.0.0/8'] }, { ipRanges: ['fd00::/16'] }],
    ['a whole host', { emailAddresses: ['dba@a.example'] }, { emailAddresses: ['a.example'] }],
    ['a host below a host', { uriDomains: ['example'] }, { uriDomains: ['a.example'] }],
  ])('may not permit %s', (_, above, own) =>
    expect(nestingProblems(permitted(own), [permitted(above)])).toEqual([
      expect.stringContaining('is not within what the authority above permits'),
    ]),
  )

  test.each([
    ['addresses', { ipRanges: ['0.0.0.0/0'] }],
    ['URIs', { uriDomains: ['.com'] }],
    ['mailboxes', { emailAddresses: ['bank.example'] }],
  ])('may not permit %s where the authority above is permitted DNS names alone', (_, own) => {
    expect(nestingProblems(permitted(own), [permitted({ dnsDomains: ['svc'] })])).toEqual([
      expect.stringContaining('is of a type of which the authority above permits nothing'),
    ])
    expect(nestingProblems(permitted(own), [excluded({ dnsDomains: ['svc'] })])).toEqual([])
  })

  test('are told of the first eight of those that are permitted above', () => {
    const above = permitted({ dnsDomains: Array.from({ length: 20 }, (_, at) => `d${at}.svc`) })
    const [problem] = nestingProblems(permitted({ dnsDomains: ['example.com'] }), [above])
    expect(problem).toContain(': d0.svc, d1.svc, d2.svc, d3.svc, d4.svc, d5.svc, d6.svc, d7.svc.')
  })

  test('may not permit what is excluded above, by any of them', () => {
    const above = [permitted({ dnsDomains: ['svc'] }), excluded({ dnsDomains: ['data.svc'] })]
    expect(nestingProblems(permitted({ dnsDomains: ['orders.data.svc'] }), above)).toHaveLength(1)
    expect(nestingProblems(permitted({ dnsDomains: ['web.svc'] }), above)).toEqual([])
  })

  test('may exclude whatever they like', () => {
    expect(nestingProblems(excluded({ dnsDomains: ['example.com'] }), [permitted({ dnsDomains: ['svc'] })])).toEqual([])
  })

  test('are within others that were closed in the same way', () => {
    const above = closeOpenTypes(permitted({ dnsDomains: ['svc'] }))
    expect(nestingProblems(closeOpenTypes(permitted({ dnsDomains: ['data.svc'] })), [above])).toEqual([])
    expect(nestingProblems(closeOpenTypes(permitted({ ipRanges: ['10.0.0.0/8'] })), [above])).toHaveLength(1)
  })

  test('permit no name that the check of names would refuse above', () => {
    const label = fc.constantFrom('a', 'b', 'ab')
    const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
    fc.assert(
      fc.property(domain, domain, domain, (outer, inner, host) => {
        const [above, own] = [permitted({ dnsDomains: [outer] }), permitted({ dnsDomains: [inner] })]
        const judged = { subject: emptyName, names: [{ type: 'DNS' as const, value: host }] }
        if (nestingProblems(own, [above]).length > 0 || constraintViolations([own], judged).length > 0) return
        expect(constraintViolations([above], judged)).toEqual([])
      }),
    )
  })
})
