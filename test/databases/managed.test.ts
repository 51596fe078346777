/**
 * A profile of an External server: what RDS and its kin need of clients
 * (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/mysql-ssl-connections.html). The servers here play the managed side, with
 * certificates of CAs that the profile only trusts.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runVerb } from '../../src/commands/shared/verb.fixture.ts'
import { main as verify } from '../../src/commands/verify/verify.ts'
import { configMaps } from '../../src/resources/core.ts'
import { eventually, freePort, must, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import { install, installPsql, type Product } from './harness/install.ts'
import { hostsFile } from './harness/java.ts'
import { type Answer, Jdbc } from './harness/jdbc.ts'
import { ProfileWorld } from './harness/profile.ts'
import { Provider, type Root } from './harness/provider.ts'
import { SecretVolume } from './harness/secret-volume.ts'
import { Shell, type Talk } from './harness/shell.ts'

const reaper = new Reaper()
const host = 'orders.abc123.eu-west-1.rds.amazonaws.com'
const otherHost = 'invoices.abc123.eu-west-1.rds.amazonaws.com'
const password = 'a word of tests'

interface Managed {
  readonly product: Product
  readonly protocol: string
  /** As the provider has it set, where it is not what the server of these tests has anyway. */
  readonly config?: (volume: SecretVolume) => Readonly<Record<string, string>>
  readonly statements: (files: Readonly<Record<string, string>>) => readonly string[]
  readonly programs: () => Promise<Readonly<Record<string, readonly string[]>>>
  /** Begins a command line of commands.md. */
  readonly line: RegExp
  readonly talk: Talk
  readonly welcome: RegExp
  readonly wrongName: RegExp
  readonly plain: { readonly change: (line: string) => string; readonly says: RegExp }
}

const mysqlLike: Managed = {
  ...{ product: 'MySQL 9', protocol: 'MySQL' },
  statements: (files) => [
    'CREATE DATABASE orders',
    `CREATE USER 'app'@'%' IDENTIFIED BY '${password}'`,
    "GRANT ALL ON orders.* TO 'app'@'%'",
    files['accounts.sql'] ?? '',
  ],
  async programs() {
    const mysql = await install('MySQL 9')
    return { mysql: mysql?.start('/usr/bin/mysql') ?? [] }
  },
  line: /^mysql /,
  talk: {
    ...{ asks: /assword: $/, password, prompt: /mysql> $/ },
    says: ["SELECT CONCAT('I am ', CURRENT_USER()); SHOW SESSION STATUS LIKE 'Ssl_cipher';", 'exit'],
  },
  welcome: /I am app@%[^]*Ssl_cipher +\| TLS_/,
  wrongName: /ERROR 2026 \(HY000\): SSL connection error: error:.*certificate verify failed/,
  plain: {
    change: (line) => line.replace('--ssl-mode=VERIFY_IDENTITY', '--ssl-mode=DISABLED --get-server-public-key'),
    // Of accounts.sql, and of require_secure_transport for an account that it leaves alone.
    says: /ERROR (1045|3159) /,
  },
}

/** Its own client, which has other options. */
const mariadbLike: Managed = {
  ...mysqlLike,
  ...{ product: 'MariaDB 11.8', protocol: 'MariaDB', line: /^mariadb / },
  talk: { ...mysqlLike.talk, prompt: /MariaDB \[\w+\]> $/ },
  async programs() {
    const mariadb = await install('MariaDB 11.8')
    return { mariadb: mariadb?.start('/usr/bin/mariadb') ?? [] }
  },
  wrongName: /ERROR 2026 \(HY000\): TLS\/SSL error: Hostname verification failed/,
  plain: {
    change: (line) => line.replace(/--ssl-ca=\S+ --ssl-verify-server-cert/, '--skip-ssl'),
    says: /ERROR 3159 .*insecure transport are prohibited/,
  },
}

