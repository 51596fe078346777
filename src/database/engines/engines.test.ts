/** What each engine says, in tables. What comes out of it as a whole is in src/profile. */
import { describe, expect, it } from 'vitest'
import { distinguishedName, emptyName, parseDistinguishedName } from '../../pki/names/names.ts'
import { type EngineName, limits, protocols } from '../../resources/engines.ts'
import type { Account, Client, Context, Definition, ReloadWay } from './engine.ts'
import { engineOf } from './external.ts'
import { filesOf } from './files.ts'
import { commaForm, onelineForm } from './identity.ts'
import { definitions } from './index.ts'
import { mongodbUri } from './mongodb.ts'
import { requireClause } from './mysql-family.ts'
import { isAtLeast, isBeyond, parseVersion, type Version } from './version.ts'

const account = (username: string, more: Partial<Account> = {}): Account => ({
  profile: 'orders',
  namespace: 'data',
  name: 'app',
  username,
  ...more,
})

const mounted = { secretName: 's', folder: '/m', files: filesOf('/m', []), subject: {} }
const client = (more: Partial<Client> = {}): Client => ({
  ...mounted,
  name: 'app',
  username: 'app',
  host: '%',
  require: 'X509',
  java: false,
  subject: { commonName: 'app' },
  trust: { pem: '/m/ca.crt', store: '/m/truststore.p12', storeType: 'PKCS12' },
  ...more,
})
const versionOf = (text: string): Version => parseVersion(text) ?? []
const context = (engine: EngineName, version: string, more: Partial<Context> = {}): Context => ({
  profile: 'orders',
  namespace: 'data',
  version: versionOf(version),
  managed: false,
  host: 'db.example.com',
  port: definitions[engine].port,
  server: mounted,
  components: new Map(),
  clientTrust: '/m/ca.crt',
  clients: [client()],
  ...more,
})
const server = (engine: EngineName, version: string, more: Partial<Context> = {}): string =>
  Object.values(definitions[engine].serverFiles(context(engine, version, more))).join('\n')

const every = Object.entries(definitions) as [EngineName, Definition][]

describe('the table', () => {
  it.each(every)('%s stands under its own name, and knows its own versions', (name, { engine, versions }) => {
    expect(engine).toBe(name)
    for (const text of [versions.oldest, versions.newest]) {
      const version = versionOf(text)
      expect(version).not.toEqual([])
      expect(isAtLeast(version, versions.oldest)).toBe(true)
      expect(isBeyond(version, versions.newest)).toBe(false)
    }
  })

  it.each(every)(
    '%s keeps key and certificate in its Secrets, never a key without its certificate',
    (_, definition) => {
      const all = [
        definition.serverItems,
        ...[true, false].map((java) => definition.clientItems({ username: 'app', java })),
      ]
      for (const items of all) {
        const contents = items.map(({ content }) => content)
        expect(contents).toEqual(expect.arrayContaining(['CertificateChain', 'PrivateKey', 'TrustBundle']))
        expect(new Set(items.map(({ key }) => key)).size).toBe(items.length)
      }
    },
  )
})

describe('what is refused before anything is stored', () => {
  const reloadOf = (engine: EngineName, version: string) =>
    definitions[engine].reload(versionOf(version), { server: mounted, clientTrust: '', components: new Map() })

  it.each(every)('a reload by statement of %s, where no version has one', (engine, { versions }) => {
    const has = [versions.oldest, versions.newest].some((one) => reloadOf(engine, one).statements.length > 0)
    expect(has).toBe(limits[engine].hasStatement === true)
  })

  it.each(every)('a CA for clients of %s, where one server shows its certificate to all', (engine, { components }) => {
    const raising = Object.entries(components).flatMap(([name, { raisesServer }]) =>
      raisesServer === true ? name : [],
    )
    const { oneTrustFile } = limits[engine]
    expect(raising).toEqual(typeof oneTrustFile === 'object' ? [oneTrustFile.component] : [])
  })

  it('nothing that an engine takes: there is a row for each, in one order', () => {
    expect(protocols).toEqual(Object.keys(definitions))
  })
})

