import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { encodeTbs, IssueError, issueCertificate } from './certificate.ts'
import { differencesFromPlan, differencesOfStructure } from './check.ts'
import { bitString, boolean, children, integer, octetString, oid, readOnly, sequence } from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { distinguishedName, emptyName } from '../names/names.ts'
import { CertificateError, parseCertificate } from './parse.ts'
import type { CertificatePlan } from '../plan.ts'
import { authorityPlan } from './plans.ts'
import { createSigner, selfSigner, type Signer, SignerError } from './signer.ts'
import {
  algorithms,
  type Authority,
  day,
  generate,
  makeIntermediate,
  makeRoot,
  nameOf,
  now,
  planLeaf,
  randomSerial,
} from '../testing.ts'

let root: Authority
let leaf: KeyPair
let other: KeyPair
beforeAll(async () => {
  root = await makeRoot({ pathLength: 0 })
  leaf = await generate()
  other = await generate()
})

describe('an issued certificate', () => {
  test('is what was planned', async () => {
    const plan = planLeaf(root.signer, leaf)
    const parsed = await issueCertificate(plan, root.signer)
    expect(parsed).toMatchObject({
      serialNumber: Buffer.from(plan.serialNumber).toString('hex').toUpperCase(),
      notBefore: now - 300_000,
      notAfter: now - 300_000 + 90 * day,
      isCa: false,
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth', 'clientAuth'],
      subjectAlternativeNames: plan.subjectAlternativeNames,
    })
    expect(Buffer.from(parsed.issuer).equals(root.signer.subject)).toBe(true)
  })

  test.each([
    ['with a subject', {}],
    ['without one', { subject: emptyName }],
    ['without names', { subjectAlternativeNames: [] }],
    ['without extended key usage', { extendedKeyUsage: [] }],
    ['that ends after 2049', { notAfter: Date.UTC(2051, 0, 1) }],
  ] satisfies [string, Partial<CertificatePlan>][])(
    'of a leaf %s is read by @peculiar/x509 as planned, whatever key it has and whatever key signs',
    async (_, changes) => {
      const signers = await Promise.all(
        algorithms.map((algorithm) => makeRoot({ algorithm, duration: 40 * 365 * day })),
      )
      for (const { signer } of signers) {
        const plan = planLeaf(signer, leaf, changes)
        const der = (await issueCertificate(plan, signer)).der
        expect(differencesOfStructure(der, plan)).toEqual([])
        const later = { ...plan, notBefore: plan.notBefore + 1000 }
        expect(differencesOfStructure(der, later).join()).toContain('beginning')
      }
    },
  )

  test('has the same to-be-signed bytes for the same plan', () => {
    const plan = planLeaf(root.signer, leaf)
    const encode = (): string => Buffer.from(encodeTbs({ ...plan }, root.signer.signatureAlgorithm)).toString('hex')
    expect(encode()).toBe(encode())
  })

  test.each([
    ['critical when the subject is empty', emptyName, true],
    ['not critical otherwise', distinguishedName({ commonName: 'orders' }), false],
  ])('has alternative names that are %s', async (_, subject, critical) => {
    const { extensions } = parseCertificate(
      (await issueCertificate(planLeaf(root.signer, leaf, { subject }), root.signer)).der,
    )
    expect(extensions.find((extension) => extension.oid === '2.5.29.17')?.critical).toBe(critical)
  })

  test.each([
    ['one usage', ['digitalSignature'], '03020780'],
    ['the second as well', ['digitalSignature', 'nonRepudiation'], '030206c0'],
    ['the ninth', ['digitalSignature', 'keyAgreement', 'decipherOnly'], '0303078880'],
  ] as const)('writes the bits of %s without zeros behind them', async (_, keyUsage, expected) => {
    const { extensions } = parseCertificate(
      (await issueCertificate(planLeaf(root.signer, leaf, { keyUsage }), root.signer)).der,
    )
    expect(Buffer.from(extensions.find(({ oid: id }) => id === '2.5.29.15')?.value ?? []).toString('hex')).toBe(
      expected,
    )
  })

  test('may live past 2049', async () => {
    const old = await makeRoot({ duration: 40_000 * day })
    const plan = planLeaf(old.signer, leaf, { notAfter: Date.UTC(2101, 0, 1) })
    expect((await issueCertificate(plan, old.signer)).notAfter).toBe(Date.UTC(2101, 0, 1))
  })

  test('by a renewed CA with the same key is under the same name and identifier', async () => {
    const previous = parseCertificate(root.certificate)
    const self = await selfSigner(crypto, {
      pkcs8: root.key.pkcs8,
      subject: previous.subject,
      subjectKeyId: previous.subjectKeyId,
    })
    const plan = authorityPlan({
      signer: self,
      selfSigned: true,
      subject: distinguishedName({ commonName: 'Something else' }),
      spki: root.key.spki,
      renews: previous,
      duration: 3650 * day,
      now: now + 1000 * day,
      serialNumber: randomSerial(),
    })
    const renewed = (await issueCertificate(plan, self)).der
    const before = (await issueCertificate(planLeaf(root.signer, leaf), root.signer)).der
    expect(new X509Certificate(before).checkIssued(new X509Certificate(renewed))).toBe(true)
    expect(new X509Certificate(before).verify(new X509Certificate(renewed).publicKey)).toBe(true)
  })
})

