import { pino } from 'pino'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import { redact, redactText } from './redact.ts'

export type Fields = Readonly<Record<string, unknown>>

/** What rooms depend on. An error goes into the field `error`; the name of an object into `object` (`namespace/name`). */
export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** A logger that adds `fields` to each of its entries. */
  child(fields: Fields): Logger
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]
type EntryLevel = Exclude<LogLevel, 'silent'>

/** Anything that takes whole lines: a stream, or pino's `destination()`. */
export interface Destination {
  write(line: string): unknown
}

export interface LoggerOptions {
  readonly level?: LogLevel
  /** Default: standard error, synchronously, so that the last words of a process are not lost. */
  readonly destination?: Destination
  /** `json`: one JSON object a line. `text`: one short line an entry, for a person at a terminal. */
  readonly format?: 'json' | 'text'
  /** Dates the entries. Default: the machine's. */
  readonly clock?: Pick<Clock, 'now'>
}

/** `fields` are already redacted. */
type Sink = (level: EntryLevel, message: string, fields: Fields) => void

const jsonSink = (destination: Destination, clock: Pick<Clock, 'now'>): Sink => {
  const writer = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      // redact() has already made plain values of errors.
      serializers: { error: (value: unknown) => value },
      errorKey: 'error',
    },
    { write: (line: string) => void destination.write(line) },
  )
  return (level, message, fields) => writer[level](fields, message)
}

const escaped = (character: string): string =>
  character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Control characters would let a value forge a second entry or drive the terminal. */
const oneLine = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, escaped)

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const textOf = (value: unknown): string => {
  if (typeof value === 'string') return /^[\w./:@+*-]+$/.test(value) ? value : JSON.stringify(value)
  if (isRecord(value) && typeof value.message === 'string') return JSON.stringify(value.message)
  return JSON.stringify(value) ?? 'undefined'
}

const textSink = (destination: Destination, clock: Pick<Clock, 'now'>): Sink => {
  return (level, message, fields) => {
    const time = new Date(clock.now()).toISOString().slice(11, 23)
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined)
    const pairs = shown.map(([name, value]) => ` ${name}=${textOf(value)}`)
    destination.write(`${oneLine(`${time} ${level.toUpperCase().padEnd(5)} ${message}${pairs.join('')}`)}\n`)
  }
}

const reserved = ['level', 'time', 'msg'] as const

/** Redacted, and unable to pass for what the logger itself writes: in JSON the last of two equal names wins. */
const clean = (fields: Fields): Fields => {
  const out = redact(fields)
  for (const name of reserved) {
    if (!Object.hasOwn(out, name)) continue
    out[`field.${name}`] = out[name]
    delete out[name]
  }
  return out
}

const makeLogger = (sink: Sink, level: LogLevel, bound: Fields): Logger => {
  const lowest = logLevels.indexOf(level)
  const at =
    (entry: EntryLevel) =>
    (message: string, fields?: Fields): void => {
      if (logLevels.indexOf(entry) < lowest) return
      sink(entry, redactText(message), fields ? { ...bound, ...clean(fields) } : bound)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => makeLogger(sink, level, { ...bound, ...clean(fields) }),
  }
}

export const createLogger = (options: LoggerOptions = {}): Logger => {
  const { level = 'info', format = 'json', clock = systemClock() } = options
  const destination = options.destination ?? pino.destination({ fd: 2, sync: true })
  const sink = format === 'json' ? jsonSink(destination, clock) : textSink(destination, clock)
  return makeLogger(sink, level, {})
}

/** Says nothing; for tests and for callers that were given no logger. */
export const silentLogger = (): Logger => createLogger({ level: 'silent', destination: { write: () => undefined } })
