import { describe, expect, it } from 'vitest'
import { type EntryState, isRestored, type LedgerEntry, type Revocation } from './entry.ts'
import { type Holders, successorsIn } from './replaced.ts'
import {
  deleteGraceMs,
  type LiveHolder,
  nextExpiry,
  orphans,
  prunable,
  replacements,
  supersededForRevocation,
  supersedeGraceMs,
  verdictOf,
  verdictOfReplaced,
  wantedMark,
} from './rules.ts'
import { entryOf } from './testing.ts'

const day = 24 * 3_600_000
const minute = 60_000
const now = Date.parse('2026-11-21T00:00:00Z')
const made = { createdAt: now - day, notBefore: now - day - 5 * minute, notAfter: now + day }
const entry = (serial: string, change: Partial<LedgerEntry> = {}): LedgerEntry =>
  entryOf(serial, { ...made, ...change })
const revoked: Revocation = { reason: 'keyCompromise', time: now, invalidityTime: undefined, seenAt: undefined }

type Held = { readonly uid: string; readonly serialNumber: string | undefined }
const held = (...found: readonly Held[]): Holders => ({ find: (key) => (key === 'data/orders' ? found : []) })
const nobody = held()
const replacedIn = (entries: readonly LedgerEntry[], holders: Holders = nobody) =>
  replacements(entries, holders, successorsIn(entries))

describe('the mark of an entry', () => {
  const ended = { notAfter: now - 1 }
  const superseded = { state: 'Superseded', marked: 'Superseded' } as const
  const cases: { change: Partial<LedgerEntry>; isReplaced?: boolean; isInUse?: boolean; mark: EntryState }[] = [
    { change: {}, mark: 'Valid' },
    { change: {}, isReplaced: true, mark: 'Superseded' },
    { change: ended, mark: 'Expired' },
    { change: { notAfter: now }, mark: 'Valid' },
    { change: ended, isReplaced: true, mark: 'Superseded' },
    // One mark in a life.
    { change: { ...ended, state: 'Superseded', marked: 'Superseded' }, mark: 'Superseded' },
    { change: { ...ended, state: 'Expired', marked: 'Expired' }, isReplaced: true, mark: 'Expired' },
    { change: { state: 'Revoked', marked: 'Valid', revocation: revoked }, mark: 'Revoked' },
    { change: { ...ended, state: 'Revoked', revocation: revoked }, isReplaced: true, mark: 'Revoked' },
    // Its holder has the name back.
    { change: superseded, isInUse: true, mark: 'Valid' },
    { change: superseded, isInUse: true, isReplaced: true, mark: 'Superseded' },
    { change: { ...superseded, ...ended }, isInUse: true, mark: 'Expired' },
    { change: { ...ended, state: 'Expired', marked: 'Expired' }, isInUse: true, mark: 'Expired' },
    // A hold taken back.
    { change: { state: 'Valid', marked: 'Revoked' }, mark: 'Valid' },
    { change: { state: 'Valid', marked: 'Revoked' }, isReplaced: true, mark: 'Superseded' },
    { change: { notAfter: Number.NaN }, mark: 'Valid' },
  ]
  it.each(cases)('is $mark (%#)', ({ change, isReplaced = false, isInUse = false, mark }) => {
    expect(wantedMark(entry('1', change), { isReplaced, isInUse }, now)).toBe(mark)
  })
})

