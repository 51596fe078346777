import { describe, expect, it } from 'vitest'
import { resolve } from '../certificate/wanted.ts'
import { commonNameOf, distinguishedName } from '../pki/names/names.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { admit } from '../resources/validate.ts'
import { expand } from './expand.ts'
import type { Expansion } from './expansion.ts'
import { authority, clients, engines, exampleOf, expanded, storedOf, topology } from './profile.fixture.ts'

const asObject = ({ name, spec }: Expansion['certificates'][number]): DatabaseCertificate => ({
  apiVersion: 'dbtls.dev/v1alpha1',
  kind: 'DatabaseCertificate',
  metadata: { name, namespace: 'data' },
  spec,
})

const partsOf = ({ certificates }: Expansion) =>
  Object.fromEntries(certificates.map(({ name, spec }) => [name.replace(/^orders-/, ''), spec.role]))
const named = (expansion: Expansion, name: string) => {
  const found = expansion.certificates.find((one) => one.name === name)
  if (found === undefined) throw new Error(`${name} is not in the expansion`)
  return found.spec
}
const files = (expansion: Expansion): Readonly<Record<string, string>> => expansion.configMap?.data ?? {}

describe.each(engines)('%s', (engine) => {
  const expansion = expanded(exampleOf(engine))

  it('is refused nothing', () => {
    expect(expansion.refusals).toEqual([])
  })

  it('asks for certificates that admission and the issuer take', () => {
    for (const certificate of expansion.certificates) {
      const object = asObject(certificate)
      expect(admit('DatabaseCertificate', object)).toMatchObject({ object: {} })
      const resolved = resolve(object)
      expect(resolved.problems).toBeUndefined()
      if ('wanted' in resolved && resolved.wanted !== undefined)
        expect((commonNameOf(resolved.wanted.subject) ?? '').length).toBeLessThanOrEqual(64)
    }
  })

  it('gives the same for the same', () => {
    expect(expanded(exampleOf(engine))).toEqual(expansion)
  })

  it('puts nothing secret into the ConfigMap', () => {
    expect(expansion.configMap?.name).toBe('orders-tls-config')
    for (const text of Object.values(files(expansion))) {
      expect(text).not.toMatch(/PRIVATE KEY|BEGIN/)
      // The one password there may be protects what is public; others are told where they come from.
      for (const [, value] of text.matchAll(/password\s*[=:]\s*(\S+)/gi))
        expect(value).toMatch(/^("changeit"|changeit|key|\$\{KEYSTORE_PASSWORD\}|env\.[A-Z]+_PASSWORD)$/)
    }
  })

  it('says how a person connects and checks', () => {
    expect(files(expansion)['commands.md']).toContain('## app')
    expect(files(expansion)['commands.md']).toContain('## report')
  })
})

describe('what each engine makes of servers, peers and clients', () => {
  const two = { app: 'Client', report: 'Client' }
  it.each<[(typeof engines)[number], Record<string, string>]>([
    ['MySQL', { server: 'Peer', ...two }],
    ['MariaDB', { server: 'Server', galera: 'Peer', ...two }],
    ['PostgreSQL', { server: 'Server', ...two }],
    [
      'TiDB',
      {
        server: 'Server',
        pd: 'Peer',
        tikv: 'Peer',
        tidb: 'Peer',
        tiflash: 'Peer',
        ticdc: 'Peer',
        tiproxy: 'Peer',
        'cluster-client': 'Client',
        ...two,
      },
    ],
    ['MongoDB', { server: 'Peer', ...two }],
    ['Redis', { server: 'Peer', ...two }],
    ['Valkey', { server: 'Peer', ...two }],
    ['Cassandra', { server: 'Peer', ...two }],
    ['CockroachDB', { server: 'Peer', ...two }],
    ['ClickHouse', { server: 'Peer', keeper: 'Peer', ...two }],
    ['Kafka', { server: 'Peer', ...two }],
    ['Elasticsearch', { server: 'Server', transport: 'Peer', ...two }],
    ['OpenSearch', { server: 'Server', transport: 'Peer', admin: 'Client', ...two }],
    ['Etcd', { server: 'Peer', peer: 'Peer', ...two }],
    ['ZooKeeper', { server: 'Peer', ...two }],
    ['External', {}],
  ])('%s', (engine, roles) => {
    expect(partsOf(expanded(exampleOf(engine)))).toEqual(roles)
  })

  it.each<[(typeof engines)[number], readonly string[]]>([
    ['MySQL', ['server.cnf', 'client.cnf', 'accounts.sql', 'jdbc.properties', 'dbconnector.yaml', 'commands.md']],
    ['MariaDB', ['server.cnf', 'client.cnf', 'accounts.sql', 'jdbc.properties', 'dbconnector.yaml', 'commands.md']],
    [
      'PostgreSQL',
      ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf', 'client.conf', 'jdbc.properties', 'commands.md'],
    ],
    [
      'TiDB',
      [
        'tidb.toml',
        'tikv.toml',
        'pd.toml',
        'tiflash.toml',
        'ticdc.toml',
        'tiproxy.toml',
        'accounts.sql',
        'commands.md',
      ],
    ],
    ['MongoDB', ['mongod.yaml', 'accounts.js', 'commands.md']],
    ['Redis', ['redis.conf', 'accounts.txt', 'commands.md']],
    ['Valkey', ['valkey.conf', 'accounts.txt', 'commands.md']],
    ['Cassandra', ['cassandra.yaml', 'cqlshrc', 'accounts.cql', 'commands.md']],
    ['CockroachDB', ['commands.md']],
    ['ClickHouse', ['server.xml', 'client.xml', 'users.xml', 'jdbc.properties', 'commands.md']],
    ['Kafka', ['server.properties', 'admin.properties', 'client.properties', 'commands.md']],
    ['Elasticsearch', ['elasticsearch.yml', 'accounts.console', 'commands.md']],
    ['OpenSearch', ['opensearch.yml', 'config.yml', 'roles_mapping.yml', 'commands.md']],
    ['Etcd', ['etcd.yaml', 'commands.md']],
    ['ZooKeeper', ['zoo.cfg', 'client.properties', 'commands.md']],
    ['External', ['client.cnf', 'accounts.sql', 'jdbc.properties', 'dbconnector.yaml', 'commands.md']],
  ])('%s has its files', (engine, keys) => {
    const data = files(expanded({ ...exampleOf(engine), clients: clients.slice(0, 1) }))
    expect(Object.keys(data)).toEqual(expect.arrayContaining([...keys]))
  })
})

