/** What is published, as people meet it: the page of the documents typed in, a real browser, and replicas that do not lead. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, freePort, run } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { Browser, findChromium } from './support/chromium.ts'
import { Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const document = readFileSync(join(repository, 'docs/publishing.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...document.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text = '']) => text)
const [manifests = ''] = blocks('yaml')

const hostileName = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
const hostile = `---
apiVersion: dbtls.dev/v1alpha1
kind: CertificateAuthority
metadata: {name: hostile, namespace: data}
spec:
  source: {selfSigned: {}}
  subject: {commonName: ${JSON.stringify(hostileName.slice(0, 64))}, organizations: [${JSON.stringify(hostileName.slice(-60))}]}
  publish: {url: "http://pki.example"}
`

let folder: string
let address: string
let program: ChildProcess
let printed = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dbtls-publish-'))
  address = `127.0.0.1:${await freePort()}`
  mkdirSync(join(folder, 'manifests'))
  writeFileSync(join(folder, 'manifests/page.yaml'), manifests)
  writeFileSync(join(folder, 'manifests/hostile.yaml'), hostile)
  const addresses = ['--publish-address', address, '--metrics-address', '127.0.0.1:0']
  program = spawn(join(repository, 'bin/dbtls'), ['run', ...addresses], { cwd: folder })
  for (const stream of [program.stdout, program.stderr])
    stream?.on('data', (chunk: Buffer) => void (printed += chunk.toString()))
  await eventually('all to be ready', () => Promise.resolve(/^ready +3 of 3/m.test(printed)), {
    giveUp: () => (program.exitCode === null ? undefined : `it ended: ${printed}`),
  })
  await eventually('the list', async () => (await fetch(`http://${address}/ca/data/orders-ca.crl`)).ok)
})
afterAll(async () => {
  if (program.exitCode === null) {
    const ended = new Promise((resolve) => void program.once('exit', resolve))
    program.kill('SIGTERM')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

describe('docs/publishing.md', () => {
  const typed = blocks('console').flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...output] = part.trimEnd().split('\n')
        return { command, output: output.join('\n') }
      }),
  )
  it('shows commands', () => expect(typed.length).toBeGreaterThan(6))

  it.each(typed)('$command', async ({ command, output }) => {
    const real = command.replaceAll('127.0.0.1:8080', address)
    const { code, stdout, stderr } = await run('sh', ['-c', real], { cwd: folder })
    expect(code, stderr).toBe(0)
    expect(stdout.trimEnd()).toBe(output)
  })
})

const chromium = await findChromium()
if ('missing' in chromium) console.warn(`Chromium: skipped, ${chromium.missing}`)

describe.skipIf('missing' in chromium)('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    if ('missing' in chromium) return
    browser = await Browser.start(chromium.folder)
  })
  afterAll(() => browser?.stop())

  const url = (path: string): string => `http://${address}${path}`
  const text = (): Promise<string> => browser.evaluate<string>('document.body.innerText')
  const leaf = (): X509Certificate =>
    new X509Certificate(readFileSync(join(folder, '.dbtls/out/data/secret/orders-mysql-tls/tls.crt')))

  /** What a page did that its own policy or a missing file forbade. */
  const complaints = (): unknown[] =>
    browser.events
      .filter(({ method }) =>
        ['Log.entryAdded', 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled'].includes(method),
      )
      .filter(({ params }) => !JSON.stringify(params).includes('favicon.ico'))

  it('the page of an authority shows what openssl says of it, with scripts switched off', async () => {
    await browser.send('Emulation.setScriptExecutionDisabled', { value: true })
    await browser.open(url('/ca/data/orders-ca'))
    const ca = new X509Certificate(Buffer.from(await (await fetch(url('/ca/data/orders-ca.crt'))).arrayBuffer()))
    const shown = await text()
    for (const part of ['Orders CA', ca.fingerprint256, ca.fingerprint, ca.serialNumber, 'Revocation list'])
      expect(shown).toContain(part)
    await browser.send('Emulation.setScriptExecutionDisabled', { value: false })
    expect(complaints()).toEqual([])
  })

  it('its style is in force, in the light and in the dark, and there is something to see', async () => {
    const background = async (scheme: string): Promise<number> => {
      await browser.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
      const picture = await browser.screenshot()
      const pixels = firstRowOf(picture)
      expect(picture.length).toBeGreaterThan(10_000)
      return pixels
    }
    await browser.open(url('/ca/data/orders-ca'))
    expect(await browser.evaluate('getComputedStyle(document.querySelector("dl")).display')).toBe('grid')
    const [light, dark] = [await background('light'), await background('dark')]
    expect(light).toBeGreaterThan(240)
    expect(dark).toBeLessThan(60)
  })

  it('its form, link and headings have names for those who do not see them', async () => {
    await browser.open(url('/ca/data/orders-ca'))
    const { nodes } = (await browser.send('Accessibility.getFullAXTree')) as {
      readonly nodes: readonly { readonly role?: { value: string }; readonly name?: { value: string } }[]
    }
    const named = (role: string): (string | undefined)[] =>
      nodes.filter((node) => node.role?.value === role).map((node) => node.name?.value)
    expect(named('textbox')).toEqual(['Serial number (hexadecimal)'])
    expect(named('button')).toEqual(['Look up'])
    expect(named('heading')).toContain('Look up a certificate')
    expect(named('link')).toContain('orders-ca.crt')
  })

  it('the form finds a certificate by the serial number as openssl prints it, with colons', async () => {
    await browser.open(url('/ca/data/orders-ca'))
    const { serialNumber } = leaf()
    const colons = (serialNumber.toLowerCase().match(/../g) ?? []).join(':')
    await browser.evaluate(`document.querySelector('#serial').value = ${JSON.stringify(colons)}`)
    await browser.follow(`document.querySelector('button').click()`)
    expect(await browser.evaluate('location.pathname')).toBe(`/ca/data/orders-ca/certs/${serialNumber}`)
    const shown = await text()
    expect(shown).toContain('DNS: orders-mysql.data.svc')
    expect(shown).toContain('Valid')
    await browser.follow(`document.querySelector('nav a').click()`)
    expect(await browser.evaluate('location.pathname')).toBe('/ca/data/orders-ca')
  })

  it('the form says what is wrong with what was entered, and lets one try again', async () => {
    for (const [entered, answer] of [
      ['no number', 'hexadecimal digits'],
      ['1234', 'No certificate with this serial number'],
    ]) {
      await browser.open(url('/ca/data/orders-ca'))
      await browser.evaluate(`document.querySelector('#serial').value = ${JSON.stringify(entered)}`)
      await browser.follow(`document.querySelector('button').click()`)
      expect(await text()).toContain(answer)
      expect(await browser.evaluate('document.querySelector("#serial").value')).toBe(entered)
    }
    await browser.evaluate(`document.querySelector('#serial').value = ${JSON.stringify(leaf().serialNumber)}`)
    await browser.follow(`document.querySelector('button').click()`)
    expect(await text()).toContain('orders-mysql.data.svc')
  })

  it('a hostile name is text', async () => {
    for (const path of ['/', '/ca/data/hostile']) {
      await browser.open(url(path))
      expect(await browser.evaluate('document.title')).not.toBe('owned')
      expect(await browser.evaluate('document.querySelectorAll("img, script, iframe").length')).toBe(0)
      expect(await text()).toContain('<img src=x onerror=')
    }
    const entered = encodeURIComponent(hostileName)
    await browser.open(url(`/ca/data/hostile/certs?serial=${entered}`))
    expect(await browser.evaluate('document.querySelector("#serial").value')).toBe(hostileName)
    expect(await browser.evaluate('document.querySelectorAll("img, script").length')).toBe(0)
  })

  it('what could get into a page nevertheless may not run, load or send anything', async () => {
    await browser.open(url('/ca/data/orders-ca'))
    await browser.evaluate(
      `document.body.insertAdjacentHTML('beforeend', '<img src=/ id=i onerror="document.title=1"><p style="color:red" id=s>x</p>')`,
    )
    await browser.evaluate(
      `{ const s = document.createElement('script'); s.textContent = 'document.title = "owned"'; document.body.append(s) }`,
    )
    const blocked = await eventually('the policy to object', () => {
      const found = browser.events.filter(({ params }) => JSON.stringify(params).includes('Content Security Policy'))
      return Promise.resolve(found.length >= 3 && found.length)
    })
    expect(blocked).toBeGreaterThanOrEqual(3)
    expect(await browser.evaluate('document.title')).toBe('Orders CA')
  })

  it('a link downloads the certificate in DER', async () => {
    const downloads = mkdtempSync(join(folder, 'downloads-'))
    await browser.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads })
    await browser.open(url('/ca/data/orders-ca'))
    await browser.evaluate(`[...document.querySelectorAll('a')].find((a) => a.textContent === 'orders-ca.crt').click()`)
    await eventually('the file', () => Promise.resolve(readdirSync(downloads).join() === 'orders-ca.crt'))
    const served = Buffer.from(await (await fetch(url('/ca/data/orders-ca.crt'))).arrayBuffer())
    expect(readFileSync(join(downloads, 'orders-ca.crt'))).toEqual(served)
    expect(new X509Certificate(served).subject).toContain('CN=Orders CA')
  })
})

