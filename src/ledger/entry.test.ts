import { describe, expect, it } from 'vitest'
import { parseCertificate } from '../pki/certificates/parse.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import { publicKeyHash } from '../pki/keys/keys.ts'
import { makeIntermediate, makeRoot } from '../pki/testing.ts'
import { createProjection } from './entry.ts'

const root = await makeRoot()
const pem = encodePem('CERTIFICATE', root.certificate)

const stored = {
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'IssuedCertificate',
  metadata: {
    name: 'n',
    namespace: 'pki',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-11-21T00:00:00Z',
    managedFields: ['much'],
  },
  spec: {
    authorityRef: { name: 'root', uid: 'a', fingerprint: 'f' },
    serialNumber: '0A',
    certificate: pem,
    certificateRef: { namespace: 'data', name: 'orders', uid: 'h' },
  },
}
const projected = (spec: object = {}, status?: object) =>
  createProjection()({
    ...stored,
    spec: { ...stored.spec, ...spec },
    ...(status === undefined ? {} : { status }),
  })

describe('an entry in memory', () => {
  it('keeps what is searched for and leaves the rest', () => {
    const kept = projected({ supersedes: { serialNumber: '09' } })
    expect(kept).toMatchObject({
      authority: 'pki/root',
      authorityUid: 'a',
      holder: 'h',
      holderKey: 'data/orders',
      serialNumber: '0A',
      supersedes: '09',
      createdAt: Date.parse('2026-11-21T00:00:00Z'),
    })
    expect(JSON.stringify(kept)).not.toMatch(/CERTIFICATE|much/)
  })

  it.each([
    ['0A', '0A'],
    ['000A', '0A'],
    ['00', '00'],
    ['0000', '00'],
    ['0A00', '0A00'],
  ])('calls serial number %s as a list does: %s', (serialNumber, expected) => {
    expect(projected({ serialNumber, supersedes: { serialNumber } })).toMatchObject({
      serialNumber: expected,
      supersedes: expected,
    })
  })

  it('knows of the certificate what the strict reader knows', async () => {
    const { certificate } = await makeIntermediate(root, 'Bélow')
    expect(projected({ certificate: encodePem('CERTIFICATE', certificate) }).commonName).toBe('Bélow')
    for (const der of [root.certificate, certificate]) {
      const parsed = parseCertificate(der)
      const kept = projected({ certificate: encodePem('CERTIFICATE', der) })
      expect([kept.notBefore, kept.notAfter]).toEqual([parsed.notBefore, parsed.notAfter])
      expect(kept.isCa).toBe(parsed.isCa)
      const keyId = parsed.authorityKeyId
      expect(kept.authorityKeyId).toBe(keyId === undefined ? undefined : Buffer.from(keyId).toString('hex'))
    }
  })

  it.each(['', 'no PEM', '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n', pem.slice(0, 200)])(
    'does without a certificate that cannot be read (%#)',
    (certificate) => {
      expect(projected({ certificate })).toMatchObject({ notAfter: Number.NaN, isCa: false, serialNumber: '0A' })
    },
  )

  it('takes the end from the line of an index where there is no certificate', () => {
    const indexLine = 'E\t261121000000Z\t\t0A\tunknown\t/CN=old'
    expect(projected({ certificate: '', indexLine }).notAfter).toBe(Date.parse('2026-11-21T00:00:00Z'))
    expect(projected({ certificate: '', indexLine: 'garbage' }).notAfter).toBeNaN()
  })

  const hold = { reason: 'certificateHold', time: '2026-11-21T01:00:00Z' }
  it.each([
    { spec: {}, status: undefined, state: 'Valid', marked: 'Valid' },
    { spec: {}, status: { state: 'Superseded' }, state: 'Superseded', marked: 'Superseded' },
    { spec: { revocation: hold }, status: { state: 'Superseded' }, state: 'Revoked', marked: 'Superseded' },
    // Taken back, and not marked yet.
    { spec: {}, status: { state: 'Revoked' }, state: 'Valid', marked: 'Revoked' },
  ])('is $state, marked $marked', ({ spec, status, state, marked }) => {
    expect(projected(spec, status)).toMatchObject({ state, marked })
  })

  it.each([
    { revocation: { reason: 'keyCompromise' }, keeps: true },
    { revocation: { reason: 'cessationOfOperation' }, keeps: false },
    { revocation: hold, keeps: false },
    { revocation: undefined, keeps: false },
  ] as const)('keeps which key it was for only where others know it: $revocation.reason', ({ revocation, keeps }) => {
    const { compromisedKey } = projected(revocation === undefined ? {} : { revocation })
    expect(compromisedKey).toBe(keeps ? publicKeyHash(root.key.spki) : undefined)
  })

  it('does without the key of a certificate that it has not', () => {
    const revocation = { reason: 'keyCompromise' }
    expect(projected({ certificate: '', revocation }).compromisedKey).toBeUndefined()
  })

  it('has its revocation in numbers', () => {
    const revocation = { reason: 'keyCompromise', invalidityTime: '2026-11-20T00:00:00Z' }
    expect(projected({ revocation }, { revokedAt: '2026-11-21T02:00:00Z' }).revocation).toEqual({
      reason: 'keyCompromise',
      time: undefined,
      invalidityTime: Date.parse('2026-11-20T00:00:00Z'),
      seenAt: Date.parse('2026-11-21T02:00:00Z'),
    })
  })
})
