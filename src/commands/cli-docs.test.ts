/** docs/cli.md, typed in as it stands: its commands run, and print what it shows. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commands } from './table.ts'
import { runVerb } from './shared/verb.fixture.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/cli.md'), 'utf8')

/** The `$ …` commands of the page with the lines shown below each. */
const shown = [...page.matchAll(/```console\n([\s\S]*?)```/g)]
  .flatMap(([, block = '']) => block.split(/^\$ /m).slice(1))
  .map((part) => {
    const [command = '', ...output] = part.trimEnd().split('\n')
    return { command, output }
  })

let folder = ''
let serial = ''
const results = new Map<string, readonly string[]>()

const type = async (command: string): Promise<readonly string[]> => {
  const [program, verb = '', ...words] = command.split(' ')
  expect(program).toBe('dbtls')
  const verbMain = (await commands.get(verb)?.load())?.main
  if (verbMain === undefined) throw new Error(`there is no verb ${verb}`)
  const args = words.map((word) =>
    word
      .replace(/^\.dbtls/, folder)
      .replace(/^examples/, join(repository, 'examples'))
      .replace(/^SERIAL$/, serial),
  )
  const { out, err } = await runVerb(verbMain, args)
  return `${out}${err}`.replaceAll(folder, '.dbtls').trimEnd().split('\n')
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-docs-'))
  writeFileSync(join(folder, 'passphrase'), 'correct horse battery')
  for (const { command } of shown) {
    results.set(command, await type(command))
    if (serial !== '') continue
    const json = await type('dbtls status dbcert/orders-mysql --state .dbtls/state -n data -o json')
    serial = (JSON.parse(json.join('\n')) as { items: [{ serialNumber: string }] }).items[0].serialNumber
  }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** What differs from run to run; times move the columns, and the order in which certificates are signed. */
const normalised = (lines: readonly string[]): string[] =>
  lines
    .map((line) =>
      line
        .replace(/\b[0-9a-f]{64}\b/g, 'FINGERPRINT')
        .replace(/\b[0-9A-F]{32}\b/g, 'NUMBER')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
        .replace(/\bin \d+ (days|hours)/g, 'LATER')
        .replace(/ +/g, ' ')
        .trimEnd(),
    )
    .toSorted()

describe('docs/cli.md', () => {
  it('has a section for each verb it names, and every verb of the people', () => {
    const sections = [...page.matchAll(/^## (.*)$/gm)].map(([, name]) => name).filter((name) => name !== 'Rights')
    expect(sections).toEqual([
      'status',
      'inspect',
      'verify',
      'ledger',
      'renew',
      'revoke',
      'sign',
      'migrate',
      'backup',
      'restore',
      'rotate',
      'completion',
    ])
    for (const name of sections) expect([...commands.keys()]).toContain(name)
  })
  it.each(shown.map(({ command, output }) => [command, output] as const))('%s', (command, output) => {
    expect(normalised(results.get(command) ?? [])).toEqual(normalised(output))
  })
})
