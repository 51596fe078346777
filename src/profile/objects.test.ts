import { describe, expect, it } from 'vitest'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { admit } from '../resources/validate.ts'
import { belongs, byProfile } from './names.ts'
import { besides, certificateObject, configMapsOf, isApplied } from './objects.ts'
import { exampleOf, engines, expanded, profileOf } from './profile.fixture.ts'

const uid = '3b5d2a60-0000-4000-8000-000000000001'
const profile = profileOf({ ...exampleOf('MySQL') }, { uid })
const [server] = expanded(exampleOf('MySQL')).certificates
if (server === undefined) throw new Error('no server')
const wanted = certificateObject(profile, server)
/** As the API server answers it: with every default. */
const answered = (object: DatabaseCertificate): DatabaseCertificate => {
  const admitted = admit('DatabaseCertificate', object)
  if ('problems' in admitted) throw new Error(JSON.stringify(admitted.problems))
  return { ...(admitted.object as DatabaseCertificate), metadata: object.metadata }
}
const live = answered(wanted)

describe('a certificate that was applied', () => {
  it.each(engines)('is the one of a profile for %s as it comes back', (engine) => {
    for (const certificate of expanded(exampleOf(engine)).certificates) {
      const object = certificateObject(profile, certificate)
      expect(isApplied(answered(object), object)).toBe(true)
    }
  })

  it('says nothing of what becomes of its Secret', () => {
    expect(wanted.spec.secret).not.toHaveProperty('deletionPolicy')
    expect(live.spec.secret.deletionPolicy).toBe('Delete')
  })

  it.each<[string, (from: DatabaseCertificate) => object, boolean]>([
    ['a label', ({ metadata }) => ({ metadata: { ...metadata, labels: { ...metadata.labels, team: 'x' } } }), true],
    ['a trigger', ({ spec }) => ({ spec: { ...spec, renewTrigger: 'now' } }), true],
    ['a policy', ({ spec }) => ({ spec: { ...spec, secret: { ...spec.secret, deletionPolicy: 'Retain' } } }), true],
    [
      'an item',
      ({ spec }) => ({
        spec: {
          ...spec,
          secret: { ...spec.secret, items: [{ key: 'x', content: 'Password' }, ...(spec.secret.items ?? [])] },
        },
      }),
      true,
    ],
    ['a name', ({ spec }) => ({ spec: { ...spec, dnsNames: [...(spec.dnsNames ?? []), 'x'] } }), false],
    ['no name', ({ spec }) => ({ spec: { ...spec, dnsNames: undefined } }), false],
    ['another CA', ({ spec }) => ({ spec: { ...spec, authorityRef: { name: 'x' } } }), false],
    ['no item', ({ spec }) => ({ spec: { ...spec, secret: { ...spec.secret, items: [] } } }), false],
    ['no label', ({ metadata }) => ({ metadata: { ...metadata, labels: {} } }), false],
    [
      'no hash',
      ({ metadata }) => ({
        metadata: { ...metadata, annotations: { 'dbtls.dev/owner': 'DatabaseTLSProfile/orders' } },
      }),
      false,
    ],
    ['no owner', ({ metadata }) => ({ metadata: { ...metadata, ownerReferences: [] } }), false],
    [
      'an owner that is no controller',
      ({ metadata }) => ({
        metadata: { ...metadata, ownerReferences: [{ ...metadata.ownerReferences?.[0], controller: false }] },
      }),
      false,
    ],
  ])('with %s beside it or in its place is as wanted: %#', (_what, change, is) => {
    expect(isApplied({ ...live, ...change(live) }, wanted)).toBe(is)
  })

  it('is told apart from one of another wish that it holds as well', () => {
    const less = { ...server, spec: { ...server.spec, ipAddresses: undefined } } as typeof server
    expect(isApplied(live, certificateObject(profile, less))).toBe(false)
  })
})

