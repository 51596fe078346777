/** Durations as Go writes and reads them (time.ParseDuration): `2160h0m0s`, `1.5h`, `300ms`, `-90m`. */

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

const whole =
  /^[-+]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h)((\d{1,18}(\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h))*$/
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/** In ms, rounded; undefined for what Go refuses, and for what is too long to count. */
export const parseGoDuration = (text: string): number | undefined => {
  if (text === '0') return 0
  if (text.length > 128 || !whole.test(text)) return undefined
  let total = 0
  for (const [, number, unit] of text.matchAll(part)) total += Number(number) * (units[unit ?? ''] ?? 0)
  const ms = Math.round(total)
  if (!Number.isSafeInteger(ms)) return undefined
  return text.startsWith('-') ? -ms : ms
}
