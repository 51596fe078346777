import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from './entry.ts'
import { type Holder, type Holders, successorsIn } from './replaced.ts'
import { replacements, type LiveHolder, supersededForRevocation, supersedeGraceMs, verdictOfReplaced } from './rules.ts'
import { entryOf } from './testing.ts'

const day = 24 * 3_600_000
const minute = 60_000
const now = Date.parse('2026-11-21T00:00:00Z')
const made = { createdAt: now - day, notAfter: now + day }
const entry = (serial: string, change: Partial<LedgerEntry> = {}): LedgerEntry => {
  const { createdAt = made.createdAt } = change
  return entryOf(serial, { ...made, notBefore: createdAt - 5 * minute, ...change })
}

/** Each key's holder: what it reports, and how new it is. */
type Reports = Readonly<
  Record<string, { readonly serial: string | undefined; readonly age?: number; readonly asks?: string }>
>
const holderOf = (key: string, { serial, age = 0, asks = 'data/ca' }: Reports[string] & object): Holder => ({
  uid: key,
  serialNumber: serial,
  asks,
  createdAt: new Date(now - age * day).toISOString(),
})
const reporting = (reports: Reports): Holders => ({
  find: (key) => {
    const found = reports[key]
    return found === undefined ? [] : [holderOf(key, found)]
  },
})
const replacedIn = (entries: readonly LedgerEntry[], reports: Reports = {}, unique = false) =>
  replacements(entries, reporting(reports), successorsIn(entries, { uniqueCommonName: unique }))
const serials = (replaced: ReadonlyMap<LedgerEntry, LedgerEntry>) =>
  [...replaced].map(([one, by]) => `${one.serialNumber} by ${by.serialNumber}`).toSorted()

describe('what is replaced', () => {
  const cases: { name: string; entries: LedgerEntry[]; replaced: string[] }[] = [
    { name: 'nothing in an empty ledger', entries: [], replaced: [] },
    { name: 'not what nobody replaces', entries: [entry('1'), entry('2')], replaced: [] },
    { name: 'what another one replaces', entries: [entry('1'), entry('2', { supersedes: '1' })], replaced: ['1'] },
    {
      name: 'a chain of renewals but the last',
      entries: [entry('1'), entry('2', { supersedes: '1' }), entry('3', { supersedes: '2' })],
      replaced: ['1', '2'],
    },
    {
      name: 'also by a holder made anew under the same name',
      entries: [entry('1', { holder: 'old' }), entry('2', { holder: 'new', supersedes: '1' })],
      replaced: ['1'],
    },
    {
      name: 'not the certificate of another holder',
      entries: [entry('1', { holderKey: 'data/other' }), entry('2', { supersedes: '1' })],
      replaced: [],
    },
    {
      name: 'not what nobody holds',
      entries: [entry('1', { holderKey: undefined }), entry('2', { holderKey: undefined, supersedes: '1' })],
      replaced: [],
    },
  ]
  it.each(cases)('is $name', ({ entries, replaced }) => {
    expect([...replacedIn(entries).keys()].map(({ serialNumber }) => serialNumber)).toEqual(replaced)
  })

  const of = (serial: string, holderKey: string | undefined, minutes: number, change: Partial<LedgerEntry> = {}) =>
    entry(serial, { holderKey, holder: holderKey, commonName: 'orders', createdAt: now + minutes * minute, ...change })
  const taker = of('4', 'data/d', 3, { supersedes: '3', takesName: true })
  const namesakes: { name: string; entries: LedgerEntry[]; unique?: boolean; replaced: string[] }[] = [
    {
      name: 'every older one of the name',
      entries: [of('1', 'data/a', 0), of('2', undefined, 1), of('3', 'data/c', 2), taker],
      replaced: ['1', '2', '3'],
    },
    {
      name: 'the one that it renews, under whatever name, and the namesakes',
      entries: [of('1', 'data/a', 0), of('3', 'data/d', 2, { commonName: 'former' }), taker],
      replaced: ['1', '3'],
    },
    { name: 'none of another name', entries: [of('1', 'data/a', 0, { commonName: 'billing' }), taker], replaced: [] },
    { name: 'no CA of the name', entries: [of('1', 'data/ca', 0, { isCa: true }), taker], replaced: [] },
    { name: 'no newer one', entries: [of('5', 'data/e', 4), taker], replaced: [] },
    {
      name: 'nobody else where names are free again',
      entries: [of('1', 'data/a', 0), taker],
      unique: false,
      replaced: [],
    },
  ]
  it.each(namesakes)('by one that takes a name is $name', ({ entries, unique = true, replaced }) => {
    const found = replacedIn(entries, { 'data/d': { serial: '4' } }, unique)
    expect([...found.keys()].map(({ serialNumber }) => serialNumber).toSorted()).toEqual(replaced)
    expect([...found.values()].every((one) => one === taker)).toBe(true)
  })
})

