import { describe, expect, it } from 'vitest'
import { breachesOf, circlesIn } from './check-rooms.ts'

const breach = (file: string, line: string): string | undefined => breachesOf({ file, lines: [line] })[0]

describe('the rules of the rooms', () => {
  it.each([
    ['src/pki/keys/keys.ts', "import { now } from '../../runtime/clock.ts'", 'pki must not import runtime'],
    ['src/cluster/port.ts', "import { x } from '../resources/core.ts'", 'cluster must not import resources'],
    ['src/runtime/queue.ts', "export { x } from '../cluster/port.ts'", 'runtime must not import cluster'],
    ['src/resources/core.ts', "import type { C } from '../cluster/kubernetes/client.ts'", 'resources may import only'],
    ['src/pki/keys/keys.ts', "import { readFile } from 'node:fs/promises'", 'must not import node:fs/promises'],
    ['src/certificate/decide.ts', 'const now = Date.now()', 'the present time'],
    ['src/material/jks.ts', 'const at = new Date()', 'the present time'],
    ['src/material/jks.ts', 'const salt = randomBytes(8)', 'randomness'],
    ['src/resources/core.ts', "await import('../commands/embedded/run.ts')", 'resources must not import commands'],
    ['src/certificate/issue.ts', "import { x } from '../../test/golden/x.ts'", 'src must not import test'],
    ['src/pki/keys/keys.ts', "import { x } from '../testing.ts'", 'for tests alone'],
    ['src/cellar/wine.ts', "import { x } from '../pki/encoding/der.ts'", 'room cellar is unknown'],
  ])('%s: %s', (file, line, sentence) => {
    expect(breach(file, line)).toContain(sentence)
  })

  it.each([
    ['src/commands/embedded/run.ts', "import { x } from '../../pki/encoding/der.ts'"],
    ['src/material/jks.ts', "import { x } from '../pki/encoding/der.ts'"],
    ['src/resources/core.ts', "import type { Resource } from '../cluster/port.ts'"],
    ['src/resources/fields.ts', "import { isIP } from 'node:net'"],
    ['src/pki/keys/keys.ts', "import { createHash } from 'node:crypto'"],
    ['src/pki/keys/keys.ts', '// never new Date() here'],
    ['src/pki/keys.test.ts', "import { readFileSync } from 'node:fs'"],
    ['src/runtime/clock.ts', 'const now = Date.now()'],
    ['src/main.ts', "import { commands } from './commands/table.ts'"],
  ])('%s may say: %s', (file, line) => {
    expect(breach(file, line)).toBeUndefined()
  })

  it.each([
    { name: 'two files', files: { 'src/pki/a.ts': './b.ts', 'src/pki/b.ts': './a.ts' }, circles: 1 },
    {
      name: 'files by way of others',
      files: {
        'src/pki/z.ts': './a.ts',
        'src/pki/a.ts': './b/c.ts',
        'src/pki/b/c.ts': '../d.ts',
        'src/pki/d.ts': './a.ts',
      },
      circles: 1,
    },
    { name: 'a test', files: { 'src/pki/a.ts': './b.ts', 'src/pki/b.test.ts': './a.ts' }, circles: 0 },
    {
      name: 'a door',
      files: { 'src/control/context.ts': '../ledger/entry.ts', 'src/ledger/entry.ts': '../control/context.ts' },
      circles: 0,
    },
    {
      name: 'a line',
      files: { 'src/pki/a.ts': './b.ts', 'src/pki/b.ts': './c.ts', 'src/pki/c.ts': 'node:x' },
      circles: 0,
    },
  ])('sees $circles in the imports of $name', ({ files, circles }) => {
    const sources = Object.entries(files).map(([file, to]) => ({ file, lines: [`import type { X } from '${to}'`] }))
    expect(circlesIn(sources)).toHaveLength(circles)
  })

  it('wants long files split', () => {
    expect(breachesOf({ file: 'src/pki/keys/keys.ts', lines: Array.from({ length: 401 }, () => '') })).toHaveLength(1)
  })
})
