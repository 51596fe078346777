/** Databases that run from the Secrets of one CA, each under the load of a client that opens one connection after the other. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { loopbackNames } from '../harness/loopback-names.ts'
import { serverFolder } from '../harness/server.ts'
import type { Client } from './clients.ts'
import { Deployed } from './deployed.ts'
import { adminAccount, type Engine, engines, type EngineName, password, type Running } from './engines.ts'
import type { MountedPod } from './kubelet.ts'
import { Load } from './load.ts'
import { publishPorts } from './ports-file.ts'
import { applyTo, type Site } from './site.ts'

export interface FleetInit {
  readonly site: Site
  readonly reaper: Reaper
  /** Name of the profile and of the host → the database and the CA it has, which is there. */
  readonly databases: Readonly<Record<string, { readonly engine: EngineName; readonly authority: string }>>
  /** How late files follow their Secrets, ms at most. */
  readonly delayMs: number
  /** From one connection of a client to the next, ms. Default: that of its engine. */
  readonly everyMs?: number
}

export interface Member {
  readonly name: string
  readonly engine: Engine
  readonly authority: string
  readonly host: string
  readonly ports: readonly number[]
  readonly deployed: Deployed
  readonly running: Running
  /** Of the client under load. */
  readonly app: MountedPod
  readonly client: Client
}

export class Fleet implements AsyncDisposable {
  readonly site: Site
  readonly folder: string
  readonly members: readonly Member[]
  readonly load: Load
  /** What could not be had on this machine. */
  readonly missing: readonly string[]
  readonly #names: Disposable

  /** Answers when every client has connected. */
  static async start({ site, reaper, databases, delayMs, everyMs }: FleetInit): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), 'dbtls-rotation-'))
    // Servers run as somebody else come through here.
    chmodSync(folder, 0o755)
    reaper.sweep(folder)
    await applyTo(site, adminAccount(Object.keys(databases)))
    const hosts = new Set<string>()
    const names = loopbackNames(hosts)
    let loading: Load | undefined
    const found = await Promise.all(
      Object.entries(databases).map(async ([name, { engine, authority }]) => {
        const host = `${name}.${site.namespace}.svc`
        hosts.add(host)
        return startMember({
          name,
          host,
          authority,
          engine: engines[engine],
          root: join(folder, name),
          delayMs,
          everyMs: everyMs ?? engines[engine].everyMs,
          drained: async () => loading?.passed(name),
          site,
          reaper,
        })
      }),
    )
    const members = found.filter((one) => one !== undefined)
    const missing = Object.keys(databases).filter((name) => !members.some((one) => one.name === name))
    const load = new Load(
      members.map(({ client }) => client),
      reaper,
    )
    loading = load
    const fleet = new Fleet({ site, folder, members, load, missing, names })
    try {
      await load.goOn()
      return fleet
    } catch (error) {
      await fleet[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(parts: Pick<Fleet, 'site' | 'folder' | 'members' | 'load' | 'missing'> & { names: Disposable }) {
    this.site = parts.site
    this.folder = parts.folder
    this.members = parts.members
    this.load = parts.load
    this.missing = parts.missing
    this.#names = parts.names
  }

  member(name: string): Member {
    const found = this.members.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no database ${name}`)
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load.stop()
    await Promise.all(
      this.members.map(async ({ running, deployed }) => {
        await running[Symbol.asyncDispose]()
        await deployed[Symbol.asyncDispose]()
      }),
    )
    this.#names[Symbol.dispose]()
    if (process.env['DBTLS_KEEP'] !== '1') rmSync(this.folder, { recursive: true, force: true })
  }
}

interface MemberPlan {
  readonly name: string
  readonly host: string
  readonly authority: string
  readonly engine: Engine
  readonly root: string
  readonly delayMs: number
  readonly everyMs: number
  readonly drained: () => Promise<void>
  readonly site: Site
  readonly reaper: Reaper
}

const startMember = async (plan: MemberPlan): Promise<Member | undefined> => {
  const { name, host, authority, engine, root, delayMs, everyMs, drained, site, reaper } = plan
  mkdirSync(root)
  const ports: number[] = []
  for (let count = 0; count < engine.servers; count += 1) ports.push(await freePort())
  const portsFile = join(root, 'ports')
  publishPorts(portsFile, ports)
  const endpoints = ports.map((port) => `127.0.0.1:${port}`)
  const [port = 0] = ports
  const common = {
    ...{ authorityRef: { name: authority }, topology: { services: [name] }, connection: { host, port } },
    probe: { interval: '2s', endpoints },
  }
  const spec = { ...common, ...engine.spec(endpoints) }
  const { cluster, namespace } = site
  const deployed = await Deployed.deploy({ cluster, namespace, name, spec, root, delayMs })
  const folder = serverFolder(join(root, 'run'))
  const running = await engine.start({ site, deployed, host, ports, folder, portsFile, drained, reaper })
  if (running === undefined) {
    await deployed[Symbol.asyncDispose]()
    return undefined
  }
  const app = await deployed.client('app')
  const { protocol } = engine
  const about = { user: 'app', password, ports: portsFile, everyMs }
  const client: Client = { name, protocol, host, folder: app.volume.folder, ...about }
  return { name, engine, authority, host, ports, deployed, running, app, client }
}