describe('who a client is', () => {
  it.each<[EngineName, string, string]>([
    ['MySQL', 'app', 'CN=app'],
    ['MySQL', "o'neil / x", 'CN=app'],
    ['MySQL', 'u'.repeat(32), `CN=${'u'.repeat(32)}`],
    ['MariaDB', 'u'.repeat(100), 'CN=app'],
    ['PostgreSQL', "o'neil \\ back", String.raw`CN=o'neil \\ back`],
    ['PostgreSQL', 'ä'.repeat(31), `CN=${'ä'.repeat(31)}`],
    ['MongoDB', 'app', 'CN=app,OU=clients.data.orders'],
    ['MongoDB', 'ä', 'CN=app,OU=clients.data.orders'],
    ['Redis', 'app', 'CN=app'],
    ['CockroachDB', 'app', 'CN=app'],
    ['CockroachDB', 'root', 'CN=root'],
    ['ClickHouse', 'app_1', 'CN=app_1'],
    ['Kafka', 'app@x', 'CN=app@x'],
    ['Elasticsearch', 'app', 'CN=app'],
    ['OpenSearch', 'app', 'CN=app'],
    ['Etcd', 'app user', 'CN=app user'],
    ['ZooKeeper', 'app', 'CN=app'],
  ])('%s %j is %s', (engine, username, subject) => {
    const { subject: found, refused } = definitions[engine].identity(account(username)) as {
      subject: object
      refused?: object
    }
    expect(refused).toBeUndefined()
    expect(commaForm(found)).toBe(subject)
  })

  it('no member of a MongoDB cluster has the units of a client, whatever the profiles are called', () => {
    const units = (subject: unknown) =>
      JSON.stringify((subject as { subject: { organizationalUnits: string[] } }).subject.organizationalUnits)
    const names = ['orders', 'clients', 'members', 'members.data.x', 'clients.data.x', 'x']
    const holders = names.flatMap((profile) =>
      ['data', 'clients', 'members'].map((namespace) => ({ profile, namespace })),
    )
    const members = new Set(holders.map((holder) => units(definitions.MongoDB.serverSubject?.(holder))))
    expect(members.size).toBe(holders.length)
    for (const holder of holders)
      expect(members.has(units(definitions.MongoDB.identity(account('app', holder))))).toBe(false)
  })

  it.each<[EngineName, string]>([
    ['CockroachDB', 'CN=node'],
    ['Kafka', 'CN=orders'],
    ['MongoDB', 'CN=mongod,OU=members.data.orders'],
  ])('servers of %s are %s', (engine, subject) => {
    const found = definitions[engine].serverSubject?.({ profile: 'orders', namespace: 'data' })
    expect(commaForm((found as { subject: object }).subject)).toBe(subject)
  })
})

describe('forms of a name', () => {
  it.each([
    ['CN=app,OU=db,O=Acme\\, Inc.', '/O=Acme, Inc./OU=db/CN=app'],
    ['CN=app+OU=db', undefined],
    ['CN=a/b', undefined],
    ['CN=a\\+b', undefined],
    ['CN=a\\\\b', undefined],
    ['CN=ä', undefined],
    ["CN=o'neil \\ x".replace('\\ ', ' '), "/CN=o'neil  x"],
    ['EMAILADDRESS=a@b.c,UID=u,DC=d,STREET=s,SERIALNUMBER=1', '/serialNumber=1/street=s/DC=d/UID=u/emailAddress=a@b.c'],
  ])('%s is %s', (text, oneline) => {
    expect(onelineForm(parseDistinguishedName(text))).toBe(oneline)
  })

  it('an empty name is empty', () => {
    expect(onelineForm(emptyName)).toBe('')
  })

  it.each<[Client['require'], string]>([
    ['None', 'REQUIRE NONE'],
    ['TLS', 'REQUIRE SSL'],
    ['X509', 'REQUIRE X509'],
    ['Subject', "REQUIRE SUBJECT '/O=O''Neil/CN=app'"],
    ['Issuer', "REQUIRE ISSUER '/CN=It''s a CA'"],
  ])('require: %s is %s', (require, clause) => {
    const one = client({ require, subject: { commonName: 'app', organizations: ["O'Neil"] } })
    expect(requireClause(one, distinguishedName({ commonName: "It's a CA" }))).toBe(clause)
  })
})

