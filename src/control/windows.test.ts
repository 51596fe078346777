import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isOpen, windowProblems } from './windows.ts'

const minute = 60_000
const day = 1440 * minute

const at = (text: string): number => Date.parse(text)
const timestamp = (instant: number | undefined): string | undefined =>
  instant === undefined ? undefined : new Date(instant).toISOString().replace(':00.000Z', 'Z')

const window = (cron: string, duration: string, timeZone = 'UTC') => ({ cron, duration, timeZone })

const said = (windows: Parameters<typeof isOpen>[0], now: string): string => {
  const { open, opensAt, closesAt } = isOpen(windows, at(now))
  return open ? `open until ${timestamp(closesAt)}` : `closed until ${timestamp(opensAt)}`
}

describe('isOpen', () => {
  it.each([
    { what: 'no windows at all', windows: undefined },
    { what: 'an empty list', windows: [] },
  ])('is open for ever with $what', ({ windows }) => {
    expect(isOpen(windows, 0)).toEqual({ open: true })
  })

  const night = [window('0 2 * * 6', '2h')] // Saturdays
  const berlin = [window('30 2 * * *', '1h', 'Europe/Berlin')]
  const berlinFull = [window('0 2 * * *', '30m', 'Europe/Berlin')]

  it.each([
    ['before it', night, '2026-11-20T12:00Z', 'closed until 2026-11-21T02:00Z'],
    ['in its first instant', night, '2026-11-21T02:00Z', 'open until 2026-11-21T04:00Z'],
    ['just before its end', night, '2026-11-21T03:59:59.999Z', 'open until 2026-11-21T04:00Z'],
    ['at its end', night, '2026-11-21T04:00Z', 'closed until 2026-11-28T02:00Z'],
    ['on the last millisecond before it', night, '2026-11-21T01:59:59.999Z', 'closed until 2026-11-21T02:00Z'],
    [
      'in two that overlap',
      [window('0 2 * * *', '2h'), window('0 3 * * *', '3h')],
      '2026-11-21T02:30Z',
      'open until 2026-11-21T06:00Z',
    ],
    [
      'in two that touch',
      [window('0 2 * * *', '1h'), window('0 3 * * *', '1h')],
      '2026-11-21T02:30Z',
      'open until 2026-11-21T04:00Z',
    ],
    [
      'in the shorter of two that begin at once',
      [window('0 2 * * *', '10m'), window('0 2 * * *', '4h')],
      '2026-11-21T02:05Z',
      'open until 2026-11-21T06:00Z',
    ],
    [
      'between two zones',
      [window('0 2 * * *', '1h', 'Asia/Tokyo'), window('0 2 * * *', '1h', 'America/New_York')],
      '2026-11-21T12:00Z',
      'closed until 2026-11-21T17:00Z',
    ],
    ['in summer time', berlin, '2026-07-01T00:00Z', 'closed until 2026-07-01T00:30Z'],
    ['in winter time', berlin, '2026-12-01T00:00Z', 'closed until 2026-12-01T01:30Z'],
    // 2026-03-29: 02:00 CET → 03:00 CEST at 01:00Z, so there is no 02:30.
    ['before one whose hour does not exist', berlin, '2026-03-29T00:30Z', 'closed until 2026-03-29T01:00Z'],
    ['in one whose hour does not exist', berlin, '2026-03-29T01:30Z', 'open until 2026-03-29T02:00Z'],
    ['after one whose hour did not exist', berlin, '2026-03-29T02:00Z', 'closed until 2026-03-30T00:30Z'],
    // 2026-10-25: 03:00 CEST → 02:00 CET at 01:00Z, so 02:00 comes at 00:00Z and at 01:00Z.
    ['before one whose hour comes twice', berlinFull, '2026-10-24T23:00Z', 'closed until 2026-10-25T00:00Z'],
    ['between the two', berlinFull, '2026-10-25T00:45Z', 'closed until 2026-10-25T01:00Z'],
    ['in the second', berlinFull, '2026-10-25T01:15Z', 'open until 2026-10-25T01:30Z'],
    ['after the second', berlinFull, '2026-10-25T01:30Z', 'closed until 2026-10-26T01:00Z'],
    ['before a 29th of February', [window('0 0 29 2 *', '1d')], '2026-11-21T00:00Z', 'closed until 2028-02-29T00:00Z'],
    ['over a leap year left out', [window('0 0 29 2 *', '1d')], '2096-03-01T00:00Z', 'closed until 2104-02-29T00:00Z'],
    [
      'either day counts where both are given',
      [window('0 0 13 * 5', '1h')],
      '2026-11-21T00:00Z',
      'closed until 2026-11-27T00:00Z',
    ],
    [
      'every day of the month is no choice',
      [window('0 0 */1 * 5', '1h')],
      '2026-11-21T00:00Z',
      'closed until 2026-11-27T00:00Z',
    ],
    ['a Sunday may be a 7', [window('0 0 * * 7', '1h')], '2026-11-21T00:00Z', 'closed until 2026-11-22T00:00Z'],
  ])('says %s', (_what, windows, now, expected) => {
    expect(said(windows, now)).toBe(expected)
  })

  it.each(['0 0 31 2 *', '0 0 30,31 2 *', '0 0 31 4,6,9,11 *', '* * 30-31 2 *'])('never opens on %s', (cron) => {
    expect(isOpen([window(cron, '1h')], at('2026-11-21T00:00Z'))).toEqual({ open: false })
  })

  it('opens once more where one of several never does', () => {
    expect(said([window('0 0 31 2 *', '1h'), window('0 2 * * *', '1h')], '2026-11-21T00:00Z')).toBe(
      'closed until 2026-11-21T02:00Z',
    )
  })

  it.each([
    ['longer than its period', [window('0 0 * * *', '36h')]],
    ['of every minute', [window('* * * * *', '1m')]],
    ['of every minute for three years', [window('* * * * *', '1000d')]],
  ])('is open now and for some time to come in a window %s', (_what, windows) => {
    const now = at('2026-11-21T12:34Z')
    const { open, closesAt } = isOpen(windows, now)
    expect(open).toBe(true)
    expect(closesAt).toBeGreaterThan(now + 30 * minute)
  })
})

