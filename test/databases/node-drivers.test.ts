/** The drivers of Node, with the option file, the connection strings and the Secret that a profile gives to a client. */
import { readFileSync } from 'node:fs'
import { Etcd3 } from 'etcd3'
import * as mariadb from 'mariadb'
import mysql2 from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Reaper } from '../controlplane/harness/process.ts'
import { DriverStage, type DriverSpec, host, otherHost, password } from './harness/driver-stage.ts'
import type { Product } from './harness/install.ts'
import { loopbackNames } from './harness/loopback-names.ts'

const reaper = new Reaper()

/** What is done otherwise than the files say. */
interface Change {
  readonly host?: string
  readonly authority?: string
  readonly pair?: 'None' | 'Stranger'
  readonly verifiesNoName?: true
}

/** Answers who the server says it is talking to; where it does not, what was put there and got again. */
type Connect = (stage: DriverStage, change: Change) => Promise<string>

interface Driver extends DriverSpec {
  readonly name: string
  readonly connect: Connect
  readonly user: string
  /** What it says to who comes with no certificate, and to who comes with that of an unknown CA. */
  readonly none: RegExp
  readonly strangers: RegExp
}

const read = (path: string): string => readFileSync(path, 'utf8')

/** The option file for the client programs, whose values are JSON's where they are quoted. */
const optionsOf = (stage: DriverStage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (stage.app.files['client.cnf'] ?? '').split('\n').flatMap((line) => {
      const [, name, value = ''] = /^([-a-z]+)=(.*)$/.exec(line) ?? []
      return name === undefined ? [] : [[name, value.startsWith('"') ? String(JSON.parse(value)) : value]]
    }),
  )

const filesFor = ({ stranger }: DriverStage, change: Change, ours: { ca: string; cert: string; key: string }) => {
  const pair = change.pair === 'Stranger' ? { cert: stranger.certificate, key: stranger.key } : ours
  return {
    ca: read(change.authority ?? ours.ca),
    ...(change.pair === 'None' ? {} : { cert: read(pair.cert), key: read(pair.key) }),
  }
}

const mysqlSettings = (stage: DriverStage, change: Change) => {
  const options = optionsOf(stage)
  const { 'ssl-ca': ca = '', 'ssl-cert': cert = '', 'ssl-key': key = '' } = options
  const place = {
    host: change.host ?? options['host'] ?? '',
    port: Number(options['port']),
    user: options['user'] ?? '',
  }
  return { ...place, password, database: 'orders', ssl: filesFor(stage, change, { ca, cert, key }) }
}

const whoMysql = "SELECT CONCAT(CURRENT_USER(), ' ', @@version) AS who"

const byMysql2: Connect = async (stage, change) => {
  const { ssl, ...settings } = mysqlSettings(stage, change)
  const verifyIdentity = change.verifiesNoName !== true
  const connection = await mysql2.createConnection({ ...settings, ssl: { ...ssl, verifyIdentity } })
  try {
    const [rows] = await connection.query<mysql2.RowDataPacket[]>(whoMysql)
    return String(rows[0]?.['who'])
  } finally {
    await connection.end()
  }
}

const byMariadb: Connect = async (stage, change) => {
  const connection = await mariadb.createConnection(mysqlSettings(stage, change))
  try {
    const [row] = await connection.query<readonly { who: string }[]>(whoMysql)
    return row?.who ?? ''
  } finally {
    await connection.end()
  }
}

/** The one of commands.md for this client. */
const uriOf = (stage: DriverStage, scheme: string): string => {
  const [uri] = new RegExp(`${scheme}://[^\\s'\`]*`).exec(stage.app.files['commands.md'] ?? '') ?? []
  if (uri === undefined) throw new Error(`commands.md has no ${scheme} URI`)
  return uri
}

/** It reads the files that the URI names by itself. */
const byPg: Connect = async (stage, change) => {
  const { stranger } = stage
  let uri = uriOf(stage, 'postgresql').replace(host, change.host ?? host)
  if (change.authority !== undefined) uri = uri.replace(/sslrootcert=[^&]+/, `sslrootcert=${change.authority}`)
  if (change.pair !== undefined) uri = uri.replace(/&sslcert=.*$/, '')
  if (change.pair === 'Stranger') uri += `&sslcert=${stranger.certificate}&sslkey=${stranger.key}`
  const client = new pg.Client({ connectionString: uri })
  // A connection that breaks off is said here as well.
  client.on('error', () => undefined)
  await client.connect()
  try {
    const query = "SELECT current_user || ' ' || version AS who FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    const { rows } = await client.query<{ who: string }>(query)
    return rows[0]?.who ?? ''
  } finally {
    await client.end()
  }
}

const byRedis: Connect = async (stage, change) => {
  const uri = new URL(uriOf(stage, 'rediss').replace(host, change.host ?? host))
  // As commands.md says: given as an option beside the URI it is left out, and the user with it.
  uri.password = encodeURIComponent(password)
  const { volume } = stage.app
  const ours = { ca: volume.path('ca.crt'), cert: volume.path('tls.crt'), key: volume.path('tls.key') }
  const tls = { tls: true as const, ...filesFor(stage, change, ours), reconnectStrategy: false as const }
  // Notifications of maintenance would have it look the name up another way.
  const client = createClient({ url: uri.href, socket: tls, maintNotifications: 'disabled' })
  let problem: unknown
  client.on('error', (error: unknown) => (problem ??= error))
  try {
    await client.connect()
    return await client.aclWhoAmI()
  } catch (error) {
    throw problem ?? error
  } finally {
    client.destroy()
  }
}

