import { X509Certificate } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from './certificate.ts'
import {
  bitString,
  boolean,
  contextConstructed,
  contextPrimitive,
  integer,
  octetString,
  oid,
  sequence,
  time,
  utf8String,
} from '../encoding/der.ts'
import { distinguishedName } from '../names/names.ts'
import { CertificateError, parseCertificate, signatureVerifies } from './parse.ts'
import { type Authority, generate, makeRoot, now, planLeaf } from '../testing.ts'

let root: Authority
let leaf: Uint8Array
beforeAll(async () => {
  root = await makeRoot()
  leaf = (await issueCertificate(planLeaf(root.signer, await generate()), root.signer)).der
})

const name = distinguishedName({ commonName: 'a' })
const ecdsa = sequence(oid('1.2.840.10045.4.3.2'))
const extension = (id: string, value: Uint8Array, ...flag: Uint8Array[]): Uint8Array =>
  sequence(oid(id), ...flag, octetString(value))

/** A certificate put together by hand, with a signature of nothing. */
const assemble = (changes: {
  readonly version?: readonly Uint8Array[]
  readonly serial?: Uint8Array
  readonly inner?: Uint8Array
  readonly validity?: Uint8Array
  readonly tail?: readonly Uint8Array[]
  readonly extensions?: readonly Uint8Array[]
}): Uint8Array => {
  const { extensions } = changes
  const tbs = sequence(
    ...(changes.version ?? [contextConstructed(0, integer(2))]),
    changes.serial ?? integer(7),
    changes.inner ?? ecdsa,
    name,
    changes.validity ?? sequence(time(now), time(now + 1000)),
    name,
    root.key.spki,
    ...(changes.tail ?? (extensions === undefined ? [] : [contextConstructed(3, sequence(...extensions))])),
  )
  return sequence(tbs, ecdsa, bitString(new Uint8Array(8)))
}

