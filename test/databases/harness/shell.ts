/**
 * Where a person connects from: a shell with a terminal, the programs of the database in its PATH, names that lead to the servers
 * here, and nothing of this machine's own settings.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Answer {
  /** Everything the terminal showed, without the carriage returns. */
  readonly shown: string
  readonly code: number
}

export interface ShellInit {
  readonly programs: Readonly<Record<string, readonly string[]>>
  readonly names: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** What to type when what the terminal shows ends in a question. */
export interface Talk {
  /** Asks for the password, if it does. */
  readonly asks: RegExp
  readonly password: string
  readonly prompt: RegExp
  /** One after the other; the last one ends the program. */
  readonly says: readonly string[]
}

/** Only the command sees the other hosts file. */
const withHosts = 'mount --bind "$1" /etc/hosts; shift; exec "$@"'

/** A program that never ends is one that hangs. */
const patienceMs = 120_000

export class Shell {
  readonly #folder: string
  readonly #env: Readonly<Record<string, string>>
  readonly #options: readonly string[]

  /** `programs`: name → command and first arguments. `names` lead to 127.0.0.1. `env` is what an installation would not need. */
  constructor(folder: string, { programs, names, env = {} }: ShellInit) {
    this.#folder = folder
    this.#env = env
    for (const part of ['bin', 'home']) mkdirSync(join(folder, part), { recursive: true })
    for (const [name, command] of Object.entries(programs)) {
      const file = join(folder, 'bin', name)
      writeFileSync(file, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`)
      chmodSync(file, 0o755)
    }
    const hosts = join(folder, 'hosts')
    writeFileSync(hosts, `127.0.0.1 localhost ${names.join(' ')}\n`)
    const apart = process.getuid?.() === 0 ? [] : ['--map-root-user']
    this.#options = [...apart, '--mount', 'sh', '-ec', withHosts, 'sh', hosts]
  }

  /** Runs a command line as it stands, and types what `talk` says. */
  async type(line: string, talk?: Talk, env: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const terminal = ['script', '--quiet', '--flush', '--return', '--command', line, '/dev/null']
    const child = spawn('unshare', [...this.#options, ...terminal], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...{ PATH: `${join(this.#folder, 'bin')}:/usr/bin:/bin`, HOME: join(this.#folder, 'home') },
        ...{ TERM: 'dumb', LC_ALL: 'C.UTF-8', SHELL: '/bin/sh', PAGER: 'cat', ...this.#env, ...env },
      },
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    const shown = listen(child, talk)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    if (code === null) throw new Error(`${line} did not end: ${shown()}`)
    return { shown: shown(), code }
  }
}

/** Answers what was shown so far. */
const listen = (child: ChildProcess, talk: Talk | undefined): (() => string) => {
  let shown = ''
  let answered = 0
  let said = 0
  child.stdin?.on('error', () => undefined)
  const say = (text: string | undefined): void => {
    if (text === undefined) return
    answered = shown.length
    child.stdin?.write(`${text}\n`)
  }
  const hear = (chunk: Buffer): void => {
    shown += chunk.toString('utf8').replaceAll('\r', '')
    const fresh = shown.slice(answered)
    if (talk?.asks.test(fresh) === true) say(talk.password)
    else if (talk?.prompt.test(fresh) === true) say(talk.says[said++])
  }
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  return () => shown
}
