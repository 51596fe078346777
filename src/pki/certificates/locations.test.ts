// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs it to be loaded first
import 'reflect-metadata'
import { AuthorityInfoAccessExtension, CRLDistributionPointsExtension, X509Certificate } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from './certificate.ts'
import { differencesFromPlan } from './check.ts'
import { contextConstructed, contextPrimitive, DerError, integer, octetString, oid, sequence } from '../encoding/der.ts'
import type { KeyPair } from '../keys/keys.ts'
import { encodeCaIssuers, encodeDistributionPoints, readCaIssuers, readDistributionPoints } from './locations.ts'
import { distinguishedName } from '../names/names.ts'
import { parseCertificate } from './parse.ts'
import type { CertificatePlan } from '../plan.ts'
import { authorityPlan } from './plans.ts'
import {
  type Authority,
  day,
  generate,
  makeRoot,
  now,
  openssl,
  opensslVersion,
  pemFolder,
  planLeaf,
  randomSerial,
} from '../testing.ts'

let root: Authority
let leaf: KeyPair
beforeAll(async () => {
  root = await makeRoot({ pathLength: 1 })
  leaf = await generate()
})

const lists = ['http://pki.data.svc/ca/data/orders-ca.crl', 'http://[2001:db8::7]:8080/a,b.crl?c=%20']
const certificates = ['http://pki.data.svc/ca/data/orders-ca.cer', 'http://mirror.data.svc/orders,ca.cer']

const url = fc
  .webUrl({ validSchemes: ['http'], withQueryParameters: true })
  // oxlint-disable-next-line no-control-regex -- what fast-check makes beyond ASCII is no URL in a certificate
  .filter((text) => /^[\x21-\x7e]*$/.test(text))

describe('published locations', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(url, { minLength: 1, maxLength: 4 }), (urls) => {
        expect(readDistributionPoints(encodeDistributionPoints(urls))).toEqual(urls)
        expect(readCaIssuers(encodeCaIssuers(urls))).toEqual(urls)
      }),
    )
  })

  test('of a leaf are what was planned, in the eyes of every reader', async () => {
    const plan = planLeaf(root.signer, leaf, { crlDistributionPoints: lists, caIssuers: certificates })
    const der = (await issueCertificate(plan, root.signer)).der
    expect(parseCertificate(der)).toMatchObject({ crlDistributionPoints: lists, caIssuers: certificates })
    const theirs = new X509Certificate(der)
    const points = theirs.getExtension(CRLDistributionPointsExtension)
    expect(points?.critical).toBe(false)
    const names = points?.distributionPoints.map((point) => point.distributionPoint?.fullName ?? [])
    expect(names?.map((one) => one.map((name) => name.uniformResourceIdentifier))).toEqual([lists])
    const access = theirs.getExtension(AuthorityInfoAccessExtension)
    expect(access?.critical).toBe(false)
    expect(access?.caIssuers.map(({ value }) => value)).toEqual(certificates)
    expect(access?.ocsp).toEqual([])
  })

  test.skipIf(opensslVersion === undefined)('are printed by openssl', async () => {
    using folder = pemFolder()
    const plan = planLeaf(root.signer, leaf, { crlDistributionPoints: lists, caIssuers: certificates })
    const file = folder.write('leaf.pem', 'CERTIFICATE', (await issueCertificate(plan, root.signer)).der)
    const text = openssl(['x509', '-in', file, '-noout', '-ext', 'crlDistributionPoints,authorityInfoAccess'])
    for (const [prefix, urls] of [
      ['', lists],
      ['CA Issuers - ', certificates],
    ] as const)
      for (const one of urls) expect(text).toContain(`${prefix}URI:${one}\n`)
  })

  test('stand in an intermediate, and not in a root', async () => {
    const shape = { spki: leaf.spki, duration: 900 * day, now, subject: distinguishedName({ commonName: 'Below' }) }
    const locations = { crlDistributionPoints: lists, caIssuers: certificates }
    const made = (selfSigned: boolean): CertificatePlan =>
      authorityPlan({ ...shape, ...locations, signer: root.signer, selfSigned, serialNumber: randomSerial() })
    expect(made(true)).not.toHaveProperty('caIssuers')
    expect(made(true)).not.toHaveProperty('crlDistributionPoints')
    expect(await issueCertificate(made(false), root.signer)).toMatchObject(locations)
  })

  test.each<[string, Partial<CertificatePlan>]>([
    ['https', { caIssuers: ['https://pki.data.svc/ca.cer'] }],
    ['another scheme', { crlDistributionPoints: ['ldap://pki.data.svc/cn=ca'] }],
    ['a space', { crlDistributionPoints: ['http://pki.data.svc/a b.crl'] }],
    ['a capital in the host', { crlDistributionPoints: ['http://PKI.data.svc/a.crl'] }],
    ['no host', { caIssuers: ['http:///a.cer'] }],
    ['no ASCII', { caIssuers: ['http://pki.data.svc/ü.cer'] }],
    ['a line break', { caIssuers: ['http://pki.data.svc/a.cer\nCA Issuers - URI:http://b/'] }],
    ['a repetition', { caIssuers: ['http://a/', 'http://a/'] }],
    ['nothing', { crlDistributionPoints: [] }],
  ])('with %s are not signed', async (_, changes) => {
    const issued = issueCertificate(planLeaf(root.signer, leaf, changes), root.signer)
    await expect(issued).rejects.toThrow(/normal form|empty/)
  })

  test.each<[string, Partial<CertificatePlan>, string]>([
    ['lists', { crlDistributionPoints: lists.slice(1) }, 'CRL distribution points'],
    ['certificates', { caIssuers: ['http://elsewhere/'] }, 'issuer locations (OpenSSL)'],
    ['a second certificate', { caIssuers: certificates.slice(1) }, 'set of issuer locations'],
  ])('that differ from the plan are found: %s', async (_, changes, message) => {
    const plan = planLeaf(root.signer, leaf, { crlDistributionPoints: lists, caIssuers: certificates })
    const issued = await issueCertificate(plan, root.signer)
    expect(differencesFromPlan(issued, { ...plan, ...changes }, root.signer.publicKey).join()).toContain(message)
  })

  test('that nobody planned are found', async () => {
    const { crlDistributionPoints, caIssuers, ...plan } = planLeaf(root.signer, leaf, {
      crlDistributionPoints: lists,
      caIssuers: certificates,
    })
    const issued = await issueCertificate(
      { ...plan, crlDistributionPoints: lists, caIssuers: certificates },
      root.signer,
    )
    expect([crlDistributionPoints, caIssuers]).toEqual([lists, certificates])
    expect(differencesFromPlan(issued, plan, root.signer.publicKey).join()).toContain('set of extensions')
  })
})

