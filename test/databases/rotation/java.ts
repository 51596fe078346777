/** A Java application that opens one connection after the other, with the jdbc.properties of a profile and the stores of its Secret. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reaper } from '../../controlplane/harness/process.ts'
import { without } from '../harness/driver-stage.ts'
import { hostsFile } from '../harness/java.ts'
import { Jdbc } from '../harness/jdbc.ts'
import { password } from './engines.ts'
import type { Fleet, Member } from './fleet.ts'

/** From the end of one connection to the next, ms. */
const everyMs = 100

interface Program {
  readonly name: string
  readonly member: Member
  readonly properties: string
  /** Settings that the file has not, from the Secret as it is now. */
  readonly secrets: () => Readonly<Record<string, string>>
}

const word = ({ app }: Member): string => readFileSync(app.volume.path('keystore-password'), 'utf8')

const connectorJ = async (fleet: Fleet, member: Member): Promise<Program> => {
  const properties = join(fleet.folder, 'connector-j.properties')
  writeFileSync(properties, (await member.deployed.clientFiles('app'))['jdbc.properties'] ?? '')
  const secrets = () => ({
    ...{ password, trustCertificateKeyStorePassword: word(member), clientCertificateKeyStorePassword: word(member) },
  })
  return { name: 'Connector/J', member, properties, secrets }
}

/** With the keystore that its comment speaks of: certificate and key in one file are of one generation. */
const pgjdbc = async (fleet: Fleet, member: Member): Promise<Program> => {
  const properties = join(fleet.folder, 'pgjdbc.properties')
  const text = (await member.deployed.clientFiles('app'))['jdbc.properties'] ?? ''
  writeFileSync(properties, without('sslcert', 'sslkey')(text))
  const sslkey = member.app.volume.path('keystore.p12')
  return { name: 'pgjdbc', member, properties, secrets: () => ({ sslkey, sslpassword: word(member) }) }
}

/** Name of the database → its driver. */
const drivers: Readonly<Record<string, typeof pgjdbc>> = { mysql: connectorJ, postgresql: pgjdbc }

export class JavaLoad implements AsyncDisposable {
  readonly names: readonly string[]
  readonly #jdbc: Jdbc
  readonly #ended: Promise<unknown>
  #stopped = false

  /** For the databases of the fleet that have a driver, when each has connected; undefined where none has, or Java cannot be had here. */
  static async start(fleet: Fleet, reaper: Reaper): Promise<JavaLoad | undefined> {
    const driven = fleet.members.filter(({ name }) => drivers[name] !== undefined)
    if (driven.length === 0) return undefined
    const hosts = driven.map(({ host }) => host)
    const jdbc = await Jdbc.start(hostsFile(join(fleet.folder, 'hosts'), hosts), reaper)
    if (jdbc === undefined) return undefined
    const programs = await Promise.all(driven.flatMap((member) => drivers[member.name]?.(fleet, member) ?? []))
    const java = new JavaLoad(fleet, jdbc, programs)
    await fleet.load.goOn(3, java.names)
    return java
  }

  private constructor(fleet: Fleet, jdbc: Jdbc, programs: readonly Program[]) {
    this.#jdbc = jdbc
    this.names = programs.map(({ name }) => name)
    this.#ended = Promise.all(programs.map((program) => this.#run(fleet, program)))
  }

  async #run(fleet: Fleet, { name, properties, secrets }: Program): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now()
      const answer = await this.#jdbc.connect(properties, secrets())
      const refused = answer.outcome === 'refused' ? `${answer.sqlState} ${answer.message}` : undefined
      fleet.load.add(name, Date.now(), performance.now() - began, refused)
      await sleep(everyMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#ended
    await this.#jdbc[Symbol.asyncDispose]()
  }
}
