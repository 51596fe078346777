import { describe, expect, it } from 'vitest'
import type { LedgerEntry, Revocation } from '../ledger/entry.ts'
import { entryOf } from '../ledger/testing.ts'
import type { ParsedRevocationList, RevokedEntry } from '../pki/revocation/revocation-list.ts'
import { contentHash, listedEntries, outdated } from './entries.ts'

const day = 24 * 3_600_000
const now = Date.parse('2026-11-21T00:00:00Z')
const duration = 10 * day
const key = { keyId: 'aa', publicKeyHash: 'h' }

const revocation = (change: Partial<Revocation> = {}): Revocation => ({
  reason: 'keyCompromise',
  time: undefined,
  invalidityTime: undefined,
  seenAt: undefined,
  ...change,
})
const revoked = (serial: string, change: Partial<Revocation> = {}, entry: Partial<LedgerEntry> = {}): LedgerEntry =>
  entryOf(serial, {
    authorityKeyId: 'aa',
    notAfter: now + day,
    state: 'Revoked',
    revocation: revocation(change),
    ...entry,
  })
const before = (thisUpdate: number, ...entries: RevokedEntry[]): ParsedRevocationList =>
  ({ thisUpdate, revoked: entries }) as unknown as ParsedRevocationList
const serials = (ledger: LedgerEntry[], previous?: ParsedRevocationList): string[] =>
  listedEntries(ledger, key, previous, duration, now).map(({ serialNumber }) => serialNumber)