describe('a plan is refused with', () => {
  test.each<[string, () => Partial<CertificatePlan>, string]>([
    ['a serial number of 15 bytes', () => ({ serialNumber: new Uint8Array(15).fill(1) }), 'serial number'],
    ['a negative serial number', () => ({ serialNumber: new Uint8Array(16).fill(0x80) }), 'serial number'],
    ['a serial number that begins with zero', () => ({ serialNumber: new Uint8Array(16) }), 'serial number'],
    ['half a second', () => ({ notAfter: now + 500 }), 'whole seconds'],
    ['no time', () => ({ notAfter: Number.NaN }), 'whole seconds'],
    ['an end before its beginning', () => ({ notAfter: now - day }), 'end before'],
    ['a longer life than the CA', () => ({ notAfter: now + 3650 * day }), 'outlive'],
    ['an earlier beginning than the CA', () => ({ notBefore: now - day }), 'before its CA'],
    ['another issuer', () => ({ issuer: distinguishedName({ commonName: 'Orders CA' }) }), 'issuer'],
    ['another authority key identifier', () => ({ authorityKeyId: new Uint8Array(20) }), 'authority key identifier'],
    ['a subject that is not a name', () => ({ subject: Uint8Array.of(0x30, 1, 0) }), 'not valid DER'],
    ['no names at all', () => ({ subject: emptyName, subjectAlternativeNames: [] }), 'names nothing'],
    ["the CA's own key", () => ({ subjectPublicKeyInfo: root.key.spki }), 'the CA itself'],
    ['a key that is none', () => ({ subjectPublicKeyInfo: emptyName }), 'SubjectPublicKeyInfo'],
    ['no key identifier', () => ({ subjectKeyId: new Uint8Array() }), 'subject key identifier'],
    ['keyCertSign in a leaf', () => ({ keyUsage: ['digitalSignature', 'keyCertSign'] }), 'for CAs only'],
    ['a path length in a leaf', () => ({ basicConstraints: { ca: false, pathLength: 0 } }), 'for CAs only'],
    [
      'a CA under the path length 0',
      () => ({ basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] }),
      'may not sign other CAs',
    ],
    ['a CA without keyCertSign', () => ({ basicConstraints: { ca: true } }), 'keyCertSign'],
    ['keyEncipherment for an EC key', () => ({ keyUsage: ['keyEncipherment'] }), 'does not go with a key of ECDSA'],
    ['encipherOnly without keyAgreement', () => ({ keyUsage: ['encipherOnly'] }), 'without keyAgreement'],
    ['no key usage', () => ({ keyUsage: [] }), 'At least one'],
    ['a usage twice', () => ({ extendedKeyUsage: ['serverAuth', 'serverAuth'] }), 'twice'],
    ['a name that is not normal', () => ({ subjectAlternativeNames: [{ type: 'DNS', value: 'A' }] }), 'normal form'],
    ['a name that is none', () => ({ subjectAlternativeNames: [{ type: 'DNS', value: 'a,IP:1.2.3.4' }] }), 'comma'],
    [
      'a name twice',
      () => ({
        subjectAlternativeNames: [
          { type: 'DNS', value: 'a' },
          { type: 'DNS', value: 'a' },
        ],
      }),
      'twice',
    ],
  ])('%s', async (_, changes, message) => {
    const issue = issueCertificate(planLeaf(root.signer, leaf, changes()), root.signer)
    await expect(issue).rejects.toThrow(IssueError)
    await expect(issue).rejects.toThrow(message)
  })

  test('every problem at once', async () => {
    const plan = planLeaf(root.signer, leaf, { keyUsage: [], serialNumber: new Uint8Array(0) })
    await expect(issueCertificate(plan, root.signer)).rejects.toMatchObject({
      problems: [expect.anything(), expect.anything()],
    })
  })

  test('a path length that is not below that of the signing CA', async () => {
    const wide = await makeRoot({ pathLength: 1 })
    const plan = planLeaf(wide.signer, leaf, {
      basicConstraints: { ca: true, pathLength: 1 },
      keyUsage: ['keyCertSign'],
      extendedKeyUsage: [],
    })
    await expect(issueCertificate(plan, wide.signer)).rejects.toThrow('below that of the signing CA, which is 1')
  })
})

