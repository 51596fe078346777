import { describe, expect, it } from 'vitest'
import type { PartialObject } from '../cluster/port.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { byKeyMark, markOf, markText, undue } from './key-mark.ts'

const mark = { certificate: 'orders', authority: 'ca', keys: ['ca.key', 'tls.key'] }
const secret = (annotation: string | undefined, name = 'orders-tls', namespace = 'data'): PartialObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name,
    namespace,
    annotations: annotation === undefined ? {} : { 'dbtls.dev/authority-key': annotation },
  },
})
const written = markText('data/orders-tls', mark)

describe('the mark on a Secret with the key of a CA', () => {
  it('says for whom the key is there, and under which keys', () => {
    expect(markOf(secret(written))).toEqual(mark)
    expect(byKeyMark(secret(written))).toEqual(['CertificateAuthority data/ca', 'DatabaseCertificate data/orders'])
  })

  it.each([
    { what: 'a Secret without one', of: secret(undefined) },
    { what: 'a copy under another name', of: secret(written, 'copy') },
    { what: 'a copy in another namespace', of: secret(written, 'orders-tls', 'shop') },
    { what: 'an empty one', of: secret('') },
    { what: 'half a one', of: secret('data/orders-tls orders') },
    { what: 'one without keys', of: secret('data/orders-tls orders ca ') },
    { what: 'one that says more', of: secret(`${written} more`) },
  ])('is none in $what', ({ of }) => {
    expect(markOf(of)).toBeUndefined()
    expect(byKeyMark(of)).toEqual([])
  })
})

const authority = (allowKeyExport: boolean) => ({ spec: { allowKeyExport } }) as CertificateAuthority
const asking = (keys: readonly string[], more: object = {}, secretMore: object = {}) =>
  ({
    metadata: { name: 'orders', namespace: 'data', generation: 2 },
    spec: {
      authorityRef: { name: 'ca' },
      secret: {
        name: 'orders-tls',
        items: [
          { key: 'tls.crt', content: 'Certificate' },
          ...keys.map((key) => ({ key, content: 'AuthorityPrivateKey' })),
        ],
        ...secretMore,
      },
    },
    status: { observedGeneration: 2 },
    ...more,
  }) as unknown as DatabaseCertificate
const both = asking(mark.keys)
const of = (authorityRef: object) => ({ ...both, spec: { ...both.spec, authorityRef } }) as DatabaseCertificate

describe('what of the key of a CA is to go', () => {
  it.each([
    { when: 'CA and certificate want it', ca: authority(true), of: both, keys: [] },
    { when: 'the CA does not allow it', ca: authority(false), of: both, keys: mark.keys },
    {
      when: 'the CA does not allow it and the certificate is gone',
      ca: authority(false),
      of: undefined,
      keys: mark.keys,
    },
    { when: 'the certificate is gone', ca: authority(true), of: undefined, keys: [] },
    { when: 'the CA is gone', ca: undefined, of: both, keys: [] },
    { when: 'one item is gone', ca: authority(true), of: asking(['tls.key']), keys: ['ca.key'] },
    { when: 'one item is gone, and so is the CA', ca: undefined, of: asking(['tls.key']), keys: ['ca.key'] },
    {
      when: 'another Secret is asked for',
      ca: authority(true),
      of: asking(mark.keys, {}, { name: 'other' }),
      keys: mark.keys,
    },
    {
      when: 'the new spec has not had its turn',
      ca: authority(true),
      of: asking([], { status: { observedGeneration: 1 } }),
      keys: [],
    },
    { when: 'nothing had a turn', ca: authority(true), of: asking([], { status: undefined }), keys: [] },
    {
      when: 'the certificate is being deleted',
      ca: authority(true),
      of: asking([], { metadata: { name: 'orders', generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      keys: [],
    },
    { when: 'another CA is asked', ca: authority(true), of: of({ name: 'other' }), keys: mark.keys },
    {
      when: 'a CA of another home is asked',
      ca: authority(true),
      of: of({ name: 'ca', namespace: 'pki' }),
      keys: mark.keys,
    },
    { when: 'its home is named', ca: authority(true), of: of({ name: 'ca', namespace: 'data' }), keys: [] },
    { when: 'the layout is not known', ca: authority(true), of: asking([], {}, { layout: 'Nobody/knows' }), keys: [] },
  ])('$keys when $when', ({ ca, of: certificate, keys }) => {
    expect(undue('orders-tls', mark, ca, certificate)?.keys ?? []).toEqual(keys)
  })
})