describe('the certificate of a holder that asks another CA', () => {
  const former = entry('1')
  const next = entry('9', { authority: 'pki/cb', createdAt: now })
  const found = (reports: Reports, there: LedgerEntry | undefined = next) => {
    const findIn = (authority: string, serial: string) =>
      there?.authority === authority && there.serialNumber === serial ? there : undefined
    return serials(replacements([former], reporting(reports), successorsIn([former], { findIn })))
  }
  it.each([
    { name: 'is replaced by the one it reports', reports: { serial: '9', asks: 'pki/cb' }, replaced: ['1 by 9'] },
    { name: 'is not while it is the one reported', reports: { serial: '1', asks: 'pki/cb' }, replaced: [] },
    { name: 'is not while none is reported', reports: { serial: undefined, asks: 'pki/cb' }, replaced: [] },
    { name: 'is not by what no ledger has', reports: { serial: '8', asks: 'pki/cb' }, replaced: [] },
    {
      name: 'is not by what another holder has',
      reports: { serial: '9', asks: 'pki/cb' },
      there: { ...next, holderKey: 'data/other' },
      replaced: [],
    },
    {
      name: 'is not by an older one',
      reports: { serial: '9', asks: 'pki/cb' },
      there: { ...next, createdAt: former.createdAt - 1, notBefore: former.createdAt - 1 - 5 * minute },
      replaced: [],
    },
  ])('$name', ({ reports, there, replaced }) => {
    expect(found({ 'data/orders': reports }, there)).toEqual(replaced)
  })
})

describe('a common name that one certificate has at a time', () => {
  const older = entry('1', { holderKey: 'data/other', commonName: 'orders' })
  const newer = entry('2', { supersedes: '1', commonName: 'orders', createdAt: now - supersedeGraceMs })
  it.each([
    { name: 'is taken over from another holder', entries: [older, newer], unique: true, count: 1 },
    { name: 'is not taken over without the policy', entries: [older, newer], unique: false, count: 0 },
    {
      name: 'is not what a certificate of another name replaces',
      entries: [older, { ...newer, commonName: 'billing' }],
      unique: true,
      count: 0,
    },
    {
      name: 'is not taken over where there is none',
      entries: [
        { ...older, commonName: undefined },
        { ...newer, commonName: undefined },
      ],
      unique: true,
      count: 0,
    },
  ])('$name', ({ entries, unique, count }) => {
    expect(replacedIn(entries, { 'data/orders': { serial: '2' } }, unique).size).toBe(count)
  })

  it('is revoked with its former holder when the new one has its certificate, whatever the former one reports', () => {
    const due = (serial: string | undefined) => {
      const reports = { 'data/other': { serial: '1', age: 1 }, 'data/orders': { serial } }
      const known = { holders: reporting(reports), deliveredAgo: () => Number.POSITIVE_INFINITY }
      return supersededForRevocation(replacedIn([older, newer], reports, true), known, now).due
    }
    expect(due('2')).toEqual([older])
    expect(due(undefined)).toEqual([])
  })
})

