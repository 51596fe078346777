/** The operator's page for people, in a real browser: of a program with certificates of its own, and of ten thousand with hostile texts. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Caches } from '../../src/control/context.ts'
import { overviewHandler } from '../../src/overview/handler.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/log.ts'
import { listen, type ListeningServer } from '../../src/server/http.ts'
import { eventually, freePort } from '../controlplane/harness/index.ts'
import { Browser, findChromium } from './support/chromium.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const chromium = await findChromium()
if ('missing' in chromium) console.warn(`Chromium: skipped, ${chromium.missing}`)

const hostile = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
const day = 86_400_000
const inDays = (days: number): string => new Date(Date.now() + days * day).toISOString().replace(/\.\d+Z$/, 'Z')
const condition = (status: string, message: string) => ({ type: 'Ready', status, reason: 'R', message })

/** As the caches of an operator with ten thousand certificates, one of them with a message of somebody's choice. */
const manyCaches = (): Caches => {
  const cache = (values: unknown[]) => ({ hasSynced: true, store: { values: () => values } })
  const named = (name: string) => ({ name, namespace: 'data' })
  const certificates = Array.from({ length: 10_000 }, (_, at) => ({
    metadata: named(`orders-server-with-a-name-as-long-as-people-make-them-when-nobody-stops-them-${at}`),
    status: {
      conditions: [at === 3 ? condition('False', hostile) : condition('True', 'Fine.')],
      ...{ notBefore: inDays(-30), notAfter: inDays(1 + at / 10), renewAt: inDays(at / 10) },
    },
  }))
  const rotation = {
    ...{ phase: 'TrustBoth', trigger: '1', message: hostile, startedAt: inDays(-2), phaseStartedAt: inDays(-1) },
    pending: { consumers: 2, certificates: 0, endpoints: 3 },
  }
  const authorities = [
    {
      metadata: named('orders-ca'),
      spec: { rotation: { trigger: '1', holdAt: 'TrustBoth' } },
      status: {
        conditions: [condition('True', 'Fine.')],
        ...{ certificate: { notBefore: inDays(-300), notAfter: inDays(1500) }, renewAt: inDays(900), rotation },
      },
    },
  ]
  const serving = { type: 'Serving', status: 'False', reason: 'OldCertificateServed', message: hostile }
  const profiles = [{ metadata: named('orders'), status: { conditions: [serving], endpoints: [{}] } }]
  return {
    certificates: cache(certificates),
    authorities: cache(authorities),
    profiles: cache(profiles),
  } as unknown as Caches
}

