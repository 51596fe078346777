/** An operator that was started for listed namespaces must not take for gone what it cannot see. */

import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { ParsedCertificate } from '../pki/certificates/parse.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { leavesOf, replacedEntries, unseenOf } from './leaves.ts'

const authority = {
  metadata: { name: 'ca', namespace: 'data' },
  spec: { source: { selfSigned: {} } },
} as unknown as CertificateAuthority
const signer = { subjectKeyId: Uint8Array.of(0xbb) } as unknown as ParsedCertificate

const signed = (more: object = {}): KubeObject =>
  ({
    metadata: { name: 'e', namespace: 'data' },
    ...{ authority: 'data/ca', authorityKeyId: 'aa', serialNumber: '0A', holderKey: 'away/server', isCa: false },
    ...{ notBefore: 0, notAfter: 1000, createdAt: 0 },
    ...more,
  }) as unknown as KubeObject

describe.each([{}, { isCa: true }])('a certificate of the former CA for a namespace that is not served', (more) => {
  const served = ['data', 'others']
  const ledgerOf = (entry: KubeObject) => {
    const { context, stores } = stubContext({})
    stores.ledger.set('data/e', entry)
    return context.caches
  }

  it('is waited for, and is not revoked', () => {
    const caches = ledgerOf(signed(more))
    const [waiting, ...others] = leavesOf(caches, authority, signer, 1, served)
    expect(others).toEqual([])
    expect(waiting?.why).toMatch(/not started for namespace away /)
    expect(replacedEntries(caches, authority, signer, 1, served)).toEqual([])
  })

  it('keeps the new CA from signing, for nobody can give it the new trust', () => {
    const caches = ledgerOf(signed(more))
    const family = [{ authority, parent: undefined, isStranger: () => false }]
    expect(unseenOf(caches, family, 1, served)).toHaveLength(1)
    for (const [now, all] of [
      [1, undefined],
      [1, ['data', 'away']],
      [1000, served],
    ] as const)
      expect(unseenOf(caches, family, now, all)).toEqual([])
  })

  it('is gone where the operator serves it, or all', () => {
    const caches = ledgerOf(signed(more))
    for (const all of [undefined, ['data', 'away']]) {
      expect(leavesOf(caches, authority, signer, 1, all)).toEqual([])
      expect(replacedEntries(caches, authority, signer, 1, all)).toHaveLength(1)
    }
  })

  it.each([
    ['of a namespace that is not served', {}],
    ['signed for a request', { holderKey: undefined }],
  ])('that cannot be read is held for valid, and named with what to do: %s', (_, other) => {
    const unread = { ...more, ...other, authorityKeyId: undefined, notBefore: Number.NaN, notAfter: Number.NaN }
    const caches = ledgerOf(signed(unread))
    const [waiting, ...others] = leavesOf(caches, authority, signer, 1, served)
    expect(others).toEqual([])
    expect(waiting?.why).toContain('revoke it (dbtls revoke 0A --authority data/ca): the ledger')
    expect(waiting?.why).toContain('cannot be read')
    expect(leavesOf(ledgerOf(signed({ ...unread, revocation: {} })), authority, signer, 1, served)).toEqual([])
  })

  it('is waited for no longer when it was revoked or has ended', () => {
    expect(leavesOf(ledgerOf(signed(more)), authority, signer, 1000, served)).toEqual([])
    expect(leavesOf(ledgerOf(signed({ ...more, revocation: {} })), authority, signer, 1, served)).toEqual([])
  })
})
