/**
 * Every example in the documents is run by a test: each block of code of each page is listed here with the test that types
 * it, so that a new one cannot go unnoticed. A file for a language says that the test takes every block of it.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { engines } from '../src/resources/engines.ts'

const repository = fileURLToPath(new URL('../', import.meta.url))

/** A test, or why there is none. */
type Typist = string | { readonly none: string }
/** By language, and where the test chooses, by section. */
type Page = Readonly<Record<string, Typist | Readonly<Record<string, Typist>>>>

const manifests = 'test/e2e/readme.test.ts'

const operatorsHeld = [
  'CloudNativePG',
  'Zalando',
  'PerconaPostgreSQL',
  'PerconaServerMongoDB',
  'MongoDBCommunity',
  'ECK',
]
const operatorsTriedOnce = [
  ...['Crunchy', 'PerconaXtraDBCluster', 'PerconaServerMySQL', 'OracleMySQLOperator', 'MariaDBOperator'],
  ...['TiDBOperatorV1', 'TiDBOperatorV2', 'OTRedisOperator', 'Strimzi', 'K8ssandra', 'OpenSearchOperator'],
  ...['EtcdOperator', 'AltinityClickHouse'],
]

const pages: Readonly<Record<string, Page>> = {
  'README.md': {
    console: {
      'In a minute, without a cluster': 'test/e2e/readme.test.ts',
      'On a cluster': 'test/e2e/readme.test.ts',
      'In a pipeline': 'test/e2e/readme.test.ts',
      Tests: { none: 'a test that ran all tests would run itself' },
    },
    yaml: manifests,
  },
  'docs/architecture.md': { '': { none: 'a diagram' } },
  'docs/authorities.md': {
    sh: {
      'A CA you already have': 'test/e2e/sources.test.ts',
      'Trust without a CA': 'test/e2e/sources.test.ts',
    },
    yaml: manifests,
  },
  'docs/authority-users.md': {
    yaml: 'test/e2e/authority-users.test.ts',
    console: { 'What is asked, and when': 'test/e2e/authority-users.test.ts' },
  },
  'docs/backup.md': {
    yaml: { 'The example': 'test/e2e/backup.test.ts', Rights: 'test/e2e/backup.test.ts' },
    console: {
      'Making a backup': 'test/e2e/backup.test.ts',
      'Keeping it': 'test/e2e/backup.test.ts',
      'When the cluster is lost': 'test/e2e/backup.test.ts',
    },
    '': {
      'What a restore does': { none: 'what is printed, not what is typed' },
      'The format': { none: 'bytes of a file' },
    },
  },
  'docs/certificates.md': {
    sh: { 'Requests made elsewhere': 'test/e2e/requests.test.ts' },
    yaml: manifests,
  },
  'docs/cli.md': { console: 'src/commands/cli-docs.test.ts' },
  'docs/endpoints.md': { yaml: 'test/e2e/endpoints.test.ts', console: 'test/e2e/endpoints.test.ts' },
  'docs/gitops.md': { yaml: 'test/e2e/gitops.test.ts', console: 'test/e2e/gitops.test.ts' },
  'docs/installation.md': { console: 'test/e2e/installation.test.ts' },
  'docs/migrate-cert-manager.md': { yaml: 'test/e2e/migrate.test.ts', console: 'test/e2e/migrate.test.ts' },
  'docs/operations.md': { console: 'test/e2e/operations.test.ts' },
  'docs/platforms.md': { yaml: 'test/e2e/operations.test.ts' },
  'docs/troubleshooting.md': { console: 'test/e2e/operations.test.ts' },
  'docs/howto-openssl.md': { sh: 'test/e2e/howto.test.ts', console: 'test/e2e/howto.test.ts' },
  'docs/layouts.md': { yaml: 'src/operator.layouts.docs.test.ts' },
  'docs/operator-resources.md': {
    yaml: {
      ...Object.fromEntries(operatorsHeld.map((preset) => [preset, 'test/conformance/operators.test.ts'])),
      ...Object.fromEntries(
        operatorsTriedOnce.map((preset) => [preset, { none: 'its CRD is in no module of the tests' }]),
      ),
    },
  },
  'docs/profiles.md': { yaml: 'test/e2e/profile.test.ts', console: 'test/e2e/profile.test.ts' },
  'docs/publishing.md': { yaml: manifests, console: 'test/e2e/publish.test.ts' },
  'docs/reload.md': {
    yaml: {
      'By statement': 'src/profile/reload/docs.test.ts',
      'By restart': 'test/e2e/rollout.test.ts',
    },
    console: { 'By statement': 'src/profile/reload/docs.test.ts' },
  },
  'docs/revocation.md': {
    yaml: manifests,
    console: 'test/e2e/revocation.test.ts',
    sh: { 'Without a cluster': 'test/e2e/revocation.test.ts' },
  },
  'docs/rotation.md': { yaml: 'test/e2e/rotation-guide.test.ts', console: 'test/e2e/rotation-guide.test.ts' },
  'docs/signing-requests.md': {
    yaml: { "Kubernetes' own certificate requests": 'test/e2e/signing-requests.test.ts' },
    console: 'test/e2e/signing-requests.test.ts',
  },
  'docs/trust-targets.md': {
    yaml: { 'Trust where it is needed': 'test/e2e/trust-targets.test.ts' },
    console: 'test/e2e/trust-targets.test.ts',
  },
}

