/**
 * Databases that cannot be installed for a test: what a profile gives, served by a small program that speaks the first words of each.
 * It takes its files from the profile's own configuration, so this shows that these name the right ones, that the operator finds
 * its way through the words before TLS, and that the drivers of the vendors verify and are verified. It says nothing of the servers.
 */
import { request } from 'node:https'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { probe } from '../../src/database/connect/probe.ts'
import type { Target } from '../../src/database/connect/sight.ts'
import { makeAuthority, makePair, pemOf } from '../../src/database/connect/testing.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { imitate, type Imitation, imitationProgram, searchServed, type Served } from './harness/imitation.ts'
import { loopbackNames } from './harness/loopback-names.ts'
import { type Pod, ProfileWorld } from './harness/profile.ts'
import { rootsOf } from './harness/standalone.ts'

const host = 'orders.data.svc'
const other = 'other.data.svc'

interface Material {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

interface Imitated {
  readonly engine: string
  /** What the program calls it. */
  readonly protocol: string
  /** Where the profile's configuration tells its server to look, and whom to let in. */
  readonly served: (server: Pod) => Served
  /** By the vendor's driver; rejects where it is not let in. Absent: none speaks with so little of a server. */
  readonly connect?: (host: string, port: number, material: Material) => Promise<void>
}

const after = (text: string | undefined, pattern: RegExp): string => {
  const found = pattern.exec(text ?? '')?.[1]
  if (found === undefined) throw new Error(`${String(pattern)} is nowhere in ${text}`)
  return found
}

const overHttps = (name: string, port: number, material: Material): Promise<void> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: name, port, ...material, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve())
    })
    asked.on('error', reject).end()
  })

const imitations: readonly Imitated[] = [
  {
    engine: 'TiDB',
    protocol: 'tidb',
    served: ({ files: { 'tidb.toml': toml } }) => ({
      certificate: after(toml, /^ssl-cert = "(.*)"$/m),
      key: after(toml, /^ssl-key = "(.*)"$/m),
      authorities: after(toml, /^ssl-ca = "(.*)"$/m),
      // Its accounts decide.
      clients: 'optional',
    }),
    async connect(name, port, material) {
      const connection = await createConnection({
        host: name,
        port,
        user: 'app',
        ssl: { ...material, verifyIdentity: true },
      })
      await connection.ping()
      await connection.end()
    },
  },
  {
    engine: 'CockroachDB',
    protocol: 'cockroachdb',
    served({ files: { 'commands.md': commands } }) {
      const folder = after(commands, /^cockroach start --certs-dir=(.*)$/m)
      const at = (name: string): string => join(folder, name)
      return { certificate: at('node.crt'), key: at('node.key'), authorities: at('ca.crt'), clients: 'optional' }
    },
    async connect(name, port, material) {
      const client = new pg.Client({ host: name, port, user: 'app', database: 'orders', ssl: { ...material } })
      await client.connect()
      await client.end()
    },
  },
  {
    engine: 'MongoDB',
    protocol: 'mongodb',
    served({ files: { 'mongod.yaml': yaml } }) {
      const { tls } = (parse(yaml ?? '') as { net: { tls: Record<string, string | boolean> } }).net
      const file = String(tls['certificateKeyFile'])
      const clients = tls['allowConnectionsWithoutCertificates'] === true ? 'optional' : 'required'
      return { certificate: file, key: file, authorities: String(tls['CAFile']), clients }
    },
    async connect(name, port, { ca, cert, key }) {
      const own = cert === undefined ? {} : { cert, key }
      const uri = `mongodb://${name}:${port}/?directConnection=true&serverSelectionTimeoutMS=60000`
      const client = new MongoClient(uri, { tls: true, ca, ...own })
      // It would try again until that time is over.
      const refused = new Promise<never>((_, reject) => {
        client.once('serverHeartbeatFailed', ({ failure }) => reject(failure))
      })
      try {
        await Promise.race([client.db('admin').command({ ping: 1 }), refused])
      } finally {
        await client.close()
      }
    },
  },
  {
    engine: 'ClickHouse',
    protocol: 'clickhouse',
    served({ files: { 'server.xml': xml } }) {
      const server = after(xml, /<server>([^]*?)<\/server>/)
      const at = (name: string): string => after(server, new RegExp(`<${name}>(.*)</${name}>`))
      const clients = at('verificationMode') === 'strict' ? 'required' : 'optional'
      return { certificate: at('certificateFile'), key: at('privateKeyFile'), authorities: at('caConfig'), clients }
    },
  },
  {
    engine: 'Elasticsearch',
    protocol: 'elasticsearch',
    served: searchServed.Elasticsearch,
    connect: overHttps,
  },
  {
    engine: 'OpenSearch',
    protocol: 'opensearch',
    served: searchServed.OpenSearch,
    connect: overHttps,
  },
]