describe('names of objects', () => {
  it('are those of the contract', () => {
    const expansion = expanded(exampleOf('MariaDB'))
    expect(expansion.certificates.map(({ name, spec }) => [name, spec.secret.name])).toEqual([
      ['orders-server', 'orders-server-tls'],
      ['orders-galera', 'orders-galera-tls'],
      ['orders-app', 'orders-app-tls'],
      ['orders-report', 'orders-report-tls'],
    ])
  })

  it('are those of the profile where it gives some', () => {
    const expansion = expanded({
      engine: 'MySQL',
      topology,
      server: { secretName: 's' },
      clients: [{ name: 'app', secretName: 'c' }],
      config: { configMapName: 'm' },
    })
    expect(expansion.certificates.map(({ spec }) => spec.secret.name)).toEqual(['s', 'c'])
    expect(expansion.configMap?.name).toBe('m')
  })

  it('number the pods where each has a certificate of its own', () => {
    const expansion = expanded({ engine: 'MySQL', topology: { ...topology, certificatePer: 'Pod' } })
    expect(expansion.certificates.map(({ name, spec }) => [name, spec.secret.name])).toEqual([
      ['orders-server-0', 'orders-server-tls-0'],
      ['orders-server-1', 'orders-server-tls-1'],
      ['orders-server-2', 'orders-server-tls-2'],
    ])
    expect(named(expansion, 'orders-server-1').dnsNames).toContain('orders-1.orders-headless.data.svc')
    expect(named(expansion, 'orders-server-1').dnsNames).not.toContain('orders-2.orders-headless.data.svc')
  })
})

describe('the names in certificates', () => {
  it('stay over a change of replicas while none is missing', () => {
    const scaled = (replicas: number, names: ReadonlyMap<string, readonly string[]>) =>
      named(
        expanded(
          { engine: 'MySQL', topology: { ...topology, statefulSet: { ...topology.statefulSet, replicas } } },
          { authority, names },
        ),
        'orders-server',
      ).dnsNames ?? []
    const five = scaled(5, new Map())
    expect(five).toContain('orders-7.orders-headless')
    const issued = new Map([['orders-server', five]])
    expect(scaled(8, issued)).toEqual(five)
    expect(scaled(1, issued)).toEqual(five)
    expect(scaled(9, issued)).toContain('orders-8.orders-headless')
  })

  it('hold the host that clients are told', () => {
    const host = (text: string) =>
      named(expanded({ engine: 'MySQL', topology, connection: { host: text } }), 'orders-server')
    expect(host('DB.example.com').dnsNames).toContain('db.example.com')
    expect(host('192.0.2.7').ipAddresses).toContain('192.0.2.7')
  })

  it('are those of the six nodes of the TiDB guide, with the common name that they allow', () => {
    const nodes = Array.from({ length: 6 }, (_, index) => `172.16.10.${11 + index}`)
    const expansion = expanded({
      engine: 'TiDB',
      topology: { extraIPAddresses: nodes.slice(0, 2) },
      components: [
        { name: 'tidb', ipAddresses: nodes.slice(0, 2) },
        { name: 'pd', ipAddresses: nodes.slice(0, 3) },
        { name: 'tikv', ipAddresses: nodes.slice(3) },
      ],
    })
    expect(expansion.refusals).toEqual([])
    expect(named(expansion, 'orders-tikv')).toMatchObject({
      role: 'Peer',
      subject: { commonName: 'TiDB' },
      ipAddresses: [...nodes.slice(3), '127.0.0.1', '::1'],
    })
    expect(named(expansion, 'orders-cluster-client')).toMatchObject({ role: 'Client', subject: { commonName: 'TiDB' } })
    expect(files(expansion)['commands.md']).toContain('--cacert /etc/dbtls/cluster-client/ca.crt')
  })

  it('let servers of a component that the engine does not know have a certificate, and say so', () => {
    const expansion = expanded({ engine: 'MySQL', topology, components: [{ name: 'proxysql', services: ['proxy'] }] })
    expect(named(expansion, 'orders-proxysql').dnsNames).toContain('proxy.data.svc')
    expect(expansion.warnings).toMatchObject([{ field: 'spec.components[0].name' }])
    expect(expansion.refusals).toEqual([])
  })
})

