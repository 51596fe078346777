/**
 * The files of profiles before those who read such files: Python's standard library for TOML, XML and the INI of cqlsh; Java's
 * Properties, SnakeYAML as Cassandra and Elasticsearch use it, and the Config library of Cassandra's driver.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Expansion } from '../../src/profile/expansion.ts'
import { engines, exampleOf, expanded } from '../../src/profile/profile.fixture.ts'
import { must } from '../controlplane/harness/process.ts'
import { here, mavenJars, missing } from './tools.ts'

interface Text {
  readonly format: string
  readonly text: string
}

const withPython = async (texts: readonly Text[]): Promise<unknown[]> => {
  const { stdout } = await must('python3', [`${here}python/formats.py`], { stdin: JSON.stringify(texts) })
  return JSON.parse(stdout) as unknown[]
}

let jars: string | undefined
let python = false
beforeAll(async () => {
  jars = await mavenJars('formats', ['org.yaml:snakeyaml:2.2', 'com.typesafe:config:1.4.3'])
  if (jars === undefined) console.error('SKIPPED: Java as a judge of files: SnakeYAML and Config cannot be had here')
  python = !(await missing('python3', '-c', 'import tomllib'))
  if (!python) console.error('SKIPPED: Python as a judge of files: there is no python3 of 3.11 or later')
}, 600_000)

const withJava = async (texts: readonly Text[]): Promise<unknown[]> => {
  const stdin = texts.map(({ format, text }) => `${format} ${Buffer.from(text).toString('base64')}\n`).join('')
  const { stdout } = await must('java', ['-cp', jars ?? '', `${here}java/FormatOracle.java`], { stdin })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

const dataOf = (spec: object): Readonly<Record<string, string>> => expanded(spec).configMap?.data ?? {}

/** Of every engine's example, those whose key ends so. */
const everyFile = (ending: RegExp): { readonly name: string; readonly text: string }[] =>
  engines.flatMap((engine) =>
    Object.entries(dataOf(exampleOf(engine)))
      .filter(([key]) => ending.test(key))
      .map(([key, text]) => ({ name: `${engine}: ${key}`, text })),
  )

/** Names that a careless writer would break a file with. */
const wild = ["o'neil", 'a "b" \\ c', 'x=y:z#w!', '<app>&]]>', '${HOME}', '%(home)s', '名前 ä', '{a: [b]}', '- a', '!x']

describe('files for TiDB and its servers', () => {
  it('are TOML, and say what the documentation of each asks for', async (context) => {
    if (!python) return context.skip('there is no Python with tomllib')
    const files = dataOf(exampleOf('TiDB'))
    const names = Object.keys(files).filter((key) => key.endsWith('.toml'))
    const read = await withPython(names.map((name) => ({ format: 'toml', text: files[name] ?? '' })))
    const at = (part: string) => (file: string) => `/etc/dbtls/${part}/${file}`
    const three = (part: string, ca: string, cert: string, key: string) => ({
      ...{ [ca]: at(part)('ca.crt'), [cert]: at(part)('tls.crt'), [key]: at(part)('tls.key') },
    })
    const dashed = (part: string, ca = 'ca-path') => ({
      security: { ...three(part, ca, 'cert-path', 'key-path'), 'cert-allowed-cn': ['TiDB'] },
    })
    const own = { cert: at('tiproxy')('tls.crt'), key: at('tiproxy')('tls.key') }
    // https://docs.pingcap.com/tidb/stable/enable-tls-between-components, tiproxy-configuration
    expect(Object.fromEntries(names.map((name, index) => [name, read[index]]))).toEqual({
      'tidb.toml': {
        security: {
          'ssl-ca': '/etc/dbtls/ca.crt',
          'ssl-cert': '/etc/dbtls/tls.crt',
          'ssl-key': '/etc/dbtls/tls.key',
          ...three('tidb', 'cluster-ssl-ca', 'cluster-ssl-cert', 'cluster-ssl-key'),
          'cluster-verify-cn': ['TiDB'],
        },
      },
      'pd.toml': dashed('pd', 'cacert-path'),
      'tikv.toml': dashed('tikv'),
      'tiflash.toml': {
        security: { ...three('tiflash', 'ca_path', 'cert_path', 'key_path'), cert_allowed_cn: ['TiDB'] },
      },
      'tiflash-learner.toml': dashed('tiflash'),
      'ticdc.toml': dashed('ticdc'),
      'tiproxy.toml': {
        security: {
          'require-backend-tls': true,
          'server-tls': own,
          'server-http-tls': own,
          'cluster-tls': { ...own, ca: at('tiproxy')('ca.crt') },
          'sql-tls': { ca: at('tiproxy')('ca.crt') },
        },
      },
    })
  })
})

describe('YAML', () => {
  it('of every engine is to SnakeYAML what it is to us', async (context) => {
    if (jars === undefined) return context.skip('there is no SnakeYAML')
    const files = everyFile(/\.ya?ml$/)
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['MongoDB: mongod.yaml', 'Cassandra: cassandra.yaml', 'Elasticsearch: elasticsearch.yml']),
    )
    const read = await withJava(files.map(({ text }) => ({ format: 'yaml', text })))
    for (const [index, { name, text }] of files.entries()) expect(read[index], name).toEqual(parse(text))
  })
})

