import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueCertificate } from '../certificates/certificate.ts'
import { distinguishedName } from '../names/names.ts'
import { parseCertificate } from '../certificates/parse.ts'
import { authorityPlan } from '../certificates/plans.ts'
import {
  issueRevocationList,
  parseRevocationList,
  type ParsedRevocationList,
  type RevocationListPlan,
  RevocationListError,
  revocationListVerifies,
  type RevokedEntry,
} from './revocation-list.ts'
import { revocationReasons } from './reason.ts'
import { createSigner, selfSigner, type Signer } from '../certificates/signer.ts'
import {
  algorithms,
  type Authority,
  day,
  generate,
  makeRoot,
  nameOf,
  now,
  openssl,
  opensslVersion,
  pemFolder,
  planLeaf,
  randomSerial,
} from '../testing.ts'

let root: Authority
beforeAll(async () => {
  root = await makeRoot()
})

const planList = (
  { subject, subjectKeyId }: Signer,
  revoked: readonly RevokedEntry[] = [],
  changes: Partial<RevocationListPlan> = {},
): RevocationListPlan => ({
  issuer: subject,
  authorityKeyId: subjectKeyId,
  thisUpdate: now,
  nextUpdate: now + 31 * day,
  number: 1n,
  revoked,
  ...changes,
})

const issue = (revoked: readonly RevokedEntry[] = [], changes: Partial<RevocationListPlan> = {}) =>
  issueRevocationList(root.signer, planList(root.signer, revoked, changes))

const listOf = async (...given: Parameters<typeof issue>): Promise<ParsedRevocationList> =>
  parseRevocationList(await issue(...given))

const some: RevokedEntry[] = [
  { serialNumber: '4F0C', revokedAt: now - day, reason: 'keyCompromise', invalidityTime: now - 2 * day },
  { serialNumber: '0F', revokedAt: now - 1000 },
  { serialNumber: '80', revokedAt: now - 2000, reason: 'certificateHold' },
]

describe('a revocation list', () => {
  test('says what was planned, by serial number', async () => {
    const list = await listOf(some, { number: 0x80n })
    expect(list).toMatchObject({ thisUpdate: now, nextUpdate: now + 31 * day, number: 128n, unknownCritical: [] })
    expect(Buffer.from(list.issuer).equals(root.signer.subject)).toBe(true)
    expect(Buffer.from(list.authorityKeyId ?? []).equals(root.signer.subjectKeyId)).toBe(true)
    expect(list.revoked).toEqual([some[1], some[2], some[0]])
  })

  test('has no list of entries where nothing is revoked', async () => {
    const der = await issue()
    expect(parseRevocationList(der).revoked).toEqual([])
    // An empty SEQUENCE would stand between nextUpdate and [0] (RFC 5280 §5.1.2.6).
    expect(Buffer.from(der).includes(Buffer.from('3000a0', 'hex'))).toBe(false)
  })

  test('leaves unspecified out', async () => {
    const stated = { serialNumber: '01', revokedAt: now, reason: 'unspecified' } as const
    const { tbs } = await listOf([stated])
    expect(Buffer.from(tbs).equals((await listOf([{ serialNumber: '01', revokedAt: now }])).tbs)).toBe(true)
  })

  test('is the same to-be-signed bytes for the same entries in any order', async () => {
    const hex = async (revoked: readonly RevokedEntry[]): Promise<string> =>
      Buffer.from((await listOf(revoked)).tbs).toString('hex')
    expect(await hex(some)).toBe(await hex(some.toReversed()))
  })

  test('drops fractions of a second', async () => {
    const entry = { serialNumber: '01', revokedAt: now + 7, reason: 'superseded', invalidityTime: now + 999 } as const
    const list = await listOf([entry], { thisUpdate: now + 1, nextUpdate: now + day + 999 })
    expect([list.thisUpdate, list.nextUpdate]).toEqual([now, now + day])
    expect(list.revoked).toEqual([{ ...entry, revokedAt: now, invalidityTime: now }])
  })

  test('has times before and after 2050', async () => {
    const old = await makeRoot({ duration: 40_000 * day })
    const late = Date.UTC(2051, 0, 1)
    const revoked = [{ serialNumber: '01', revokedAt: late - 1000, invalidityTime: Date.UTC(2049, 11, 31) }]
    const plan = planList(old.signer, revoked, { thisUpdate: late, nextUpdate: late + day })
    const list = parseRevocationList(await issueRevocationList(old.signer, plan))
    expect(list).toMatchObject({ thisUpdate: late, nextUpdate: late + day, revoked })
  })

  test('reads as it was planned, whatever the entries', async () => {
    const instant = fc.integer({ min: Date.UTC(1950, 0) / 1000, max: Date.UTC(2120, 0) / 1000 }).map((s) => s * 1000)
    const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) =>
      Buffer.from(bytes)
        .toString('hex')
        .toUpperCase()
        .replace(/^(00)+(?=.)/, ''),
    )
    const entry: fc.Arbitrary<RevokedEntry> = fc.record(
      {
        serialNumber: serial,
        revokedAt: instant,
        reason: fc.constantFrom(...revocationReasons.filter((reason) => reason !== 'unspecified')),
        invalidityTime: instant,
      },
      { requiredKeys: ['serialNumber', 'revokedAt'] },
    )
    const entries = fc.uniqueArray(entry, { selector: ({ serialNumber }) => serialNumber, maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(entries, fc.bigInt({ min: 0n, max: (1n << 159n) - 1n }), async (revoked, number) => {
        const list = await listOf(revoked, { number })
        expect(list.number).toBe(number)
        const value = ({ serialNumber }: RevokedEntry): bigint => BigInt(`0x${serialNumber}`)
        expect(list.revoked).toEqual(revoked.toSorted((a, b) => (value(a) < value(b) ? -1 : 1)))
      }),
      { numRuns: 60 },
    )
  })

  test('lets others run while it is made', async () => {
    let turns = 0
    let done = false
    const count = (): void => {
      turns += 1
      if (!done) setImmediate(count)
    }
    const revoked = Array.from({ length: 1000 }, (_, index) => ({
      serialNumber: (index + 256).toString(16).toUpperCase(),
      revokedAt: now,
    }))
    setImmediate(count)
    const list = await listOf(revoked)
    done = true
    expect(list.revoked).toHaveLength(1000)
    expect(turns).toBeGreaterThan(20)
  })

  test.each(algorithms.map((algorithm) => [nameOf(algorithm), algorithm] as const))(
    'of a CA with a key of %s verifies with it and with no other',
    async (_, algorithm) => {
      const { signer } = await makeRoot({ algorithm })
      const list = parseRevocationList(await issueRevocationList(signer, planList(signer, some)))
      expect(revocationListVerifies(list, signer.spki)).toBe(true)
      expect(revocationListVerifies(list, signer.publicKey)).toBe(true)
      expect(revocationListVerifies(list, (await generate(algorithm)).spki)).toBe(false)
      expect(revocationListVerifies(list, new Uint8Array(3))).toBe(false)
      expect(revocationListVerifies({ ...list, tbs: Uint8Array.from([...list.tbs, 0]) }, signer.spki)).toBe(false)
    },
    60_000,
  )
})