interface Block {
  readonly page: string
  readonly language: string
  /** The nearest heading above. */
  readonly section: string
}

const blocksOf = (page: string, text: string): Block[] => {
  const blocks: Block[] = []
  let section = ''
  let fence: string | undefined
  for (const line of text.split('\n')) {
    const [, mark, language = ''] = /^ *(`{3,}|~{3,})\s*(\S*)/.exec(line) ?? []
    if (fence !== undefined) {
      if (mark === fence && language === '') fence = undefined
    } else if (mark !== undefined) {
      fence = mark
      blocks.push({ page, language, section })
    } else section = /^#+ (.*)$/.exec(line)?.[1] ?? section
  }
  return blocks
}

const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.md'], { cwd: repository })
  .toString()
  .trim()
  .split('\n')
const blocks = tracked.flatMap((page) => blocksOf(page, readFileSync(join(repository, page), 'utf8')))

const typistOf = ({ page, language, section }: Block): Typist | undefined => {
  const found = pages[page]?.[language]
  if (found === undefined || typeof found === 'string' || 'none' in found) return found as Typist | undefined
  return found[section]
}

describe('the engines in the README', () => {
  /** Engine → the versions tested live. */
  const tableOf = (page: string): ReadonlyMap<string, string> => {
    const [, table = ''] = /^(\| engine [^]*?)\n\n/m.exec(readFileSync(join(repository, page), 'utf8')) ?? []
    const rows = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    return new Map(rows.slice(2).map(([, engine = '', live = '']) => [engine, live]))
  }
  const readme = tableOf('README.md')

  it('are those of the schema', () => {
    expect([...readme.keys()].toSorted()).toEqual([...engines].toSorted())
  })
  it('were tested as docs/engines.md says', () => {
    const told = tableOf('docs/engines.md')
    expect(told.size).toBeGreaterThan(10)
    expect([...readme].filter(([engine]) => engine !== 'External')).toEqual([...told])
  })
  it('played the managed server in the versions that are named', () => {
    const test = readFileSync(join(repository, 'test/databases/managed.test.ts'), 'utf8')
    const products = [...test.matchAll(/\bproduct: '([^']+)'/g)].map(([, product]) => product)
    expect(products.length).toBeGreaterThan(2)
    expect(readme.get('External')).toBe(products.join(', '))
    expect(readFileSync(join(repository, 'docs/engines.md'), 'utf8')).toContain(
      `Tested live with ${products.join(', ')} in the part`,
    )
  })
})

describe('the examples in the documents', () => {
  it('are each typed by a test: list a new one here with the test that types it', () => {
    expect(blocks.length).toBeGreaterThan(40)
    expect(blocks.filter((block) => typistOf(block) === undefined)).toEqual([])
  })
  it('are one for each section, where the test chooses', () => {
    const chosen = blocks.filter(({ page, language }) => {
      const found = pages[page]?.[language]
      return typeof found === 'object' && !('none' in found)
    })
    // A command and its output may stand in several blocks of a section that is typed as a whole.
    const whole = new Set(['README.md', 'docs/backup.md'])
    const seen = chosen.filter(({ page }) => !whole.has(page)).map((block) => Object.values(block).join(' / '))
    expect(seen.filter((one, at) => seen.indexOf(one) !== at)).toEqual([])
  })
  it('are listed only where they are, with tests that read their pages', () => {
    for (const [page, languages] of Object.entries(pages))
      for (const [language, found] of Object.entries(languages)) {
        const sections = typeof found === 'string' || 'none' in found ? [undefined] : Object.keys(found)
        for (const section of sections) {
          const here = blocks.find(
            (one) => one.page === page && one.language === language && (section ?? one.section) === one.section,
          )
          expect(here, `${page}, ${language}, ${section}`).toBeDefined()
          const typist = here && typistOf(here)
          if (typeof typist !== 'string') continue
          expect(existsSync(join(repository, typist)), typist).toBe(true)
          expect(readFileSync(join(repository, typist), 'utf8'), `${typist} and ${page}`).toContain(page)
        }
      }
  })
  it.each([
    ['```sh\nx\n```\n', ['sh']],
    ['# A\n\n~~~\nx\n~~~\n\n## B\n   ```yaml\n   x\n   ```\n', ['', 'yaml']],
    ['````md\n```sh\nx\n```\n````\n', ['md']],
    ['no `code` here\n', []],
  ])('are found in %j', (text, languages) => {
    expect(blocksOf('x.md', text).map(({ language }) => language)).toEqual(languages)
  })
})
