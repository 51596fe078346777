/** A Java program with JDBC drivers (test/databases/java), fetched and compiled on first use. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Reaper } from '../../controlplane/harness/process.ts'
import { cacheFolder, once } from './install.ts'
import { java } from './java.ts'
import { maven } from './packages.ts'

export type Answer =
  | {
      readonly outcome: 'connected'
      readonly driver: string
      readonly server: string
      readonly tlsVersion: string
      readonly cipher: string
      readonly user: string
      /** The subject of the client as the server saw it, where it tells. */
      readonly certificate?: string
    }
  | {
      readonly outcome: 'refused'
      readonly sqlState: string
      readonly error: number
      /** Of the exception and its causes. */
      readonly message: string
    }

const source = fileURLToPath(new URL('../java/Connect.java', import.meta.url))

/** Open-Xchange reads its configuration with SnakeYAML. */
const artifacts = [
  'com.mysql:mysql-connector-j:26.10.0',
  'org.mariadb.jdbc:mariadb-java-client:4.0.0',
  'org.postgresql:postgresql:42.7.14',
  'org.yaml:snakeyaml:2.5',
]

/** Undefined where Java, Maven or the drivers cannot be had here. */
const classPath = async (): Promise<string | undefined> => {
  const libraries = await maven('jdbc', artifacts)
  if (libraries === undefined) return undefined
  const digest = createHash('sha256').update(libraries).update(readFileSync(source)).digest('hex').slice(0, 8)
  const folder = join(cacheFolder(), `jdbc-connect-${digest}`)
  const compile = 'javac -d "$1/classes" -cp "$2" "$3" >&2'
  return (await once(folder, 'the Java program of the JDBC tests', compile, libraries, source))
    ? `${libraries}:${join(folder, 'classes')}`
    : undefined
}

/** One JVM for many connections, as an application server is. */
export class Jdbc implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting: ((line: string) => void)[] = []
  readonly #ended: Promise<void>
  #running = true
  #errors = ''

  private constructor(child: ChildProcessWithoutNullStreams, reaper: Reaper) {
    this.#child = child
    const { pid } = child
    if (pid !== undefined) reaper.watch(pid)
    createInterface(child.stdout).on('line', (line) => this.#waiting.shift()?.(line))
    child.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString('utf8')))
    this.#ended = new Promise((resolve) =>
      child.once('close', () => {
        this.#running = false
        if (pid !== undefined) reaper.forget(pid)
        for (const answer of this.#waiting.splice(0)) answer('')
        resolve()
      }),
    )
  }

  /** `hosts` has the form of /etc/hosts, and no other name is known. Undefined where there is no Java here. */
  static async start(hosts: string, reaper: Reaper): Promise<Jdbc | undefined> {
    const path = await classPath()
    if (path === undefined) return undefined
    const [command, ...args] = java({ classPath: path, heapMiB: 128, hosts }, 'Connect')
    return new Jdbc(spawn(command, args), reaper)
  }

  /** Connects with the settings of a file; `more` is added to them, or takes their place. */
  async connect(file: string, more: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const words = [file, ...Object.entries(more).map(([name, value]) => `${name}=${value}`)]
    const line = await new Promise<string>((resolve) => {
      if (!this.#running) return resolve('')
      this.#waiting.push(resolve)
      this.#child.stdin.write(`${words.join('\t')}\n`)
    })
    const [outcome, ...parts] = line.split('\t')
    const [first = '', second = '', third = '', fourth = '', fifth = '', sixth] = parts
    if (outcome === 'refused') return { outcome, sqlState: first, error: Number(second), message: third }
    if (outcome !== 'connected') throw new Error(`the Java program ended: ${this.#errors.slice(-2000)}`)
    const answer = { outcome, driver: first, server: second, tlsVersion: third, cipher: fourth, user: fifth } as const
    return sixth === undefined ? answer : { ...answer, certificate: sixth }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await this.#ended
  }
}
