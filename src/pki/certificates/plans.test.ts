import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { distinguishedName } from '../names/names.ts'
import { authorityPlan, type Issuer, leafPlan, PlanError, serialNumber, usagesOf, validityWithin } from './plans.ts'
import { subjectKeyId, type KeyPair } from '../keys/keys.ts'
import { day, generate, now } from '../testing.ts'

let key: KeyPair
let caKey: KeyPair
beforeAll(async () => {
  key = await generate()
  caKey = await generate()
})

const issuer = (changes: Partial<Issuer> = {}): Issuer => ({
  subject: distinguishedName({ commonName: 'Orders CA' }),
  subjectKeyId: subjectKeyId(caKey.spki),
  spki: caKey.spki,
  notBefore: now - 100 * day,
  notAfter: now + 1000 * day,
  pathLength: 0,
  ...changes,
})

describe('usages', () => {
  test.each([
    ['Server', [], 'RSA', ['digitalSignature', 'keyEncipherment'], ['serverAuth']],
    ['Server', [], 'ECDSA', ['digitalSignature'], ['serverAuth']],
    ['Client', [], 'Ed25519', ['digitalSignature'], ['clientAuth']],
    ['Peer', [], 'ECDSA', ['digitalSignature'], ['serverAuth', 'clientAuth']],
    ['Client', [], 'RSA', ['digitalSignature'], ['clientAuth']],
    ['Peer', [], 'RSA', ['digitalSignature', 'keyEncipherment'], ['serverAuth', 'clientAuth']],
    ['Server', ['clientAuth'], 'RSA', ['digitalSignature'], ['clientAuth']],
    ['Client', ['emailProtection'], 'RSA', ['digitalSignature', 'keyEncipherment'], ['emailProtection']],
    ['Client', ['keyEncipherment', 'clientAuth'], 'RSA', ['keyEncipherment'], ['clientAuth']],
    ['Server', ['codeSigning', 'digitalSignature'], 'RSA', ['digitalSignature'], ['codeSigning']],
    ['Client', ['keyAgreement', 'digitalSignature'], 'ECDSA', ['digitalSignature', 'keyAgreement'], []],
  ] as const)('of %s with %j and %s', (role, given, algorithm, keyUsage, extendedKeyUsage) => {
    expect(usagesOf(role, given, { algorithm })).toEqual({ keyUsage, extendedKeyUsage })
  })

  test('that nobody knows are refused by name', () => {
    expect(() => usagesOf('Server', ['serverAuth', 'server auth'], { algorithm: 'RSA' })).toThrow(PlanError)
    expect(() => usagesOf('Server', ['server auth'], { algorithm: 'RSA' })).toThrow('server auth is unknown')
  })
})

describe('validity', () => {
  test('is as long as asked, and begins five minutes ago', () => {
    expect(validityWithin(issuer(), { duration: 90 * day, now })).toEqual({
      notBefore: now - 300_000,
      notAfter: now - 300_000 + 90 * day,
    })
  })

  test('of a short certificate is backdated by a tenth at most, so that it is still valid now', () => {
    const { notBefore, notAfter } = validityWithin(issuer(), { duration: 60_000, now })
    expect([notBefore - now, notAfter - now]).toEqual([-6_000, 54_000])
  })

  test.each([
    ['the beginning of a CA made this moment', { notBefore: now }, now, now - 300_000 + 90 * day],
    ['the end of a CA that ends first', { notAfter: now + 30 * day }, now - 300_000, now + 30 * day],
  ])('is clamped to %s', (_, limits, notBefore, notAfter) => {
    expect(validityWithin(issuer(limits), { duration: 90 * day, now })).toEqual({ notBefore, notAfter })
  })

  test.each([
    ['the CA has expired', { notAfter: now - 1000 }, 90 * day, 'expired'],
    ['the CA is not valid yet', { notBefore: now + 1000 }, 90 * day, 'not valid yet'],
    ['nothing is left', { notBefore: now, notAfter: now }, 90 * day, 'ends too soon'],
    ['the duration is zero', {}, 0, 'shorter than a second'],
    ['the duration is not a number', {}, Number.NaN, 'shorter than a second'],
  ])('cannot be planned when %s', (_, limits, duration, message) => {
    expect(() => validityWithin(issuer(limits), { duration, now })).toThrow(PlanError)
    expect(() => validityWithin(issuer(limits), { duration, now })).toThrow(message)
  })

  test('is in whole seconds, holds now, and lies within the CA, whatever is asked', () => {
    const inputs = fc.record({
      duration: fc.integer({ min: 2000, max: 1e12 }),
      backdate: fc.integer({ min: 0, max: 1e9 }),
      now: fc.integer({ min: now, max: now + 1e9 }),
      before: fc.integer({ min: 0, max: 1e6 }),
      after: fc.integer({ min: 2, max: 1e9 }),
    })
    fc.assert(
      fc.property(inputs, ({ before, after, ...lifetime }) => {
        const second = Math.floor(lifetime.now / 1000)
        const limits = { notBefore: (second - before) * 1000, notAfter: (second + after) * 1000 }
        const { notBefore, notAfter } = validityWithin(limits, lifetime)
        expect([notBefore % 1000, notAfter % 1000]).toEqual([0, 0])
        expect(notBefore).toBeGreaterThanOrEqual(limits.notBefore)
        expect(notAfter).toBeLessThanOrEqual(limits.notAfter)
        expect(notBefore).toBeLessThanOrEqual(lifetime.now)
        expect(notAfter).toBeGreaterThan(lifetime.now)
        expect(notAfter - notBefore).toBeLessThanOrEqual(lifetime.duration)
      }),
    )
  })
})