describe('what a certificate holds besides', () => {
  const client = expanded(exampleOf('MySQL')).certificates.find(({ name }) => name === 'orders-app')
  if (client === undefined) throw new Error('no client')
  const applied = certificateObject(profile, client)
  const { items = [] } = applied.spec.secret
  const extra = { key: 'mine.der', content: 'CertificateDER' }
  const person = { renewTrigger: 'now', secret: { deletionPolicy: 'Retain' } }

  it('is nothing where it is what was applied', () => {
    expect(besides(applied, applied)).toBeUndefined()
  })
  it('are members, items, labels and annotations that the wish does not have, and no other', () => {
    expect(items.length).toBeGreaterThan(0)
    const standing = {
      ...applied,
      metadata: {
        ...applied.metadata,
        labels: { ...applied.metadata.labels, team: 'a' },
        annotations: { ...applied.metadata.annotations, note: 'mine' },
      },
      spec: {
        ...applied.spec,
        ...person,
        secret: { ...applied.spec.secret, ...person.secret, items: [...items, extra] },
      },
    } as DatabaseCertificate
    const { apiVersion, kind, metadata } = applied
    expect(besides(standing, applied)).toEqual({
      ...{ apiVersion, kind },
      metadata: {
        ...{ name: metadata.name, namespace: metadata.namespace },
        ...{ labels: { team: 'a' }, annotations: { note: 'mine' } },
      },
      spec: { renewTrigger: 'now', secret: { deletionPolicy: 'Retain', items: [extra] } },
    })
    const other = { ...applied, metadata: { ...metadata, annotations: { 'dbtls.dev/inputs-hash': 'other' } } }
    expect(besides(standing, other)?.spec, 'of a changed wish only what is surely a person’s').toEqual(person)
  })
})

describe('whose an object is', () => {
  const owner = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile', name: 'orders', uid, controller: true }
  const marked = { 'dbtls.dev/owner': 'DatabaseTLSProfile/orders' }
  it.each([
    ['the profile', { annotations: marked, ownerReferences: [owner] }, 'ours'],
    ['the profile, without its mark', { ownerReferences: [owner] }, 'ours'],
    ['nobody any more', { annotations: marked }, 'orphan'],
    ['a former profile of this name', { annotations: marked, ownerReferences: [{ ...owner, uid: 'x' }] }, 'former'],
    ['another profile', { ownerReferences: [{ ...owner, name: 'x', uid: 'x' }] }, { to: 'DatabaseTLSProfile/x' }],
    [
      'another profile, by its mark',
      { annotations: { 'dbtls.dev/owner': 'DatabaseTLSProfile/x' } },
      { to: 'DatabaseTLSProfile/x' },
    ],
    ['a person', {}, { to: undefined }],
    ['whoever asks for it', { annotations: { 'dbtls.dev/adopt': 'true' } }, 'offered'],
    [
      'a CA, whatever it offers',
      { annotations: { 'dbtls.dev/owner': 'CertificateAuthority/data/ca', 'dbtls.dev/adopt': 'true' } },
      { to: 'CertificateAuthority/data/ca' },
    ],
    ['one that is being deleted', { deletionTimestamp: '2026-01-01T00:00:00Z', ownerReferences: [owner] }, 'going'],
  ])('%s', (_whose, metadata, answer) => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'data', ...metadata } }
    expect(belongs(object, profile)).toEqual(answer)
  })

  it.each([
    [{ annotations: marked }, ['data/orders']],
    [{ annotations: { 'dbtls.dev/owner': 'CertificateAuthority/data/ca' } }, []],
    [{}, []],
  ])('is found by %o', (metadata, keys) => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'data', ...metadata } }
    expect(byProfile(object)).toEqual(keys)
  })
})

describe('the ConfigMaps of a profile', () => {
  it('have one hash for one content', () => {
    const expansion = expanded(exampleOf('PostgreSQL'))
    const [first, again] = [1, 2].map(() => configMapsOf(profile, expansion, new Map()))
    expect(first?.map(({ hash }) => hash)).toEqual(again?.map(({ hash }) => hash))
    expect(first?.map(({ name, field }) => [name, field])).toEqual([['orders-tls-config', 'metadata.name']])
  })
})