/** Mean of red, green and blue of the first pixel of a PNG without interlacing. */
const firstRowOf = (png: Buffer): number => {
  const parts: Buffer[] = []
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  const [, red = 0, green = 0, blue = 0] = inflateSync(Buffer.concat(parts))
  return (red + green + blue) / 3
}

describe('on a cluster', () => {
  const namespace = 'e2e-publish'
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-publish' }, [namespace])
  })
  afterAll(() => rig.stop())

  it('every replica serves, with the rights of the chart and nothing refused', async () => {
    const pair = [await rig.operator({ podName: 'first' }), await rig.operator({ podName: 'second' })]
    const placed = manifests.replaceAll('namespace: data', `namespace: ${namespace}`)
    await rig.plane.apply(placed)
    await rig.ready(namespace, 'databasecertificates', 'orders-mysql')
    const served = (await rig.secret(namespace, 'orders-mysql-tls')).data?.['tls.crt'] ?? ''
    const { serialNumber } = new X509Certificate(Buffer.from(served, 'base64'))
    for (const path of ['.crt', '.pem', '.p7c', '.crl', '', `/certs/${serialNumber}`]) {
      const answers = await eventually(`${path} from both`, async () => {
        const found = await Promise.all(
          pair.map(({ publishUrl }) => fetch(`${publishUrl}/ca/${namespace}/orders-ca${path}`)),
        )
        return found.every(({ ok }) => ok) && found
      })
      const bodies = await Promise.all(answers.map((answer) => answer.text()))
      expect(bodies[0]).toBe(bodies[1])
    }
    for (const { logs } of pair) expect(logs()).not.toMatch(/forbidden/i)
  })
})