const postgresqlLike: Managed = {
  ...{ product: 'PostgreSQL 18', protocol: 'PostgreSQL' },
  config: (volume) => ({
    'postgresql.conf': ['tls.crt', 'tls.key']
      .map((key, index) => `${['ssl_cert_file', 'ssl_key_file'][index]} = '${volume.path(key)}'\n`)
      .join('ssl = on\n'),
    // What rds.force_ssl makes of it.
    'pg_hba.conf': 'hostnossl all all all reject\nhostssl all all all scram-sha-256\n',
    'pg_ident.conf': '',
  }),
  statements: () => ['CREATE DATABASE orders', `CREATE ROLE app LOGIN PASSWORD '${password}'`],
  async programs() {
    const own = await installPsql()
    return { psql: [...(own?.start('/usr/lib/postgresql/18/bin/psql') ?? ['/usr/bin/psql']), '--no-psqlrc'] }
  },
  line: /^psql /,
  talk: {
    ...{ asks: /assword for user .*: $/, password, prompt: /orders=> $/ },
    says: ["SELECT 'I am ' || current_user, version FROM pg_stat_ssl WHERE pid = pg_backend_pid();", '\\q'],
  },
  welcome: /I am app \| TLSv1\.3/,
  wrongName: /server certificate for "[^"]*" does not match host name/,
  plain: { change: (line) => line.replace('sslmode=verify-full', 'sslmode=disable'), says: /no encryption/ },
}

/** Everything of one managed server. */
interface Opened {
  readonly world: ProfileWorld
  readonly database: Database
  readonly provider: Provider
  readonly shell: Shell
  readonly jdbc: Jdbc
  readonly lines: readonly string[]
  /** What jdbc.properties of the ConfigMap says of it. */
  readonly properties: string
}

const bundleOf = (provider: Provider, ...of: readonly Root[]) => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'rds-bundle' } },
  data: { 'global-bundle.pem': provider.bundle(...of) },
})
const first: readonly Root[] = ['rsa2048-g1', 'rsa4096-g1', 'ecc384-g1']

const open = async (managed: Managed): Promise<Opened | undefined> => {
  const port = await freePort()
  const { stdout } = await must('mktemp', ['-d'])
  const folder = stdout.trim()
  reaper.sweep(folder)
  const provider = new Provider(join(folder, 'provider'), host)
  const authority = {
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata: { name: 'rds' } },
    spec: { source: { trustOnly: { configMapRef: { name: 'rds-bundle', key: 'global-bundle.pem' } } } },
  }
  const world = await ProfileWorld.start({
    ...{ reaper, objects: [bundleOf(provider, ...first), authority] },
    spec: {
      ...{ engine: 'External', authorityRef: { name: 'rds' }, clients: [{ name: 'app', database: 'orders' }] },
      connection: { host, port, protocol: managed.protocol },
    },
  })
  const { files } = world.client('app')
  await must('chmod', ['755', folder])
  const volume = new SecretVolume(join(folder, 'tls'), provider.files('rsa2048-g1'))
  const config = managed.config?.(volume)
  const options = { port, ...(config === undefined ? {} : { config }) }
  const database = await Database.start(managed.product, volume, reaper, options)
  const jdbc = await Jdbc.start(hostsFile(join(folder, 'hosts'), [host, otherHost]), reaper)
  if (database === undefined || jdbc === undefined) return undefined
  for (const statement of managed.statements(files)) await database.statement(statement)
  mkdirSync(join(folder, 'shell'))
  const shell = new Shell(join(folder, 'shell'), { programs: await managed.programs(), names: [host, otherHost] })
  const lines = (files['commands.md'] ?? '').split('\n').filter((line) => managed.line.test(line))
  const properties = join(folder, 'jdbc.properties')
  writeFileSync(properties, files['jdbc.properties'] ?? '')
  return { world, database, provider, shell, jdbc, lines, properties }
}