describe('versions', () => {
  it.each<[string, Version | undefined]>([
    ['8.4', [8, 4]],
    ['17', [17]],
    ['10.11.19', [10, 11, 19]],
    ['', undefined],
    ['8.', undefined],
    ['v8', undefined],
    ['8.0-oracle', undefined],
    ['1.2.3.4.5', undefined],
    ['9'.repeat(6), undefined],
  ])('%j is %j', (text, version) => {
    expect(parseVersion(text)).toEqual(version)
  })

  it.each([
    ['8.0', '8.0.16', true],
    ['8.0.15', '8.0.16', false],
    ['8.0.16', '8.0.16', true],
    ['8', '8.4', true],
    ['9', '8.4', true],
    ['5.7', '8.0.16', false],
  ])('%s is at least %s: %s', (version, wanted, yes) => {
    expect(isAtLeast(versionOf(version), wanted)).toBe(yes)
  })

  it.each([
    ['9.9', '9', false],
    ['10', '9', true],
    ['10.1', '9', true],
    ['8', '9', false],
    ['9.1', '9.0', true],
  ])('%s is beyond %s: %s', (version, newest, yes) => {
    expect(isBeyond(versionOf(version), newest)).toBe(yes)
  })

  it('decide what is written', () => {
    expect(server('MySQL', '5.7')).toContain('tls_version=TLSv1.2\n')
    expect(server('MySQL', '8.0.34')).toContain('tls_version=TLSv1.2,TLSv1.3\n')
    expect(server('MariaDB', '10.4')).not.toContain('require_secure_transport')
    expect(server('MariaDB', '11.8')).toContain('require_secure_transport=ON')
    expect(server('Kafka', '3.6')).not.toContain('ssl.allow.san.changes')
    expect(server('Kafka', '4.0')).toContain('ssl.allow.san.changes=true')
  })

  it('are given outright before a line is written that would stop an older server', () => {
    const subject = { clients: [client({ require: 'Subject' })] }
    expect(server('Valkey', '9')).not.toContain('tls-auto-reload-interval')
    expect(server('Valkey', '9.0')).not.toContain('tls-auto-reload-interval')
    expect(server('Valkey', '9.1')).toContain('tls-auto-reload-interval')
    expect(server('Redis', '8', subject)).not.toContain('tls-auth-clients-user')
    expect(server('Redis', '8.4', subject)).not.toContain('tls-auth-clients-user')
    expect(server('Redis', '8.6', subject)).toContain('tls-auth-clients-user CN')
    expect(server('Redis', '8.6')).not.toContain('tls-auth-clients-user')
    expect(server('Valkey', '9', subject)).not.toContain('tls-auth-clients-user')
    expect(server('Valkey', '8.1', subject)).not.toContain('tls-auth-clients-user')
    expect(server('Valkey', '9.0', subject)).toContain('tls-auth-clients-user CN')
  })
})