describe('a certificate that is not what was planned is never returned', () => {
  /** Signs other bytes than it was given: what a fault in the writer would look like to the check. */
  const lying = (signer: Signer, lie: (tbs: Uint8Array) => Uint8Array): Signer => ({
    ...signer,
    sign: (tbs) => signer.sign(lie(tbs)),
  })

  test('when the signature is over something else', async () => {
    const signer = lying(root.signer, (tbs) => tbs.toReversed())
    await expect(issueCertificate(planLeaf(root.signer, leaf), signer)).rejects.toThrow('signature')
  })

  test('when another key signed', async () => {
    const stranger = await makeRoot()
    const signer = { ...root.signer, sign: stranger.signer.sign }
    await expect(issueCertificate(planLeaf(root.signer, leaf), signer)).rejects.toThrow('signature')
  })

  test.each<[string, (plan: CertificatePlan) => Partial<CertificatePlan>, string]>([
    ['serial number', () => ({ serialNumber: new Uint8Array(16).fill(7) }), 'serial number'],
    ['issuer', () => ({ issuer: distinguishedName({ commonName: 'x' }) }), 'issuer'],
    ['subject', () => ({ subject: distinguishedName({ commonName: 'x' }) }), 'subject'],
    ['notBefore', ({ notBefore }) => ({ notBefore: notBefore + 1000 }), 'beginning'],
    ['notAfter', ({ notAfter }) => ({ notAfter: notAfter + 1000 }), 'end'],
    ['public key', () => ({ subjectPublicKeyInfo: other.spki }), 'public key'],
    ['CA flag', () => ({ basicConstraints: { ca: true } }), 'basic constraints'],
    ['key usage', () => ({ keyUsage: ['digitalSignature', 'nonRepudiation'] }), 'key usage'],
    ['extended key usage', () => ({ extendedKeyUsage: ['serverAuth'] }), 'extended key usage'],
    ['absence of extended key usage', () => ({ extendedKeyUsage: [] }), 'set of extensions'],
    ['subject key identifier', () => ({ subjectKeyId: new Uint8Array(20) }), 'subject key identifier'],
    ['authority key identifier', () => ({ authorityKeyId: new Uint8Array(20) }), 'authority key identifier'],
    [
      'a name less',
      ({ subjectAlternativeNames }) => ({ subjectAlternativeNames: subjectAlternativeNames.slice(1) }),
      'alternative names',
    ],
    [
      'a name more',
      ({ subjectAlternativeNames }) => ({
        subjectAlternativeNames: [...subjectAlternativeNames, { type: 'DNS', value: 'x' }],
      }),
      'alternative names',
    ],
    ['criticality of the names', () => ({ subject: emptyName }), 'set of extensions'],
  ])('when its %s differs', async (_, changes, message) => {
    const plan = planLeaf(root.signer, leaf)
    const issued = await issueCertificate(plan, root.signer)
    expect(differencesFromPlan(issued, plan, root.key.spki)).toEqual([])
    expect(differencesFromPlan(issued, { ...plan, ...changes(plan) }, root.key.spki).join(' ')).toContain(message)
  })

  test('when it has an extension that nobody planned', async () => {
    const plan = planLeaf(root.signer, leaf)
    const members = children(readOnly(encodeTbs(plan, root.signer.signatureAlgorithm))).map(({ encoded }) => encoded)
    const extensions = children(
      readOnly(children(readOnly(members.at(-1) ?? plan.subject))[0]?.encoded ?? plan.subject),
    )
    const extra = sequence(oid('1.3.6.1.4.1.99999.1'), boolean(true), octetString(integer(1)))
    const list = sequence(...extensions.map(({ encoded }) => encoded), extra)
    const tbs = sequence(
      ...members.slice(0, -1),
      Buffer.concat([Uint8Array.of(0xa3, 0x82, list.length >> 8, list.length & 0xff), list]),
    )
    const der = sequence(tbs, root.signer.signatureAlgorithm, bitString(await root.signer.sign(tbs)))
    expect(new X509Certificate(der).verify(root.signer.publicKey)).toBe(true)
    expect(differencesFromPlan(parseCertificate(der), plan, root.key.spki)).toEqual([
      'The set of extensions of the finished certificate is not what was planned.',
    ])
  })

  test('when it is damaged at any byte', async () => {
    const plan = planLeaf(root.signer, leaf)
    const { der } = await issueCertificate(plan, root.signer)
    const isFound = (damaged: Uint8Array): boolean => {
      try {
        return differencesFromPlan(parseCertificate(damaged), plan, root.signer.publicKey).length > 0
      } catch (error) {
        return error instanceof CertificateError
      }
    }
    for (let at = 0; at < der.length; at += 7) {
      const damaged = Uint8Array.from(der)
      damaged[at] = (damaged[at] ?? 0) ^ 0x01
      expect([at, isFound(damaged)]).toEqual([at, true])
    }
  })
})

