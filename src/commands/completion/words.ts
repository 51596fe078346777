/**
 * The words that may stand next, for a shell that asks the program itself. kubectl asks so for `kubectl dbtls …`
 * (bin/kubectl_complete-dbtls), and reads the answer as cobra's completions: a word and its description a line, and a last
 * line with a number that says what else to offer.
 */

import { commands } from '../table.ts'
import type { Main } from '../shared/io.ts'
import { readVerb, type Flag, type Verb } from './model.ts'

/** ShellCompDirective of cobra. */
const files = 0
const nothingElse = 4

type Word = readonly [word: string, description: string]

/** `args` are the words so far; the last one is begun, or empty. */
export const main: Main = async (args, { stdout }) => {
  const begun = args.at(-1) ?? ''
  const { words, directive } = await offered(args.slice(0, -1), begun)
  const fitting = words.filter(([word]) => word.startsWith(begun))
  stdout.write([...fitting.map((word) => word.join('\t')), `:${directive}`, ''].join('\n'))
  return 0
}

const offered = async (
  before: readonly string[],
  begun: string,
): Promise<{ readonly words: readonly Word[]; readonly directive: number }> => {
  const [name, second] = before
  if (name === undefined) {
    const summaries = [...commands].map(([verb, { summary }]): Word => [verb, summary])
    return { words: summaries, directive: nothingElse }
  }
  const command = commands.get(name)
  if (command === undefined) return { words: [], directive: nothingElse }
  const { main: load } = await command.load()
  const group = await readVerb(load, [name], [], command.summary)
  const verb = group.verbs.find(({ path }) => path.at(-1) === second) ?? group
  if (verb === group && group.verbs.length > 0)
    return { words: second === undefined ? group.verbs.map(asWord) : [], directive: nothingElse }
  const values = flagNamed(verb, before.at(-1) ?? '')?.values ?? []
  if (values.length > 0) return { words: values.map((value): Word => [value, '']), directive: nothingElse }
  if (!begun.startsWith('-')) return { words: [], directive: files }
  return { words: verb.flags.flatMap(spellings), directive: nothingElse }
}

const asWord = ({ path, summary }: Verb): Word => [path.at(-1) ?? '', summary]

const spellings = ({ long, short, description }: Flag): Word[] => [
  [`--${long}`, description],
  ...(short === undefined ? [] : [[`-${short}`, description] as const]),
]

const flagNamed = ({ flags }: Verb, word: string): Flag | undefined =>
  flags.find(({ long, short }) => word === `--${long}` || (short !== undefined && word === `-${short}`))
