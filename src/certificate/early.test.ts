import { describe, expect, it } from 'vitest'
import type { AuthorityMaterial } from '../authority/keyring.ts'
import { seenBy } from './early.ts'

const day = 24 * 3_600_000
const start = Date.UTC(2027, 0, 1)
const time = (ms: number): string => new Date(ms).toISOString()
const status = { notBefore: time(start), notAfter: time(start + 100 * day), authorityFingerprint: 'former' }

const next = { certificate: { fingerprint: 'next' }, chain: [], signer: { subject: 'next' } }
const material = {
  certificate: { fingerprint: 'former' },
  signer: { subject: 'former' },
  chain: [],
  trust: [],
  trustHash: 'both',
  keyless: true,
  next,
} as unknown as AuthorityMaterial
const { keyless: _keyless, ...keyed } = material
const { next: _next, ...alone } = material

describe('who signs while the key of a CA is gone', () => {
  it.each([
    ['nobody, for one with time left', material, status, start + 89 * day, 'former'],
    ['the next CA, for one in the last tenth of its life', material, status, start + 90 * day, 'next'],
    ['the next CA, for one that has ended', material, status, start + 200 * day, 'next'],
    ['the next CA, once it has', material, { ...status, authorityFingerprint: 'next' }, start, 'next'],
    ['nobody, for one that never was', material, undefined, start, 'former'],
    ['nobody, before the next one is trusted', alone, status, start + 99 * day, 'former'],
    ['the CA itself, while its key is there', keyed, status, start + 99 * day, 'former'],
  ])('is %s', (_, of, told, now, fingerprint) => {
    const seen = seenBy(of, told, now)
    expect(seen.certificate.fingerprint).toBe(fingerprint)
    expect(seen.early === true).toBe(fingerprint === 'next')
    // The bundle is that of everybody else: another one would have to be delivered once more.
    expect(seen.trustHash).toBe('both')
    if (seen.early === true) expect(seen).toMatchObject({ former: { certificate: { fingerprint: 'former' } } })
    if (seen.early === true) expect([seen.keyless, seen.next]).toEqual([undefined, undefined])
  })
})