describe('how renewed files are read', () => {
  const pair = 'CONFIG SET tls-cert-file /m/tls.crt tls-key-file /m/tls.key tls-ca-cert-file /m/ca.crt'
  it.each<[EngineName, string, ReloadWay, ReloadWay, readonly string[], string]>([
    ['MySQL', '5.7', 'Restart', 'Restart', [], 'KeepsOld'],
    ['MySQL', '8.4', 'Statement', 'Statement', ['ALTER INSTANCE RELOAD TLS'], 'KeepsOld'],
    ['MariaDB', '11.8', 'Statement', 'Statement', ['FLUSH SSL'], 'KeepsOld'],
    ['PostgreSQL', '18', 'Statement', 'Statement', ['SELECT pg_reload_conf()'], 'KeepsOldSilently'],
    ['TiDB', '8.5', 'Statement', 'Restart', ['ALTER INSTANCE RELOAD TLS'], 'KeepsOld'],
    ['MongoDB', '4.4', 'Restart', 'Restart', [], 'KeepsOld'],
    ['MongoDB', '8.0', 'Statement', 'Statement', ['{ "rotateCertificates": 1 }'], 'KeepsOld'],
    ['Redis', '6.2', 'Restart', 'Restart', [], 'KeepsOld'],
    ['Redis', '8', 'Statement', 'Statement', [pair], 'KeepsOld'],
    ['Valkey', '8.1', 'Statement', 'Statement', [pair], 'KeepsOld'],
    ['Cassandra', '5', 'Automatic', 'Automatic', [], 'LosesService'],
    ['CockroachDB', '25', 'Signal', 'Signal', [], 'KeepsOld'],
    ['ClickHouse', '25', 'Automatic', 'Restart', [], 'KeepsOld'],
    ['Kafka', '4', 'Command', 'Command', [], 'KeepsOldSilently'],
    ['Elasticsearch', '9', 'Automatic', 'Automatic', [], 'LosesService'],
    ['OpenSearch', '3', 'Command', 'Restart', [], 'LosesService'],
    ['Etcd', '3.6', 'Automatic', 'Restart', [], 'LosesService'],
    ['ZooKeeper', '3.8.0', 'Restart', 'Restart', [], 'LosesService'],
    ['ZooKeeper', '3.9', 'Restart', 'Restart', [], 'LosesService'],
  ])('%s %s', (engine, version, leaf, authority, statements, onMismatch) => {
    const reload = definitions[engine].reload(versionOf(version), context(engine, version))
    expect(reload).toEqual({ leaf, authority, statements, onMismatch })
    for (const statement of reload.statements) expect(statement).not.toContain('NO ROLLBACK')
  })

  it('Galera reads its own files besides', () => {
    const components = new Map([['galera', mounted]])
    const { statements } = definitions.MariaDB.reload(versionOf('11.8'), { ...context('MariaDB', '11.8'), components })
    expect(statements).toEqual(['FLUSH SSL', "SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1'"])
  })

  it('the statement of MySQL does not reach the members of its group', () => {
    const components = new Map([['group-replication', mounted]])
    const reload = definitions.MySQL.reload(versionOf('9'), { ...context('MySQL', '9'), components })
    expect(reload).toMatchObject({ leaf: 'Restart', authority: 'Restart', statements: ['ALTER INSTANCE RELOAD TLS'] })
  })
})

