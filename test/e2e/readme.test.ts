/** The README, typed in as it stands: its commands run, and what they print is what it shows. */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../src/cluster/port.ts'
import { admit } from '../../src/resources/validate.ts'
import { ControlPlane, type InstalledChart, run, startOperator, type Operator } from '../controlplane/harness/index.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(join(repository, 'README.md'), 'utf8')

interface Shown {
  readonly command: string
  readonly output: readonly string[]
}

/** The `$ …` commands of a section with the lines shown below each. */
const shown = (heading: string): Shown[] => {
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const blocks = [...section.matchAll(/```console\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.trimEnd().split('\n')
        return { command, output }
      }),
  )
}

/** What differs from run to run: serial numbers, times, and the line that npm prints the first time only. */
const normalised = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => line !== '' && !line.startsWith('npm ci'))
    .map((line) =>
      line
        .trimEnd()
        .replace(/\b[0-9A-F]{32}\b/g, 'SERIAL')
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
        .replace(/[A-Z][a-z]{2} \d{1,2}, \d{4}/g, 'DATE')
        .replace(/127\.0\.0\.1:\d+/, 'ADDRESS'),
    )
    .toSorted()

/** A person does not type `make run` into a `make test`: a make below another one tells where it is. */
const withoutMake = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^(MAKE|MFLAGS)/.test(name)))

/** A checkout that shares sources and packages with this one, and nothing that the commands write. */
const checkout = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-readme-'))
  for (const name of [
    'bin',
    'src',
    'node_modules',
    'package.json',
    'package-lock.json',
    'Makefile',
    'scripts',
    'charts',
    'deploy',
  ])
    symlinkSync(join(repository, name), join(folder, name))
  cpSync(join(repository, 'examples'), join(folder, 'examples'), { recursive: true })
  return folder
}

let folder: string
beforeAll(() => {
  folder = checkout()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('In a minute, without a cluster', () => {
  const [first, ...looks] = shown('In a minute, without a cluster')
  let program: ReturnType<typeof spawn>
  let printed = ''
  const line = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!printed.includes(text)) return
        clearInterval(poll)
        resolve()
      }
      const poll = setInterval(look, 50)
      program.once('exit', () => {
        clearInterval(poll)
        reject(new Error(`ended before it printed "${text}":\n${printed}`))
      })
    })

  beforeAll(async () => {
    program = spawn('sh', ['-c', `exec ${first?.command ?? 'false'}`], {
      cwd: folder,
      detached: true,
      env: withoutMake(process.env),
    })
    program.stdout?.on('data', (chunk: Buffer) => void (printed += chunk.toString()))
    program.stderr?.on('data', (chunk: Buffer) => void (printed += chunk.toString()))
    await line('ready ')
  })
  afterAll(async () => {
    if (program.exitCode !== null || program.pid === undefined) return
    const ended = new Promise((resolve) => void program.once('exit', resolve))
    process.kill(-program.pid, 'SIGTERM')
    await ended
  })

  it('prints what the README shows', () => {
    const served = /^(metrics|publish) /
    const all = printed.split('\n').filter((text) => !served.test(text))
    const wanted = (first?.output ?? []).filter((text) => !served.test(text))
    expect(normalised(all)).toEqual(normalised(wanted))
  })

  it.each(looks)('$command', async ({ command, output }) => {
    const { stdout, code } = await run('sh', ['-c', command], { cwd: folder })
    expect(code).toBe(0)
    expect(normalised(stdout.split('\n'))).toEqual(normalised(output))
  })

  it('follows an edited manifest', async () => {
    const file = join(folder, 'examples/quickstart/20-mysql-server.yaml')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('    - localhost\n', '    - localhost\n    - orders.example\n'),
    )
    await line('(revision 2) into Secret "orders-mysql-tls"')
  })
})

describe('manifests shown in the documents', () => {
  const pages = ['README.md', 'docs/certificates.md', 'docs/authorities.md', 'docs/publishing.md', 'docs/revocation.md']
  const manifests = pages.flatMap((page) =>
    [...readFileSync(join(repository, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(([, text = '']) =>
      parseAllDocuments(text).map((document) => ({ page, object: document.toJS() as KubeObject })),
    ),
  )
  it.each(manifests)('$page: $object.kind $object.metadata.name is valid', ({ object }) => {
    expect(admit(object.kind, object, undefined, { unknownFields: 'Refuse' })).toHaveProperty('object')
  })
})

describe('In a pipeline', () => {
  it.each(shown('In a pipeline'))('$command', async ({ command }) => {
    const { code, stderr } = await run('sh', ['-c', command], { cwd: folder })
    expect(code, stderr).toBe(0)
  })
})

describe('On a cluster', () => {
  const [install, ...commands] = shown('On a cluster')
  let plane: ControlPlane
  let operator: Operator | undefined

  beforeAll(async () => {
    plane = await ControlPlane.start({ crds: false })
  })
  afterAll(async () => {
    await operator?.stop()
    await plane.stop()
  })

  const typed = (command: string) =>
    run('sh', ['-c', command], {
      cwd: repository,
      env: { ...process.env, KUBECONFIG: plane.adminKubeconfig, PATH: `${plane.info.binaries}:${process.env['PATH']}` },
    })

  it('does what the README shows, step by step', async () => {
    const installed = await typed(install?.command ?? 'false')
    expect(installed.code, installed.stderr).toBe(0)
    // No kubelet here: the Deployment's program is started by hand, with the rights of its ServiceAccount.
    const token = (await plane.kubectlOk(['-n', 'dbtls', 'create', 'token', 'dbtls'])).trim()
    const kubeconfig = plane.kubeconfigFor({ token }, 'dbtls')
    operator = await startOperator(plane, { release: 'dbtls', namespace: 'dbtls', kubeconfig } as InstalledChart)
    await operator.ready()
    for (const { command, output } of commands) {
      const { code, stdout, stderr } = await typed(command)
      expect(code, `${command}\n${stderr}`).toBe(0)
      if (output.length > 0) expect(normalised(stdout.split('\n'))).toEqual(normalised(output))
    }
  })
})
