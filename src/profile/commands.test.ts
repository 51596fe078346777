/** Command lines for people: whatever a manifest says is one value of one option there, or is refused. */
import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { Expansion } from './expansion.ts'
import { engines, exampleOf, expanded } from './profile.fixture.ts'

const values = [
  ...['-', '--', '-e', '--help', '-ofile', '--new-user-password=x'],
  ...['$(id)', '`id`', '${HOME}', '$HOME', ';id', '&& id', '|id', '>file', '<file', '(id)', '&'],
  ...["'; id; '", '"; id; "', "o'neil", '"', '\\', 'a\\', '!!', '!id', '#x', 'a #x'],
  ...['*', '?', '[a]', '{a,b}', '~root', '~', '=x', 'A=b', '%s', '%s%n', '@file', '+x', 'a b', 'a:b', 'a@b', 'a/b'],
]
const plain = 'plainvalue'

/** Options that take the next word for their value whatever it begins with: redis-cli.c (parseOptions), tool_getparam.c of curl. */
const takesAnyWord: Readonly<Record<string, readonly string[]>> = {
  'redis-cli': ['--user'],
  'valkey-cli': ['--user'],
  curl: ['--user'],
}

/** The lines of every command of commands.md. */
const commandsOf = ({ configMap }: Expansion): string[] =>
  [...(configMap?.data['commands.md'] ?? '').matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, body = '']) =>
    body.split('\n').filter((line) => !line.startsWith('#')),
  )

/** The words of each line of each page, as a shell passes them on. */
const wordsOf = (pages: readonly (readonly string[])[]): string[][][] => {
  const line = (command: string): string => `printf '%s\\0' ${command}; printf '\\n\\0'\n`
  const script = pages.map((commands) => `${commands.map(line).join('')}printf '\\f\\0'\n`).join('')
  const output = execFileSync('/bin/sh', { input: script }).toString('utf8')
  return output
    .split('\f\0')
    .slice(0, -1)
    .map((page) =>
      page
        .split('\n\0')
        .slice(0, -1)
        .map((words) => words.split('\0').slice(0, -1)),
    )
}

const inUri = (value: string): string =>
  encodeURIComponent(value).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

type Engine = (typeof engines)[number]
const client = (engine: Engine, more: object) => ({
  ...exampleOf(engine),
  clients: [{ name: 'c', username: 'app', require: engine === 'Etcd' ? 'X509' : 'TLS', ...more }],
})

/** A manifest that says `value` there. */
const manifests = {
  'username with a certificate': (engine: Engine, value: string) =>
    client(engine, { username: value, require: 'X509' }),
  'username with a password': (engine: Engine, value: string) => client(engine, { username: value }),
  database: (engine: Engine, value: string) => client(engine, { database: value }),
  host: (engine: Engine, value: string) => ({ ...client(engine, {}), connection: { host: value } }),
}

describe.each(engines)('%s', (engine) => {
  it.each(Object.entries(manifests))('takes any %s for what it is, or not at all', (what, manifest) => {
    const usual = expanded(manifest(engine, plain))
    expect(usual.refusals).toEqual([])
    const [template = []] = wordsOf([commandsOf(usual)])
    expect(template).not.toEqual([])
    const [field = ''] = what.split(' ')
    const taken = values.flatMap((value) => {
      const expansion = expanded(manifest(engine, value))
      expect(expansion.refusals.filter((one) => !one.field.endsWith(`.${field}`))).toEqual([])
      return expansion.refusals.length > 0 ? [] : [{ value, commands: commandsOf(expansion) }]
    })
    const pages = wordsOf(taken.map(({ commands }) => commands))
    for (const [at, { value }] of taken.entries()) {
      const filled = (word: string): string => word.replace(plain, () => (word.includes('://') ? inUri(value) : value))
      expect(pages[at], value).toEqual(template.map((words) => words.map(filled)))
    }
    const option = taken.find(({ value }) => value.startsWith('-'))
    for (const [program = '', ...rest] of option === undefined ? [] : template)
      for (const [at, word] of rest.entries())
        if (word.startsWith(plain))
          expect(takesAnyWord[program], `${program} … ${rest[at - 1]} ${option?.value}`).toContain(rest[at - 1])
  })
})