describe('windowProblems', () => {
  it.each([
    ['60 2 * * *', 'minute is "60", and has to be made of 0 to 59'],
    ['0 24 * * *', 'hour is "24"'],
    ['0 0 0 * *', 'day of month is "0"'],
    ['0 0 * 13 *', 'month is "13"'],
    ['0 0 * * 8', 'day of week is "8"'],
    ['*/0 * * * *', 'minute is "*/0"'],
    ['5-1 * * * *', 'minute is "5-1"'],
    ['1* * * * *', 'minute is "1*"'],
    ['1,,2 * * * *', 'minute is "1,,2"'],
    ['0-99999999999999 * * * *', 'minute is "0-99999999999999"'],
    [`${'-'.repeat(64)} * * * *`, 'minute is "---'],
  ])('names what is wrong with %s', (cron, what) => {
    const [problem = '', ...others] = windowProblems(
      [window('0 0 * * *', '1h'), window(cron, '1h')],
      'spec.rotation.windows',
    )
    expect(others).toEqual([])
    expect(problem).toContain(`spec.rotation.windows[1].cron: "${cron}" cannot be read: its ${what}`)
    expect(isOpen([window(cron, '1h')], 0)).toEqual({ open: false })
  })

  it('names a time zone that does not exist', () => {
    const wrong = [window('0 0 * * *', '1h', 'Europe/Atlantis')]
    expect(windowProblems(wrong, 'spec.rotation.windows')).toEqual([
      'spec.rotation.windows[0].timeZone: no time zone is called "Europe/Atlantis"; write one as in Europe/Berlin.',
    ])
    expect(isOpen(wrong, 0)).toEqual({ open: false })
  })

  it('finds nothing where there is nothing', () => {
    expect(windowProblems(undefined, 'spec.rotation.windows')).toEqual([])
    expect(windowProblems([window('0-59/7 0,12 1-31/2 */3 1-5', '90m', 'Asia/Kolkata')], 'x')).toEqual([])
  })
})

