import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from '../certificates/certificate.ts'
import { ascii, bitString, contextPrimitive, octetString, oid, sequence } from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { distinguishedName } from '../names/names.ts'
import { encodePem } from '../encoding/pem.ts'
import type { CertificatePlan } from '../plan.ts'
import { PlanError, usagesOf } from '../certificates/plans.ts'
import { extension, makeRequest, type RequestChanges } from './request.fixture.ts'
import { requestPlan, type RequestedLeaf } from './plan.ts'
import { ignoredExtensions, requestProblems } from './problems.ts'
import { parseRequest, RequestError } from './request.ts'
import { type Authority, day, generate, makeRoot, now, randomSerial } from '../testing.ts'

let root: Authority
let ec: KeyPair
let rsa: KeyPair
beforeAll(async () => {
  root = await makeRoot()
  ec = await generate()
  rsa = await generate({ algorithm: 'RSA', size: 2048 })
})

const san = (...names: string[]): Uint8Array =>
  extension('2.5.29.17', sequence(...names.map((name) => contextPrimitive(2, ascii(name)))))
const keyUsage = (bits: number): Uint8Array => extension('2.5.29.15', bitString(Uint8Array.of(bits), 2), true)
const extended = (...ids: string[]): Uint8Array => extension('2.5.29.37', sequence(...ids.map(oid)))

const serverAuth = '1.3.6.1.5.5.7.3.1'
const clientAuth = '1.3.6.1.5.5.7.3.2'

const planOf = (changes: RequestChanges, more: Partial<RequestedLeaf> = {}, key: KeyPair = ec): CertificatePlan =>
  requestPlan({
    request: parseRequest(makeRequest(key, changes)),
    signer: root.signer,
    duration: 90 * day,
    now,
    serialNumber: randomSerial(),
    ...more,
  })

describe('a request', () => {
  test('says what is asked for', () => {
    const subject = distinguishedName({ commonName: 'orders' })
    const der = makeRequest(rsa, {
      subject,
      extensions: [san('a.example', 'b.example'), extended(serverAuth, '1.2.3')],
    })
    for (const request of [parseRequest(der), parseRequest(encodePem('CERTIFICATE REQUEST', der))])
      expect(request).toMatchObject({
        subject: expect.toSatisfy((bytes: Uint8Array) => Buffer.compare(bytes, subject) === 0),
        spki: expect.toSatisfy((bytes: Uint8Array) => Buffer.compare(bytes, rsa.spki) === 0),
        keyAlgorithm: { algorithm: 'RSA', size: 2048 },
        requestedNames: [
          { type: 'DNS', value: 'a.example' },
          { type: 'DNS', value: 'b.example' },
        ],
        otherNames: 0,
        requestedExtensions: [
          { oid: '2.5.29.17', critical: false },
          { oid: '2.5.29.37', critical: false },
        ],
        asksForCa: false,
        extendedKeyUsage: ['serverAuth', '1.2.3'],
        attributes: ['1.2.840.113549.1.9.14'],
      })
  })

  test('damaged at any byte is never signed', () => {
    const der = makeRequest(ec, { extensions: [san('a.example')] })
    expect(requestProblems(parseRequest(der))).toEqual([])
    for (let at = 0; at < der.length; at += 1)
      for (const mask of [1, 0x20, 0x80]) {
        const damaged = der.map((byte, index) => (index === at ? byte ^ mask : byte))
        expect(verdict(damaged), `byte ${at} changed by ${mask}`).not.toEqual([])
      }
  })

  test('cut anywhere, or of any bytes, is a RequestError', () => {
    const der = makeRequest(ec, { extensions: [san('a.example')] })
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.uint8Array({ maxLength: 200 }), (end, noise) => {
        expect(() => parseRequest(der.slice(0, end))).toThrow(RequestError)
        expect(() => parseRequest(noise)).toThrow(RequestError)
        expect(() => parseRequest(Buffer.from(noise).toString('latin1'))).toThrow(RequestError)
      }),
    )
  })

  test('names what is passed over', () => {
    const comment = extension('2.16.840.1.113730.1.13', octetString(ascii('x')))
    const request = parseRequest(makeRequest(ec, { extensions: [san('a.example'), comment, keyUsage(0x80 | 0x20)] }))
    expect(ignoredExtensions(request)).toEqual(['2.16.840.1.113730.1.13'])
  })
})