describe('the entries of a list', () => {
  it('are the revoked certificates of its key, and not the others', () => {
    const ledger = [
      revoked('01'),
      entryOf('02'),
      revoked('03', {}, { authorityKeyId: 'bb' }),
      // Imported without the extension.
      revoked('04', {}, { authorityKeyId: undefined }),
    ]
    expect(serials(ledger)).toEqual(['01', '04'])
  })

  it('say when, why and since when, in whole seconds', () => {
    const ledger = [
      revoked('01', { time: now - 1500, invalidityTime: now - day }),
      revoked('02', { reason: 'unspecified', seenAt: now - 5000 }),
      revoked('03'),
    ]
    expect(listedEntries(ledger, key, undefined, duration, now)).toEqual([
      { serialNumber: '01', revokedAt: now - 2000, reason: 'keyCompromise', invalidityTime: now - day },
      { serialNumber: '02', revokedAt: now - 5000 },
      { serialNumber: '03', revokedAt: now, reason: 'keyCompromise' },
    ])
  })

  it('have dates that a list can hold, whatever a person wrote', () => {
    const [time, invalidityTime] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('0000-02-01T00:00:00Z')]
    const earliest = Date.parse('1950-01-01T00:00:00Z')
    const ledger = [
      revoked('01', { time, invalidityTime }),
      revoked('02', { time: Date.parse('9999-12-31T23:59:59Z') }),
    ]
    const entries = listedEntries(ledger, key, undefined, duration, now)
    expect(entries).toEqual([
      { serialNumber: '01', revokedAt: earliest, reason: 'keyCompromise', invalidityTime: earliest },
      { serialNumber: '02', revokedAt: now, reason: 'keyCompromise' },
    ])
    expect(outdated(before(now, ...entries), ledger, key)).toBeUndefined()
  })

  it('name a serial number once, for good where one of its entries does', () => {
    const hold = { reason: 'certificateHold' } as const
    for (const ledger of [
      [revoked('01', hold), revoked('01'), entryOf('01')],
      [entryOf('01'), revoked('01'), revoked('01', hold)],
    ]) {
      const entries = listedEntries(ledger, key, before(now - day, { serialNumber: '01', revokedAt: 0 }), duration, now)
      expect(entries.map(({ serialNumber, reason }) => [serialNumber, reason])).toEqual([['01', 'keyCompromise']])
      expect(outdated(before(now, ...entries), ledger, key)).toBeUndefined()
    }
  })

  it('keep their date from list to list, whatever the clock of the mark said', () => {
    const previous = before(now - day, { serialNumber: '01', revokedAt: now - day, reason: 'keyCompromise' })
    expect(
      listedEntries([revoked('01', { seenAt: now - day + 3000 })], key, previous, duration, now)[0]?.revokedAt,
    ).toBe(now - day)
    const given = [revoked('01', { time: now - 2 * day })]
    expect(listedEntries(given, key, previous, duration, now)[0]?.revokedAt).toBe(now - 2 * day)
  })

  it('keep the date at which a date in the future was first listed', () => {
    const previous = before(now - day, { serialNumber: '01', revokedAt: now - day, reason: 'keyCompromise' })
    const given = [revoked('01', { time: now + day, seenAt: now - 1000 })]
    expect(listedEntries(given, key, previous, duration, now)[0]?.revokedAt).toBe(now - day)
    expect(listedEntries(given, key, undefined, duration, now)[0]?.revokedAt).toBe(now - 1000)
  })

  it('do not lie in the future', () => {
    const [entry] = listedEntries(
      [revoked('01', { time: now + day, invalidityTime: now + day })],
      key,
      undefined,
      duration,
      now,
    )
    expect(entry).toMatchObject({ revokedAt: now, invalidityTime: now })
  })

  it.each([
    { name: 'a certificate that has ended since the last list', ended: now - day, last: now - 2 * day, stays: true },
    { name: 'one that has ended less than a list ago', ended: now - 9 * day, last: now - day, stays: true },
    {
      name: 'one that has ended before there was a list, after a long silence',
      ended: now - 99 * day,
      last: now - 100 * day,
      stays: true,
    },
    { name: 'one that lists have named since its end', ended: now - 11 * day, last: now - day, stays: false },
    { name: 'one whose end cannot be read', ended: Number.NaN, last: now - day, stays: true },
  ])('hold $name: $stays', ({ ended, last, stays }) => {
    expect(serials([revoked('01', {}, { notAfter: ended })], before(last))).toEqual(stays ? ['01'] : [])
  })

  it.each([
    { name: 'an entry that was deleted', ledger: [], stays: true },
    {
      name: 'an entry that says no more that it is revoked',
      ledger: [entryOf('01', { authorityKeyId: 'aa' })],
      stays: true,
    },
    {
      name: 'an entry that has ended long ago',
      ledger: [revoked('01', {}, { notAfter: now - 50 * day })],
      stays: false,
    },
  ])('carry what was final through $name: $stays', ({ ledger, stays }) => {
    const previous = before(now - day, { serialNumber: '01', revokedAt: now - day, reason: 'keyCompromise' })
    expect(serials(ledger, previous)).toEqual(stays ? ['01'] : [])
  })

  it('do not carry a hold', () => {
    const previous = before(now - day, { serialNumber: '01', revokedAt: now - day, reason: 'certificateHold' })
    expect(serials([], previous)).toEqual([])
  })
})

describe('the hash of what a list has to say', () => {
  const hash = (ledger: LedgerEntry[], thisUpdate = now) => contentHash(ledger, key, thisUpdate)
  it('is the same in any order, and whatever is not revoked', () => {
    expect(hash([revoked('01'), revoked('02')])).toBe(hash([entryOf('03'), revoked('02'), revoked('01')]))
  })
  it('does not change as certificates end, nor with our own mark', () => {
    const ledger = [revoked('01', { seenAt: now })]
    expect(hash([...ledger, revoked('02', {}, { notAfter: now - 1 })])).toBe(hash([revoked('01')]))
  })
  it.each([
    { name: 'another revocation', ledger: [revoked('01'), revoked('02')] },
    { name: 'another reason', ledger: [revoked('01', { reason: 'superseded' })] },
    { name: 'another date', ledger: [revoked('01', { time: now })] },
    { name: 'a date of invalidity', ledger: [revoked('01', { invalidityTime: now })] },
    { name: 'nothing', ledger: [] },
  ])('is another one for $name', ({ ledger }) => {
    expect(hash(ledger)).not.toBe(hash([revoked('01')]))
  })
  it('is another one for another key', () => {
    expect(contentHash([], { ...key, publicKeyHash: 'x' }, now)).not.toBe(hash([]))
  })
})
