/** The words of the command line, read from what `--help` prints: what is not told there is not completed either. */

import { PassThrough } from 'node:stream'
import type { Io, Main } from '../shared/io.ts'

export interface Flag {
  /** Without its dashes. */
  readonly long: string
  readonly short?: string
  readonly description: string
  readonly takesValue: boolean
  /** Where only a few are taken. */
  readonly values: readonly string[]
}

export interface Verb {
  /** `status`, or `ledger list`. */
  readonly path: readonly string[]
  readonly summary: string
  readonly flags: readonly Flag[]
  /** Words that follow it, as verbs of their own. */
  readonly verbs: readonly Verb[]
}

/** `summaries` by verb, as `dbtls --help` shows them. */
export const readVerbs = async (
  summaries: ReadonlyMap<string, string>,
  load: (verb: string) => Promise<Main>,
): Promise<Verb[]> => {
  const verbs: Verb[] = []
  for (const [name, summary] of summaries) verbs.push(await readVerb(await load(name), [name], [], summary))
  return verbs
}

/** `args` lead to it from `main`: none, or the word that `main` takes for a verb of its own. */
export const readVerb = async (main: Main, path: string[], args: string[], summary: string): Promise<Verb> => {
  const help = await helpOf(main, args)
  const verbs: Verb[] = []
  if (args.length === 0)
    for (const [, word = '', text = ''] of help.matchAll(subVerb))
      verbs.push(await readVerb(main, [...path, word], [word], text))
  return { path, summary, flags: flagsIn(help), verbs }
}

/** `  list      what was signed`; examples begin with the program's name. */
const subVerb = /^ {2}(?!dbtls )([a-z][a-z-]*)(?: [^ ]+)* {2,}(\S.*)$/gm

/** `  -o, --output table|json   for people …` */
const flagLine = /^ {2}(?:-([a-zA-Z]), )?--([a-z-]+)(?:=\S+| ([A-Z[]\S*|[a-z]+(?:\|[a-z]+)+))? +(\S.*)$/gm

const flagsIn = (help: string): Flag[] =>
  [...help.matchAll(flagLine)].map(([, short, long = '', value, description = '']) => ({
    long,
    ...(short === undefined ? {} : { short }),
    description,
    takesValue: value !== undefined,
    values: value?.includes('|') === true && /^[a-z|]+$/.test(value) ? value.split('|') : [],
  }))

const helpOf = async (main: Main, args: readonly string[]): Promise<string> => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  await main([...args, '--help'], { stdout, stderr, env: {} } as unknown as Io)
  return String(stdout.read() ?? '')
}
