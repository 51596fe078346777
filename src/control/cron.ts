/** The five fields of cron, as crontab(5) and the CronJob of Kubernetes read them. Pure. */

import { Cron } from 'croner'
import type { WallTime } from './time-zone.ts'

export interface Schedule {
  /** The first run later than that. Undefined for one that never comes, such as the 31st of February. */
  readonly next: (after: WallTime) => WallTime | undefined
}

const fields = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12 },
  // Sunday is 0, and 7.
  { name: 'day of week', least: 0, most: 7 },
] as const

const member = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/

/** A sentence about what cannot be read. */
export type CronProblem = string

export const scheduleOf = (text: string): Schedule | CronProblem => {
  // Every one is no choice: written as `*/1` it would count as one where days of month and of week are both given.
  const texts = text.split(' ').map((field) => (field === '*/1' ? '*' : field))
  if (texts.length !== fields.length) return 'it has to have five fields, separated by single spaces.'
  const chosen: ReadonlySet<number>[] = []
  for (const [at, { name, least, most }] of fields.entries()) {
    const field = texts[at] ?? ''
    const values = valuesOf(field, least, most)
    if (values === undefined) return `its ${name} is "${field}", and has to be made of ${least} to ${most}.`
    chosen.push(values)
  }
  const [, , days = noValues, months = noValues] = chosen
  // With days of week as well, either will do, and there is always another week.
  const never = texts[4] === '*' && ![...months].some((month) => [...days].some((day) => day <= longest(month)))
  // Croner searches the years up to 3000, and its stack may not be deep enough for that.
  if (never) return { next: () => undefined }
  // Without a time zone it counts in UTC alone, where no hour is missing and none comes twice.
  const cron = new Cron(texts.join(' '), { utcOffset: 0, paused: true })
  return { next: (after) => cron.nextRun(new Date(after))?.getTime() }
}

const noValues: ReadonlySet<number> = new Set()

const longest = (month: number): number => (month === 2 ? 29 : [4, 6, 9, 11].includes(month) ? 30 : 31)

/** Undefined where the text is no list of numbers and ranges within the limits. */
const valuesOf = (text: string, least: number, most: number): ReadonlySet<number> | undefined => {
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [whole, first, last, step] = member.exec(part) ?? []
    if (whole === undefined) return undefined
    const from = Number(first ?? least)
    const to = Number(last ?? (first === undefined || step !== undefined ? most : first))
    const by = Number(step ?? 1)
    if (from < least || to > most || from > to || by < 1 || by > most) return undefined
    for (let value = from; value <= to; value += by) values.add(value)
  }
  return values
}