describe.each([mysqlLike, mariadbLike, postgresqlLike])('an External server that speaks $protocol', (managed) => {
  let opened: Opened | undefined
  beforeAll(async () => {
    opened = await open(managed)
  }, 600_000)
  afterAll(async () => {
    await opened?.jdbc[Symbol.asyncDispose]()
    await opened?.database[Symbol.asyncDispose]()
    await opened?.world[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (opened: Opened) => Promise<void>): void =>
    it(name, async (context) => {
      if (opened === undefined) return context.skip(`${managed.product} or Java cannot be had here`)
      await test(opened)
    })
  const connected = { outcome: 'connected', tlsVersion: 'TLSv1.3' }

  live('gives truststores with every root under an alias of its own, and no certificate', async ({ world }) => {
    expect(world.expansion.certificates).toEqual([])
    const { volume } = world.client('app')
    for (const name of ['truststore.p12', 'truststore.jks']) {
      const { stdout } = await must('keytool', [
        '-list',
        '-v',
        '-keystore',
        volume.path(name),
        '-storepass',
        'changeit',
      ])
      const owners = [...stdout.matchAll(/^Owner: CN=Amazon RDS eu-west-1 Root CA (\S+),/gm)].map(([, root]) => root)
      expect(new Set(owners), name).toEqual(new Set(first))
      expect(new Set(stdout.match(/^Alias name: .*$/gm)).size).toBe(first.length)
    }
  })

  live('lets in by the lines of commands.md as they stand', async ({ shell, lines }) => {
    expect(lines).not.toEqual([])
    for (const line of lines) {
      const { shown, code } = await shell.type(line, managed.talk)
      expect(shown, line).toMatch(managed.welcome)
      expect(code).toBe(0)
    }
  })
  live('refuses a server of another name', async ({ shell, lines }) => {
    for (const line of lines) {
      const { shown, code } = await shell.type(line.replaceAll(host, otherHost), managed.talk)
      expect(shown, line).toMatch(managed.wrongName)
      expect(code).not.toBe(0)
    }
  })
  live('refuses who comes in the clear', async ({ shell, lines }) => {
    for (const line of lines) {
      const { shown, code } = await shell.type(managed.plain.change(line), managed.talk)
      expect(shown, line).toMatch(managed.plain.says)
      expect(code).not.toBe(0)
    }
  })

  live('is verified by name while it runs', async ({ world, database, provider }) => {
    const folder = join(world.folder, 'trusted')
    mkdirSync(folder)
    writeFileSync(join(folder, 'ca.crt'), provider.bundle(...first))
    const at = ['--engine', managed.protocol, '--endpoint', `127.0.0.1:${database.place.port}`]
    const right = await runVerb(verify, [folder, ...at, '--name', host])
    expect(right.err).toBe('')
    expect(right.code).toBe(0)
    expect(right.out).toContain(`"CN=${host}" until `)
    const wrong = await runVerb(verify, [folder, ...at, '--name', otherHost])
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining(`it is not for ${otherHost}`) as string])
  })

  live('follows the provider from root to root, within the bundle and beyond it', async (all) => {
    const { world, database, provider, jdbc, properties } = all
    const connects = (what: string): Promise<Answer> =>
      eventually(what, async () => {
        const answer = await jdbc.connect(properties, { password })
        if (answer.outcome === 'refused') throw new Error(answer.message)
        return answer
      })
    expect(await connects('the driver to connect')).toMatchObject(connected)
    for (const root of ['ecc384-g1', 'rsa4096-g1'] as const) {
      database.volume.write(provider.files(root))
      await database.reload()
      // Nobody here had to know.
      expect(await connects(`the server of ${root}`)).toMatchObject(connected)
    }
    database.volume.write(provider.files('rsa2048-g2'))
    await database.reload()
    await eventually('the new root to be refused', async () => {
      const answer = await jdbc.connect(properties, { password })
      return (
        answer.outcome === 'refused' &&
        /PKIX path|Path does not chain with any of the trust anchors/.test(answer.message)
      )
    })
    await world.apply(bundleOf(provider, 'rsa4096-g1', 'ecc384-g1', 'rsa2048-g2'))
    const published = provider.bundle('rsa2048-g2').trim()
    await eventually('the new bundle to arrive', async () => {
      const { data } = await world.cluster.get(configMaps, { namespace: 'data', name: 'orders-server-ca' })
      return data?.['ca.crt']?.includes(published)
    })
    await world.deliver()
    expect(await connects('the new root to be trusted')).toMatchObject(connected)
  })
})