const verdict = (der: Uint8Array): string[] => {
  try {
    return requestProblems(parseRequest(der))
  } catch (error) {
    if (error instanceof RequestError) return [error.message]
    throw error
  }
}

describe('the plan of a request', () => {
  test('becomes a certificate with the names, subject and key of the request', async () => {
    const subject = distinguishedName({ commonName: 'orders', organizations: ['Acme'] })
    const plan = planOf({ subject, extensions: [san('A.example', 'a.example', 'b.example')] })
    const certificate = await issueCertificate(plan, root.signer)
    expect(certificate).toMatchObject({
      subject,
      spki: ec.spki,
      isCa: false,
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth'],
      subjectAlternativeNames: [
        { type: 'DNS', value: 'a.example' },
        { type: 'DNS', value: 'b.example' },
      ],
    })
  })

  test.each<[string, Uint8Array[], 'ec' | 'rsa', readonly string[], readonly string[]]>([
    ['nothing, EC', [], 'ec', ['digitalSignature'], ['serverAuth']],
    ['nothing, RSA', [], 'rsa', ['digitalSignature', 'keyEncipherment'], ['serverAuth']],
    ['clientAuth', [extended(clientAuth)], 'ec', ['digitalSignature'], ['clientAuth']],
    ['both', [extended(clientAuth, serverAuth)], 'ec', ['digitalSignature'], ['serverAuth', 'clientAuth']],
    ['keyEncipherment with EC', [keyUsage(0xa0)], 'ec', ['digitalSignature'], ['serverAuth']],
    ['keyEncipherment alone with EC', [keyUsage(0x20)], 'ec', ['digitalSignature'], ['serverAuth']],
    [
      'encipherOnly without keyAgreement',
      [extension('2.5.29.15', bitString(Uint8Array.of(0x81), 0), true)],
      'ec',
      ['digitalSignature'],
      ['serverAuth'],
    ],
    [
      'encipherOnly with keyAgreement',
      [extension('2.5.29.15', bitString(Uint8Array.of(0x09), 0), true)],
      'ec',
      ['keyAgreement', 'encipherOnly'],
      ['serverAuth'],
    ],
    ['keyEncipherment with RSA', [keyUsage(0xa0)], 'rsa', ['digitalSignature', 'keyEncipherment'], ['serverAuth']],
  ])('has usages that were asked for, or those of the role: %s', (_, extensions, key, usages, extendedUsages) => {
    const plan = planOf({ extensions: [san('a.example'), ...extensions] }, {}, key === 'ec' ? ec : rsa)
    expect(plan.keyUsage).toEqual(usages)
    expect(plan.extendedKeyUsage).toEqual(extendedUsages)
  })

  test('has what the signer says instead', () => {
    const subject = distinguishedName({ commonName: 'other' })
    const plan = planOf(
      { extensions: [san('a.example'), extended(clientAuth)] },
      { subject, names: [{ type: 'DNS', value: 'b.example' }], usages: usagesOf('Peer', [], ec.algorithm) },
    )
    expect(plan).toMatchObject({
      subject,
      extendedKeyUsage: ['serverAuth', 'clientAuth'],
      subjectAlternativeNames: [{ type: 'DNS', value: 'b.example' }],
    })
    expect(planOf({}, { role: 'Client' }).extendedKeyUsage).toEqual(['clientAuth'])
  })

  test.each([
    ['db.example', 'Server', [{ type: 'DNS', value: 'db.example' }]],
    ['DB.example.', 'Server', [{ type: 'DNS', value: 'db.example' }]],
    ['192.0.2.7', 'Server', [{ type: 'IP', value: '192.0.2.7' }]],
    ['orders', 'Server', []],
    ['db.example', 'Client', []],
  ] as const)('for the common name %s of a %s without other names has the names %j', (commonName, role, names) =>
    expect(planOf({ subject: distinguishedName({ commonName }) }, { role }).subjectAlternativeNames).toEqual(names),
  )

  test('is not made for a request with problems, nor for the key of the CA', () => {
    expect(() => planOf({ extensions: [keyUsage(0x04 | 0x20)] })).toThrow(PlanError)
    expect(() => planOf({ signature: () => new Uint8Array(8) })).toThrow('does not verify')
    expect(() => planOf({}, {}, root.key)).toThrow('key of a CA')
    expect(() => planOf({ spki: sequence(sequence(oid('1.2.3')), bitString(new Uint8Array(4))) })).toThrow(
      'type 1.2.3;',
    )
  })
})
