import { describe, expect, it } from 'vitest'
import type { Context } from '../control/context.ts'
import { entryOf } from '../ledger/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { Observed } from './observed.ts'
import type { Bundle } from './outputs.ts'
import { Undelivered } from './undelivered.ts'
import type { Wanted } from './wanted.ts'

const day = 24 * 3_600_000
const authority = (metadata: object = {}) =>
  ({
    metadata: { namespace: 'data', name: 'ca', uid: 'u', generation: 2, ...metadata },
    spec: { source: { selfSigned: {} } },
  }) as CertificateAuthority
const bundle = { certificate: { serialNumber: '0A', notBefore: 0, notAfter: 90 * day } } as Bundle
const wanted = { renewal: { renewBefore: 30 * day } } as Wanted
const seen = (fingerprint = 'a', change: object = {}, stored?: string) =>
  ({
    parent: { state: 'usable', material: { certificate: { fingerprint }, trustHash: 't' }, published: {}, ...change },
    secret:
      stored === undefined
        ? { state: 'absent' }
        : { state: 'present', stored: { certificate: { fingerprint: stored } } },
  }) as unknown as Observed

/** At a time, with this entry of the certificate in the ledger. */
const at = (now: number, state: 'Valid' | 'Revoked' = 'Valid') => {
  const find = (key: string) => (key === 'data/ca-0a' ? entryOf('0A', { state }) : undefined)
  return { clock: { now: () => now }, caches: { ledger: { store: { get: find } } } } as unknown as Context
}

describe('the certificate of a CA that did not reach its Secret', () => {
  const kept = new Undelivered()
  kept.keep(authority(), seen(), bundle)

  it('is delivered at the next attempt', () => {
    expect(kept.find(at(day), authority(), seen(), wanted)).toBe(bundle)
  })

  it.each([
    { what: 'the spec has changed', of: authority({ generation: 3 }), now: day },
    { what: 'the object was made anew', of: authority({ uid: 'v' }), now: day },
    { what: 'it is for another object', of: authority({ name: 'other' }), now: day },
    { what: 'the CA above has another certificate', about: seen('b'), now: day },
    { what: 'the CA above has another policy', about: seen('a', { policy: { allowWildcards: false } }), now: day },
    {
      what: 'the CA above is published elsewhere',
      about: seen('a', { published: { base: 'x', lists: false } }),
      now: day,
    },
    { what: 'the CA above cannot sign', about: seen('a', { state: 'notReady' }), now: day },
    { what: 'a Secret has come', about: seen('a', {}, 'other'), now: day },
    { what: 'it is due for renewal itself', now: 61 * day },
  ])('is not delivered when $what', ({ of = authority(), about = seen(), now }) => {
    expect(kept.find(at(now), of, about, wanted)).toBeUndefined()
  })

  it('is not delivered when it was revoked meanwhile', () => {
    expect(kept.find(at(day, 'Revoked'), authority(), seen(), wanted)).toBeUndefined()
  })

  it('is forgotten once it was delivered', () => {
    const other = new Undelivered()
    other.keep(authority(), seen(), bundle)
    other.forget('data/ca')
    expect(other.find(at(day), authority(), seen(), wanted)).toBeUndefined()
  })
})
