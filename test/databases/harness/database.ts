/** A real database server on loopback, started from files laid out as a Secret volume, on a free port, in a folder of its own. */
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DialectName } from '../../../src/database/connect/dialects/table.ts'
import { probe } from '../../../src/database/connect/probe.ts'
import type { Target } from '../../../src/database/connect/sight.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { eventually, freePort, ManagedProcess, type Reaper } from '../../controlplane/harness/process.ts'
import { install, type Installation, type Product } from './install.ts'
import { etcd } from './etcd.ts'
import { mariadb } from './mariadb.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'
import { redis, valkey } from './redis.ts'
import { type Files, SecretVolume } from './secret-volume.ts'
import { asServer, serverUser } from './server-user.ts'

/** Where one server lives. */
export interface Place {
  readonly installation: Installation
  /** Data, sockets and logs. */
  readonly folder: string
  readonly port: number
  /** Holds `tls.crt`, `tls.key` and `ca.crt`. */
  readonly volume: SecretVolume
  /** Folder of the files of a profile's ConfigMap: they, and nothing else, then say all that concerns TLS. */
  readonly config?: string
  /** Folder of programs that the server runs, before those of PATH. */
  readonly tools?: string
}

export interface StartOptions {
  /** More arguments, which override those of the runner. */
  readonly args?: readonly string[]
  /** Default: a free one. */
  readonly port?: number
  /** Key of a profile's ConfigMap → text. */
  readonly config?: Readonly<Record<string, string>>
  /** Leaves the data folder empty, for a member that gets all from another. */
  readonly empty?: boolean
  /** Folder of programs that the server runs, before those of PATH. */
  readonly tools?: string
}

/** How a product is run. A new one is a file and a row below. */
export interface Runner {
  readonly dialect: DialectName
  /** Makes the data folder `place.folder/data`, which is there and empty. */
  readonly initialise?: (place: Place) => Promise<void>
  /**
   * Command and arguments; it stays in the foreground, asks clients for a certificate and verifies it. Run as the servers' user,
   * as is what `initialise` starts by `asServer`.
   */
  readonly command: (place: Place) => readonly [string, ...string[]]
  /** Has the server read its files again; rejects where it says that it could not. `Restart`: nothing else helps. */
  readonly reload: 'Restart' | ((place: Place, process: ManagedProcess) => Promise<void>)
  /** Runs a statement as the server's administrator, over its socket file. */
  readonly statement?: (place: Place, text: string) => Promise<void>
  /** Sent before SIGTERM, for a server that would wait for its clients. */
  readonly stopSignal?: NodeJS.Signals
}

const runners: Readonly<Record<Product, Runner>> = {
  'MariaDB 10.11': mariadb,
  'MariaDB 11.8': mariadb,
  'MySQL 9': mysql,
  'Redis 8': redis,
  etcd,
  'Valkey 8': valkey,
  'Valkey 9': valkey,
  'PostgreSQL 15': postgresql,
  'PostgreSQL 18': postgresql,
}

const written = (folder: string, files: Readonly<Record<string, string>>): string => {
  mkdirSync(folder)
  for (const [key, text] of Object.entries(files)) writeFileSync(join(folder, key), text)
  return folder
}

export class Database implements AsyncDisposable {
  readonly product: Product
  readonly place: Place
  readonly #runner: Runner
  readonly #spawn: () => ManagedProcess
  #process: ManagedProcess

  private constructor(product: Product, place: Place, spawn: () => ManagedProcess) {
    this.product = product
    this.place = place
    this.#runner = runners[product]
    this.#spawn = spawn
    this.#process = spawn()
  }

  /** Undefined where the product cannot be had on this machine; `install` has said why. Rejects with the end of its log. */
  static async start(
    product: Product,
    files: Files | SecretVolume,
    reaper: Reaper,
    { args = [], port, config, empty = false, tools }: StartOptions = {},
  ): Promise<Database | undefined> {
    const installation = await install(product)
    if (installation === undefined) return undefined
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-database-'))
    reaper.sweep(folder)
    mkdirSync(join(folder, 'data'), { mode: 0o700 })
    const place: Place = {
      ...{ installation, folder, port: port ?? (await freePort()) },
      volume: files instanceof SecretVolume ? files : new SecretVolume(join(folder, 'tls'), files),
      ...(config === undefined ? {} : { config: written(join(folder, 'config'), config) }),
      ...(tools === undefined ? {} : { tools }),
    }
    if (serverUser !== undefined)
      for (const path of [folder, join(folder, 'data')]) chownSync(path, serverUser.uid, serverUser.gid)
    if (!empty) await runners[product].initialise?.(place)
    const [command, ...usual] = asServer(runners[product].command(place))
    const logFile = join(folder, 'log')
    const env = { ...process.env, PATH: [...(tools === undefined ? [] : [tools]), process.env['PATH'] ?? ''].join(':') }
    const settings = { name: product, command, args: [...usual, ...args], env, logFile, cwd: folder }
    const database = new Database(product, place, () => new ManagedProcess(reaper, settings))
    await database.#answers()
    return database
  }

  async #answers(): Promise<void> {
    await eventually(
      `${this.product} to answer`,
      async () => (await probe(this.target(), { clock: systemClock() })).outcome !== 'Failed',
      {
        timeoutMs: 120_000,
        // A member that gets no copy goes on for thousands of characters after the reason.
        giveUp: () => (this.#process.running ? undefined : `it ended: ${this.logs().slice(-12_000)}`),
      },
    )
  }

  /** What to probe. */
  target(changes: Partial<Target> = {}): Target {
    return { address: '127.0.0.1', port: this.place.port, dialect: this.#runner.dialect, ...changes }
  }

  get volume(): SecretVolume {
    return this.place.volume
  }

  /** Whether it cannot take up a CA while it runs. */
  get restarts(): boolean {
    return this.#runner.reload === 'Restart'
  }

  /** Has it read its files again. */
  reload(): Promise<void> {
    const { reload } = this.#runner
    return reload === 'Restart' ? this.restart() : reload(this.place, this.#process)
  }

  /** As the server's administrator. */
  async statement(text: string): Promise<void> {
    if (this.#runner.statement === undefined) throw new Error(`${this.product} is sent no statements here`)
    await this.#runner.statement(this.place, text)
  }

  logs(): string {
    return this.#process.logs()
  }

  async restart(): Promise<void> {
    await this.#end()
    this.#process = this.#spawn()
    await this.#answers()
  }

  async #end(): Promise<void> {
    if (this.#runner.stopSignal !== undefined) this.#process.signal(this.#runner.stopSignal)
    await this.#process.stop()
  }

  /** Ends it and removes its folder; DBTLS_KEEP=1 keeps the folder with its log. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
    if (process.env['DBTLS_KEEP'] === '1') console.error(`${this.product} was in ${this.place.folder}`)
    else rmSync(this.place.folder, { recursive: true, force: true })
  }
}
