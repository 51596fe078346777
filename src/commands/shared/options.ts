/** Reading flags, the same way for every verb. */

import { parseArgs, type ParseArgsConfig } from 'node:util'
import { durationMessage, isDuration, parseDuration } from '../../resources/duration.ts'
import { parseNetwork } from '../../profile/endpoints/permitted.ts'
import { logLevels } from '../../runtime/log.ts'
import { parseAddress } from '../../server/http.ts'
import type { Io } from './io.ts'
import { writeProblem } from './printable.ts'

/** A wrong flag or value; its message is shown as it is, with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type Flags = NonNullable<ParseArgsConfig['options']>
export type Values<F extends Flags> = {
  readonly [name in keyof F]?: F[name] extends { type: 'boolean' }
    ? boolean
    : F[name] extends { multiple: true }
      ? readonly string[]
      : string
}

/** The values of the flags, or the exit code when there is nothing more to do (`--help`, wrong usage). */
export const parseOptions = <F extends Flags>(
  verb: string,
  usage: string,
  flags: F,
  args: readonly string[],
  io: Io,
): Values<F> | number => {
  const parsed = parse(verb, usage, flags, args, io, false)
  return typeof parsed === 'number' ? parsed : parsed.values
}

/** The same for a verb that takes words beside its flags. */
export const parseArguments = <F extends Flags>(
  verb: string,
  usage: string,
  flags: F,
  args: readonly string[],
  io: Io,
): { readonly values: Values<F>; readonly words: readonly string[] } | number =>
  parse(verb, usage, flags, args, io, true)

const parse = <F extends Flags>(
  verb: string,
  usage: string,
  flags: F,
  args: readonly string[],
  { stdout, stderr }: Io,
  allowPositionals: boolean,
): { readonly values: Values<F>; readonly words: readonly string[] } | number => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...flags, help: { type: 'boolean', short: 'h' } },
      strict: true,
      allowPositionals,
    })
    if ((values as { help?: boolean }).help === true) {
      stdout.write(usage)
      return 0
    }
    const level = (values as Record<string, string | undefined>)['log-level']
    if (level !== undefined && !(logLevels as readonly unknown[]).includes(level))
      throw new UsageError(`--log-level is one of ${logLevels.join(', ')}, not "${level}"`)
    return { values, words: positionals }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    writeProblem({ stderr }, `dbtls ${verb}: ${message}`)
    stderr.write(`dbtls ${verb} --help lists the options\n`)
    return 2
  }
}

export const wholeNumber = (flag: string, text: string | undefined, least: number, most: number): number => {
  const value = Number(text)
  if (text === undefined || !/^[0-9]+$/.test(text) || value < least || value > most)
    throw new UsageError(`--${flag} is a whole number from ${least} to ${most}, not "${text ?? ''}"`)
  return value
}

/** An address as `listen` takes it. */
export const listenAddress = (flag: string, text: string | undefined): string | undefined => {
  if (text === undefined) return undefined
  try {
    parseAddress(text)
    return text
  } catch (error) {
    throw new UsageError(`--${flag}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** As `listenAddress`; `none` and an empty text are null: nothing is published. */
export const publishAddress = (text: string | undefined): string | null | undefined =>
  text === '' || text === 'none' ? null : listenAddress('publish-address', text)

/** RFC 1123 label, as namespaces are named. */
const namespaceForm = /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

export const namespaceName = (what: string, text: string): string => {
  if (!namespaceForm.test(text)) throw new UsageError(`${what}: "${text}" is not the name of a namespace`)
  return text
}

/** `a, b` → its parts; undefined where the flag was not given. An empty one must not come to mean all namespaces. */
export const namespaceList = (text: string | undefined): string[] | undefined => {
  const parts = text?.split(',').map((part) => part.trim())
  const wrong = parts?.find((part) => !namespaceForm.test(part))
  if (wrong !== undefined) throw new UsageError(`--namespaces: "${wrong}" is not the name of a namespace`)
  return parts
}

/** `10.0.0.0/8, fd00::1` → its parts. */
export const networkList = (flag: string, text: string | undefined): string[] => {
  const parts = text?.split(',').map((part) => part.trim()) ?? []
  const wrong = parts.find((part) => parseNetwork(part) === undefined)
  if (wrong !== undefined)
    throw new UsageError(`--${flag}: "${wrong}" is neither an address nor ADDRESS/PREFIX, as 10.0.0.0/8`)
  return parts
}

/** In ms, from text as in manifests: `10m`, `1h30m`, `90d`. */
export const duration = (flag: string, text: string): number => {
  if (!isDuration(text)) throw new UsageError(`--${flag} ${durationMessage}, not "${text}"`)
  return parseDuration(text)
}
