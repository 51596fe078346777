import { describe, expect, it } from 'vitest'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import type { Issued } from './issue.ts'
import { Undelivered } from './undelivered.ts'

const day = 24 * 3600 * 1000
const certificate = (metadata: object = {}) =>
  ({ metadata: { namespace: 'data', name: 'db', uid: 'u', generation: 2, ...metadata } }) as DatabaseCertificate
const issued = { certificate: { notBefore: 0, notAfter: 90 * day }, privateKey: new Uint8Array() } as unknown as Issued
const wanted = { renewal: { renewBefore: 30 * day } }

describe('a certificate that did not reach its Secret', () => {
  const kept = new Undelivered()
  kept.keep(certificate(), 'ca', wanted, issued)

  it('is delivered at the next look', () => {
    expect(kept.find(certificate(), 'ca', wanted, day)).toBe(issued)
  })

  it.each([
    { what: 'the spec has changed', of: certificate({ generation: 3 }), by: 'ca', now: day },
    { what: 'the object was made anew', of: certificate({ uid: 'v' }), by: 'ca', now: day },
    { what: 'it is for another object', of: certificate({ name: 'other' }), by: 'ca', now: day },
    { what: 'the CA has another certificate', of: certificate(), by: 'renewed', now: day },
    { what: 'it is due for renewal itself', of: certificate(), by: 'ca', now: 61 * day },
  ])('is not delivered when $what', ({ of, by, now }) => {
    expect(kept.find(of, by, wanted, now)).toBeUndefined()
  })

  it('is not delivered when the request has changed, which the spec only points to', () => {
    const request = (pem: string) => ({ ...wanted, request: { spki: new Uint8Array(), pem } })
    const other = new Undelivered()
    other.keep(certificate(), 'ca', request('a'), issued)
    expect(other.find(certificate(), 'ca', request('a'), day)).toBe(issued)
    expect(other.find(certificate(), 'ca', request('b'), day)).toBeUndefined()
  })

  it('is forgotten once it was delivered', () => {
    const other = new Undelivered()
    other.keep(certificate(), 'ca', wanted, issued)
    other.forget('data/db')
    expect(other.find(certificate(), 'ca', wanted, day)).toBeUndefined()
  })
})