describe('what is revoked because it was replaced', () => {
  const delivered = held({ uid: 'h', serialNumber: '2' })
  const longAgo = () => Number.POSITIVE_INFINITY
  const old = { createdAt: now - supersedeGraceMs }
  const cases: {
    name: string
    first?: Partial<LedgerEntry>
    second?: Partial<LedgerEntry>
    holders?: Holders
    deliveredAgo?: () => number
    due: boolean
  }[] = [
    { name: 'is what was replaced long enough ago', due: true },
    { name: 'is not what was replaced just now', second: { createdAt: now - supersedeGraceMs + 1 }, due: false },
    { name: 'is what was replaced just long enough ago', deliveredAgo: () => supersedeGraceMs, due: true },
    {
      name: 'is not what was replaced long ago by what was delivered just now',
      second: { createdAt: now - day },
      deliveredAgo: () => supersedeGraceMs - 1,
      due: false,
    },
    { name: 'is not what its holder still reports', holders: held({ uid: 'h', serialNumber: '1' }), due: false },
    {
      name: 'is not what a holder without a report may hold',
      holders: held({ uid: 'h', serialNumber: undefined }),
      due: false,
    },
    { name: 'is not what has no holder any more', holders: nobody, due: false },
    { name: 'is not what has ended', first: { notAfter: now }, due: false },
    { name: 'is not what is revoked', first: { revocation: revoked }, due: false },
    { name: 'is not the certificate of a CA', first: { isCa: true }, due: false },
  ]
  it.each(cases)('$name', ({ first = {}, second = {}, holders = delivered, deliveredAgo = longAgo, due }) => {
    const entries = [entry('1', first), entry('2', { ...old, supersedes: '1', ...second })]
    const { due: found } = supersededForRevocation(replacedIn(entries, holders), { holders, deliveredAgo }, now)
    expect(found.length).toBe(due ? 1 : 0)
  })

  it('says when to look again', () => {
    const createdAt = now - minute
    const entries = [entry('1'), entry('2', { createdAt, supersedes: '1' })]
    const next = (deliveredAgo: () => number) =>
      supersededForRevocation(replacedIn(entries, delivered), { holders: delivered, deliveredAgo }, now).next
    expect(next(longAgo)).toBe(createdAt + supersedeGraceMs)
    expect(next(() => 1000)).toBe(now - 1000 + supersedeGraceMs)
  })

  const live: { live: LiveHolder; verdict: string }[] = [
    { live: { state: 'present', uid: 'h', serialNumber: '2', isReady: false }, verdict: 'Revoke' },
    { live: { state: 'present', uid: 'h', serialNumber: '1', isReady: true }, verdict: 'Wait' },
    { live: { state: 'present', uid: 'h', serialNumber: undefined, isReady: false }, verdict: 'Wait' },
    { live: { state: 'absent' }, verdict: 'Wait' },
    { live: { state: 'unknown' }, verdict: 'Wait' },
  ]
  it.each(live)('asks the holder itself: $live is $verdict', ({ live: found, verdict }) => {
    const [first, second] = [entry('1'), entry('2', { supersedes: '1' })]
    const seen = new Map([['data/orders', found]])
    expect(verdictOfReplaced(first, second, successorsIn([first, second]), seen)).toBe(verdict)
  })
})

describe('an orphan', () => {
  const restored = { createdAt: now, notBefore: now - 30 * day }
  const seen = (uid: string, serialNumber?: string) => new Map([['data/orders', { uid, serialNumber }]])
  const cases: {
    name: string
    change?: Partial<LedgerEntry>
    holders?: Holders
    deleted?: ReturnType<typeof seen>
    is: boolean
  }[] = [
    { name: 'has a holder that memory does not know', is: true },
    {
      name: 'is also one that was replaced, while it is valid',
      change: { state: 'Superseded', marked: 'Superseded' },
      is: true,
    },
    {
      name: 'has no holder of this uid, but another of its name',
      holders: held({ uid: 'new', serialNumber: '9' }),
      is: true,
    },
    { name: 'is not one whose holder is there', holders: held({ uid: 'h', serialNumber: '9' }), is: false },
    { name: 'is not one that a holder made anew reports', holders: held({ uid: 'new', serialNumber: '1' }), is: false },
    { name: 'is not one that nobody held', change: { holder: undefined, holderKey: undefined }, is: false },
    { name: 'is not one that has ended', change: { notAfter: now }, is: false },
    { name: 'is not one whose end cannot be read', change: { notAfter: Number.NaN }, is: false },
    { name: 'is not one that is revoked', change: { revocation: revoked }, is: false },
    { name: 'is not a CA', change: { isCa: true }, is: false },
    { name: 'is not one that came back from a backup', change: restored, is: false },
    { name: 'is one from a backup whose holder was seen going', change: restored, deleted: seen('h'), is: true },
    { name: 'is one from a backup whose last holder used it', change: restored, deleted: seen('new', '1'), is: true },
    {
      name: 'is not one from a backup whose last holder had another',
      change: restored,
      deleted: seen('new', '9'),
      is: false,
    },
  ]
  it.each(cases)('$name', ({ change = {}, holders = nobody, deleted = new Map(), is }) => {
    expect(orphans([entry('1', change)], holders, deleted, now)).toHaveLength(is ? 1 : 0)
  })

  const verdicts: { name: string; live: LiveHolder; verdict: string }[] = [
    { name: 'nobody of this name', live: { state: 'absent' }, verdict: 'Revoke' },
    { name: 'no answer', live: { state: 'unknown' }, verdict: 'Wait' },
    {
      name: 'the holder itself',
      live: { state: 'present', uid: 'h', serialNumber: undefined, isReady: false },
      verdict: 'Keep',
    },
    {
      name: 'another that took the certificate up',
      live: { state: 'present', uid: 'new', serialNumber: '1', isReady: true },
      verdict: 'Keep',
    },
    {
      name: 'another that may still take it up',
      live: { state: 'present', uid: 'new', serialNumber: undefined, isReady: false },
      verdict: 'Wait',
    },
    {
      name: 'another that is not Ready',
      live: { state: 'present', uid: 'new', serialNumber: '9', isReady: false },
      verdict: 'Wait',
    },
    {
      name: 'another with a certificate of its own',
      live: { state: 'present', uid: 'new', serialNumber: '9', isReady: true },
      verdict: 'Revoke',
    },
  ]
  it.each(verdicts)('is judged by who is there: $name', ({ live, verdict }) => {
    expect(verdictOf(entry('1'), live)).toBe(verdict)
  })

  it('comes from a backup when its entry is much younger than its certificate', () => {
    expect(isRestored(entry('1'))).toBe(false)
    expect(isRestored(entry('1', restored))).toBe(true)
    expect(isRestored(entry('1', { createdAt: Number.NaN }))).toBe(true)
    expect(isRestored(entry('1', { isRestored: true }))).toBe(true)
  })
})