describe('the locations of other people', () => {
  const uri = (text: string): Uint8Array => contextPrimitive(6, Buffer.from(text, 'latin1'))
  const fullName = (...names: Uint8Array[]): Uint8Array => contextConstructed(0, contextConstructed(0, ...names))
  const directory = contextConstructed(4, distinguishedName({ commonName: 'CRL1' }))

  test.each<[string, Uint8Array, string[]]>([
    ['several points', sequence(sequence(fullName(uri('a:1'))), sequence(fullName(uri('b:2')))), ['a:1', 'b:2']],
    ['a name in a directory', sequence(sequence(fullName(directory, uri('a:1')))), ['a:1']],
    ['reasons', sequence(sequence(fullName(uri('a:1')), contextPrimitive(1, Uint8Array.of(1, 6)))), ['a:1']],
    ['an issuer alone', sequence(sequence(contextConstructed(2, directory))), []],
    ['a relative name', sequence(sequence(contextConstructed(0, contextConstructed(1)))), []],
    ['no ASCII', sequence(sequence(fullName(uri('ä:1')))), []],
  ])('may have %s', (_, value, urls) => expect(readDistributionPoints(value)).toEqual(urls))

  test('may name a responder', () => {
    const ocsp = sequence(oid('1.3.6.1.5.5.7.48.1'), uri('http://ocsp/'))
    expect(readCaIssuers(sequence(ocsp, sequence(oid('1.3.6.1.5.5.7.48.2'), directory)))).toEqual([])
  })

  test.each([integer(1), sequence(octetString(Uint8Array.of(1))), Uint8Array.of(0x30, 1)])(
    'are refused where they are no DER of their kind: %#',
    (value) => {
      expect(() => readDistributionPoints(value)).toThrow(DerError)
      expect(() => readCaIssuers(value)).toThrow(DerError)
    },
  )
})
