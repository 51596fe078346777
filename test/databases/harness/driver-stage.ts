/** A profile and its live server, for drivers: files of the ConfigMap as they are, or changed as somebody would who means ill. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeAuthority, makePair, pemOf } from '../../../src/database/connect/testing.ts'
import { freePort, must, type Reaper } from '../../controlplane/harness/process.ts'
import { Database } from './database.ts'
import type { Product } from './install.ts'
import { hostsFile } from './java.ts'
import { type Pod, ProfileWorld } from './profile.ts'

export const host = 'orders.data.svc'
/** Leads to the same server, whose certificate does not name it. */
export const otherHost = 'other.test'
/** Of every account. */
export const password = 'a word of tests'
/** Of the stores that are not the profile's. */
const strangersPassword = 'changeit'

export interface DriverSpec {
  readonly product: Product
  /** Without topology and connection. */
  readonly spec: object
  /** As the administrator, before anybody connects. */
  readonly statements: (stage: DriverStage) => readonly string[]
  /** Of the server, besides its configuration. */
  readonly args?: readonly string[]
}

/** Of a CA of the same name that nobody here knows. */
export interface Stranger {
  readonly certificate: string
  readonly key: string
  readonly keyDER: string
  readonly authority: string
  /** PKCS#12; their alias is the one that pgjdbc insists on. */
  readonly keystore: string
  readonly truststore: string
  readonly password: string
}

export const strangerIn = async (folder: string): Promise<Stranger> => {
  const authority = await makeAuthority('Orders CA')
  const { chain, key } = await makePair(authority, 'Client')
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const files = {
    certificate: write('stranger.crt', chain),
    key: write('stranger.key', key),
    authority: write('stranger-ca.crt', pemOf(authority)),
  }
  const at = { keyDER: join(folder, 'stranger.pk8'), keystore: join(folder, 'stranger.p12') }
  const truststore = join(folder, 'stranger-trust.p12')
  const pass = `pass:${strangersPassword}`
  const pair = ['-in', files.certificate, '-inkey', files.key]
  await must('openssl', ['pkcs12', '-export', ...pair, '-name', 'user', '-passout', pass, '-out', at.keystore])
  await must('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', files.key, '-outform', 'DER', '-out', at.keyDER])
  const store = ['-keystore', truststore, '-storetype', 'PKCS12', '-storepass', strangersPassword]
  await must('keytool', ['-importcert', '-noprompt', '-alias', 'ca', '-file', files.authority, ...store])
  return { ...files, ...at, truststore, password: strangersPassword }
}

export class DriverStage implements AsyncDisposable {
  readonly world: ProfileWorld
  readonly database: Database
  readonly stranger: Stranger
  /** As /etc/hosts. */
  readonly hosts: string
  #files = 0

  private constructor(world: ProfileWorld, database: Database, stranger: Stranger) {
    this.world = world
    this.database = database
    this.stranger = stranger
    this.hosts = hostsFile(join(world.folder, 'hosts'), [host, otherHost])
  }

  /** Undefined where the product cannot be had here. */
  static async open(
    { product, spec, statements, args = [] }: DriverSpec,
    reaper: Reaper,
  ): Promise<DriverStage | undefined> {
    const port = await freePort()
    const place = { topology: { services: ['orders'] }, connection: { host, port, database: 'orders' } }
    const world = await ProfileWorld.start({ reaper, spec: { ...place, ...spec } })
    const { volume, files } = world.server
    const database = await Database.start(product, volume, reaper, { port, config: files, args })
    if (database === undefined) {
      await world[Symbol.asyncDispose]()
      return undefined
    }
    const stage = new DriverStage(world, database, await strangerIn(world.folder))
    for (const statement of statements(stage)) await database.statement(statement)
    return stage
  }

  get app(): Pod {
    return this.world.client('app')
  }

  /** A file of the client's ConfigMap, on disk as it is or changed. */
  file(key: string, change: (text: string) => string = (text) => text): string {
    const text = this.app.files[key]
    if (text === undefined) throw new Error(`the ConfigMap has no ${key}`)
    const changed = change(text)
    this.#files += 1
    const path = join(this.world.folder, `${this.#files}-${key}`)
    writeFileSync(path, changed)
    return path
  }

  /** Certificate and key of the client as PKCS#12 under another alias; the password is changeit. */
  repacked(alias: string): string {
    const path = join(this.world.folder, `${alias}.p12`)
    const { volume } = this.app
    const pair = ['-in', volume.path('tls.crt'), '-inkey', volume.path('tls.key')]
    execFileSync('openssl', ['pkcs12', '-export', ...pair, '-name', alias, '-passout', 'pass:changeit', '-out', path])
    return path
  }

  /** A key of the client's Secret, as text. */
  secret(key: string): string {
    return readFileSync(this.app.volume.path(key), 'utf8')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]()
    await this.world[Symbol.asyncDispose]()
  }
}

/** Without the settings of these names. */
export const without =
  (...names: readonly string[]) =>
  (text: string): string =>
    text
      .split('\n')
      .filter((line) => !names.some((name) => line.startsWith(`${name}=`)))
      .join('\n')

export const toOtherHost = (text: string): string => text.replaceAll(host, otherHost)
