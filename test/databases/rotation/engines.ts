/** The databases of a fleet: the profile of each, and how it is run from what the profile gives. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import type { DialectName } from '../../../src/database/connect/dialects/table.ts'
import { probe } from '../../../src/database/connect/probe.ts'
import { marks } from '../../../src/control/context.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { freePort, type Reaper } from '../../controlplane/harness/process.ts'
import { cassandraPorts, cassandraTools, installCassandra, startNode } from '../harness/cassandra.ts'
import { ConfigFolder, fencedBlocks } from '../harness/config-folder.ts'
import { Database } from '../harness/database.ts'
import { install, type Product } from '../harness/install.ts'
import { installKafka, kafkaTools, startBroker } from '../harness/kafka.ts'
import { serverFolder } from '../harness/server.ts'
import { isHealthy, type Protocol } from './attempt.ts'
import type { Deployed } from './deployed.ts'
import { EtcdMembers } from './etcd-members.ts'
import type { MountedPod } from './kubelet.ts'
import { Sidecar } from './sidecar.ts'
import type { Site } from './site.ts'

export const password = 'geheim'

export interface Running extends AsyncDisposable {
  /** Those of the servers. */
  readonly pods: readonly MountedPod[]
  /** Has the servers take up the files that they have, as their administrator. */
  readonly reload: () => Promise<void>
  readonly logs: () => string
}

/** What a row is given to run it. */
export interface Room {
  readonly site: Site
  readonly deployed: Deployed
  readonly host: string
  /** Of the servers, in order. */
  readonly ports: readonly number[]
  /** Of the data; the servers' user may enter it. */
  readonly folder: string
  readonly portsFile: string
  /** Answers when the client has no connection under way that began before. */
  readonly drained: () => Promise<void>
  readonly reaper: Reaper
}

export interface Engine {
  readonly protocol: Protocol
  readonly dialect: DialectName
  readonly servers: number
  /** Fewer where a connection is dear: from one to the next, ms. */
  readonly everyMs: number
  /** Of the profile, without what is the same for all. */
  readonly spec: (endpoints: readonly string[]) => object
  /** Undefined where it cannot be had here. */
  readonly start: (room: Room) => Promise<Running | undefined>
}

const clients = (more: object = {}) => [{ name: 'app', ...more }, { name: 'admin' }]

/** The account that reloads; these profiles may send it. */
export const adminAccount = (profiles: readonly string[]) => ({
  ...{ apiVersion: 'v1', kind: 'Secret' },
  metadata: { name: 'admin-account', annotations: { [marks.reloadCredentials]: profiles.join() } },
  stringData: { username: 'admin', password },
})

const told = (endpoints: readonly string[], more: object = { credentialsSecretRef: { name: 'admin-account' } }) => ({
  reload: { strategy: 'SQL', client: 'admin', endpoints, ...more },
})

