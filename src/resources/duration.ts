/**
 * Durations as users write them: whole days (`90d`) or Go's form with falling units (`2160h`, `1h30m`, `1.5h`, `500ms`).
 * Every number has a bounded count of digits, so that neither this parser nor Go's nor CEL's can overflow.
 */

/** RE2 and JavaScript agree on it; the empty string, which it matches too, is excluded beside it. */
export const durationPattern =
  '^([0-9]{1,5}d|([0-9]{1,6}(\\.[0-9]{1,3})?h)?([0-9]{1,7}(\\.[0-9]{1,3})?m)?([0-9]{1,9}(\\.[0-9]{1,3})?s)?([0-9]{1,9}ms)?)$'

/** The longest text the pattern admits is below this. */
export const durationMaxLength = 48

export const durationMessage =
  'must be whole days (90d) or hours, minutes and seconds in that order (2160h, 1h30m, 45s)'

const millisecondsOf: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

const whole = new RegExp(durationPattern)
const parts = /([0-9.]+)(ms|[dhms])/g

export const isDuration = (text: string): boolean => text !== '' && text.length <= durationMaxLength && whole.test(text)

/** `90d` → 7,776,000,000 ms. Throws a RangeError with a sentence for a person when the text is no duration. */
export const parseDuration = (text: string): number => {
  if (!isDuration(text))
    throw new RangeError(`"${text.slice(0, durationMaxLength)}" is not a duration: it ${durationMessage}`)
  let total = 0
  // Rounding undoes the binary error of the fraction: three decimals of an hour are whole milliseconds.
  for (const [, number, unit] of text.matchAll(parts))
    total += Math.round(Number(number) * (millisecondsOf[unit ?? ''] ?? 0))
  return total
}

/** The shortest text that parses back to `ms`: whole days as `90d`, else `1h30m`, `45s`, `500ms`; 0 is `0s`. */
export const formatDuration = (ms: number): string => {
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new RangeError(`${ms} is not a whole, non-negative number of milliseconds`)
  if (ms === 0) return '0s'
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`
  let rest = ms
  let text = ''
  for (const unit of ['h', 'm', 's', 'ms']) {
    const size = millisecondsOf[unit] ?? 1
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text
}