const reaper = new Reaper()
const names = loopbackNames(new Set([host, other]))
afterAll(() => names[Symbol.dispose]())
let program: string | undefined
beforeAll(async () => {
  program = await imitationProgram()
}, 600_000)

describe.each(imitations)('the first words of $engine', ({ engine, protocol, served, connect }) => {
  let world: ProfileWorld
  let running: (Imitation & Pick<Served, 'clients'>) | undefined
  beforeAll(async () => {
    const spec = {
      ...{ engine, topology: { services: ['orders'] }, connection: { host } },
      clients: [{ name: 'app', username: 'app', require: 'X509' }],
    }
    world = await ProfileWorld.start({ spec, reaper })
    if (program === undefined) return
    const files = served(world.server)
    running = {
      ...(await imitate({ program, protocol, served: files, folder: world.folder, reaper })),
      clients: files.clients,
    }
  }, 120_000)
  afterAll(async () => {
    await running?.process.stop()
    await world[Symbol.asyncDispose]()
  })

  const target = (port: number): Target => {
    const found = world.expansion.endpoints.find(({ part }) => part === 'server')
    if (found === undefined) throw new Error(`the profile of ${engine} has no endpoint`)
    const roots = rootsOf(world.client('app').volume)
    return { address: '127.0.0.1', port, dialect: found.dialect, serverName: host, roots }
  }
  /** Of the client, under whatever keys the engine has them. */
  const own = (): { readonly chain: string; readonly key: string; readonly ca: string } => {
    const { volume } = world.client('app')
    const [cert, key] = engine === 'CockroachDB' ? ['client.app.crt', 'client.app.key'] : ['tls.crt', 'tls.key']
    const read = (name: string): string => readFileSync(volume.path(name), 'utf8')
    return { chain: read(cert), key: read(key), ca: read('ca.crt') }
  }
  const clock = systemClock()

  it('lead the operator to the certificate of the profile', async (context) => {
    if (running === undefined) return context.skip('there is no Go here')
    const { port, clients } = running
    for (const tlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = await probe(target(port), { clock, totalMs: 60_000, certificate: own(), tlsVersion })
      expect(seen).toMatchObject({ outcome: 'Accepted', requested: true, offered: true, problems: [], tlsVersion })
      expect(seen.served?.serialNumber).toBe(await world.serial('server'))
    }
    const elsewhere = await probe(
      { ...target(port), serverName: other },
      { clock, totalMs: 60_000, certificate: own() },
    )
    expect(elsewhere.problems).toEqual([expect.stringContaining(`it is not for ${other}`)])
    const stranger = await makePair(await makeAuthority('Orders CA'), 'Client')
    const refused = await probe(target(port), { clock, totalMs: 60_000, certificate: stranger })
    expect(refused.outcome).toBe('Refused')
    const bare = await probe(target(port), { clock, totalMs: 60_000 })
    expect(bare).toMatchObject({ outcome: clients === 'required' ? 'Refused' : 'Accepted', offered: false })
  })

  it('are followed by a renewed certificate where the server reads its files again', async (context) => {
    if (running === undefined) return context.skip('there is no Go here')
    const { port, process } = running
    const look = () => probe(target(port), { clock, totalMs: 60_000, certificate: own() })
    const former = await world.serial('server')
    await using loop = new ClientLoop(() => ({ target: target(port), certificate: own() }))
    await world.renew('server')
    await world.deliver()
    expect((await look()).served?.serialNumber, 'delivered is not loaded').toBe(former)
    process.signal('SIGHUP')
    const renewed = await world.serial('server')
    await eventually('the new certificate', async () => (await look()).served?.serialNumber === renewed)
    expect((await loop.stop()).refused).toEqual([])
  })

  if (connect === undefined) return
  it("let the vendor's driver in, which verifies as it should", async (context) => {
    if (running === undefined) return context.skip('there is no Go here')
    const { port, clients } = running
    const { ca, chain: cert, key } = own()
    await connect(host, port, { ca, cert, key })
    await expect(connect(other, port, { ca, cert, key })).rejects.toThrow(/altnames|does not match|Hostname/i)
    const foreign = pemOf(await makeAuthority('Orders CA'))
    await expect(connect(host, port, { ca: foreign, cert, key })).rejects.toThrow(/signature|certificate/i)
    const bare = connect(host, port, { ca })
    if (clients === 'required') await expect(bare).rejects.toThrow(/./)
    else await expect(bare).resolves.toBeUndefined()
  })
})
