/** What `--help` says of a verb against what the verb does. */

import { PassThrough } from 'node:stream'
import type { parseArgs } from 'node:util'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { readVerbs, type Verb } from './completion/model.ts'
import type { Main } from './shared/io.ts'
import { authorityYaml, runVerb, useFolder } from './shared/verb.fixture.ts'
import { commands } from './table.ts'

/** The flags that a verb hands to the parser of Node. */
const asked = vi.hoisted(() => ({ flags: [] as string[] }))
vi.mock('node:util', async (original) => {
  const util: { parseArgs: typeof parseArgs } & object = await original()
  const spy = (config: { options: object }) => {
    asked.flags = Object.keys(config.options)
    return util.parseArgs(config as never)
  }
  return { ...util, parseArgs: spy }
})

const mainOf = async (verb: string): Promise<Main> => {
  const main = (await commands.get(verb)?.load())?.main
  if (main === undefined) throw new Error(`there is no verb ${verb}`)
  return main
}

const verbs: { readonly path: readonly string[]; readonly verb: Verb; readonly help: string }[] = []
beforeAll(async () => {
  const summaries = new Map([...commands].map(([verb, { summary }]) => [verb, summary]))
  const all = await readVerbs(summaries, mainOf)
  for (const verb of all.flatMap((one) => [one, ...one.verbs])) {
    const [first = '', ...rest] = verb.path
    const { out } = await runVerb(await mainOf(first), [...rest, '--help'])
    verbs.push({ path: verb.path, verb, help: out })
  }
})

const run = async ([first = '', ...rest]: readonly string[], ...args: string[]) =>
  runVerb(await mainOf(first), [...rest, ...args], { env: {}, stdin: new PassThrough() as never })

describe('--help', () => {
  const folder = useFolder()
  it('is there for every verb, and for what follows ledger', () => {
    const paths = verbs.map(({ path }) => path.join(' '))
    expect(paths).toEqual(expect.arrayContaining([...commands.keys(), 'ledger list', 'ledger import']))
  })
  it('begins with the usage of its verb, and ends with its exit codes', () => {
    for (const { path, help } of verbs.filter((one) => one.path[0] !== 'completion' || one.path.length === 1)) {
      expect(help).toMatch(new RegExp(`^usage: dbtls ${path.join(' ')}\\b`))
      if (path.join(' ') !== 'ledger') expect(help).toMatch(/^Exit codes: 0 .*2 wrong usage\.$/m)
      expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130)
    }
  })
  it('lists every option that its verb takes, and none that it does not take', async () => {
    for (const { path, verb } of verbs) {
      asked.flags = []
      const { code } = await run(path, '--no-such-option')
      expect(code, path.join(' ')).toBe(2)
      const listed = verb.flags.map(({ long }) => long)
      const taken = asked.flags.filter((flag) => flag !== 'help')
      expect(listed.filter((flag) => flag !== 'help').toSorted(), path.join(' ')).toEqual(taken.toSorted())
    }
  })
  it('lists values where no other is taken', async () => {
    await folder.render(authorityYaml())
    for (const { path, verb } of verbs)
      for (const { long, values } of verb.flags) {
        if (values.length === 0) continue
        const needed = path[0] === 'render' ? ['-f', 'm.yaml', '--out', 'out'] : folder.state
        const wrong = await run(path, ...needed, `--${long}`, 'no-such-value')
        expect([wrong.code, wrong.err], `${path.join(' ')} --${long}`).toEqual([2, expect.stringContaining(long)])
      }
  })
  it('shows examples that are no wrong usage', async () => {
    let seen = 0
    for (const { help } of verbs)
      for (const [, line = ''] of help.matchAll(/^ {2}dbtls (.*)$/gm)) {
        const words = line
          .replace(/ [>|].*$/, '')
          .split(' ')
          .map((word) => word.replace(/^'(.*)'$/, '$1').replace(/^\.dbtls/, folder.path('nothing')))
        const { code, err } = await run(words)
        expect([line, code], err).toEqual([line, 1])
        seen += 1
      }
    expect(seen).toBeGreaterThan(20)
  })
})
