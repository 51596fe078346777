/** `dbtls completion`: a script that completes verbs, flags and their values. */

import { type Flag, readVerbs, type Verb } from './model.ts'
import type { Main } from '../shared/io.ts'
import { parseArguments } from '../shared/options.ts'
import { commands } from '../table.ts'

const usage = `usage: dbtls completion SHELL

Prints a script that completes the verbs, options and values of dbtls.

  bash                      source <(dbtls completion bash)
  zsh                       dbtls completion zsh >"\${fpath[1]}/_dbtls"
  fish                      dbtls completion fish >~/.config/fish/completions/dbtls.fish

Exit codes: 0 done, 2 wrong usage.
`

export const main: Main = async (args, io) => {
  const parsed = parseArguments('completion', usage, {}, args, io)
  if (typeof parsed === 'number') return parsed
  const [shell = '', ...more] = parsed.words
  const write = shells.get(shell)
  if (write === undefined || more.length > 0) {
    io.stderr.write(`dbtls completion: name a shell: ${[...shells.keys()].join(', ')}\n`)
    return 2
  }
  const summaries = new Map([...commands].map(([verb, { summary }]) => [verb, summary]))
  const verbs = await readVerbs(summaries, async (verb) => (await commands.get(verb)?.load())?.main ?? main)
  io.stdout.write(write(verbs))
  return 0
}

const names = (verbs: readonly Verb[]): string => verbs.map(({ path }) => path.at(-1)).join(' ')

const spellings = ({ long, short }: Flag): string[] => [`--${long}`, ...(short === undefined ? [] : [`-${short}`])]

const withTheirOwn = (verbs: readonly Verb[]): Verb[] => verbs.flatMap((verb) => [verb, ...verb.verbs])

const groups = (verbs: readonly Verb[]): Verb[] => verbs.filter((verb) => verb.verbs.length > 0)

const lines = (...parts: readonly (string | readonly string[])[]): string => `${parts.flat().join('\n')}\n`

/** A single-quoted word of a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const bash = (verbs: readonly Verb[]): string =>
  lines(
    '# bash completion of dbtls; made by "dbtls completion bash"',
    '_dbtls() {',
    '  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} words=',
    '  COMPREPLY=()',
    '  if ((COMP_CWORD == 1)); then',
    `    mapfile -t COMPREPLY < <(compgen -W "${names(verbs)} --help --version" -- "$cur")`,
    '    return',
    '  fi',
    '  case $verb in',
    groups(verbs).flatMap((verb) => [
      `    ${verb.path.join(' ')})`,
      '      if ((COMP_CWORD == 2)); then',
      `        mapfile -t COMPREPLY < <(compgen -W "${names(verb.verbs)} --help" -- "$cur")`,
      '        return',
      '      fi',
      '      verb="$verb ${COMP_WORDS[2]}"',
      '      ;;',
    ]),
    '  esac',
    '  case "$verb $prev" in',
    valueCases(verbs).map(
      ([words, values]) => `    ${words}) mapfile -t COMPREPLY < <(compgen -W "${values}" -- "$cur") && return ;;`,
    ),
    '  esac',
    '  case $verb in',
    withTheirOwn(verbs).map(
      ({ path, flags }) => `    "${path.join(' ')}") words="${flags.flatMap(spellings).join(' ')}" ;;`,
    ),
    '  esac',
    '  if [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"); fi',
    '}',
    'complete -o default -F _dbtls dbtls kubectl-dbtls',
  )

/** `"status --output" | "status -o"` → `table json` */
const valueCases = (verbs: readonly Verb[]): [string, string][] =>
  withTheirOwn(verbs).flatMap(({ path, flags }) =>
    flags
      .filter(({ values }) => values.length > 0)
      .map((flag): [string, string] => [
        spellings(flag)
          .map((spelling) => `"${path.join(' ')} ${spelling}"`)
          .join(' | '),
        flag.values.join(' '),
      ]),
  )

/** `word:what it is`, as _describe takes it. */
const described = (word: string, text: string): string => quote(`${word}:${text.replaceAll(':', String.raw`\:`)}`)

const zshVerbs = (indent: string, verbs: readonly Verb[]): string[] => [
  `${indent}described=(${verbs.map(({ path, summary }) => described(path.at(-1) ?? '', summary)).join(' ')})`,
  `${indent}_describe verb described`,
  `${indent}return`,
]

const zsh = (verbs: readonly Verb[]): string =>
  lines(
    '#compdef dbtls kubectl-dbtls',
    '# zsh completion of dbtls; made by "dbtls completion zsh"',
    '_dbtls() {',
    '  local verb=$words[2]',
    '  local -a described',
    '  if (( CURRENT == 2 )); then',
    zshVerbs('    ', verbs),
    '  fi',
    '  case $verb in',
    groups(verbs).flatMap((verb) =>
      [
        `    ${verb.path.join(' ')})`,
        '      if (( CURRENT == 3 )); then',
        zshVerbs('        ', verb.verbs),
        '      fi',
        '      verb="$verb $words[3]"',
        '      ;;',
      ].flat(),
    ),
    '  esac',
    '  case "$verb $words[CURRENT-1]" in',
    valueCases(verbs).map(([words, values]) => `    ${words}) compadd -- ${values}; return ;;`),
    '  esac',
    '  case $verb in',
    withTheirOwn(verbs).map(({ path, flags }) => {
      const all = flags.flatMap((flag) => spellings(flag).map((spelling) => described(spelling, flag.description)))
      return `    "${path.join(' ')}") described=(${all.join(' ')}) ;;`
    }),
    '  esac',
    '  if [[ $PREFIX == -* ]]; then _describe -o option described; else _files; fi',
    '}',
    'if [[ $funcstack[1] == _dbtls ]]; then _dbtls "$@"; else compdef _dbtls dbtls kubectl-dbtls; fi',
  )

const fish = (verbs: readonly Verb[]): string =>
  lines(
    '# fish completion of dbtls; made by "dbtls completion fish"',
    verbs.map((verb) => fishVerb('__fish_use_subcommand', verb)),
    groups(verbs).flatMap((verb) => {
      const [group] = verb.path
      const condition = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${names(verb.verbs)}`
      return verb.verbs.map((one) => fishVerb(condition, one))
    }),
    withTheirOwn(verbs).flatMap(({ path, flags }) => {
      const condition = path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
      return flags.map((flag) => fishFlag(condition, flag))
    }),
  )

/** In fish a backslash escapes within single quotes, too. */
const fishQuote = (text: string): string => `'${text.replace(/['\\]/g, String.raw`\$&`)}'`

const fishVerb = (condition: string, { path, summary }: Verb): string =>
  `complete -c dbtls -n ${fishQuote(condition)} -f -a ${path.at(-1)} -d ${fishQuote(summary)}`

const fishFlag = (condition: string, { long, short, description, takesValue, values }: Flag): string => {
  const kind = values.length > 0 ? ` -x -a ${fishQuote(values.join(' '))}` : takesValue ? ' -r' : ''
  const brief = short === undefined ? '' : ` -s ${short}`
  return `complete -c dbtls -n ${fishQuote(condition)} -l ${long}${brief}${kind} -d ${fishQuote(description)}`
}

const shells: ReadonlyMap<string, (verbs: readonly Verb[]) => string> = new Map([
  ['bash', bash],
  ['zsh', zsh],
  ['fish', fish],
])