/** Looks at the wall clock once a minute, as a person would. */
class Oracle {
  readonly #format: Intl.DateTimeFormat
  readonly #fields: readonly string[]
  constructor(cron: string, timeZone: string) {
    this.#fields = cron.split(' ')
    this.#format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  }

  /** Every instant of whole minutes from `from` on, before `to`, at which the window opens. */
  starts(from: number, to: number): number[] {
    const found: number[] = []
    let before = this.#shown(from - minute)
    for (let now = from; now < to; now += minute) {
      const shown = this.#shown(now)
      // All that the clock jumps over begins at the jump.
      let matches = this.#matches(shown)
      for (let skipped = before + minute; skipped < shown; skipped += minute) matches ||= this.#matches(skipped)
      if (matches) found.push(now)
      before = shown
    }
    return found
  }

  #shown(instant: number): number {
    return Date.parse(`${this.#format.format(instant).replace(' ', 'T')}Z`)
  }

  #matches(wall: number): boolean {
    const date = new Date(wall)
    const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = this.#fields
    const weekday = date.getUTCDay()
    const isDay = has(days, date.getUTCDate(), 31)
    const isWeekday = has(weekdays, weekday, 7) || (weekday === 0 && has(weekdays, 7, 7))
    return (
      has(minutes, date.getUTCMinutes(), 59) &&
      has(hours, date.getUTCHours(), 23) &&
      has(months, date.getUTCMonth() + 1, 12) &&
      (days === '*' || weekdays === '*' ? isDay && isWeekday : isDay || isWeekday)
    )
  }
}

const has = (field: string, value: number, most: number): boolean =>
  field.split(',').some((part) => {
    const [range = '', step] = part.split('/')
    const [first = '', last] = range.split('-')
    const from = first === '*' ? 0 : Number(first)
    const to = first === '*' || (last === undefined && step !== undefined) ? most : Number(last ?? first)
    if (value < from || value > to) return false
    // Days and months are counted from 1.
    const base = first === '*' && (most === 31 || most === 12) ? 1 : from
    return step === undefined || (value - base) % Number(step) === 0
  })

const arbitraryField = (least: number, most: number): fc.Arbitrary<string> => {
  const number = fc.integer({ min: least, max: most })
  const range = fc.tuple(number, number).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
  const stepped = fc.tuple(fc.oneof(fc.constant('*'), range), fc.integer({ min: 2, max: most }))
  const part = fc.oneof(
    { weight: 3, arbitrary: number.map(String) },
    range,
    stepped.map(([what, step]) => `${what}/${step}`),
  )
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    { weight: 3, arbitrary: part },
    fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(',')),
  )
}

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe', // half an hour
  'Antarctica/Troll', // two hours
  'Africa/Casablanca', // around Ramadan
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'Pacific/Chatham',
  'Africa/Cairo', // at midnight
  'America/Santiago', // at midnight, southern
]

/** Instants near a change of the clock in one of these zones, and any others. */
const jumps = [
  '2026-03-29T01:00Z',
  '2026-10-25T01:00Z',
  '2026-03-08T07:00Z',
  '2026-11-01T06:00Z',
  '2026-04-04T15:00Z',
  '2026-10-03T15:30Z',
  '2026-02-15T02:00Z',
  '2026-03-22T02:00Z',
  '2026-04-23T22:00Z',
  '2026-10-29T21:00Z',
  '2026-04-05T03:00Z',
  '2026-09-06T04:00Z',
].map(at)

const arbitraryNow = fc.oneof(
  fc.tuple(fc.constantFrom(...jumps), fc.integer({ min: -2000, max: 2000 })).map(([jump, by]) => jump + by * minute),
  fc.integer({ min: at('2024-01-01T00:00Z') / minute, max: at('2032-01-01T00:00Z') / minute }).map((n) => n * minute),
)

