import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { certificateAuthoritySpec } from '../resources/certificate-authority.ts'
import { resolve, type Scope } from './wanted.ts'

const pem = { key: 'ca.crt', content: 'TrustBundle' }
const target = (more: object = {}) => ({ kind: 'ConfigMap', name: 'trust', items: [pem], ...more })
const facts = {
  observedGeneration: 1,
  trustBundleHash: 'roots',
  certificate: { fingerprint: 'leaf' },
  crl: { number: 7, thisUpdate: '2026-11-21T00:00:00Z' },
}
const authority = (targets: readonly object[], more: object = {}, status: object = facts): CertificateAuthority => {
  const object: unknown = {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'data' },
    spec: certificateAuthoritySpec.parse({
      source: { selfSigned: {} },
      subject: { commonName: 'x' },
      trustBundle: { targets },
      ...more,
    }),
    status,
  }
  return object as CertificateAuthority
}

const space = (labels: Record<string, string> = {}, terminating = false) => ({ labels, terminating })
const whole: Scope = {
  seen: new Map([
    ['data', space()],
    ['gold', space({ tier: 'gold' })],
    ['tin', space({ tier: 'tin' })],
    ['ending', space({ tier: 'gold' }, true)],
  ]),
  served: undefined,
}
const listed: Scope = { seen: undefined, served: ['data', 'orders'] }
const placesOf = (scope: Scope, namespaces: object): string[] => [
  ...resolve(authority([target({ namespaces })]), scope).placements.keys(),
]
const hashOf = (items: readonly object[], more: object = {}, status: object = facts): string | undefined =>
  [...resolve(authority([target({ items })], more, status), whole).placements.values()][0]?.target.hash

describe('the namespaces of a target', () => {
  it.each([
    { where: 'whole', scope: whole, namespaces: { from: 'Same' }, expected: ['data'] },
    { where: 'whole', scope: whole, namespaces: { from: 'All' }, expected: ['data', 'gold', 'tin'] },
    { where: 'whole', scope: whole, namespaces: { from: 'Names', names: ['tin', 'ending'] }, expected: ['tin'] },
    {
      where: 'whole',
      scope: whole,
      namespaces: { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } },
      expected: ['gold'],
    },
    { where: 'whole', scope: whole, namespaces: { from: 'Selector', selector: {} }, expected: ['data', 'gold', 'tin'] },
    { where: 'listed', scope: listed, namespaces: { from: 'Same' }, expected: ['data'] },
    { where: 'listed', scope: listed, namespaces: { from: 'All' }, expected: ['data', 'orders'] },
    { where: 'listed', scope: listed, namespaces: { from: 'Names', names: ['orders', 'x'] }, expected: ['orders'] },
    {
      where: 'listed',
      scope: listed,
      namespaces: { from: 'Selector', selector: { matchLabels: { a: 'b' } } },
      expected: [],
    },
  ])('are $expected for $namespaces ($where)', ({ scope, namespaces, expected }) => {
    expect(placesOf(scope, namespaces)).toEqual(expected.map((name) => `ConfigMap ${name}/trust`))
  })

  it('are explained where they cannot be seen, and what stands in them is not given up', () => {
    const namespaces = { from: 'Selector', selector: { matchLabels: { a: 'b' } } }
    const wanted = resolve(authority([target({ namespaces })]), listed)
    expect(wanted.problems[0]).toMatch(/^spec\.trustBundle\.targets\[0\]\.namespaces: .*from: Names/)
    expect([...wanted.unresolved]).toEqual(['ConfigMap/trust'])
  })

  it('are explained where they are not served', () => {
    const wanted = resolve(authority([target({ namespaces: { from: 'Names', names: ['x'] } })]), listed)
    expect(wanted.problems).toEqual(['spec.trustBundle.targets[0].namespaces: this operator does not serve "x".'])
  })

  it('are wanted although they are not there yet', () => {
    expect(placesOf(whole, { from: 'Names', names: ['later'] })).toEqual(['ConfigMap later/trust'])
  })
})