describe('what is pruned', () => {
  const keepExpiredForMs = 90 * day
  const due = (change: Partial<LedgerEntry>, holders = nobody) =>
    prunable([entry('1', change)], { keepExpiredForMs, holders }, now).due.length === 1
  const life = (notAfter: number, lifetime: number) => ({
    createdAt: notAfter - lifetime,
    notBefore: notAfter - lifetime - 5 * minute,
    notAfter,
  })

  it.each([
    { name: 'what ended before the time it is kept', change: life(now - 91 * day, 90 * day), pruned: true },
    { name: 'not what is still kept', change: life(now - 89 * day, 90 * day), pruned: false },
    { name: 'not what is valid', change: life(now + day, 90 * day), pruned: false },
    { name: 'not what cannot be read', change: { notAfter: Number.NaN }, pruned: false },
    {
      name: 'a certificate of ten seconds after a hundred of its lives',
      change: life(now - 1001 * 1000, 10_000),
      pruned: true,
    },
    { name: 'not before', change: life(now - 999 * 1000, 10_000), pruned: false },
  ])('is $name', ({ change, pruned }) => {
    expect(due(change)).toBe(pruned)
  })

  it('is not what its holder could not replace yet', () => {
    const change = life(now - 91 * day, 90 * day)
    expect(due(change, held({ uid: 'h', serialNumber: '1' }))).toBe(false)
    expect(due(change, held({ uid: 'h', serialNumber: '2' }))).toBe(true)
  })

  it('says when the next one is due', () => {
    const { next } = prunable(
      [entry('1', life(now, 90 * day)), entry('2', life(now + day, 90 * day))],
      { keepExpiredForMs, holders: nobody },
      now,
    )
    expect(next).toBe(now + keepExpiredForMs)
  })

  it('keeps the ledger of very short certificates bounded', () => {
    const lifetime = 10_000
    const every = 6700
    const entries = Array.from({ length: 5000 }, (_, at) => entry(`${at}`, life(now - at * every, lifetime)))
    const left = entries.length - prunable(entries, { keepExpiredForMs, holders: nobody }, now).due.length
    expect(left).toBeLessThan(200)
  })
})

it('the first end of a valid certificate is the next expiry', () => {
  const entries = [
    entry('1', { notAfter: now + 2 }),
    entry('2', { notAfter: now + 1 }),
    entry('3', { notAfter: now - 1 }),
  ]
  expect(nextExpiry(entries, now)).toBe(now + 1)
  expect(nextExpiry([], now)).toBeUndefined()
})

it('what was deleted is left alone for a while', () => {
  expect(deleteGraceMs).toBeGreaterThanOrEqual(minute)
})
