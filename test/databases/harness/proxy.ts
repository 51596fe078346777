/** A proxy of Debian's on loopback, in front of a server, with the files of a Secret volume. */
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freePort, ManagedProcess, type Reaper } from '../../controlplane/harness/process.ts'
import { debian, type Installation } from './install.ts'
import type { SecretVolume } from './secret-volume.ts'
import { asServer, serverUser } from './server-user.ts'

/** The server behind the proxy. */
export interface Upstream {
  readonly port: number
  /** What its certificate must name. */
  readonly name: string
  /** Shown to it, and what it is known by. Absent: it is spoken to in the clear. */
  readonly volume?: SecretVolume
}

export interface ProxyPlace {
  readonly installation: Installation
  /** Configuration, socket and log. */
  readonly folder: string
  readonly port: number
  readonly volume: SecretVolume
  readonly upstream: Upstream
}

/** How a proxy is run. */
export interface ProxyProgram {
  readonly name: string
  /** Of Debian trixie. */
  readonly package: string
  /** File → text, written into the folder. */
  readonly files: (place: ProxyPlace) => Readonly<Record<string, string>>
  /** Stays in the foreground. */
  readonly command: (place: ProxyPlace) => readonly [string, ...string[]]
  /** Has it read its files again; rejects where it says that it could not. */
  readonly reload: (place: ProxyPlace, process: ManagedProcess) => Promise<void>
}

export class Proxy implements AsyncDisposable {
  readonly place: ProxyPlace
  readonly #program: ProxyProgram
  readonly #process: ManagedProcess

  private constructor(program: ProxyProgram, place: ProxyPlace, process: ManagedProcess) {
    this.#program = program
    this.place = place
    this.#process = process
  }

  /** Undefined where it cannot be had on this machine; why is on stderr. `answers`: whether it takes connections. */
  static async start(
    program: ProxyProgram,
    { volume, upstream }: Pick<ProxyPlace, 'volume' | 'upstream'>,
    answers: (port: number) => Promise<boolean>,
    reaper: Reaper,
  ): Promise<Proxy | undefined> {
    const installation = await debian('trixie', [program.package])
    if (installation === undefined) return undefined
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-proxy-'))
    reaper.sweep(folder)
    if (serverUser !== undefined) chownSync(folder, serverUser.uid, serverUser.gid)
    const place: ProxyPlace = { installation, folder, port: await freePort(), volume, upstream }
    for (const [file, text] of Object.entries(program.files(place))) writeFileSync(join(folder, file), text)
    const [command, ...args] = asServer(program.command(place))
    const process = new ManagedProcess(reaper, {
      ...{ name: program.name, command, args, logFile: join(folder, 'log'), cwd: folder },
    })
    const proxy = new Proxy(program, place, process)
    await eventually(`${program.name} to answer`, () => answers(place.port), {
      giveUp: () => (process.running ? undefined : `it ended: ${process.logs().slice(-2000)}`),
    })
    return proxy
  }

  /** Package and version. */
  get version(): string {
    return this.place.installation.manifest
  }

  reload(): Promise<void> {
    return this.#program.reload(this.place, this.#process)
  }

  logs(): string {
    return this.#process.logs()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop()
    if (process.env['DBTLS_KEEP'] === '1') console.error(`${this.#program.name} was in ${this.place.folder}`)
    else rmSync(this.place.folder, { recursive: true, force: true })
  }
}
