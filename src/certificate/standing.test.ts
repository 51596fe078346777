import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { standingUnder } from './standing.ts'

const ca = (rotation?: object): CertificateAuthority['status'] =>
  ({ certificate: { fingerprint: 'present' }, trustBundleHash: 'trust', rotation }) as unknown as ReturnType<typeof ca>
const before = ca({ phase: 'TrustBoth', from: 'present', to: 'next' })
const after = ca({ phase: 'Signing', from: 'former', to: 'present', formerTrustBundleHash: 'turned' })
const ended = ca({ phase: 'Idle', from: 'former', to: 'present' })

describe('a certificate', () => {
  it.each([
    ['of the CA, with its bundle', ca(), 'present', 'trust', 'Present'],
    ['of the CA, with another bundle', ca(), 'present', 'turned', undefined],
    ['of another CA', ca(), 'former', 'trust', undefined],
    ['of the next CA before it signs', before, 'next', 'trust', 'Next'],
    ['of the next CA before it signs, without the bundle of both', before, 'next', 'turned', undefined],
    ['of the former CA, with the bundle in its order', after, 'former', 'turned', 'Former'],
    ['of the former CA, beside the key of the present one', after, 'former', 'trust', 'Former'],
    ['of the former CA, with the bundle of before', after, 'former', 'alone', undefined],
    ['of the CA that signs after the switch', after, 'present', 'trust', 'Present'],
    ['of the former CA when the rotation has ended', ended, 'former', 'trust', undefined],
  ])('%s', (_, signer, authorityFingerprint, trustBundleHash, standing) => {
    expect(standingUnder({ authorityFingerprint, trustBundleHash }, signer)).toBe(standing)
  })

  it('that was never delivered hangs on nobody', () => {
    expect(standingUnder(undefined, after)).toBeUndefined()
    expect(standingUnder({}, ca())).toBeUndefined()
  })
})