const byEtcd3: Connect = async (stage, change) => {
  const [, hosts = ''] = /--endpoints=(\S+)/.exec(stage.app.files['commands.md'] ?? '') ?? []
  const { volume } = stage.app
  const ours = { ca: volume.path('ca.crt'), cert: volume.path('tls.crt'), key: volume.path('tls.key') }
  const { ca, cert, key } = filesFor(stage, change, ours)
  const pair =
    cert === undefined || key === undefined ? {} : { certChain: Buffer.from(cert), privateKey: Buffer.from(key) }
  const client = new Etcd3({
    hosts: hosts.replace(host, change.host ?? host),
    credentials: { rootCertificate: Buffer.from(ca), ...pair },
  })
  try {
    await client.put('orders').value('of etcd3')
    return (await client.get('orders').string()) ?? ''
  } finally {
    client.close()
  }
}

const clients = [{ name: 'app', database: 'orders', require: 'X509' }]

const mysqlStatements = ({ app }: DriverStage) => [
  'CREATE DATABASE orders',
  `CREATE USER 'app'@'%' IDENTIFIED BY '${password}'`,
  "GRANT ALL ON orders.* TO 'app'@'%'",
  app.files['accounts.sql'] ?? '',
]

const gone =
  /alert unknown ca|ECONNRESET|EPIPE|socket has unexpectedly closed|Connection lost|terminated unexpectedly|Socket closed/i

const mysqlFamily = (name: string, connect: Connect): readonly Driver[] =>
  (
    [
      ['MySQL 9', 'MySQL', '9'],
      ['MariaDB 10.11', 'MariaDB', '10.11'],
      ['MariaDB 11.8', 'MariaDB', '11.8'],
    ] as const
  ).map(([product, engine, version]) => ({
    ...{ name, connect, product, spec: { engine, version, clients }, statements: mysqlStatements },
    ...{ user: 'app@% ', none: /Access denied for user 'app'/, strangers: gone },
  }))

const postgresql = (product: Product, version: string): Driver => ({
  ...{ name: 'pg', connect: byPg, product },
  spec: { engine: 'PostgreSQL', version, clients: [{ ...clients[0], require: 'Subject' }] },
  statements: () => ['CREATE DATABASE orders', 'CREATE ROLE app LOGIN'],
  ...{ user: 'app TLSv1.3', none: /connection requires a valid client certificate/, strangers: gone },
})

const redisLike = (product: Product, engine: string, version: string): Driver => ({
  ...{ name: 'redis', connect: byRedis, product, spec: { engine, version, clients } },
  ...{ statements: () => [], args: ['--user', 'app', 'on', `>${password}`, '~*', '+@all'] },
  ...{ user: 'app', none: /certificate required|ECONNRESET|Socket closed/i, strangers: gone },
})

const etcd: Driver = {
  ...{ name: 'etcd3', connect: byEtcd3, product: 'etcd', spec: { engine: 'Etcd', version: '3.5', clients } },
  ...{ statements: () => [], user: 'of etcd3', none: /certificate required|ECONNRESET|EPIPE/i, strangers: gone },
}

const drivers: readonly Driver[] = [
  ...mysqlFamily('mysql2', byMysql2),
  ...mysqlFamily('mariadb', byMariadb),
  postgresql('PostgreSQL 15', '15'),
  postgresql('PostgreSQL 18', '18'),
  redisLike('Redis 8', 'Redis', '8'),
  redisLike('Valkey 8', 'Valkey', '8'),
  redisLike('Valkey 9', 'Valkey', '9.1'),
  etcd,
]

/** Go's servers send no root, OpenSSL's do. */
const unknown = /certificate signature failure|self-signed|unable to verify the first certificate/i

describe.each(drivers)('$name of Node with $product', (driver) => {
  let stage: DriverStage | undefined
  let names: Disposable | undefined
  beforeAll(async () => {
    names = loopbackNames(new Set([host, otherHost]))
    stage = await DriverStage.open(driver, reaper)
  }, 600_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
    names?.[Symbol.dispose]()
  })
  const live = (name: string, test: (stage: DriverStage) => Promise<void>): void =>
    it(name, async (context) => {
      if (stage === undefined) return context.skip(`${driver.product} cannot be had here`)
      await test(stage)
    })

  live('connects as the profile says', async (opened) => {
    expect(await driver.connect(opened, {})).toContain(driver.user)
  })
  live('refuses a server of another name', async (opened) => {
    await expect(driver.connect(opened, { host: otherHost })).rejects.toThrow(/does not match certificate's altnames/)
  })
  live('refuses a server of an unknown CA', async (opened) => {
    const { authority } = opened.stranger
    await expect(driver.connect(opened, { authority })).rejects.toThrow(unknown)
  })
  live('is refused without a certificate', async (opened) => {
    await expect(driver.connect(opened, { pair: 'None' })).rejects.toThrow(driver.none)
  })
  live('is refused with the certificate of an unknown CA', async (opened) => {
    await expect(driver.connect(opened, { pair: 'Stranger' })).rejects.toThrow(driver.strangers)
  })
  if (driver.name === 'mysql2')
    live('would take a server of any name without verifyIdentity, as commands.md warns', async (opened) => {
      expect(await driver.connect(opened, { host: otherHost, verifiesNoName: true })).toContain(driver.user)
      expect(opened.app.files['commands.md']).toContain('`ssl: { verifyIdentity: true }`')
    })
})
