/** Child processes that are ended by their own pid, and do not outlive the test process however that one dies. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Kills the processes it was told of when this process is gone; see reaper.sh. */
export class Reaper {
  readonly #shell: ChildProcess

  constructor() {
    this.#shell = spawn('/bin/sh', [fileURLToPath(new URL('reaper.sh', import.meta.url))], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#shell.unref()
    // An open pipe alone must not keep a finished test run alive.
    ;(this.#shell.stdin as unknown as { unref(): void }).unref()
    this.#shell.stdin?.on('error', () => {})
  }

  watch(pid: number): void {
    this.#shell.stdin?.write(`+${pid}\n`)
  }

  forget(pid: number): void {
    this.#shell.stdin?.write(`-${pid}\n`)
  }

  /** Removes `dir` too when this process dies before it could. */
  sweep(dir: string): void {
    this.#shell.stdin?.write(`=${dir}\n`)
  }
}

export interface ProcessOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Standard output and error, appended. */
  readonly logFile: string
}

export class ManagedProcess {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly logFile: string
  #exit: Exit | undefined

  constructor(reaper: Reaper, options: ProcessOptions) {
    const log = openSync(options.logFile, 'a')
    const child = spawn(options.command, options.args, {
      // A group of its own: Ctrl-C on a terminal reaches the test runner alone, which then stops things in order.
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    closeSync(log)
    this.name = options.name
    this.logFile = options.logFile
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal }
        if (child.pid !== undefined) reaper.forget(child.pid)
        resolve(this.#exit)
      })
    })
    if (child.pid === undefined) {
      this.exited.catch(() => {})
      throw new Error(`${options.name} did not start: ${options.command} cannot be run`)
    }
    this.pid = child.pid
    reaper.watch(child.pid)
  }

  get running(): boolean {
    return this.#exit === undefined
  }

  get exit(): Exit | undefined {
    return this.#exit
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal)
  }

  /** SIGTERM, SIGKILL after `graceMs`, and the exit. Also ends a process stopped by SIGSTOP. */
  async stop(graceMs = 15_000): Promise<Exit> {
    this.signal('SIGTERM')
    this.signal('SIGCONT')
    const patience = new AbortController()
    const timer = sleep(graceMs, undefined, { signal: patience.signal, ref: false })
    const ended = await Promise.race([this.exited.then(() => true), timer.then(() => false)])
    patience.abort()
    timer.catch(() => {})
    if (!ended) this.signal('SIGKILL')
    return this.exited
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }

  logs(): string {
    return readFileSync(this.logFile, 'utf8')
  }
}

/** A port nobody listened on a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

export interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly stdin?: string
}

/** Runs a command to its end; rejects only when it cannot be started. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: 'pipe',
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
        code: code ?? 128,
      }),
    )
    // A command that never reads its input ends with EPIPE here; its exit code tells the story.
    child.stdin.on('error', () => {})
    child.stdin.end(options.stdin ?? '')
  })

/** As run, but rejects with what the command said when it fails. */
export const must = async (command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> => {
  const output = await run(command, args, options)
  if (output.code === 0) return output
  throw new Error(`${command} ${args.join(' ')} ended with ${output.code}: ${output.stderr || output.stdout}`)
}

/** Asks `probe` until it answers something truthy; an exception of the probe counts as "not yet". */
export const eventually = async <T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  options: { readonly timeoutMs?: number; readonly everyMs?: number; readonly giveUp?: () => string | undefined } = {},
): Promise<T> => {
  const deadline = performance.now() + (options.timeoutMs ?? 60_000)
  let last: unknown = 'no answer'
  for (;;) {
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== false) return answer
    } catch (error) {
      last = error
    }
    const hopeless = options.giveUp?.()
    if (hopeless !== undefined) throw new Error(`${what}: ${hopeless}`)
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${options.timeoutMs ?? 60_000} ms`, { cause: last })
    await sleep(options.everyMs ?? 50)
  }
}
