/** docs/engines.md: one row for each engine and each proxy, held against what engines say of themselves and what is run live. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Definition, ReloadWay } from '../../src/database/engines/engine.ts'
import { filesOf } from '../../src/database/engines/files.ts'
import { definitions } from '../../src/database/engines/index.ts'
import { parseVersion } from '../../src/database/engines/version.ts'
import { live } from './harness/versions.ts'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const page = readFileSync(at('docs/engines.md'), 'utf8')

/** Rows of the tables by their first cell. */
const rows = new Map(
  page
    .split('\n')
    .filter((line) => /^\| (?!engine|proxy)[A-Za-z]/.test(line))
    .map((line) => {
      const [name = '', ...cells] = line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim())
      return [name, cells] as const
    }),
)

const ways: Readonly<Record<ReloadWay, string>> = {
  Statement: 'a statement',
  Signal: 'a signal',
  Command: 'a command',
  Automatic: 'by itself',
  Restart: 'a restart',
}
const mismatches: Readonly<Record<ReturnType<Definition['reload']>['onMismatch'], string>> = {
  KeepsOld: 'keeps the former',
  KeepsOldSilently: 'keeps the former, says so in its log alone',
  LosesService: 'refuses everybody',
}

const reloadOf = ({ reload, versions }: Definition): ReturnType<Definition['reload']> => {
  const server = { secretName: 's', folder: '/', files: filesOf('/', []), subject: {} }
  return reload(parseVersion(versions.newest) ?? [], { server, clientTrust: '', components: new Map() })
}

const liveVersions = (name: string): string =>
  live
    .filter((one) => one.name === name)
    .map(({ version }) => version)
    .join(', ') || '–'

describe('the table of engines', () => {
  it.each(Object.values(definitions).map((definition) => [definition.engine, definition] as const))(
    'is right about %s',
    (engine, definition) => {
      const { leaf, authority, onMismatch } = reloadOf(definition)
      const { oldest, newest } = definition.versions
      expect(rows.get(engine)?.slice(0, 5)).toEqual([
        liveVersions(engine),
        // A newest without a minor stands for all of its major.
        `${oldest} to ${newest.includes('.') ? newest : `${newest}.x`}`,
        ways[leaf],
        ways[authority],
        mismatches[onMismatch],
      ])
      expect(rows.get(engine)?.[5]?.length).toBeGreaterThan(10)
      expect(existsSync(at(`test/golden/profiles/${engine}.txt`))).toBe(true)
    },
  )

  it('names for each the pages that its files were written after', () => {
    const sources = readdirSync(at('src/database/engines'))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(at(`src/database/engines/${file}`), 'utf8'))
      .join('')
    const section = page.slice(page.indexOf('## Where it is from'))
    const unread: string[] = []
    for (const engine of Object.keys(definitions)) {
      const [, line = ''] = new RegExp(`^- ${engine}: (.*)$`, 'm').exec(section) ?? []
      const cited = [...line.matchAll(/\]\((https:[^)]*)\)/g)].map(([, link = '']) => link)
      expect(cited.length, engine).toBeGreaterThan(0)
      unread.push(...cited.filter((link) => !sources.includes(link)))
    }
    expect(unread).toEqual([])
  })

  it('has a row for each proxy, and none for what is not there', () => {
    const proxies = new Set(live.map(({ name }) => name).filter((name) => !Object.hasOwn(definitions, name)))
    for (const name of proxies) expect(rows.get(name)?.[0], name).toBe(liveVersions(name))
    expect([...rows.keys()].toSorted()).toEqual([...Object.keys(definitions), ...proxies].toSorted())
  })
})

describe('what is run live', () => {
  it.each(live)('is $name $version', async ({ name, version, manifest }) => {
    const found = await manifest()
    if (found === undefined) return console.error(`SKIPPED: the version of ${name}: it cannot be had here`)
    const [first = ''] = found.split(', ')
    expect(first).toMatch(new RegExp(`^\\S+ (\\d+:)?${version.replaceAll('.', '[.]')}[-. ]`))
  })
})
