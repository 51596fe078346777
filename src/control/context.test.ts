import { describe, expect, it } from 'vitest'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import { existing } from './context.ts'
import { stubContext } from './testing.ts'

describe('existing', () => {
  it.each([
    { what: 'an object in the cache', metadata: { name: 'orders', namespace: 'data' }, is: true },
    { what: 'one that is going', metadata: { name: 'orders', namespace: 'data', deletionTimestamp: 't' }, is: false },
    { what: 'another', metadata: { name: 'other', namespace: 'data' }, is: false },
  ])('finds $what: $is', ({ metadata, is }) => {
    const { context, stores } = stubContext({})
    const object: KubeObject = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata }
    stores.certificates.set(keyOf(object), object)
    expect(existing(context.caches.certificates, 'data/orders')).toBe(is ? object : undefined)
  })
})