describe.skipIf('missing' in chromium)('the page of the operator, in Chromium', () => {
  let browser: Browser
  let folder: string
  let program: ChildProcess
  let server: ListeningServer
  let own: string
  let many: string
  beforeAll(async () => {
    if ('missing' in chromium) return
    folder = mkdtempSync(join(tmpdir(), 'dbtls-overview-'))
    const address = `127.0.0.1:${await freePort()}`
    own = `http://${address}/`
    const args = ['run', '--manifests', join(repository, 'examples/quickstart'), '--metrics-address', address]
    program = spawn(join(repository, 'bin/dbtls'), [...args, '--publish-address', 'none'], { cwd: folder })
    let printed = ''
    for (const stream of [program.stdout, program.stderr])
      stream?.on('data', (chunk: Buffer) => void (printed += chunk.toString()))
    await eventually('all to be ready', () => Promise.resolve(/^ready +5 of 5/m.test(printed)), {
      giveUp: () => (program.exitCode === null ? undefined : `it ended: ${printed}`),
    })
    const handler = overviewHandler({ caches: manyCaches(), now: () => Date.now(), leads: () => true })
    server = await listen({ address: '127.0.0.1:0', handler, log: silentLogger(), clock: systemClock() })
    many = `http://${server.address}/`
    browser = await Browser.start(chromium.folder)
  })
  afterAll(async () => {
    await browser?.stop()
    await server?.close()
    if (program?.exitCode === null) {
      const ended = new Promise((resolve) => void program.once('exit', resolve))
      program.kill('SIGTERM')
      await ended
    }
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  const text = (): Promise<string> => browser.evaluate<string>('document.body.innerText')
  const screen = (width: number): Promise<unknown> =>
    browser.send('Emulation.setDeviceMetricsOverride', {
      width,
      height: 800,
      deviceScaleFactor: 1,
      mobile: width < 500,
    })
  /** Roles and names, as those who do not see the page are told. */
  const named = async (role: string): Promise<(string | undefined)[]> => {
    const { nodes } = (await browser.send('Accessibility.getFullAXTree')) as {
      readonly nodes: readonly { readonly role?: { value: string }; readonly name?: { value: string } }[]
    }
    return nodes.filter((node) => node.role?.value === role).map((node) => node.name?.value)
  }

  it('shows what a program really holds, with scripts switched off and nothing refused', async () => {
    await screen(1200)
    await browser.send('Emulation.setScriptExecutionDisabled', { value: true })
    await browser.open(own)
    const shown = await text()
    for (const part of [
      'data/orders-ca',
      'data/orders-mysql',
      'data/acme-root',
      'None is under way.',
      'There is no profile.',
    ])
      expect(shown).toContain(part)
    expect(shown).toMatch(/2\s+authorities[^]*3\s+certificates/)
    await browser.send('Emulation.setScriptExecutionDisabled', { value: false })
    const refused = browser.events.filter(
      ({ method, params }) =>
        ['Log.entryAdded', 'Runtime.exceptionThrown'].includes(method) &&
        !JSON.stringify(params).includes('favicon.ico'),
    )
    expect(refused).toEqual([])
  })

  it.each([320, 360, 800, 1200])('has nothing beyond the edge of a screen of %d points', async (width) => {
    await screen(width)
    for (const url of [own, many]) {
      await browser.open(url)
      const [whole, seen] = await browser.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      )
      expect(whole).toBeLessThanOrEqual(seen)
      const beyond = `[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).length`
      expect(await browser.evaluate(beyond)).toBe(0)
    }
  })

  it('draws each life as a bar, in the light and in the dark', async () => {
    await screen(1200)
    const rows = `[...document.querySelectorAll('#certificates ~ .rows .life')].map((one) => one.getBoundingClientRect().width)`
    for (const scheme of ['light', 'dark']) {
      await browser.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
      await browser.open(many)
      const widths = await browser.evaluate<number[]>(rows)
      expect(widths.length).toBeGreaterThanOrEqual(50)
      expect(Math.min(...widths)).toBeGreaterThan(500)
      const colour = `getComputedStyle(document.querySelector('.life .left, .life .soon')).fill`
      expect(await browser.evaluate(colour)).toMatch(/^rgb\((42, 125, 225|204, 51, 51)\)$/)
      expect((await browser.screenshot()).length).toBeGreaterThan(20_000)
    }
  })

  it('tells the stage of a rotation to those who do not see it', async () => {
    await browser.open(many)
    expect(await browser.evaluate(`document.querySelectorAll('[aria-current="step"]').length`)).toBe(1)
    expect(await browser.evaluate(`document.querySelector('[aria-current="step"]').textContent`)).toContain(
      '2. TrustBoth',
    )
    const headings = await named('heading')
    for (const heading of [
      'Rotations',
      'What ends when',
      'Certificates that end first',
      'What servers serve',
      'data/orders-ca',
    ])
      expect(headings).toContain(heading)
    expect(await named('link')).toEqual(['Metrics', 'health', 'readiness'])
    expect(await named('image')).toEqual([])
    expect(await text()).toContain('3 servers that have not proved their trust')
  })

  it('takes the text of others for text, and lists few of ten thousand', async () => {
    await browser.open(many)
    expect(await browser.evaluate('document.title')).toBe('dbtls')
    expect(await browser.evaluate('document.querySelectorAll("img, script, iframe").length')).toBe(0)
    const shown = await text()
    expect(shown.split('<img src=x onerror=')).toHaveLength(4)
    expect(shown).toMatch(/10000\s+certificates, 1 not Ready/)
    expect(shown).toContain('And 9950 others, each of which ends later.')
    expect((await (await fetch(many)).text()).length).toBeLessThan(300_000)
  })

  it('leads to the figures for programs', async () => {
    await browser.open(own)
    await browser.follow(`document.querySelector('footer a').click()`)
    expect(await browser.evaluate('location.pathname')).toBe('/metrics')
    expect(await text()).toContain('dbtls_authority_rotation_phase')
  })
})
