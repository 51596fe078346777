import { basename, dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { resolve } from '../certificate/wanted.ts'
import { type Engine, protocols } from '../resources/engines.ts'
import { isPreset, presets, presetsOf, rsaLayouts } from '../resources/layout-names.ts'
import { shapedItems } from '../database/layouts/shape.ts'
import { expand } from './expand.ts'
import { authority, engines, exampleOf, expanded, storedOf, topology } from './profile.fixture.ts'

const clients = [{ name: 'app' }, { name: 'report' }]
const laidOut = (engine: Engine, layout: object, more: object = {}) =>
  expanded({ engine, topology, layout, clients, ...more })
const secretsOf = ({ certificates }: ReturnType<typeof expanded>) =>
  certificates.map(({ name, spec }) => `${name} ${spec.role} ${spec.secret.name} ${spec.secret.layout ?? '-'}`)

describe('a layout says where each part goes', () => {
  const usualClients = ['orders-app Client orders-app-tls -', 'orders-report Client orders-report-tls -']

  it.each<[Engine, object, object, readonly string[]]>([
    [
      'PostgreSQL',
      { preset: 'CloudNativePG', cluster: 'pg' },
      {},
      [
        'orders-server Server pg-server-tls CloudNativePG/server',
        ...usualClients,
        'orders-replication Client pg-replication-tls CloudNativePG/replication',
      ],
    ],
    [
      'MySQL',
      { preset: 'PerconaXtraDBCluster' },
      {},
      [
        'orders-server Server orders-ssl PerconaXtraDBCluster/ssl',
        'orders-ssl-internal Peer orders-ssl-internal PerconaXtraDBCluster/ssl-internal',
        ...usualClients,
      ],
    ],
    [
      'TiDB',
      { preset: 'TiDBOperatorV1', cluster: 'basic' },
      { components: [{ name: 'pd', services: ['basic-pd'] }] },
      [
        'orders-server Server basic-tidb-server-secret TiDBOperatorV1/server',
        'orders-pd Peer basic-pd-cluster-secret TiDBOperatorV1/component',
        'orders-cluster-client Client basic-cluster-client-secret TiDBOperatorV1/cluster-client',
        'orders-app Client basic-tidb-client-secret TiDBOperatorV1/client',
        'orders-report Client orders-report-tls -',
      ],
    ],
    [
      'CockroachDB',
      { preset: 'CockroachDBChart' },
      {},
      [
        'orders-server Peer cockroachdb-node CockroachDBChart/node',
        ...usualClients,
        'orders-client-root Client cockroachdb-root CockroachDBChart/client-root',
      ],
    ],
    [
      'OpenSearch',
      { preset: 'OpenSearchOperator' },
      {},
      [
        'orders-server Server orders-http-tls OpenSearchOperator/http',
        'orders-transport Peer orders-transport-tls OpenSearchOperator/transport',
        'orders-admin Client orders-admin-cert OpenSearchOperator/admin',
        ...usualClients,
      ],
    ],
    [
      'Etcd',
      { preset: 'EtcdOperator' },
      {},
      [
        'orders-server Peer orders-server-tls EtcdOperator/server',
        'orders-peer Peer orders-peer-tls EtcdOperator/peer',
        'orders-app Client orders-client-tls EtcdOperator/client',
        'orders-report Client orders-report-tls -',
      ],
    ],
    [
      'Kafka',
      { preset: 'Strimzi' },
      {},
      [
        'orders-server Peer orders-listener-tls Strimzi/listener',
        'orders-app Client app Strimzi/user',
        'orders-report Client report Strimzi/user',
      ],
    ],
    [
      'MySQL',
      { preset: 'MySQLDataDirectory' },
      {},
      [
        'orders-server Server orders-server-tls MySQLDataDirectory/server',
        'orders-app Client orders-app-tls MySQLDataDirectory/client',
        'orders-report Client orders-report-tls MySQLDataDirectory/client',
      ],
    ],
    [
      'MySQL',
      { preset: 'OpenXchange' },
      { server: { privateKey: { algorithm: 'RSA' } } },
      [
        'orders-server Server orders-server-tls -',
        'orders-app Client orders-app-tls OpenXchange/client',
        'orders-report Client orders-report-tls OpenXchange/client',
      ],
    ],
  ])('%s %o', (engine, layout, more, secrets) => {
    const expansion = laidOut(engine, layout, more)
    expect(expansion.refusals).toEqual([])
    expect(secretsOf(expansion)).toEqual(secrets)
  })

  it('leaves a user of the operator to the profile that lists it', () => {
    const expansion = laidOut(
      'PostgreSQL',
      { preset: 'CloudNativePG' },
      { clients: [{ name: 'standby', username: 'streaming_replica', require: 'Subject' }] },
    )
    expect(secretsOf(expansion)).toEqual([
      'orders-server Server orders-server-tls CloudNativePG/server',
      'orders-standby Client orders-replication-tls CloudNativePG/replication',
    ])
    expect(expansion.configMap?.data['pg_hba.conf']).toContain('"streaming_replica" all cert')
  })

  it('names the files that the layout writes', () => {
    const { configMap } = laidOut('MySQL', { preset: 'MySQLDataDirectory' })
    expect(configMap?.data['server.cnf']).toContain('ssl_cert=/etc/dbtls/server-cert.pem')
    expect(configMap?.data['client.cnf']).toContain('ssl-ca=/etc/dbtls/ca.pem')
  })

  it('names the stores of the Open-Xchange guide', () => {
    const { configMap } = laidOut('MySQL', { preset: 'OpenXchange' }, { server: { privateKey: { algorithm: 'RSA' } } })
    const { 'dbconnector.yaml': yaml = '', 'jdbc.properties': properties } = configMap?.data ?? {}
    expect((parse(yaml) as object)['com.mysql.jdbc' as never]).toMatchObject({
      trustCertificateKeyStoreUrl: 'file:/etc/dbtls/truststore.jks',
      trustCertificateKeyStoreType: 'JKS',
      clientCertificateKeyStoreUrl: 'file:/etc/dbtls/keystore.jks',
      clientCertificateKeyStoreType: 'JKS',
    })
    expect(yaml).not.toContain('java: true')
    expect(properties).toContain('clientCertificateKeyStoreType=JKS')
  })
})

describe('what a layout has no place for', () => {
  it('is said of a client in Java', () => {
    const java = [{ name: 'app', java: true }]
    const { warnings, configMap } = laidOut('MySQL', { preset: 'MySQLDataDirectory' }, { clients: java })
    expect(warnings).toMatchObject([
      { field: 'spec.clients[0].java', problem: expect.stringContaining('no place') as string },
    ])
    expect(configMap?.data['jdbc.properties']).not.toContain('.p12')
  })
  it('is made up for by what it has', () => {
    const { configMap } = laidOut('Kafka', { preset: 'Strimzi' })
    expect(configMap?.data['client.properties']).toContain('ssl.keystore.location=/etc/dbtls/user.p12')
    expect(configMap?.data['client.properties']).toContain('key user.password of Secret app')
  })
  it('leaves out the files of servers that an operator configures', () => {
    expect(laidOut('Kafka', { preset: 'Strimzi' }).configMap?.data).not.toHaveProperty('server.properties')
    expect(laidOut('Kafka', { preset: 'Strimzi' }).configMap?.data).toHaveProperty(['client.properties'])
  })
})

describe('every file that is named is in the Secret that is said to be mounted', () => {
  const all = engines.flatMap((engine) =>
    [undefined, ...(engine === 'External' ? [] : presetsOf(engine))].map((preset) => [engine, preset] as const),
  )
  it.each(all)('%s %s', (engine, preset) => {
    const own = engine === 'External' ? {} : { server: { privateKey: { algorithm: 'RSA' } } }
    const example = exampleOf(engine)
    const java = (example['clients'] as object[]).map((client) => ({ ...client, java: true }))
    const spec = { ...example, ...own, clients: java, ...(preset === undefined ? {} : { layout: { preset } }) }
    const { certificates, configMap, trust } = expanded(spec)
    const held = new Map<string, readonly string[]>([
      ...certificates.map((one) => [one.spec.secret.name, shapedItems(one.spec).map(({ key }) => key)] as const),
      ...trust.map(({ name, items }) => [name, items.map(({ key }) => key)] as const),
    ])
    let seen = 0
    for (const [file, text] of Object.entries(configMap?.data ?? {})) {
      const notes = [...text.matchAll(/^(?:#|<!--|\/\/) ?(?:Secret|CA certificates of) (\S+) mounted at (\S+)/gm)]
      const mounts = new Map(notes.map(([, name = '', folder = '']) => [folder, name]))
      if (mounts.size === 0) continue
      for (const [path] of text.matchAll(/\/etc\/dbtls\/[-/\w.]*\w/g)) {
        const [folder, key] = [dirname(path), basename(path)]
        if (mounts.has(path)) continue
        seen += 1
        expect(held.get(mounts.get(folder) ?? ''), `${file}: ${path}`).toContain(key)
      }
    }
    // Its one file is for people.
    if (preset === undefined && engine !== 'CockroachDB') expect(seen).toBeGreaterThan(0)
  })
})

const pairs = protocols.flatMap((engine) => presetsOf(engine).map((preset) => [preset, engine] as const))
it('each is for an engine', () => expect(new Set(pairs.map(([preset]) => preset))).toEqual(new Set(presets)))

it.each(pairs)('%s gives certificates of %s that can be issued', (preset, engine) => {
  const both = clients.map((client) => ({ ...client, require: 'X509' }))
  const expansion = laidOut(engine, { preset }, { server: { privateKey: { algorithm: 'RSA' } }, clients: both })
  expect(expansion.refusals).toEqual([])
  for (const { name, spec } of expansion.certificates) {
    const object = {
      apiVersion: 'dbtls.dev/v1alpha1',
      kind: 'DatabaseCertificate',
      metadata: { name, namespace: 'data' },
      spec,
    }
    expect(resolve(object).problems).toBeUndefined()
  }
})

describe('a layout in vain', () => {
  it.each(['Nothing', 'CloudNativePG/nothing', '__proto__', 'CloudNativePG/server/x', ''])(
    '%j is refused, and nothing is made',
    (preset) => {
      // Admission refuses them; what another version has stored comes past it.
      const stored = storedOf({ engine: 'PostgreSQL', topology, clients, layout: { preset } })
      const expansion = expand(stored, { authority })
      expect(expansion.refusals).toMatchObject([{ field: 'spec.layout.preset' }])
      expect(expansion.certificates).toEqual([])
      expect(expansion.configMap).toBeUndefined()
    },
  )

  it.each(rsaLayouts.filter((name) => isPreset(name)))('%s wants an RSA key', (preset) => {
    const expansion = expand(storedOf({ engine: 'MySQL', topology, layout: { preset }, clients }), { authority })
    expect(expansion.refusals).toMatchObject([
      { field: 'spec.server.privateKey.algorithm', cure: 'set algorithm: RSA' },
    ])
    expect(expansion.certificates).toEqual([])
  })

  it('ECK reads no Ed25519', () => {
    const server = { privateKey: { algorithm: 'Ed25519' } }
    const stored = storedOf({ engine: 'Elasticsearch', topology, layout: { preset: 'ECK' }, server })
    expect(expand(stored, { authority }).refusals).toMatchObject([{ field: 'spec.server.privateKey.algorithm' }])
  })

  it('of an External server with RSA keys says what can be done there', () => {
    const stored = storedOf({
      engine: 'External',
      connection: { host: 'db.example.com' },
      layout: { preset: 'OpenXchange' },
    })
    expect(expand(stored, { authority }).refusals).toMatchObject([
      { cure: expect.stringContaining('DatabaseCertificate') as string },
    ])
  })

  it('of another engine, which was stored before it was refused, is kept and told of', () => {
    const { refusals, warnings, certificates } = expand(
      storedOf({ engine: 'MySQL', topology, layout: { preset: 'Strimzi' }, clients }),
      { authority },
    )
    expect(refusals).toEqual([])
    expect(warnings).toMatchObject([{ field: 'spec.layout.preset', problem: 'Strimzi is no layout of MySQL' }])
    expect(certificates).toHaveLength(3)
  })

  it('of the engine that the port of an External server tells is told of too', () => {
    const connection = { host: 'db.example.com', port: 5432 }
    const warned = (preset: string) =>
      expanded({ engine: 'External', connection, layout: { preset } }).warnings.map(({ field }) => field)
    expect(warned('MySQLDataDirectory')).toEqual(['spec.layout.preset'])
    expect(warned('PostgreSQLFiles')).toEqual([])
  })
})