describe('a name that passes between x, the newer one, and y', () => {
  const of = (serial: string, at: number, holder: 'x' | 'y' | undefined, change: Partial<LedgerEntry> = {}) =>
    entry(serial, {
      holderKey: holder === undefined ? undefined : `data/${holder}`,
      holder,
      commonName: 'bar',
      createdAt: now + at * minute,
      ...change,
    })
  const y1 = of('y1', 0, 'y')
  const foo = of('x1', 1, 'x', { commonName: 'foo' })
  const taken = of('x2', 2, 'x', { supersedes: 'x1', takesName: true })
  const renewed = of('x3', 3, 'x', { supersedes: 'x2' })
  const gaveUp = of('x4', 4, 'x', { supersedes: 'x3', commonName: 'foo' })
  const again = of('x5', 5, 'x', { supersedes: 'x4', takesName: true })
  const history = [y1, foo, taken, renewed, gaveUp, again]
  const y = (serial: string) => ({ 'data/y': { serial, age: 2 } })
  const x = (serial: string | undefined, more: object = {}) => ({ 'data/x': { serial, age: 1, ...more } })

  const cases: { name: string; entries: LedgerEntry[]; reports: Reports; replaced: string[] }[] = [
    {
      name: 'with x',
      entries: [y1, foo, taken],
      reports: { ...y('y1'), ...x('x2') },
      replaced: ['x1 by x2', 'y1 by x2'],
    },
    {
      name: 'not before x has its certificate',
      entries: [y1, foo, taken],
      reports: { ...y('y1'), ...x('x1') },
      replaced: [],
    },
    {
      name: 'not while nobody knows what x has',
      entries: [y1, foo, taken],
      reports: { ...y('y1'), ...x(undefined) },
      replaced: ['x1 by x2'],
    },
    { name: 'not to x that is gone', entries: [y1, foo, taken], reports: y('y1'), replaced: ['x1 by x2'] },
    {
      name: 'with x, which has renewed it',
      entries: [y1, foo, taken, renewed],
      reports: { ...y('y1'), ...x('x3') },
      replaced: ['x1 by x2', 'x2 by x3', 'y1 by x2'],
    },
    {
      name: 'back to y when x gives it up',
      entries: [y1, foo, taken, renewed, gaveUp],
      reports: { ...y('y1'), ...x('x4') },
      replaced: ['x1 by x2', 'x2 by x3', 'x3 by x4'],
    },
    {
      name: 'to x again, counted from then',
      entries: history,
      reports: { ...y('y1'), ...x('x5') },
      replaced: ['x1 by x2', 'x2 by x3', 'x3 by x4', 'x4 by x5', 'y1 by x5'],
    },
    {
      name: 'not to x that asks another CA by now',
      entries: [y1, foo, taken],
      reports: { ...y('y1'), ...x('x2', { asks: 'data/cb' }) },
      replaced: ['x1 by x2'],
    },
    {
      name: 'not to what x had signed and got only when y had renewed its own',
      entries: [y1, taken, of('y2', 3, 'y', { supersedes: 'y1', takesName: true })],
      reports: { ...y('y2'), ...x('x2') },
      replaced: ['y1 by y2'],
    },
    {
      name: 'from what x had signed and never got',
      entries: [y1, foo, taken, of('y2', 3, 'y', { supersedes: 'y1', takesName: true })],
      reports: { ...y('y2'), ...x('x1') },
      replaced: ['x2 by y2', 'y1 by y2'],
    },
    {
      name: 'not to y that is older, while x uses it',
      entries: [taken, of('y2', 3, 'y', { takesName: true, supersedes: 'x2' })],
      reports: { ...y('y2'), ...x('x2') },
      replaced: [],
    },
    {
      name: 'not to what was signed for a request, while y uses it',
      entries: [y1, of('r1', 2, undefined, { takesName: true, supersedes: 'y1' })],
      reports: y('y1'),
      replaced: [],
    },
    {
      name: 'to what was signed for a request, when y uses it no more',
      entries: [y1, of('r1', 2, undefined, { takesName: true, supersedes: 'y1' })],
      reports: y('other'),
      replaced: ['y1 by r1'],
    },
  ]
  it.each(cases)('passes $name', ({ entries, reports, replaced }) => {
    expect(serials(replacedIn(entries, reports, true))).toEqual(replaced)
    expect(serials(replacedIn(entries.toReversed(), reports, true))).toEqual(replaced)
  })

  // Entries of a restore are made in any order, long after their certificates.
  it.each(cases)('passes the same way after a restore: $name', ({ entries, reports, replaced }) => {
    const restored = entries.map((one, index) => ({
      ...one,
      notBefore: one.createdAt - 5 * minute,
      createdAt: now + day - index * 1000,
      isRestored: true,
    }))
    expect(serials(replacedIn(restored, reports, true))).toEqual(replaced)
  })

  const live = (key: string, serial: string, age: number): LiveHolder => ({
    state: 'present',
    isReady: true,
    ...holderOf(key, { serial, age }),
  })
  it.each([
    { name: 'has it', x: live('x', 'x2', 1), y: live('y', 'y1', 2), verdict: 'Revoke' },
    { name: 'has renewed it', x: live('x', 'x3', 1), y: live('y', 'y1', 2), verdict: 'Revoke' },
    { name: 'never got it', x: live('x', 'x1', 1), y: live('y', 'y1', 2), verdict: 'Wait' },
    { name: 'has given it up', x: live('x', 'x4', 1), y: live('y', 'y1', 2), verdict: 'Wait' },
    {
      name: 'has taken it again, and it counts from then',
      x: live('x', 'x5', 1),
      y: live('y', 'y1', 2),
      verdict: 'Wait',
    },
    { name: 'is gone', x: { state: 'absent' }, y: live('y', 'y1', 2), verdict: 'Wait' },
    { name: 'is not to be seen', x: { state: 'unknown' }, y: live('y', 'y1', 2), verdict: 'Wait' },
    { name: 'has it, and y is gone', x: live('x', 'x2', 1), y: { state: 'absent' }, verdict: 'Revoke' },
    { name: 'has it, and y is not to be seen', x: live('x', 'x2', 1), y: { state: 'unknown' }, verdict: 'Wait' },
    { name: 'has it, and y is newer', x: live('x', 'x2', 2), y: live('y', 'y1', 1), verdict: 'Wait' },
  ] satisfies { name: string; x: LiveHolder; y: LiveHolder; verdict: string }[])(
    'is judged by who is there: x $name',
    ({ x: ofX, y: ofY, verdict }) => {
      const holders = new Map<string, LiveHolder>([
        ['data/x', ofX],
        ['data/y', ofY],
      ])
      expect(verdictOfReplaced(y1, taken, successorsIn(history, { uniqueCommonName: true }), holders)).toBe(verdict)
    },
  )
})