describe('what a client shows decides what servers ask for', () => {
  const tls = { clients: [client(), client({ require: 'TLS' })] }
  it.each<[EngineName, string, string]>([
    ['Redis', 'tls-auth-clients yes', 'tls-auth-clients optional'],
    ['Cassandra', 'optional: false\n', 'require_client_auth: false'],
    ['ClickHouse', '<verificationMode>strict</verificationMode>', '<verificationMode>relaxed</verificationMode>'],
    ['Kafka', 'ssl.client.auth=required', 'ssl.client.auth=requested'],
    ['ZooKeeper', 'ssl.clientAuth=need', 'ssl.clientAuth=want'],
    ['MongoDB', 'mode: requireTLS', 'allowConnectionsWithoutCertificates: true'],
  ])('%s', (engine, all, some) => {
    const newest = definitions[engine].versions.newest
    expect(server(engine, newest)).toContain(all)
    expect(server(engine, newest)).not.toContain(some)
    expect(server(engine, newest, tls)).toContain(some)
  })

  it('a line of pg_hba.conf for each role', () => {
    const requires = ['None', 'TLS', 'X509', 'Subject', 'Issuer'] as const
    const text = server('PostgreSQL', '18', {
      clients: requires.map((require) => client({ require, username: require, database: 'd "x"' })),
    })
    expect(text.match(/^host.*"d ""x""".*$/gm)).toEqual([
      'host "d ""x""" "None" all scram-sha-256',
      'hostssl "d ""x""" "TLS" all scram-sha-256',
      'hostssl "d ""x""" "X509" all scram-sha-256 clientcert=verify-full',
      'hostssl "d ""x""" "Subject" all cert',
      'hostssl "d ""x""" "Issuer" all scram-sha-256 clientcert=verify-ca',
    ])
    expect(text.indexOf('"None"')).toBeLessThan(text.indexOf('hostnossl all all all reject'))
    expect(text.indexOf('hostnossl all all all reject')).toBeLessThan(text.indexOf('"TLS"'))
  })

  it('the keyword for physical replication stands in pg_hba.conf without quotes, and for that name alone', () => {
    const text = server('PostgreSQL', '18', {
      clients: [
        client({ name: 'a', username: 'a', database: 'replication' }),
        client({ name: 'b', username: 'b', database: 'replication', require: 'Subject' }),
        client({ name: 'c', username: 'replication', database: 'Replication' }),
        client({ name: 'd', username: 'd', database: 'all' }),
      ],
    })
    expect(text.match(/^hostssl .*$/gm)).toEqual([
      'hostssl replication "a" all scram-sha-256 clientcert=verify-full',
      'hostssl replication "b" all cert',
      'hostssl "Replication" "replication" all scram-sha-256 clientcert=verify-full',
      'hostssl "all" "d" all scram-sha-256 clientcert=verify-full',
    ])
    expect(text).toContain('# Without quotes replication stands for')
    expect(server('PostgreSQL', '18')).not.toContain('# Without quotes')
  })

  it('the client that replicates is told to say so when it connects', () => {
    const files = definitions.PostgreSQL.clientFiles(
      context('PostgreSQL', '18', { clients: [client({ database: 'replication' })] }),
    )
    expect(files['client.conf']).toContain('\nreplication=true\n')
    expect(files['jdbc.properties']).toContain('\nreplication=true\n')
    expect(files['commands.md']).toMatch(/^psql 'postgresql:.*&replication=true'$/m)
    for (const text of Object.values(definitions.PostgreSQL.clientFiles(context('PostgreSQL', '18'))))
      expect(text).not.toContain('replication=true')
  })

  it('of PostgreSQL a line for all databases is none for replication', () => {
    const isOne = (a: string | undefined, b: string | undefined) =>
      definitions.PostgreSQL.isOneAccount?.(
        { username: 'app', host: '%', database: a },
        { username: 'app', host: '%', database: b },
      )
    expect(isOne(undefined, 'orders')).toBe(true)
    expect(isOne(undefined, 'replication')).toBe(false)
    expect(isOne('replication', undefined)).toBe(false)
    expect(isOne('replication', 'replication')).toBe(true)
    expect(isOne('replication', 'orders')).toBe(false)
  })

  it("MongoDB's connection strings name user and mechanism", () => {
    const where = { host: '2001:db8::1', port: 27017 }
    const x509 = new URL(mongodbUri(where, client({ database: 'a/b' })))
    expect(Object.fromEntries(x509.searchParams)).toEqual({
      tls: 'true',
      tlsCAFile: '/m/ca.crt',
      tlsCertificateKeyFile: '/m/tls.pem',
      authMechanism: 'MONGODB-X509',
      authSource: '$external',
    })
    expect([x509.host, x509.pathname]).toEqual(['[2001:db8::1]:27017', '/a%2Fb'])
    const password = new URL(mongodbUri(where, client({ require: 'TLS', username: 'a:b@c' })))
    expect(decodeURIComponent(password.username)).toBe('a:b@c')
    expect(password.searchParams.get('authMechanism')).toBeNull()
  })
})

describe('an External server', () => {
  const commandsOf = (engine: EngineName, version: string) =>
    definitions[engine].clientFiles(context(engine, version, { managed: true }))['commands.md'] ?? ''
  it.each<[EngineName, string, string]>([
    ['MySQL', '8.4', 'require_secure_transport'],
    ['MariaDB', '10.5', 'require_secure_transport'],
    ['PostgreSQL', '14', 'rds.force_ssl'],
  ])('of %s is told on RDS to refuse plain connections', (engine, version, parameter) => {
    expect(commandsOf(engine, version)).toContain(
      `aws rds modify-db-parameter-group --db-parameter-group-name NAME --parameters ParameterName=${parameter},ParameterValue=1,ApplyMethod=immediate\n`,
    )
    const own = definitions[engine].clientFiles(context(engine, version))['commands.md']
    expect(own).not.toContain('aws rds')
  })
  it('of MariaDB before 10.5 is told of no parameter that it has not', () => {
    expect(commandsOf('MariaDB', '10.4')).not.toContain('aws rds')
  })

  const of = (connection: object) => engineOf({ engine: 'External', connection }).definition.engine
  it.each<[object, EngineName]>([
    [{}, 'MySQL'],
    [{ port: 3306 }, 'MySQL'],
    [{ port: 5432 }, 'PostgreSQL'],
    [{ port: 27017 }, 'MongoDB'],
    [{ port: 6379 }, 'Redis'],
    [{ port: 1 }, 'MySQL'],
    [{ port: 5432, protocol: 'MariaDB' }, 'MariaDB'],
  ])('%o speaks %s', (connection, engine) => {
    expect(of(connection)).toBe(engine)
  })
})