describe('two targets', () => {
  it('of one name are told from each other by kind', () => {
    const wanted = resolve(authority([target(), target({ kind: 'Secret' })]), whole)
    expect([...wanted.placements.keys()]).toEqual(['ConfigMap data/trust', 'Secret data/trust'])
    expect(wanted.problems).toEqual([])
  })

  it('for one object: the first one has it, and it is said once', () => {
    const second = target({ items: [{ key: 'x', content: 'TrustBundle' }], namespaces: { from: 'All' } })
    const { placements, problems } = resolve(authority([target({ namespaces: { from: 'All' } }), second]), whole)
    expect([...placements.values()].map(({ target: { field } }) => field)).toEqual(
      Array<string>(3).fill('spec.trustBundle.targets[0]'),
    )
    expect(problems).toEqual([
      'spec.trustBundle.targets[1]: ConfigMap "trust" is written by spec.trustBundle.targets[0] already.',
    ])
  })
})

describe('the hash of a target', () => {
  const crl = { key: 'ca.crl', content: 'RevocationList' }
  const signer = { key: 'signer', content: 'AuthorityCertificate' }
  const p12 = { key: 'a.p12', content: 'PKCS12Truststore' }

  it('does not depend on the order of items', () => {
    expect(hashOf([pem, signer])).toBe(hashOf([signer, pem]))
  })

  it.each([
    { what: 'the roots', items: [pem], status: { ...facts, trustBundleHash: 'others' } },
    { what: 'the signer', items: [signer], status: { ...facts, certificate: { fingerprint: 'other' } } },
    {
      what: 'the revocation list',
      items: [crl],
      status: { ...facts, crl: { number: 8, thisUpdate: '2026-11-22T00:00:00Z' } },
    },
  ])('changes with $what', ({ items, status }) => {
    const more = { crl: {} }
    expect(hashOf(items, more, status)).toBeTypeOf('string')
    expect(hashOf(items, more, status)).not.toBe(hashOf(items, more))
    expect(hashOf([p12], more, { ...status, trustBundleHash: facts.trustBundleHash })).toBe(hashOf([p12], more))
  })

  it.each([
    { what: 'key', other: { ...p12, key: 'b.p12' } },
    { what: 'content', other: { key: 'a.p12', content: 'JKSTruststore' } },
    { what: 'alias', other: { ...p12, alias: 'root' } },
    { what: 'profile', other: { ...p12, pkcs12Profile: 'LegacyDES' } },
  ])('changes with the $what of an item', ({ other }) => {
    expect(hashOf([other])).not.toBe(hashOf([p12]))
  })

  it('is that of the defaults where they are written out', () => {
    expect(hashOf([{ ...p12, alias: 'ca', pkcs12Profile: 'Modern2023' }])).toBe(hashOf([p12]))
  })

  it.each([
    { what: 'roots', items: [pem], status: {} },
    { what: 'a certificate', items: [signer], status: { trustBundleHash: 'roots' } },
    { what: 'a list', items: [crl], status: { trustBundleHash: 'roots' } },
  ])('is none before the authority has $what', ({ items, status }) => {
    expect(hashOf(items, { crl: {} }, status)).toBeUndefined()
  })

  it.each([
    { what: 'a list where none is made', items: [crl], more: {}, says: 'RevocationList needs spec.crl' },
    { what: 'a list that is switched off', items: [crl], more: { crl: { enabled: false } }, says: 'needs spec.crl' },
    {
      what: 'a signer of an authority that signs nothing',
      items: [signer],
      more: { source: { trustOnly: { inline: 'x' } } },
      says: 'signs nothing; use TrustBundle',
    },
    { what: 'a key twice', items: [pem, { ...pem }], more: {}, says: 'is the key of items[0] already' },
  ])('is none for $what, and it says so', ({ items, more, says }) => {
    const { placements, problems } = resolve(authority([target({ items })], more), whole)
    expect([...placements.values()].map(({ target: { hash } }) => hash)).toEqual([undefined])
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^spec\.trustBundle\.targets\[0\]\.items/)
    expect(problems[0]).toContain(says)
  })
})
