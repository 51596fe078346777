/** Times in words: how far away something is. */

import type { Instant } from '../runtime/clock.ts'

const units: readonly (readonly [string, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]

/** `in 59 days`, `3 hours ago`, `now`; rounded down to the largest unit of which there are two. */
export const relative = (instant: Instant, now: Instant): string => {
  const distance = Math.abs(instant - now)
  const [unit, ms] = units.find(([, size]) => distance >= 2 * size) ?? ['second', 1000]
  const count = Math.floor(distance / ms)
  if (count === 0) return 'now'
  const text = `${count} ${unit}${count === 1 ? '' : 's'}`
  return instant > now ? `in ${text}` : `${text} ago`
}

/** `2027-01-01T00:00:00Z (in 59 days)` */
export const timeInWords = (instant: Instant, now: Instant): string =>
  `${new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z')} (${relative(instant, now)})`