const database =
  (product: Product, prepare: (database: Database, room: Room) => Promise<void>): Engine['start'] =>
  async (room) => {
    if ((await install(product)) === undefined) return undefined
    const pod = await room.deployed.server()
    const { files } = room.deployed
    const [port = 0] = room.ports
    const server = await Database.start(product, pod.volume, room.reaper, { port, config: files })
    if (server === undefined) return undefined
    await prepare(server, room)
    return {
      ...{ pods: [pod], reload: () => server.reload(), logs: () => server.logs() },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  }

const mysqlFamily =
  (grant: string) =>
  async (server: Database, { deployed }: Room) => {
    for (const user of ['app', 'admin']) await server.statement(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`)
    await server.statement(`GRANT ${grant} ON *.* TO 'admin'@'%'`)
    await server.statement(deployed.files['accounts.sql'] ?? '')
  }

const asPostgres = async ({ place }: Database, ...statements: readonly string[]): Promise<void> => {
  const client = new pg.Client({ host: place.folder, port: place.port, user: 'postgres', database: 'postgres' })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

const reloading = 'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO admin'

/** By the command of commands.md; what it shows and trusts is what the broker has loaded, since the files may be ahead of it. */
const kafka: Engine['start'] = async ({ deployed, host, ports, folder, reaper }) => {
  const installed = await installKafka()
  if (installed === undefined) return undefined
  const pod = await deployed.server()
  const { files } = deployed
  const [port = 0] = ports
  const own = serverFolder(join(folder, 'broker'))
  const server = await startBroker(installed, {
    ...{ folder: own, host, reaper, controllerPort: await freePort(), listeners: [{ name: 'SSL', port }] },
    properties: files['server.properties'] ?? '',
  })
  const desk = new ConfigFolder(join(folder, 'desk'), files, kafkaTools(installed, join(folder, 'tools'), [host]))
  const loaded = { keystore: join(desk.folder, 'loaded.pem'), truststore: join(desk.folder, 'loaded-ca.crt') }
  const remember = (): void => {
    copyFileSync(pod.volume.path('tls.pem'), loaded.keystore)
    copyFileSync(pod.volume.path('ca.crt'), loaded.truststore)
  }
  remember()
  const properties = (files['admin.properties'] ?? '')
    .replace(/^(ssl\.keystore\.location=).*$/m, `$1${loaded.keystore}`)
    .replace(/^(ssl\.truststore\.location=).*$/m, `$1${loaded.truststore}`)
  desk.write('loaded.properties', properties)
  const lines = fencedBlocks(files['commands.md'] ?? '', 'sh')
  const line = lines.find((one) => one.startsWith('kafka-configs.sh ')) ?? 'false'
  const reload = async (): Promise<void> => {
    await desk.must(line.replace('admin.properties', 'loaded.properties'))
    remember()
  }
  const sidecar = new Sidecar(reload)
  pod.onChange(() => sidecar.kick())
  return {
    ...{ pods: [pod], reload, logs: () => [...sidecar.failures, server.logs()].join('\n') },
    [Symbol.asyncDispose]: async () => {
      await sidecar.idle()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Whatever is delivered is loaded by the command of commands.md, long before Cassandra would look by itself. */
const cassandra: Engine['start'] = async ({ deployed, ports, folder, reaper }) => {
  const installed = await installCassandra()
  if (installed === undefined) return undefined
  const pod = await deployed.server()
  const { files } = deployed
  const [port = 0] = ports
  const own = join(folder, 'node')
  const node = { ...(await cassandraPorts()), port }
  const tools = cassandraTools(installed, join(folder, 'tools'), own, node.jmxPort)
  const configuration = files['cassandra.yaml'] ?? ''
  const server = await startNode({ ...node, cassandra: installed, folder: own, configuration, more: '', reaper })
  const desk = new ConfigFolder(join(folder, 'desk'), {}, tools)
  const reload = async (): Promise<void> => {
    await desk.must('nodetool reloadssl')
  }
  const sidecar = new Sidecar(reload)
  pod.onChange(() => sidecar.kick())
  return {
    ...{ pods: [pod], reload, logs: () => [...sidecar.failures, server.logs()].join('\n') },
    [Symbol.asyncDispose]: async () => {
      await sidecar.idle()
      await server[Symbol.asyncDispose]()
    },
  }
}

const etcd: Engine['start'] = async ({ site, deployed, host, ports, folder, portsFile, drained, reaper }) => {
  const installation = await install('etcd')
  if (installation === undefined) return undefined
  const client = await deployed.client('admin')
  const members = await Promise.all(
    ports.map(async (port, index) => {
      const name = `member-${index}`
      const pod = await deployed.server(name)
      const configuration = deployed.filesFor(name)['etcd.yaml'] ?? ''
      return { pod, configuration, port, peerPort: await freePort() }
    }),
  )
  const isUp = (port: number) => isHealthy({ host, folder: client.volume.folder }, port)
  const answers = async (port: number): Promise<void> => {
    const { fault } = await probe({ address: '127.0.0.1', port, dialect: 'http' }, { clock: systemClock() })
    if (fault !== undefined) throw new Error(fault.message)
  }
  const about = { installation, members, folder, portsFile, reaper }
  const running = await EtcdMembers.start({ ...about, isHealthy: isUp, drained, answers })
  await running.manage(site.cluster, site.namespace)
  return {
    ...{ pods: members.map(({ pod }) => pod), reload: () => running.restart(), logs: () => running.logs() },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

const often = { servers: 1, everyMs: 40 }
const seldom = { servers: 1, everyMs: 150 }

export const engines = {
  MySQL: {
    ...{ protocol: 'mysql', dialect: 'mysql', ...often },
    spec: (at) => ({ engine: 'MySQL', version: '9', clients: clients({ require: 'Issuer', java: true }), ...told(at) }),
    start: database('MySQL 9', mysqlFamily('CONNECTION_ADMIN')),
  },
  MariaDB: {
    ...{ protocol: 'mysql', dialect: 'mysql', ...often },
    spec: (at) => ({ engine: 'MariaDB', version: '11.8', clients: clients({ require: 'Issuer' }), ...told(at) }),
    start: database('MariaDB 11.8', mysqlFamily('RELOAD')),
  },
  PostgreSQL: {
    ...{ protocol: 'postgresql', dialect: 'postgresql', ...often },
    // Whoever has the certificate is the user.
    spec: (at) => ({
      ...{ engine: 'PostgreSQL', version: '18', ...told(at, {}) },
      clients: clients({ java: true }).map((client) => ({ ...client, require: 'Subject' })),
    }),
    start: database('PostgreSQL 18', (server) =>
      // What jdbc.properties names.
      asPostgres(server, 'CREATE ROLE app LOGIN', 'CREATE DATABASE app', 'CREATE ROLE admin LOGIN', reloading),
    ),
  },
  Valkey: {
    ...{ protocol: 'redis', dialect: 'redis', ...often },
    spec: (at) => ({ engine: 'Valkey', version: '8', clients: clients(), ...told(at) }),
    start: database('Valkey 8', async ({ place }) => {
      const client = createClient({ socket: { path: join(place.folder, 'socket'), tls: false } })
      await client.connect()
      await client.sendCommand(['ACL', 'SETUSER', 'admin', 'on', `>${password}`, '+config|set'])
      client.destroy()
    }),
  },
  Kafka: {
    ...{ protocol: 'kafka', dialect: 'kafka', ...seldom },
    spec: () => ({ engine: 'Kafka', clients: clients() }),
    start: kafka,
  },
  Cassandra: {
    ...{ protocol: 'cassandra', dialect: 'cassandra', ...seldom },
    spec: () => ({ engine: 'Cassandra', clients: clients() }),
    start: cassandra,
  },
  etcd: {
    ...{ protocol: 'http', dialect: 'http', ...often, servers: 3 },
    spec: () => ({
      ...{ engine: 'Etcd', version: '3.5', clients: clients() },
      reload: { strategy: 'Rollout', workloads: [{ kind: 'StatefulSet', name: 'etcd' }] },
    }),
    start: etcd,
  },
  /** One member, which nobody has start anew. */
  'etcd alone': {
    ...{ protocol: 'http', dialect: 'http', ...often },
    spec: () => ({ engine: 'Etcd', version: '3.5', clients: clients() }),
    start: database('etcd', () => Promise.resolve()),
  },
} as const satisfies Readonly<Record<string, Engine>>

export type EngineName = keyof typeof engines

type Databases = Readonly<Record<string, { engine: EngineName; authority: string }>>

/** A database of each of these engines, all of one CA. */
export const databasesOf = (names: readonly EngineName[], authority: string): Databases =>
  Object.fromEntries(names.map((engine) => [engine.toLowerCase(), { engine, authority }]))

export const everyEngine = (authority: string): Databases => {
  const names = (Object.keys(engines) as EngineName[]).filter((name) => name !== 'etcd alone')
  return databasesOf(names, authority)
}
