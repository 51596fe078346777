import { describe, expect, it } from 'vitest'
import { distinguishedName, formatDistinguishedName } from '../pki/names/names.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { knownAuthority, matchingSubject, permittedNames } from './known.ts'

const authorityOf = (spec: object, status?: object) =>
  ({ metadata: { name: 'ca', namespace: 'data' }, spec, status }) as unknown as CertificateAuthority

describe('what is known of a CA', () => {
  it.each([
    [{ selfSigned: {} }, true],
    [{ intermediate: { authorityRef: { name: 'root' } } }, false],
    [{ secret: { name: 'brought' } }, undefined],
  ])('%o signs itself: %s', (source, selfSigned) => {
    expect(knownAuthority(authorityOf({ source })).selfSigned).toBe(selfSigned)
  })

  it('is its name once it has a certificate', () => {
    expect(knownAuthority(authorityOf({ source: {} })).subject).toBeUndefined()
    const { subject = new Uint8Array() } = knownAuthority(
      authorityOf({ source: {} }, { certificate: { subject: String.raw`CN=CA,O=Acme\, Inc.` } }),
    )
    expect(formatDistinguishedName(subject)).toBe(String.raw`CN=CA,O=Acme\, Inc.`)
    expect(knownAuthority(authorityOf({ source: {} }, { certificate: { subject: 'what' } })).subject).toBeUndefined()
  })

  it('is what its policy wants to match', () => {
    const known = {
      subject: distinguishedName({ commonName: 'CA', organizations: ['Acme'], countries: ['DE'] }),
      policy: { subject: { organizations: 'Match', countries: 'Optional', localities: 'Match' } as const },
    }
    expect(matchingSubject(known)).toEqual({ organizations: ['Acme'] })
    expect(matchingSubject({ policy: known.policy })).toEqual({})
  })

  it('is which names it allows', () => {
    const names = { dnsNames: ['a.x', '*.a.x', 'b'], ipAddresses: ['10.0.0.1', '::1'] }
    const policy = { allowedDNSNames: ['*.x', '*.a.x'], allowedIPRanges: ['10.0.0.0/8'], allowWildcards: false }
    expect(permittedNames(names, { policy }, new Set(['b']))).toEqual({
      names: { dnsNames: ['a.x', 'b'], ipAddresses: ['10.0.0.1'] },
      leftOut: ['*.a.x', '::1'],
    })
    expect(permittedNames(names, {}, new Set()).names).toBe(names)
  })
})