describe('the policy of the CA', () => {
  const policy = { allowedDNSNames: ['*.data.svc', '*.data.svc.cluster.local'], allowedIPRanges: [] }

  it('leaves out derived names that it does not allow, and says which', () => {
    const expansion = expanded(
      { engine: 'MySQL', topology: { services: ['orders'] } },
      { authority: { ...authority, policy } },
    )
    expect(named(expansion, 'orders-server')).toMatchObject({
      subject: { commonName: 'orders.data.svc' },
      dnsNames: ['orders.data.svc', 'orders.data.svc.cluster.local'],
      ipAddresses: [],
    })
    expect(expansion.warnings).toHaveLength(1)
    expect(expansion.warnings[0]?.problem).toContain('localhost')
  })

  it('never leaves out what a person asked for', () => {
    const asked = { services: ['orders'], extraDNSNames: ['Orders.Example.com'], extraIPAddresses: ['192.0.2.1'] }
    const spec = named(
      expanded({ engine: 'MySQL', topology: asked }, { authority: { ...authority, policy } }),
      'orders-server',
    )
    expect(spec.dnsNames).toContain('orders.example.com')
    expect(spec.ipAddresses).toEqual(['192.0.2.1'])
  })

  it('lists pods where it allows no wildcards', () => {
    const { dnsNames = [] } = named(
      expanded({ engine: 'CockroachDB', topology }, { authority: { ...authority, policy: { allowWildcards: false } } }),
      'orders-server',
    )
    expect(dnsNames.some((name) => name.includes('*'))).toBe(false)
    expect(dnsNames).toContain('orders-0.orders-headless.data.svc.cluster.local')
  })

  it('has the subjects that it wants to match', () => {
    const known = { ...authority, policy: { subject: { organizations: 'Match', commonName: 'Supplied' } as const } }
    const expansion = expanded(
      { engine: 'MySQL', topology, clients: [{ name: 'app', require: 'Subject' }] },
      { authority: known },
    )
    expect(named(expansion, 'orders-app').subject).toEqual({ organizations: ['Acme'], commonName: 'app' })
    expect(files(expansion)['accounts.sql']).toContain("ALTER USER 'app'@'%' REQUIRE SUBJECT '/O=Acme/CN=app';")
  })
})

describe('a second CA for clients', () => {
  const spec = { engine: 'MySQL', topology, clients, clientAuthorityRef: { name: 'clients-ca' } }
  const clientAuthority = { subject: distinguishedName({ commonName: 'Clients' }), selfSigned: true }
  const expansion = expanded({ ...spec, clients: [{ name: 'app', require: 'Issuer' }] }, { authority, clientAuthority })

  it('signs clients, and each side is given the CA of the other', () => {
    expect(named(expansion, 'orders-app').authorityRef).toEqual({ name: 'clients-ca' })
    expect(named(expansion, 'orders-server').authorityRef).toEqual({ name: 'orders-ca' })
    expect(expansion.trust.map(({ name, authorityRef }) => [name, authorityRef.name])).toEqual([
      ['orders-server-ca', 'orders-ca'],
      ['orders-client-ca', 'clients-ca'],
    ])
    expect(files(expansion)['server.cnf']).toContain('ssl_ca=/etc/dbtls/client-ca/ca.crt')
    expect(files(expansion)['client.cnf']).toContain('ssl-ca=/etc/dbtls/server-ca/ca.crt')
    expect(files(expansion)['accounts.sql']).toContain("REQUIRE ISSUER '/CN=Clients';")
  })

  it.each(['Redis', 'Valkey', 'Kafka', 'MongoDB', 'ClickHouse', 'Etcd'])(
    'is refused where %s has one file for both',
    (engine) => {
      const stored = storedOf({ engine, topology, clientAuthorityRef: { name: 'clients-ca' } })
      const { refusals } = expand(stored, { authority })
      expect(refusals).toMatchObject([{ field: 'spec.clientAuthorityRef' }])
    },
  )
})

