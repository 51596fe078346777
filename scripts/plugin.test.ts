/** scripts/plugin.sh: what krew would fetch, unpacked and run as krew does it, and the manifest that names it. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'

const repository = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { readonly version: string }
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
const run = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { cwd: repository, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly version: string
    readonly shortDescription: string
    readonly description: string
    readonly platforms: readonly {
      readonly uri: string
      readonly sha256: string
      readonly bin: string
      readonly files: readonly { readonly from: string; readonly to: string }[]
    }[]
  }
}

let folder: string
let manifest: Manifest
const archive = `kubectl-dbtls-${version}.tar.gz`
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-plugin-'))
  run('scripts/plugin.sh', 'https://example.com/v1/', join(folder, 'first'))
  manifest = parse(readFileSync(join(folder, 'first', 'dbtls.yaml'), 'utf8')) as Manifest
})
afterAll(() => rmSync(folder, { recursive: true }))

const checksum = (of: string): string =>
  createHash('sha256')
    .update(readFileSync(join(folder, of, archive)))
    .digest('hex')

// https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
it('has a manifest that krew takes, with the version, address and checksum of the archive', () => {
  expect(manifest).toMatchObject({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'dbtls' },
    spec: { version: `v${version}` },
  })
  expect(manifest.spec.shortDescription.length).toBeLessThanOrEqual(80)
  const [platform, ...more] = manifest.spec.platforms
  expect(more).toEqual([])
  expect(platform).toMatchObject({ uri: `https://example.com/v1/${archive}`, sha256: checksum('first') })
})

it('is the same archive from the same sources', () => {
  run('scripts/plugin.sh', 'https://example.com/v2', join(folder, 'second'))
  expect(checksum('second')).toBe(checksum('first'))
})

it('runs from where krew puts it, and completes', () => {
  const [platform] = manifest.spec.platforms
  const [from = ''] = platform?.files.map((one) => one.from.replace('/*', '')) ?? []
  run('tar', '-xzf', join(folder, 'first', archive), '-C', folder)
  const installed = join(folder, 'store')
  renameSync(join(folder, from), installed)
  const link = join(folder, 'kubectl-dbtls')
  symlinkSync(join(installed, platform?.bin ?? ''), link)
  expect(run(link, 'version')).toContain(version)
  expect(run(join(installed, 'bin/kubectl_complete-dbtls'), 'rot')).toMatch(/^rotate\t[^\n]+\n:4\n$/)
  expect(readFileSync(join(installed, 'LICENSE'), 'utf8')).toContain('Apache License')
})