describe('a certificate', () => {
  test('reads as OpenSSL reads it', () => {
    const parsed = parseCertificate(leaf)
    const theirs = new X509Certificate(leaf)
    expect(parsed.serialNumber).toBe(theirs.serialNumber)
    expect(parsed.fingerprint).toBe(theirs.fingerprint256.replaceAll(':', '').toLowerCase())
    expect(parsed.notBefore).toBe(theirs.validFromDate.getTime())
    expect(parsed.notAfter).toBe(theirs.validToDate.getTime())
    expect(Buffer.from(parsed.spki).equals(theirs.publicKey.export({ type: 'spki', format: 'der' }))).toBe(true)
    expect(parsed.isCa).toBe(theirs.ca)
  })

  test('is read once, however often it is asked for', () => {
    expect(parseCertificate(leaf)).toBe(parseCertificate(leaf))
    expect(parseCertificate(Uint8Array.from(leaf))).toEqual(parseCertificate(leaf))
  })
  test('without extensions, as old roots are, is no CA', () => {
    expect(parseCertificate(assemble({ version: [] }))).toMatchObject({ isCa: false, keyUsage: [], extensions: [] })
  })

  test.each([
    ['7', integer(7), '07'],
    ['zero', integer(0), '00'],
    ['128', integer(128), '80'],
    ['256', integer(256), '0100'],
  ])('prints the serial number %s with an even number of digits', (_, serial, expected) =>
    expect(parseCertificate(assemble({ serial })).serialNumber).toBe(expected),
  )

  test('keeps unknown usages and extensions, and counts unknown names', () => {
    const parsed = parseCertificate(
      assemble({
        extensions: [
          extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.2.3.4'))),
          extension('2.5.29.17', sequence(contextConstructed(4, name), contextPrimitive(2, Buffer.from('a')))),
          extension('1.2.3.5', utf8String('x'), boolean(true)),
          extension(
            '2.5.29.35',
            sequence(
              contextPrimitive(0, Uint8Array.of(1)),
              contextConstructed(1),
              contextPrimitive(2, Uint8Array.of(1)),
            ),
          ),
        ],
      }),
    )
    expect(parsed).toMatchObject({
      extendedKeyUsage: ['serverAuth', '1.2.3.4'],
      subjectAlternativeNames: [{ type: 'DNS', value: 'a' }],
      otherAlternativeNames: 1,
      authorityKeyId: Uint8Array.of(1),
    })
    expect(parsed.extensions.find((found) => found.oid === '1.2.3.5')?.critical).toBe(true)
  })

  const constraints = (...members: Uint8Array[]): Uint8Array => extension('2.5.29.19', sequence(...members))

  test.each<[string, () => Uint8Array, string]>([
    ['nothing', () => new Uint8Array(), 'ends before'],
    ['two megabytes', () => new Uint8Array(2_000_000), 'at most 1048576'],
    ['bytes behind it', () => Buffer.concat([leaf, Buffer.from([0])]), 'bytes follow'],
    ['a negative serial number', () => assemble({ serial: Uint8Array.of(2, 1, 0xff) }), 'non-negative'],
    ['different algorithms inside and outside', () => assemble({ inner: sequence(oid('1.3.101.112')) }), 'differ'],
    ['extensions in version 1', () => assemble({ version: [], extensions: [constraints()] }), 'version'],
    ['version 4', () => assemble({ version: [contextConstructed(0, integer(3))] }), 'version'],
    ['an empty list of extensions', () => assemble({ extensions: [] }), 'empty'],
    ['an extension twice', () => assemble({ extensions: [constraints(), constraints()] }), 'twice'],
    ['unique identifiers', () => assemble({ tail: [contextPrimitive(1, Uint8Array.of(0, 1))] }), 'unknown fields'],
    [
      'a written default',
      () => assemble({ extensions: [extension('1.2.3', integer(1), boolean(false))] }),
      'default of critical',
    ],
    [
      'a path length without CA:TRUE',
      () => assemble({ extensions: [constraints(boolean(false), integer(1))] }),
      'basic constraints',
    ],
    [
      'a key usage with loose bits',
      () => assemble({ extensions: [extension('2.5.29.15', bitString(Uint8Array.of(0xff), 4))] }),
      'key usage',
    ],
    [
      'a NUL in a name',
      () => assemble({ extensions: [extension('2.5.29.17', sequence(contextPrimitive(2, Buffer.from('a\0'))))] }),
      'printable',
    ],
    [
      'a time without seconds',
      () => assemble({ validity: sequence(Uint8Array.from([0x17, 11, ...Buffer.from('2601010000Z')]), time(now)) }),
      'time',
    ],
  ])('is refused with %s', (_, make, message) => {
    expect(() => parseCertificate(make())).toThrow(CertificateError)
    expect(() => parseCertificate(make())).toThrow(message)
  })

  test('cut or damaged anywhere is read or refused with a CertificateError', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, mask, cut) => {
        const position = at % leaf.length
        const damaged = cut ? leaf.slice(0, position) : Uint8Array.from(leaf)
        if (!cut) damaged[position] = (damaged[position] ?? 0) ^ mask
        try {
          expect(parseCertificate(damaged).fingerprint).not.toBe(parseCertificate(leaf).fingerprint)
        } catch (error) {
          expect(error).toBeInstanceOf(CertificateError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a signature', () => {
  test('verifies under the name and key that made it, and under no other', async () => {
    const stranger = await makeRoot({ algorithm: { algorithm: 'Ed25519' } })
    const parsed = parseCertificate(leaf)
    expect(signatureVerifies(parsed, root.signer.subject, root.signer.spki)).toBe(true)
    expect(signatureVerifies(parsed, root.signer.subject, stranger.signer.spki)).toBe(false)
    expect(signatureVerifies(parsed, name, root.signer.spki)).toBe(false)
    expect(signatureVerifies(parsed, root.signer.subject, new Uint8Array(3))).toBe(false)
  })
})
