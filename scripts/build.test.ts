/** The bundle as the image has it: files and Node alone, no packages beside them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-bundle-'))
  execFileSync(process.execPath, ['scripts/build.ts', join(folder, 'app')])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (code: string): string => {
  const file = join(folder, 'try.mjs')
  writeFileSync(file, code)
  return execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' })
}

describe('the bundle', () => {
  it('starts', () => {
    expect(run("process.argv.push('operator', '--help'); await import('./app/dbtls.mjs')")).toContain(
      'usage: dbtls operator',
    )
  })
  it.each(['mysql', 'postgresql', 'redis', 'mongodb'])('holds all that the driver of %s needs', (name) => {
    const chunks = readdirSync(join(folder, 'app')).filter(
      (file) => file.startsWith(`${name}-`) && file.endsWith('.mjs'),
    )
    expect(chunks).not.toEqual([])
    // The dialect of the same name is part of another module.
    const said = run(`
      const order = { address: '127.0.0.1', port: 1, serverName: 'db.test', roots: [], account: {}, statements: [] }
      for (const chunk of ${JSON.stringify(chunks)}) {
        const { execute } = await import('./app/' + chunk)
        await execute?.(order, new AbortController().signal).catch((error) => console.log(error.code ?? error.cause?.code ?? error.message))
      }`)
    expect(said).toContain('ECONNREFUSED')
  })
})