describe('XML of ClickHouse', () => {
  type Element = readonly [string, object, readonly Element[] | string]
  const child = ([, , children]: Element, name: string): Element | undefined =>
    typeof children === 'string' ? undefined : children.find(([tag]) => tag === name)

  it('is well formed, and has users and databases whole', async (context) => {
    if (!python) return context.skip('there is no Python')
    const spec = (database: string) => ({ ...exampleOf('ClickHouse'), clients: [{ name: 'app', database }] })
    const databases = wild.filter((database) => expanded(spec(database)).refusals.length === 0)
    expect(databases.length).toBeGreaterThan(5)
    const texts = databases.map((database) => dataOf(spec(database))['client.xml'] ?? '')
    const read = (await withPython(texts.map((text) => ({ format: 'xml', text })))) as Element[]
    expect(read.map((root) => child(root, 'database')?.[2])).toEqual(databases)
    const others = everyFile(/\.xml$/).map(({ text }) => ({ format: 'xml', text }))
    for (const root of await withPython(others)) expect(root).not.toHaveProperty('error')
    expect(others.length).toBeGreaterThan(2)
  })

  it('turns the plain ports off', async (context) => {
    if (!python) return context.skip('there is no Python')
    const text = dataOf(exampleOf('ClickHouse'))['server.xml'] ?? ''
    const [root] = (await withPython([{ format: 'xml', text }])) as Element[]
    expect(root?.[0]).toBe('clickhouse')
    for (const port of ['http_port', 'tcp_port', 'interserver_http_port'])
      expect(root && child(root, port)?.[1], port).toEqual({ remove: '1' })
    const section = root && child(root, 'openSSL')
    expect(section && child(section, 'server')?.[2]).toContainEqual(['privateKeyFile', {}, '/etc/dbtls/tls.key'])
  })
})

describe('properties', () => {
  it('of every engine are read by Java, and have users and databases whole', async (context) => {
    if (jars === undefined) return context.skip('there is no Java')
    const wanted = (['PostgreSQL', 'MySQL', 'MariaDB', 'CockroachDB'] as const).flatMap((engine) =>
      wild.flatMap((username) => {
        const { refusals, configMap } = expanded({
          ...exampleOf(engine),
          clients: [{ name: 'app', username, java: true }],
        })
        const text = configMap?.data['jdbc.properties']
        return refusals.length > 0 || text === undefined ? [] : [{ username, text }]
      }),
    )
    expect(wanted.length).toBeGreaterThan(15)
    const read = await withJava(wanted.map(({ text }) => ({ format: 'properties', text })))
    expect(read.map((found) => (found as { user?: string }).user)).toEqual(wanted.map(({ username }) => username))
  })

  it('of Kafka hold the rule that takes the user out of a subject', async (context) => {
    if (jars === undefined) return context.skip('there is no Java')
    const files = everyFile(/^(server|client)\.properties$/)
    const [server, client] = await withJava(files.map(({ text }) => ({ format: 'properties', text })))
    expect(server).toMatchObject({
      'ssl.keystore.location': '/etc/dbtls/tls.pem',
      'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',
    })
    expect(client).toMatchObject({ 'ssl.endpoint.identification.algorithm': 'https' })
  })
})

describe('files for clients of Cassandra', () => {
  it('are what cqlsh and the driver of Java read', async (context) => {
    if (!python || jars === undefined) return context.skip('there is no Python, or no Java')
    const { cqlshrc = '', 'commands.md': commands = '' } = dataOf(exampleOf('Cassandra'))
    expect(await withPython([{ format: 'ini', text: cqlshrc }])).toEqual([
      {
        connection: { hostname: 'orders.example.com', port: '9042', ssl: 'true' },
        ssl: {
          ...{ certfile: '/etc/dbtls/ca.crt', validate: 'true' },
          ...{ userkey: '/etc/dbtls/tls.key', usercert: '/etc/dbtls/tls.crt' },
        },
      },
    ])
    const [, text = ''] = /^```hocon\n([^]*?)^```$/m.exec(commands) ?? []
    const [read] = await withJava([{ format: 'hocon', text: `KEYSTORE_PASSWORD = "secret"\n${text}` }])
    expect(read).toMatchObject({
      'datastax-java-driver': {
        advanced: {
          'ssl-engine-factory': {
            ...{ class: 'DefaultSslEngineFactory', 'hostname-validation': true },
            ...{ 'truststore-path': '/etc/dbtls/truststore.p12', 'truststore-password': 'secret' },
            ...{ 'keystore-path': '/etc/dbtls/keystore.p12', 'keystore-password': 'secret' },
          },
        },
      },
    })
  })
})

/** Every path at which something is mounted, for the pods of servers and of clients. */
const delivered = (engine: string, { certificates, trust }: Expansion): Set<string> => {
  const below = (folder: string, items: readonly { readonly key: string }[] = []): string[] => [
    folder,
    ...items.map(({ key }) => `${folder}/${key}`),
  ]
  const apart = new Map([
    ['orders-server-ca', 'server-ca'],
    ['orders-client-ca', 'client-ca'],
  ])
  return new Set([
    ...certificates.flatMap(({ part, spec }) =>
      below(part === 'server' || part === 'client' ? '/etc/dbtls' : `/etc/dbtls/${part}`, spec.secret.items),
    ),
    // Clients of a managed server have the public trust at the path itself.
    ...trust.flatMap(({ name, items }) =>
      below(engine === 'External' ? '/etc/dbtls' : `/etc/dbtls/${apart.get(name) ?? name}`, items),
    ),
  ])
}

describe.each(engines)('files of %s', (engine) => {
  it('name no path at which nothing is mounted', () => {
    const expansion = expanded(exampleOf(engine))
    const there = delivered(engine, expansion)
    const named = Object.entries(expansion.configMap?.data ?? {}).flatMap(([key, text]) =>
      (text.match(/\/etc\/dbtls[-_./\w]*/g) ?? []).map((path) => `${key}: ${path.replace(/[./]+$/, '')}`),
    )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((line) => !there.has(line.slice(line.indexOf(': ') + 2)))).toEqual([])
  })
})