describe('a revocation list is refused', () => {
  test.each<[string, Partial<RevocationListPlan>, string]>([
    ['under another name', { issuer: distinguishedName({ commonName: 'x' }) }, 'issuer'],
    ['with another key identifier', { authorityKeyId: new Uint8Array(20) }, 'authority key identifier'],
    ['that ends before it begins', { nextUpdate: now }, 'end before it begins'],
    ['that is over within its first second', { nextUpdate: now + 999 }, 'end before it begins'],
    ['of an expired CA', { thisUpdate: now + 3651 * day, nextUpdate: now + 3652 * day }, 'has expired'],
    ['from before the CA', { thisUpdate: now - day }, 'not valid yet'],
    ['without a time', { thisUpdate: Number.NaN }, 'years'],
    ['with a time that cannot be written', { nextUpdate: Infinity }, 'years'],
    ['with a negative number', { number: -1n }, 'number of the list'],
    ['with a number of 21 octets', { number: 1n << 159n }, 'number of the list'],
    ['with a serial number in small letters', { revoked: [{ serialNumber: '0f', revokedAt: now }] }, '"0f"'],
    ['with an empty serial number', { revoked: [{ serialNumber: '', revokedAt: now }] }, '""'],
    ['with 21 octets', { revoked: [{ serialNumber: '1'.repeat(42), revokedAt: now }] }, '20 octets'],
    [
      'with a repetition',
      {
        revoked: [
          { serialNumber: '0F', revokedAt: now },
          { serialNumber: 'F', revokedAt: now },
        ],
      },
      'listed twice',
    ],
    ['with a time of no year', { revoked: [{ serialNumber: '0F', revokedAt: Number.NaN }] }, 'time of the revocation'],
    [
      'with removeFromCRL',
      { revoked: [{ serialNumber: '0F', revokedAt: now, reason: 'removeFromCRL' as never }] },
      'reason of the revocation of 0F',
    ],
    [
      'with a reason of Object',
      { revoked: [{ serialNumber: '0F', revokedAt: now, reason: 'constructor' as never }] },
      'reason of the revocation of 0F',
    ],
  ])('%s', async (_, changes, message) => {
    const issued = issue([], changes)
    await expect(issued).rejects.toThrow(RevocationListError)
    await expect(issued).rejects.toThrow(message)
  })

  test('with a few of its many problems', async () => {
    const revoked = Array.from({ length: 1000 }, () => ({ serialNumber: '-', revokedAt: now }))
    const message = await issue(revoked).catch((error: unknown) => String(error))
    expect(message.length).toBeLessThan(1000)
  })

  test('of a CA without cRLSign', async () => {
    const key = await generate()
    const subject = distinguishedName({ commonName: 'No lists' })
    const self = await selfSigner(crypto, { pkcs8: key.pkcs8, subject })
    const shape = { signer: self, selfSigned: true, subject, spki: key.spki, serialNumber: randomSerial() }
    const plan = { ...authorityPlan({ ...shape, duration: 100 * day, now }), keyUsage: ['keyCertSign'] as const }
    const certificate = (await issueCertificate(plan, self)).der
    const signer = await createSigner(crypto, { pkcs8: key.pkcs8, certificate })
    expect(signer.mayIssueRevocationLists).toBe(false)
    await expect(issueRevocationList(signer, planList(signer))).rejects.toThrow('cRLSign')
  })
})