describe('a signer', () => {
  test.each(algorithms.map((algorithm) => [nameOf(algorithm), algorithm] as const))(
    'of %s signs',
    async (_, algorithm) => {
      const authority = await makeRoot({ algorithm })
      const plan = planLeaf(authority.signer, leaf)
      expect((await issueCertificate(plan, authority.signer)).serialNumber).toBe(
        Buffer.from(plan.serialNumber).toString('hex').toUpperCase(),
      )
    },
    60_000,
  )

  test('is not made of a leaf', async () => {
    const certificate = (await issueCertificate(planLeaf(root.signer, leaf), root.signer)).der
    await expect(createSigner(crypto, { pkcs8: leaf.pkcs8, certificate })).rejects.toThrow(SignerError)
  })

  test('is not made of a certificate and a key that do not belong together', async () => {
    await expect(createSigner(crypto, { pkcs8: leaf.pkcs8, certificate: root.certificate })).rejects.toThrow(
      'does not belong',
    )
  })

  test('carries the limits of its certificate', async () => {
    const wide = await makeRoot({ pathLength: 3 })
    const middle = await makeIntermediate(wide, 'Middle', 1)
    const { notBefore, notAfter, pathLength } = middle.signer
    expect({ notBefore, notAfter, pathLength }).toMatchObject({
      pathLength: 1,
      notBefore: now - 300_000,
      notAfter: now - 300_000 + 1000 * day,
    })
  })
})
