/** A server process on loopback in a folder of its own, run as the servers' user; see database.ts for those that a table describes. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { probe } from '../../../src/database/connect/probe.ts'
import type { Target } from '../../../src/database/connect/sight.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { eventually, ManagedProcess, type Reaper } from '../../controlplane/harness/process.ts'
import { asServer, serverUser } from './server-user.ts'

export interface ServerOptions {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** Its working folder, in which it may write. */
  readonly folder: string
  /** What answers once it is up. */
  readonly target: Target
  readonly reaper: Reaper
}

export class Server implements AsyncDisposable {
  readonly #process: ManagedProcess

  private constructor(process: ManagedProcess) {
    this.#process = process
  }

  /** Rejects with the end of its log where it does not come up. */
  static async start({ name, command: given, folder, target, reaper }: ServerOptions): Promise<Server> {
    const [command, ...args] = asServer(given)
    const process = new ManagedProcess(reaper, { name, command, args, cwd: folder, logFile: join(folder, 'log') })
    const server = new Server(process)
    const giveUp = (): string | undefined => (process.running ? undefined : 'it ended')
    const answers = async (): Promise<boolean> =>
      (await probe(target, { clock: systemClock(), totalMs: 60_000 })).outcome !== 'Failed'
    try {
      await eventually(`${name} to answer`, answers, { timeoutMs: 240_000, everyMs: 250, giveUp })
    } catch (error) {
      await process.kill()
      throw new Error(`${name} did not come up: ${process.logs().slice(-3000)}`, { cause: error })
    }
    return server
  }

  logs(): string {
    return this.#process.logs()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop(60_000)
  }
}

/** A folder in which the server may write, with these files, which it may read. */
export const serverFolder = (folder: string, files: Readonly<Record<string, string>> = {}): string => {
  mkdirSync(folder, { recursive: true })
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  })
  if (serverUser !== undefined) for (const path of [folder, ...paths]) chownSync(path, serverUser.uid, serverUser.gid)
  return folder
}
