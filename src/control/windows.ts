/**
 * Maintenance windows: whether one is open, and when that changes. Pure, and of bounded cost whatever the expressions say.
 *
 * A window opens when the wall clock of its zone shows a time that its cron names, and stays open for its duration of real
 * time. Where the clock jumps over that time it opens with the jump; where the clock shows it twice it opens twice. Windows
 * that overlap or touch are one.
 */

import { parseDuration } from '../resources/duration.ts'
import type { MaintenanceWindow } from '../resources/maintenance-windows.ts'
import type { Instant } from '../runtime/clock.ts'
import { type Schedule, scheduleOf } from './cron.ts'
import { type TimeZone, timeZoneOf } from './time-zone.ts'

export interface Opening {
  readonly open: boolean
  /** When the next one opens, where none is open; undefined where none ever does. */
  readonly opensAt?: Instant
  /**
   * When it closes, where one is open; where that lies more than a dozen windows ahead, an instant up to which it is
   * certainly open. Undefined where there are no windows, so that it is never closed.
   */
  readonly closesAt?: Instant
}

const minute = 60_000
const hour = 60 * minute

/** No clock is put forward or back by more than a day, ms. */
const longestJump = 25 * hour

/** How many openings `closesAt` looks through. */
const mostQuestions = 100

export const isOpen = (windows: readonly MaintenanceWindow[] | undefined, now: Instant): Opening => {
  if (windows === undefined || windows.length === 0) return { open: true }
  const usable = windows.flatMap((window) => compiled(window).starts ?? [])
  const ends = usable.flatMap((starts) => endOf(starts, now) ?? [])
  if (ends.length > 0) return { open: true, closesAt: closing(usable, Math.max(...ends)) }
  const next = usable.flatMap((starts) => starts.after(now) ?? [])
  return next.length === 0 ? { open: false } : { open: false, opensAt: Math.min(...next) }
}

/** What is wrong with them, in sentences that name the field; such a window never opens. */
export const windowProblems = (windows: readonly MaintenanceWindow[] | undefined, field: string): string[] =>
  (windows ?? []).flatMap((window, at) => {
    const { problem } = compiled(window)
    return problem === undefined ? [] : [`${field}[${at}].${problem}`]
  })

interface Starts {
  readonly duration: number
  /** The first opening later than that. */
  readonly after: (instant: Instant) => Instant | undefined
}

interface Compiled {
  readonly starts?: Starts
  readonly problem?: string
}

/** When the window closes that is open at that instant. */
const endOf = ({ after, duration }: Starts, instant: Instant): Instant | undefined => {
  const start = after(instant - duration)
  return start !== undefined && start <= instant ? start + duration : undefined
}

/** Follows windows that open before `end`, or with it. */
const closing = (windows: readonly Starts[], end: Instant): Instant => {
  let questions = 0
  for (;;) {
    let farthest = end
    for (const { after, duration } of windows)
      // The later a window opened, the farther it leads: those that opened just before the end are asked for first.
      for (let back = minute; ; back *= 4) {
        if ((questions += 1) > mostQuestions) return farthest
        const start = after(end - Math.min(back, duration))
        if (start !== undefined && start <= end) {
          farthest = Math.max(farthest, start + duration)
          break
        }
        if (back >= duration) break
      }
    if (farthest === end) return end
    end = farthest
  }
}

/** Few different windows are in use at one time, and to read one again costs more than to ask it. */
const mostKept = 256
const kept = new Map<string, Compiled>()

const compiled = (window: MaintenanceWindow): Compiled => {
  const key = `${window.cron} ${window.duration} ${window.timeZone ?? ''}`
  const present = kept.get(key)
  if (present !== undefined) return present
  const made = compile(window)
  if (kept.size >= mostKept) kept.clear()
  kept.set(key, made)
  return made
}

const compile = ({ cron, duration, timeZone = 'UTC' }: MaintenanceWindow): Compiled => {
  const schedule = scheduleOf(cron)
  if (typeof schedule === 'string') return { problem: `cron: "${cron}" cannot be read: ${schedule}` }
  const zone = timeZoneOf(timeZone)
  if (zone === undefined)
    return { problem: `timeZone: no time zone is called "${timeZone}"; write one as in Europe/Berlin.` }
  return { starts: { duration: parseDuration(duration), after: (instant) => startAfter(schedule, zone, instant) } }
}

const startAfter = (schedule: Schedule, zone: TimeZone, instant: Instant): Instant | undefined => {
  const shown = zone.wallTime(instant)
  const run = schedule.next(shown)
  // A clock that is soon put back shows again what it has shown before, which a search from here on cannot find.
  const jump = zone.jumpAfter(instant, longestJump)
  if (jump === undefined) {
    if (run === undefined) return undefined
    const first = zone.firstInstant(run)
    // It was put back just now, and shows that for the second time.
    return first > instant ? first : instant + (run - shown)
  }
  const { at, from, to } = jump
  if (run !== undefined && run < from) return at - (from - run)
  if (run !== undefined && run < to) return at
  const later = schedule.next(to - 1000)
  if (later === undefined) return undefined
  return later < from ? at + (later - to) : zone.firstInstant(later)
}
