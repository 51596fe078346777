import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  bitString,
  boolean,
  concat,
  contextConstructed,
  contextPrimitive,
  generalizedTime,
  integer,
  octetString,
  oid,
  sequence,
  Tag,
  time,
  tlv,
  unsignedInteger,
} from '../encoding/der.ts'
import { distinguishedName } from '../names/names.ts'
import { issueRevocationList, type RevocationListPlan } from './revocation-list.ts'
import { differencesFromRevocationPlan } from './check.ts'
import { parseRevocationList, RevocationListError, revocationListVerifies } from './parse.ts'
import { type Authority, day, makeRoot, now } from '../testing.ts'

const name = distinguishedName({ commonName: 'a' })
const ecdsa = sequence(oid('1.2.840.10045.4.3.2'))
const extension = (id: string, value: Uint8Array, critical = false): Uint8Array =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value))
const reason = (code: number): Uint8Array => extension('2.5.29.21', tlv(Tag.enumerated, Uint8Array.of(code)))
const entry = (...extensions: Uint8Array[]): Uint8Array =>
  sequence(integer(7), time(now), ...(extensions.length === 0 ? [] : [sequence(...extensions)]))

/** A list put together by hand, with a signature of nothing. */
const assemble = (changes: {
  readonly version?: readonly Uint8Array[]
  readonly inner?: Uint8Array
  readonly issuer?: Uint8Array
  readonly times?: readonly Uint8Array[]
  readonly revoked?: readonly Uint8Array[]
  readonly extensions?: readonly Uint8Array[]
  readonly tail?: readonly Uint8Array[]
}): Uint8Array => {
  const { extensions, revoked } = changes
  const tbs = sequence(
    ...(changes.version ?? [integer(1)]),
    changes.inner ?? ecdsa,
    changes.issuer ?? name,
    ...(changes.times ?? [time(now), time(now + day)]),
    ...(revoked === undefined ? [] : [sequence(...revoked)]),
    ...(extensions === undefined ? [] : [contextConstructed(0, sequence(...extensions))]),
    ...(changes.tail ?? []),
  )
  return sequence(tbs, ecdsa, bitString(new Uint8Array(8)))
}

