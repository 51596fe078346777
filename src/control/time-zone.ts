/** Wall clocks of time zones, by the tables that come with Node. Pure. */

import type { Instant } from '../runtime/clock.ts'

const minute = 60_000
const hour = 60 * minute

/**
 * What a wall clock shows, as the ms since the epoch at which a clock in UTC shows the same. It runs like an instant, but for
 * the jumps when the zone changes its offset.
 */
export type WallTime = number

export interface TimeZone {
  readonly wallTime: (instant: Instant) => WallTime
  /**
   * When the clock first shows `wall` or, where it jumps over that, something later. Of an hour that exists twice it is the
   * first one.
   */
  readonly firstInstant: (wall: WallTime) => Instant
  /** The jump of the clock within the `span` ms after an instant; at most one is looked for. */
  readonly jumpAfter: (instant: Instant, span: number) => Jump | undefined
}

export interface Jump {
  readonly at: Instant
  /** What it would have shown then, and what it does. */
  readonly from: WallTime
  readonly to: WallTime
}

/** No clock is further ahead of UTC, or behind it, ms (IANA: Pacific/Kiritimati, Etc/GMT+12; one hour more to be safe). */
const farthestAhead = 15 * hour
const farthestBehind = 13 * hour

/** Undefined where this Node knows no zone of that name. */
export const timeZoneOf = (name: string): TimeZone | undefined => {
  const format = formatOf(name)
  if (format === undefined) return undefined
  const offset = name === 'UTC' ? () => 0 : (instant: Instant) => offsetOf(format, instant)
  const wallTime = (instant: Instant): WallTime => instant + offset(instant)
  /** The first whole second after `low` with another offset than there; `high` has one. */
  const jumpWithin = (low: Instant, high: Instant): Instant => {
    const before = offset(low)
    let [from, to] = [Math.floor(low / 1000), Math.ceil(high / 1000)]
    while (to - from > 1) {
      const middle = Math.floor((from + to) / 2)
      if (offset(middle * 1000) === before) from = middle
      else to = middle
    }
    return to * 1000
  }
  return {
    wallTime,
    firstInstant: (wall) => {
      const [low, high] = [wall - farthestAhead, wall + farthestBehind]
      for (const assumed of [offset(low), offset(high)]) if (wallTime(wall - assumed) === wall) return wall - assumed
      return jumpWithin(low, high)
    },
    jumpAfter: (instant, span) => {
      const before = offset(instant)
      if (offset(instant + span) === before) return undefined
      const at = jumpWithin(instant, instant + span)
      return { at, from: at + before, to: wallTime(at) }
    },
  }
}

const formatOf = (timeZone: string): Intl.DateTimeFormat | undefined => {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return undefined
  }
}

const offsetOf = (format: Intl.DateTimeFormat, instant: Instant): number => {
  const second = Math.floor(instant / 1000) * 1000
  const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
  for (const { type, value } of format.formatToParts(second)) shown[type] = Number(value)
  const { year = 1970, month = 1, day = 1, hour: hours = 0, minute: minutes = 0, second: seconds = 0 } = shown
  return Date.UTC(year, month - 1, day, hours, minutes, seconds) - second
}