describe('a list that is not what was planned is never returned', () => {
  test('when the signature is over something else', async () => {
    const signer = { ...root.signer, sign: (tbs: Uint8Array) => root.signer.sign(tbs.toReversed()) }
    await expect(issueRevocationList(signer, planList(signer, some))).rejects.toThrow('signature')
  })

  test('when another key signed', async () => {
    const signer = { ...root.signer, sign: (await makeRoot()).signer.sign }
    await expect(issueRevocationList(signer, planList(signer))).rejects.toThrow('signature')
  })
})

describe.skipIf(opensslVersion === undefined)('openssl', () => {
  test('prints a list as it was planned, and verifies it', async () => {
    using folder = pemFolder()
    const file = folder.write('ca.crl', 'X509 CRL', await issue(some, { number: 0x1f2n }))
    const ca = folder.write('ca.crt', 'CERTIFICATE', root.certificate)
    const text = openssl(['crl', '-in', file, '-noout', '-text', '-CAfile', ca, '-nameopt', 'RFC2253'])
    const lines = text.split('\n').map((line) => line.trim())
    const keyId = Buffer.from(root.signer.subjectKeyId).toString('hex').toUpperCase().match(/../g)?.join(':')
    expect(lines.slice(1, lines.indexOf('Signature Algorithm: ecdsa-with-SHA256', 5))).toEqual([
      'Version 2 (0x1)',
      'Signature Algorithm: ecdsa-with-SHA256',
      'Issuer: CN=Orders CA,O=Acme',
      'Last Update: Jun  1 12:00:00 2026 GMT',
      'Next Update: Jul  2 12:00:00 2026 GMT',
      'CRL extensions:',
      'X509v3 Authority Key Identifier:',
      keyId,
      'X509v3 CRL Number:',
      expect.stringMatching(/^(498|0x01F2)$/),
      'Revoked Certificates:',
      'Serial Number: 0F',
      'Revocation Date: Jun  1 11:59:59 2026 GMT',
      'Serial Number: 80',
      'Revocation Date: Jun  1 11:59:58 2026 GMT',
      'CRL entry extensions:',
      'X509v3 CRL Reason Code:',
      'Certificate Hold',
      'Serial Number: 4F0C',
      'Revocation Date: May 31 12:00:00 2026 GMT',
      'CRL entry extensions:',
      'X509v3 CRL Reason Code:',
      'Key Compromise',
      'Invalidity Date:',
      'May 30 12:00:00 2026 GMT',
    ])
    expect(text).toContain('verify OK')
  })

  test.each<[string, (serialNumber: string) => RevokedEntry[], RegExp]>([
    ['accepts what is not listed', () => some, /: OK/],
    ['accepts under an empty list', () => [], /: OK/],
    ['refuses what is revoked', (serialNumber) => [...some, { serialNumber, revokedAt: now }], /certificate revoked/],
    [
      'refuses what is on hold',
      (serialNumber) => [{ serialNumber, revokedAt: now, reason: 'certificateHold' }],
      /certificate revoked/,
    ],
  ])('%s', async (_, revoked, verdict) => {
    using folder = pemFolder()
    const leaf = (await issueCertificate(planLeaf(root.signer, await generate()), root.signer)).der
    const list = await issue(revoked(parseCertificate(leaf).serialNumber))
    const files = {
      ca: folder.write('ca.crt', 'CERTIFICATE', root.certificate),
      list: folder.write('ca.crl', 'X509 CRL', list),
      leaf: folder.write('leaf.crt', 'CERTIFICATE', leaf),
    }
    const time = String(now / 1000 + 60)
    const verify = [
      'verify',
      '-x509_strict',
      '-crl_check',
      '-attime',
      time,
      '-CAfile',
      files.ca,
      '-CRLfile',
      files.list,
    ]
    const said = ((): string => {
      try {
        return openssl([...verify, files.leaf])
      } catch (error) {
        return String(error)
      }
    })()
    expect(said).toMatch(verdict)
  })
})
