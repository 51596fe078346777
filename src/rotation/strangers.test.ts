/** Anybody may name a CA in an object of his own; only who was let in by its owner has a say in its rotation. */

import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { aloneWith } from './alone.ts'
import { behindOf } from './consumers.ts'
import { familyOf, rotatingRelative } from './family.ts'
import { beginsAt } from './observe.ts'
import { observeBundle } from './observe-bundle.ts'
import { serversOf } from './servers.ts'

const object = (fields: object): KubeObject => fields as KubeObject
const authorityRef = { name: 'ca', namespace: 'data' }

const ca = (spec: object = {}): CertificateAuthority =>
  ({
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority' },
    metadata: { name: 'ca', namespace: 'data', uid: 'ca-uid' },
    spec: { source: { selfSigned: {} }, ...spec },
    status: { trustBundleHash: 'T', rotation: { phase: 'TrustBoth' } },
  }) as unknown as CertificateAuthority

const open = { allowedNamespaces: { from: 'All' }, maxPathLength: 1 }
const day = 86_400_000

const world = (spec: object = {}) => {
  const authority = ca(spec)
  const { context, stores } = stubContext({})
  stores.authorities.set('data/ca', authority)
  return { authority, stores, caches: context.caches }
}

const below = (status: object) =>
  object({
    kind: 'CertificateAuthority',
    metadata: { name: 'ca', namespace: 'away', uid: 'away-uid' },
    spec: { source: { intermediate: { authorityRef } } },
    status,
  })

describe.each([
  ['was not let in', {}, 0],
  ['was let in', open, 1],
] as const)('a namespace that %s', (_, spec, counts) => {
  it('and its servers', () => {
    const { authority, stores, caches } = world(spec)
    stores.profiles.set(
      'away/orders',
      object({
        metadata: { name: 'orders', namespace: 'away' },
        spec: { engine: 'MySQL', authorityRef, probe: { endpoints: ['nowhere:3306'] } },
      }),
    )
    const { unproved } = serversOf(caches, familyOf(caches, authority), { to: 'to', asksServers: true })
    expect(unproved).toHaveLength(counts)
  })

  it('and its CA, which was below another one before', () => {
    const { authority, stores, caches } = world(spec)
    stores.authorities.set('away/ca', below({ trustBundleHash: 'another', rotation: { phase: 'TrustBoth' } }))
    expect(rotatingRelative(caches, authority)).toBe(counts === 0 ? undefined : 'away/ca')
    const consuming = { caches, namespaces: undefined, asksServers: true }
    expect(behindOf(consuming, familyOf(caches, authority))).toHaveLength(counts)
  })

  it('and a certificate that another CA has signed before', () => {
    const { authority, stores, caches } = world(spec)
    const status = { serialNumber: '01', trustBundleHash: 'another', authorityFingerprint: 'another' }
    stores.certificates.set(
      'away/moved',
      object({
        ...{ kind: 'DatabaseCertificate', metadata: { name: 'moved', namespace: 'away' } },
        ...{ spec: { authorityRef }, status },
      }),
    )
    const consuming = { caches, namespaces: undefined, asksServers: true }
    expect(behindOf(consuming, familyOf(caches, authority))).toHaveLength(counts)
  })

  it('and a Secret that holds one CA alone', () => {
    const { authority, stores, caches } = world(spec)
    const secret = { name: 'lonely', items: [{ key: 'ca.crt', content: 'AuthorityCertificate' }] }
    stores.certificates.set(
      'away/lonely',
      object({ metadata: { name: 'lonely', namespace: 'away' }, spec: { authorityRef, secret } }),
    )
    expect(aloneWith(caches, authority)).toHaveLength(counts)
  })

  it('and its servers that bring their own certificates', () => {
    const { authority, stores, caches } = world({ ...spec, source: { trustOnly: {} } })
    stores.profiles.set(
      'away/orders',
      object({
        metadata: { name: 'orders', namespace: 'away' },
        spec: { engine: 'External', authorityRef, probe: { endpoints: ['nowhere:3306'] } },
      }),
    )
    const consuming = { caches, namespaces: undefined, asksServers: true }
    const seen = { stage: 'Switched', former: 'F', bundle: 'B' } as const
    expect(observeBundle(consuming, authority, seen, 0).notServing).toHaveLength(counts)
  })

  it('and how long its certificates are to last', () => {
    const { authority, stores, caches } = world(spec)
    const lifetime = { notBefore: 0, notAfter: 100 * day }
    const before = beginsAt(caches, authority, lifetime)
    stores.certificates.set(
      'away/long',
      object({ metadata: { name: 'long', namespace: 'away' }, spec: { authorityRef, duration: '87600h' } }),
    )
    expect(beginsAt(caches, authority, lifetime) < before).toBe(counts === 1)
  })
})

describe('a namespace that was let in once', () => {
  it.each([
    ['Valid', 1],
    ['Superseded', 1],
    ['Revoked', 0],
    ['Expired', 0],
  ])('has what this CA has signed, and is waited for while that is %s: %i', (state, counts) => {
    const { authority, stores, caches } = world()
    stores.authorities.set('away/ca', below({ trustBundleHash: 'former' }))
    stores.ledger.set(
      'data/e',
      object({
        metadata: { name: 'e', namespace: 'data' },
        authority: 'data/ca',
        isCa: true,
        holderKey: 'away/ca',
        state,
      }),
    )
    const consuming = { caches, namespaces: undefined, asksServers: true }
    const names = behindOf(consuming, familyOf(caches, authority)).map(({ name }) => name)
    expect(names).toEqual(counts === 0 ? [] : ['CertificateAuthority away/ca'])
  })
})
