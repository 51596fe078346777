/**
 * docs/howto-openssl.md, typed from its first command to its last: the folder that openssl makes, taken over, lived with
 * offline and on a cluster, and handed back to openssl.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ControlPlane,
  freePort,
  installChart,
  type Operator,
  run,
  startOperator,
} from '../controlplane/harness/index.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(join(repository, 'docs/howto-openssl.md'), 'utf8')

interface Step {
  readonly command: string
  /** Lines that the page shows; others may be printed between them. */
  readonly shows: readonly string[]
}

/** Every block of a section: one of `sh` is typed as a whole, one of `console` command by command. */
const stepsOf = (section: string): Step[] =>
  [...section.matchAll(/```(sh|console)\n([^]*?)```/g)].flatMap(([, kind, block = '']) =>
    kind === 'sh'
      ? [{ command: block, shows: [] }]
      : block
          .split(/^\$ /m)
          .slice(1)
          .map((part) => {
            const [command = '', ...shows] = part.trimEnd().split('\n')
            return { command, shows }
          }),
  )

const sections = page.split(/^## /m).slice(1)
const titleOf = (section: string): string => section.slice(0, section.indexOf('\n'))
const offline = sections.filter((section) => titleOf(section) !== 'On a cluster')
const onCluster = sections.find((section) => titleOf(section) === 'On a cluster') ?? ''

/** What differs from run to run: serial numbers, times, and with them the width of columns. */
const normalised = (line: string): string =>
  line
    .replace(/\b[0-9A-F]{32}\b/g, 'SERIAL')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replace(/\((?:now|\d+ \w+ ago)\)/g, '(now)')
    .replace(/ {2,}/g, '  ')
    .trimEnd()

let folder: string
let port: number
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-howto-'))
  port = await freePort()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const typed = async ({ command, shows }: Step, path: string, env: NodeJS.ProcessEnv = {}): Promise<void> => {
  const text = command.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
  const { code, stdout, stderr } = await run(
    'sh',
    ['-ec', text.replace('--publish-address', '--metrics-address 127.0.0.1:0 --publish-address')],
    {
      cwd: folder,
      env: { ...process.env, ...env, PATH: `${join(repository, 'bin')}:${path}:${process.env['PATH']}` },
    },
  )
  expect(code, `${command}\n${stdout}${stderr}`).toBe(0)
  const printed = `${stdout}\n${stderr}`.split('\n').map(normalised)
  for (const line of shows) expect(printed, command).toContain(normalised(line))
}

describe('An OpenSSL CA folder, taken over', () => {
  const steps = offline.flatMap((section) => stepsOf(section).map((step) => ({ ...step, title: titleOf(section) })))

  afterAll(async () => {
    // Of a step that failed half-way.
    const pid = Number(await run('cat', [join(folder, 'run.pid')]).then(({ stdout }) => stdout))
    if (pid > 0) await run('kill', [String(pid)])
  })

  it('has steps', () => {
    expect(steps.length).toBeGreaterThan(30)
    expect(stepsOf(onCluster).length).toBeGreaterThan(10)
  })

  it.each(steps)('$title: $command', (step) => typed(step, ''))
})

describe('On a cluster', () => {
  let plane: ControlPlane
  let operator: Operator | undefined

  beforeAll(async () => {
    plane = await ControlPlane.start()
    const chart = await installChart(plane, { release: 'howto' })
    operator = await startOperator(plane, chart)
    await operator.ready()
  })
  afterAll(async () => {
    await operator?.stop()
    await plane.stop()
  })

  it.each(stepsOf(onCluster))('$command', (step) =>
    typed(step, plane.info.binaries, { KUBECONFIG: plane.adminKubeconfig }),
  )
})