describe('a serial number', () => {
  test('is positive and 16 octets long, whatever the random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (random) => {
        const serial = serialNumber(random)
        expect(serial[0]).toBeGreaterThanOrEqual(1)
        expect(serial[0]).toBeLessThanOrEqual(0x7f)
        expect([...serial.subarray(1)]).toEqual([...random.subarray(1)])
      }),
    )
  })
  test.each([0x00, 0x80])('does not begin with %i', (first) =>
    expect(serialNumber(Uint8Array.from({ length: 16 }, () => first))[0]).toBe(1),
  )
  test('needs 16 random bytes', () => expect(() => serialNumber(new Uint8Array(8))).toThrow(PlanError))
})

describe('a leaf plan', () => {
  test('names the issuer by its bytes and lists each name once', () => {
    const signer = issuer()
    const plan = leafPlan({
      signer,
      subject: distinguishedName({}),
      names: [
        { type: 'DNS', value: 'a' },
        { type: 'DNS', value: 'a' },
      ],
      ...usagesOf('Server', [], key.algorithm),
      spki: key.spki,
      duration: day,
      now,
      serialNumber: serialNumber(new Uint8Array(16)),
    })
    expect(plan.issuer).toBe(signer.subject)
    expect(plan.authorityKeyId).toBe(signer.subjectKeyId)
    expect(plan.subjectAlternativeNames).toEqual([{ type: 'DNS', value: 'a' }])
    expect(plan.basicConstraints).toEqual({ ca: false })
  })
})

describe('an authority plan', () => {
  const request = (
    changes: Partial<Parameters<typeof authorityPlan>[0]> = {},
  ): Parameters<typeof authorityPlan>[0] => ({
    signer: issuer(),
    selfSigned: true,
    subject: distinguishedName({ commonName: 'New name' }),
    spki: key.spki,
    duration: 3650 * day,
    now,
    serialNumber: serialNumber(new Uint8Array(16)),
    ...changes,
  })

  test.each([
    [true, undefined, undefined, undefined],
    [true, 3, undefined, 3],
    [false, undefined, undefined, undefined],
    [false, undefined, 2, 1],
    [false, 0, 2, 0],
    [false, 5, 2, 1],
  ])('selfSigned %j wants the path length %j under %j and gets %j', (selfSigned, wanted, above, pathLength) => {
    const plan = authorityPlan(request({ selfSigned, pathLength: wanted, signer: issuer({ pathLength: above }) }))
    expect(plan.basicConstraints.pathLength).toBe(pathLength)
    expect(plan.authorityKeyId === undefined).toBe(selfSigned)
  })

  test('under a CA with the path length 0 is refused', () =>
    expect(() => authorityPlan(request({ selfSigned: false }))).toThrow('path length of the signing CA is 0'))

  test('that renews keeps subject and key identifier byte for byte', () => {
    const renews = {
      subject: distinguishedName({ commonName: 'Old name' }),
      subjectKeyId: Uint8Array.of(1, 2, 3),
      spki: key.spki,
    }
    const plan = authorityPlan(request({ renews }))
    expect(plan.subject).toBe(renews.subject)
    expect(plan.subjectKeyId).toBe(renews.subjectKeyId)
  })

  test('that renews with another key is refused', () =>
    expect(() => authorityPlan(request({ renews: { subject: distinguishedName({}), spki: caKey.spki } }))).toThrow(
      'same key',
    ))
})
