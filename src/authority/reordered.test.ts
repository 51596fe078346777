import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { isReordered } from './reordered.ts'

const ca = (phase: string | undefined, above?: string): CertificateAuthority =>
  ({
    metadata: { name: 'x', namespace: 'data' },
    spec: { source: above === undefined ? { selfSigned: {} } : { intermediate: { authorityRef: { name: above } } } },
    status: {
      trustBundleHash: 'new-old',
      ...(phase === undefined ? {} : { rotation: { phase, formerTrustBundleHash: 'old-new' } }),
    },
  }) as unknown as CertificateAuthority

const asked = (all: Readonly<Record<string, CertificateAuthority>>, hashes = ['old-new', 'new-old']): boolean =>
  isReordered('data/ca', hashes, (key) => (Object.hasOwn(all, key) ? all[key] : undefined))

describe('two bundles', () => {
  it.each([
    ['Signing', true],
    ['DropSoak', true],
    // One of the CAs is gone from it.
    ['Dropped', false],
    ['TrustBoth', false],
    [undefined, false],
  ])('of a CA in the phase %s', (phase, wanted) => {
    expect(asked({ 'data/ca': ca(phase) })).toBe(wanted)
  })
  it('of a CA below the one that rotates are news: what is signed below has another chain with them', () => {
    expect(asked({ 'data/ca': ca(undefined, 'root'), 'data/root': ca('Signing') })).toBe(false)
  })
  it('that are others are not the same, and those of no CA neither', () => {
    expect(asked({ 'data/ca': ca('Signing') }, ['old-new', 'other'])).toBe(false)
    expect(asked({})).toBe(false)
  })
})