describe('java: true of a client', () => {
  const warned = (engine: (typeof engines)[number], more: object = {}) =>
    expanded({
      ...exampleOf(engine),
      clients: [{ name: 'app' }, { name: 'report', java: true }],
      ...more,
    }).warnings.filter(({ field }) => field.endsWith('.java'))
  const none: readonly string[] = ['Etcd', 'ClickHouse']
  it.each(engines.filter((engine) => none.includes(engine)))('is said to add nothing for %s', (engine) => {
    expect(warned(engine)).toMatchObject([
      { field: 'spec.clients[1].java', problem: expect.stringContaining('it adds nothing') as string },
    ])
  })
  it('is told of once where a layout has no place for it either', () => {
    expect(warned('Etcd', { layout: { preset: 'EtcdOperator' } })).toHaveLength(1)
  })
  it.each(engines.filter((engine) => !none.includes(engine)))('does for %s what it says', (engine) => {
    expect(warned(engine)).toEqual([])
  })
})

describe('a managed server', () => {
  const host = 'orders.abc123.eu-west-1.rds.amazonaws.com'
  const managed = (more: object = {}) => expanded({ engine: 'External', connection: { host }, clients, ...more })

  it('has no certificate of ours; clients are given its CA, with a password that is no secret', () => {
    const expansion = managed()
    expect(expansion.certificates).toEqual([])
    expect(expansion.reload).toBeUndefined()
    expect(expansion.trust).toMatchObject([{ name: 'orders-server-ca', authorityRef: { name: 'orders-ca' } }])
    expect(files(expansion)['accounts.sql']).toContain("ALTER USER 'app'@'%' REQUIRE SSL;")
    expect(files(expansion)['accounts.sql']).not.toContain('SET PERSIST')
    expect(files(expansion)['commands.md']).toContain(
      `mysql --host=${host} --port=3306 --user=app --password --ssl-ca=/etc/dbtls/ca.crt --ssl-mode=VERIFY_IDENTITY`,
    )
    expect(files(expansion)['commands.md']).toContain('--ssl-verify-server-cert')
    expect(files(expansion)['jdbc.properties']).toContain('trustCertificateKeyStorePassword=changeit')
  })

  it.each([
    [{ connection: { host, port: 5432 } }, 'jdbc:postgresql://'],
    [{ connection: { host, port: 6432, protocol: 'PostgreSQL' } }, `${host}:6432`],
    [{ connection: { host, protocol: 'MariaDB' } }, 'jdbc:mariadb://'],
  ])('is known by port or protocol: %o', (more, text) => {
    expect(files(managed(more))['jdbc.properties']).toContain(text)
  })

  it('has client certificates where a CA for them is named', () => {
    const expansion = managed({ clientAuthorityRef: { name: 'clients-ca' }, clients: [{ name: 'app', java: true }] })
    expect(partsOf(expansion)).toEqual({ app: 'Client' })
    expect(files(expansion)['client.cnf']).toContain('ssl-ca=/etc/dbtls/server-ca/ca.crt')
    expect(files(expansion)['client.cnf']).toContain('ssl-cert=/etc/dbtls/tls.crt')
    expect(files(expansion)['accounts.sql']).toContain('REQUIRE X509')
  })
})

describe('endpoints', () => {
  it('are the pods, else the services, else the addresses', () => {
    const of = (some: object) =>
      expanded({ engine: 'PostgreSQL', topology: some }).endpoints.map(({ address }) => address)
    expect(of(topology)[2]).toBe('orders-2.orders-headless.data.svc.cluster.local:5432')
    expect(of({ services: ['orders'], clusterDomain: 'corp' })).toEqual(['orders.data.svc.corp:5432'])
    expect(of({ extraIPAddresses: ['2001:db8::1'] })).toEqual(['[2001:db8::1]:5432'])
  })

  it('are those of the profile where it gives some', () => {
    const { endpoints } = expanded({ engine: 'MySQL', topology, probe: { endpoints: ['db:3307'] } })
    expect(endpoints).toEqual([{ address: 'db:3307', dialect: 'mysql', part: 'server' }])
  })
})

it('128 clients fit into one ConfigMap', () => {
  const many = Array.from({ length: 128 }, (_, index) => ({ name: `${'c'.repeat(40)}${index}`, java: true }))
  for (const engine of engines) {
    const data = files(expanded({ ...exampleOf(engine), clients: many }))
    expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(1_000_000)
  }
})