describe('other people’s revocation lists', () => {
  test('may be without number, identifier and next update', () => {
    const list = parseRevocationList(assemble({ times: [time(now)], revoked: [entry()] }))
    expect(list).toMatchObject({ thisUpdate: now, revoked: [{ serialNumber: '07', revokedAt: now }] })
    for (const absent of ['nextUpdate', 'number', 'authorityKeyId']) expect(list).not.toHaveProperty(absent)
  })

  test('may be of the first version', () => expect(parseRevocationList(assemble({ version: [] })).revoked).toEqual([]))

  test('may have a hold instruction and an explicit unspecified', () => {
    const instruction = extension('2.5.29.23', oid('1.2.840.10040.2.3'))
    const [held, plain] = parseRevocationList(
      assemble({ revoked: [entry(reason(6), instruction), entry(reason(0))] }),
    ).revoked
    expect([held?.reason, plain?.reason]).toEqual(['certificateHold', 'unspecified'])
  })

  test('say which critical extensions were not understood', () => {
    const extensions = [extension('2.5.29.28', sequence(), true), extension('2.5.29.46', sequence())]
    expect(parseRevocationList(assemble({ extensions })).unknownCritical).toEqual(['2.5.29.28'])
  })

  test.each<[string, Parameters<typeof assemble>[0], string]>([
    ['an unknown version', { version: [integer(2)] }, 'version'],
    ['extensions in the first version', { version: [], extensions: [extension('2.5.29.20', integer(1))] }, 'version'],
    ['two algorithms', { inner: sequence(oid('1.2.840.10045.4.3.3')) }, 'algorithms inside and outside differ'],
    ['an issuer that is no name', { issuer: sequence(integer(1)) }, 'distinguished name'],
    ['no time', { times: [] }, 'missing'],
    ['a time that does not exist', { times: [tlv(Tag.utcTime, Buffer.from('260231000000Z'))] }, 'does not exist'],
    ['a time of the wrong form', { times: [tlv(Tag.utcTime, Buffer.from('2602010000Z'))] }, 'form of RFC 5280'],
    ['an empty list of entries', { revoked: [] }, 'empty'],
    ['an empty list of extensions', { extensions: [] }, 'empty'],
    ['an empty list of extensions of an entry', { revoked: [sequence(integer(7), time(now), sequence())] }, 'empty'],
    ['a field more', { tail: [integer(1)] }, 'unknown'],
    ['a critical extension of an entry', { revoked: [entry(extension('2.5.29.29', sequence(), true))] }, '2.5.29.29'],
    ['removeFromCRL', { revoked: [entry(reason(8))] }, 'reason'],
    ['a reason that is none', { revoked: [entry(reason(7))] }, 'reason'],
    ['an extension twice', { revoked: [entry(reason(1), reason(1))] }, 'twice'],
    ['an invalidity date as UTCTime', { revoked: [entry(extension('2.5.29.24', time(now)))] }, 'tag'],
    ['a negative serial number', { revoked: [sequence(Uint8Array.of(2, 1, 0x80), time(now))] }, 'non-negative'],
    [
      'a serial number of 21 octets',
      { revoked: [sequence(unsignedInteger(new Uint8Array(21).fill(1)), time(now))] },
      '20 octets',
    ],
    ['an entry of one part', { revoked: [sequence(integer(7))] }, 'malformed'],
    [
      'a number of 21 octets',
      { extensions: [extension('2.5.29.20', unsignedInteger(new Uint8Array(21).fill(1)))] },
      '20 octets',
    ],
  ])('are refused with %s', (_, changes, message) => {
    expect(() => parseRevocationList(assemble(changes))).toThrow(RevocationListError)
    expect(() => parseRevocationList(assemble(changes))).toThrow(message)
  })

  test('are refused where they are too large', () =>
    expect(() => parseRevocationList(new Uint8Array(9 * 1024 * 1024))).toThrow('at most'))

  test('are refused with bytes behind them', () =>
    expect(() => parseRevocationList(concat([assemble({}), Uint8Array.of(0)]))).toThrow('bytes follow'))

  test('are believed with no algorithm that is not known to be good', () => {
    const sha1 = sequence(oid('1.2.840.113549.1.1.5'), Uint8Array.of(5, 0))
    const list = parseRevocationList(assemble({}))
    expect(revocationListVerifies({ ...list, signatureAlgorithm: sha1 }, new Uint8Array())).toBe(false)
  })

  test('throw nothing but RevocationListError, whatever the bytes', () => {
    const good = assemble({ revoked: [entry(reason(1))], extensions: [extension('2.5.29.20', integer(1))] })
    const damaged = fc
      .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length))
      .map(([at, change, end]) => {
        const bytes = Uint8Array.from(good)
        bytes[at] = (bytes[at] ?? 0) ^ change
        return bytes.subarray(0, end)
      })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array()), (bytes) => {
        try {
          parseRevocationList(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(RevocationListError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the check of a finished list', () => {
  let root: Authority
  let plan: RevocationListPlan
  let der: Uint8Array
  beforeAll(async () => {
    root = await makeRoot()
    plan = {
      issuer: root.signer.subject,
      authorityKeyId: root.signer.subjectKeyId,
      thisUpdate: now,
      nextUpdate: now + day,
      number: 7n,
      // More than one piece.
      revoked: Array.from({ length: 130 }, (_, index) => ({
        serialNumber: (index + 16).toString(16).toUpperCase().padStart(4, '0'),
        revokedAt: now - index * 1000,
        reason: 'superseded' as const,
        invalidityTime: now - day,
      })),
    }
    der = await issueRevocationList(root.signer, plan)
  })

  const revokedWith = (at: number, change: object): Partial<RevocationListPlan> => ({
    revoked: plan.revoked.map((one, index) => (index === at ? { ...one, ...change } : one)),
  })

  test.each<[string, () => Partial<RevocationListPlan>, string]>([
    ['issuer', () => ({ issuer: name }), 'issuer'],
    ['key identifier', () => ({ authorityKeyId: new Uint8Array(20) }), 'set of extensions'],
    ['number', () => ({ number: 8n }), 'set of extensions'],
    ['time of issue', () => ({ thisUpdate: now + 1000 }), 'time of issue'],
    ['next update', () => ({ nextUpdate: now + 2 * day }), 'next update'],
    ['absence of entries', () => ({ revoked: [] }), 'presence of entries'],
    ['lack of an entry', () => ({ revoked: plan.revoked.slice(1) }), 'revocation of a certificate'],
    ['further entry', () => ({ revoked: [...plan.revoked, { serialNumber: 'FF', revokedAt: now }] }), 'set of entries'],
    ['time of an entry', () => revokedWith(0, { revokedAt: now + 1000 }), 'revocation of a certificate'],
    ['reason of the last entry', () => revokedWith(129, { reason: 'keyCompromise' }), 'revocation of a certificate'],
    ['lack of a reason', () => revokedWith(60, { reason: 'unspecified' }), 'revocation of a certificate'],
    ['invalidity date', () => revokedWith(60, { invalidityTime: now }), 'revocation of a certificate'],
  ])('finds another %s', async (_, changes, message) => {
    expect(await differencesFromRevocationPlan(der, plan, root.signer.publicKey)).toEqual([])
    const differences = await differencesFromRevocationPlan(der, { ...plan, ...changes() }, root.signer.publicKey)
    expect(differences.join()).toContain(message)
  })

  test('finds entries in another order', async () => {
    const entries = [sequence(integer(9), time(now)), sequence(integer(8), time(now))]
    const keyId = sequence(contextPrimitive(0, root.signer.subjectKeyId))
    const extensions = [extension('2.5.29.35', keyId), extension('2.5.29.20', integer(7))]
    const unsorted = assemble({ issuer: root.signer.subject, revoked: entries, extensions })
    const revoked = ['08', '09'].map((serialNumber) => ({ serialNumber, revokedAt: now }))
    expect(await differencesFromRevocationPlan(unsorted, { ...plan, revoked }, root.signer.publicKey)).toEqual([
      'The order of entries of the finished list is not what was planned.',
      'The signature of the finished list is not what was planned.',
    ])
  })

  test('finds damage at any byte', async () => {
    for (let at = 0; at < der.length; at += 97) {
      const damaged = Uint8Array.from(der)
      damaged[at] = (damaged[at] ?? 0) ^ 0x01
      const differences = await differencesFromRevocationPlan(damaged, plan, root.signer.publicKey)
      expect([at, differences.length > 0]).toEqual([at, true])
    }
  })
})

test('a generalized time is written whatever the year', () =>
  expect(Buffer.from(generalizedTime(now)).subarray(2).toString()).toBe('20260601120000Z'))