const arbitraryWindow = fc.record({
  cron: fc
    .tuple(
      arbitraryField(0, 59),
      arbitraryField(0, 23),
      arbitraryField(1, 31),
      arbitraryField(1, 12),
      arbitraryField(0, 7),
    )
    .map((fields) => fields.join(' ')),
  duration: fc
    .oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 1800 }))
    .map((minutes) => `${minutes}m`),
  timeZone: fc.constantFrom(...zones),
})

describe('against a clock that is looked at every minute', () => {
  const horizon = 2 * day

  it('is open when that says so, and opens and closes when that does', () => {
    fc.assert(
      fc.property(fc.array(arbitraryWindow, { minLength: 1, maxLength: 3 }), arbitraryNow, (windows, now) => {
        const spans = windows.flatMap(({ cron, duration, timeZone }) => {
          const length = Number(duration.slice(0, -1)) * minute
          const starts = new Oracle(cron, timeZone).starts(now - length, now + horizon)
          return starts.map((start) => ({ start, end: start + length }))
        })
        const openAt = (instant: number): boolean => spans.some(({ start, end }) => start <= instant && instant < end)
        const changes = spans.flatMap(({ start, end }) => [start, end]).filter((instant) => instant > now)
        const next = changes.toSorted((a, b) => a - b).find((instant) => openAt(instant) !== openAt(now))
        const { open, opensAt, closesAt } = isOpen(windows, now)

        expect(open).toBe(openAt(now))
        if (!open && next !== undefined) expect(opensAt).toBe(next)
        if (!open && next === undefined) expect(opensAt ?? Infinity).toBeGreaterThanOrEqual(now + horizon)
        if (open) {
          expect(opensAt).toBeUndefined()
          expect(closesAt).toBeGreaterThan(now)
          // Of one that stays open for long only a part is said.
          if (next !== undefined && next < now + horizon) expect(closesAt).toBeLessThanOrEqual(next)
          if (closesAt !== next && (closesAt ?? 0) <= now + horizon) expect(openAt((closesAt ?? 0) - minute)).toBe(true)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('says of an ordinary window exactly when it closes', () => {
    const hourly = fc.record({
      cron: fc.tuple(fc.integer({ min: 0, max: 59 }), arbitraryField(0, 23)).map(([m, h]) => `${m} ${h} * * *`),
      duration: fc.integer({ min: 1, max: 59 }).map((minutes) => `${minutes}m`),
      timeZone: fc.constantFrom(...zones),
    })
    fc.assert(
      fc.property(hourly, fc.constantFrom(...jumps), fc.integer({ min: -100, max: 100 }), (one, jump, by) => {
        const now = jump + by * minute
        const length = Number(one.duration.slice(0, -1)) * minute
        const starts = new Oracle(one.cron, one.timeZone).starts(now - length, now + day)
        const openAt = (instant: number) => starts.some((start) => start <= instant && instant < start + length)
        let end = now
        while (openAt(end)) end += minute
        expect(isOpen([one], now).closesAt).toBe(end === now ? undefined : end)
      }),
      { numRuns: 100 },
    )
  })

  it('answers whatever the schema lets through', () => {
    const cron = fc
      .array(fc.stringMatching(/^[0-9*/,-]{1,64}$/), { minLength: 5, maxLength: 5 })
      .map((fields) => fields.join(' '))
    const zone = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_+-]{0,9}(\/[A-Za-z0-9_+-]{1,9}){0,2}$/)
    fc.assert(
      fc.property(cron, fc.oneof(zone, fc.constantFrom(...zones)), arbitraryNow, (text, timeZone, now) => {
        const one = window(text, '1h', timeZone)
        const { open, opensAt } = isOpen([one], now)
        expect(windowProblems([one], 'field').length > 0 && (open || opensAt !== undefined)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})
