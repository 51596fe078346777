/** What one engine adds to the tests that all live servers pass. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeAuthority, makePair, pemOf } from '../../../src/database/connect/testing.ts'
import { freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { Database } from '../harness/database.ts'
import type { Installation, Product } from '../harness/install.ts'
import { ProfileWorld } from '../harness/profile.ts'
import { SecretVolume } from '../harness/secret-volume.ts'
import { type Answer, Shell, type ShellInit, type Talk } from '../harness/shell.ts'

/** The password of every account. */
export const password = 'a word of tests'

export interface Scenario {
  readonly product: Product
  /** spec of the profile without topology and connection. */
  readonly spec: { readonly engine: string; readonly version: string; readonly clients: readonly { name: string }[] }
  /** Of the CA. */
  readonly policy?: object
  readonly shell: (installation: Installation) => Promise<Pick<ShellInit, 'programs' | 'env'>>
  /** Makes the accounts that the profile speaks of, and runs what it gives for them. */
  readonly prepare: (stage: Stage) => Promise<void>
  /** Begins every command line of commands.md that this server is reached by. */
  readonly line: RegExp
  /** What is typed once the command runs, and what has to be shown for it, for each client. */
  readonly talk?: Talk
  readonly welcome: Readonly<Record<string, RegExp>>
  /** A file of the ConfigMap that a client's program reads by itself, and the command line that names it. */
  readonly own?: { readonly key: string; readonly line: (path: string) => string }
  readonly refused: readonly Refusal[]
  /** A pair that does not belong together was delivered and reloaded. */
  readonly mismatch: { readonly reload: RegExp | 'Silent'; readonly log?: RegExp; readonly serves: boolean }
}

export interface Refusal {
  readonly name: string
  /** Whose command line is changed. */
  readonly client: string
  readonly change: (line: string, stage: Stage) => string
  readonly says: RegExp
  /** What the server's log says besides. */
  readonly log?: RegExp
}

const names = ['orders.data.svc', 'other.test']

/** A profile, its server and a person at a shell. */
export class Stage implements AsyncDisposable {
  readonly scenario: Scenario
  readonly world: ProfileWorld
  readonly database: Database
  readonly shell: Shell
  /** Mounted like a client's, of a CA of the same name that nobody here knows. */
  readonly stranger: SecretVolume

  private constructor(parts: Pick<Stage, 'scenario' | 'world' | 'database' | 'shell' | 'stranger'>) {
    this.scenario = parts.scenario
    this.world = parts.world
    this.database = parts.database
    this.shell = parts.shell
    this.stranger = parts.stranger
  }

  /** undefined where the product cannot be had here. */
  static async open(scenario: Scenario, reaper: Reaper): Promise<Stage | undefined> {
    const port = await freePort()
    const place = {
      topology: { services: ['orders'] },
      connection: { host: 'orders.data.svc', port, database: 'orders' },
    }
    const policy = scenario.policy === undefined ? {} : { policy: scenario.policy }
    const world = await ProfileWorld.start({ reaper, spec: { ...place, ...scenario.spec }, ...policy })
    const { volume, files } = world.server
    const database = await Database.start(scenario.product, volume, reaper, { port, config: files })
    if (database === undefined) {
      await world[Symbol.asyncDispose]()
      return undefined
    }
    const authority = await makeAuthority('Orders CA')
    const { chain, key } = await makePair(authority, 'Client')
    const stranger = new SecretVolume(join(world.folder, 'stranger'), {
      ...{ 'tls.crt': chain, 'tls.key': key, 'ca.crt': pemOf(authority) },
    })
    const folder = join(world.folder, 'shell')
    mkdirSync(folder)
    const shell = new Shell(folder, { names, ...(await scenario.shell(database.place.installation)) })
    const stage = new Stage({ scenario, world, database, shell, stranger })
    await scenario.prepare(stage)
    return stage
  }

  /** The command lines that commands.md has for a client in its own pod. */
  lines(client: string): readonly string[] {
    const { files } = this.world.client(client)
    const [, section = ''] = (files['commands.md'] ?? '').split(`\n## ${client}\n`)
    const [own = ''] = section.split('\n## ')
    return own.split('\n').filter((line) => this.scenario.line.test(line))
  }

  /** The first of them. */
  line(client: string): string {
    const [first] = this.lines(client)
    if (first === undefined) throw new Error(`commands.md has no line for ${client}`)
    return first
  }

  type(line: string, env?: Readonly<Record<string, string>>): Promise<Answer> {
    return this.shell.type(line, this.scenario.talk, env)
  }

  /** Runs the statements that the profile names for a reload; `Restart` where only that helps, and nothing where nothing is needed. */
  async reload(what: 'leaf' | 'authority'): Promise<void> {
    const { reload } = this.world.expansion
    if (reload === undefined) throw new Error('the profile says nothing of a reload')
    if (reload[what] === 'Restart') await this.database.restart()
    if (reload[what] === 'Statement') for (const one of reload.statements) await this.database.statement(one)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]()
    await this.world[Symbol.asyncDispose]()
  }
}

/** Has a command line of a client read files of another folder. */
const readFrom = (line: string, { world }: Stage, file: 'tls' | 'ca', folder: string): string =>
  line.replaceAll(new RegExp(`${world.folder}/client-[a-z]+/${file}\\.`, 'g'), `${folder}/${file}.`)

export const strangersCertificate = (line: string, stage: Stage): string =>
  readFrom(line, stage, 'tls', stage.stranger.folder)

export const strangersAuthority = (line: string, stage: Stage): string =>
  readFrom(line, stage, 'ca', stage.stranger.folder)

export const certificateOf =
  (other: string) =>
  (line: string, stage: Stage): string =>
    readFrom(line, stage, 'tls', stage.world.client(other).folder)

export const otherName = (line: string): string => line.replaceAll('orders.data.svc', 'other.test')
