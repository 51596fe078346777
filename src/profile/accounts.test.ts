/** By what an engine knows a client that shows its certificate, and what that client may do. */
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { distinguishedName } from '../pki/names/names.ts'
import { expanded, topology } from './profile.fixture.ts'

const filesOf = (spec: object): Readonly<Record<string, string>> => {
  const { refusals, configMap } = expanded({ topology, ...spec })
  expect(refusals).toEqual([])
  return configMap?.data ?? {}
}

/** As long as a common name may be; each has every character that its engine takes. */
const longest = `0._@-${'x'.repeat(59)}`

describe('OpenSearch', () => {
  const spec = (...clients: readonly object[]) => ({ engine: 'OpenSearch', clients })
  const by = (require: string, username: string) => ({
    name: `c-${require}-${username.length}`.toLowerCase(),
    username,
    require,
  })

  it('has a domain that takes the common name for the user, before the one of passwords', () => {
    const { config } = parse(filesOf(spec(by('X509', 'app')))['config.yml'] ?? '')
    const { clientcert_auth_domain: certificate, basic_internal_auth_domain: password } = config.dynamic.authc
    expect(certificate).toEqual({
      http_enabled: true,
      order: 1,
      http_authenticator: { type: 'clientcert', challenge: false, config: { username_attribute: 'cn' } },
      authentication_backend: { type: 'noop' },
    })
    expect(password).toMatchObject({
      http_authenticator: { type: 'basic' },
      authentication_backend: { type: 'intern' },
    })
    expect(password.order).toBeGreaterThan(certificate.order)
  })

  it('gives those who log in by certificate a role, and asks the others for their password whatever they show', () => {
    const files = filesOf(spec(by('X509', 'app'), by('Subject', longest), by('TLS', 'o.n')))
    expect(parse(files['roles_mapping.yml'] ?? '')).toMatchObject({
      _meta: { type: 'rolesmapping', config_version: 2 },
      own_index: { users: ['app', longest] },
    })
    const { config } = parse(files['config.yml'] ?? '')
    expect(config.dynamic.authc.clientcert_auth_domain.http_authenticator.config.skip_users).toEqual([
      'CN=o.n',
      'CN=o.n,*',
    ])
    const command = /^curl .*--user o\.n .*$/m.exec(files['commands.md'] ?? '')?.[0]
    expect(command).not.toContain('--cert ')
  })

  it('lets a user who logs in by certificate do so from every client', () => {
    const files = filesOf(spec(by('X509', 'app'), by('TLS', 'app')))
    expect(files['config.yml']).not.toContain('skip_users')
  })

  it('names a user of two clients once', () => {
    const files = filesOf(spec({ name: 'a', username: 'app' }, { name: 'b', username: 'app' }))
    expect(parse(files['roles_mapping.yml'] ?? '').own_index.users).toEqual(['app'])
  })

  it('leaves the configuration of the security plugin alone where nobody logs in by certificate', () => {
    for (const clients of [[], [by('TLS', 'app')]]) {
      const files = filesOf(spec(...clients))
      expect(Object.keys(files)).toEqual(['opensearch.yml', 'commands.md'])
      expect(files['commands.md']).not.toContain('securityadmin.sh -f')
    }
  })

  it.each([
    ['1.3', '9300'],
    ['2', '9200'],
    ['3.3', '9200'],
  ])('%s takes its configuration on port %s, from the administrator', (version, port) => {
    const page = filesOf({ ...spec(by('X509', 'app')), version })['commands.md'] ?? ''
    const commands = page.match(/^securityadmin\.sh .*$/gm) ?? []
    expect(commands.map((line) => line.split(' -icl ')[0])).toEqual([
      'securityadmin.sh -backup saved',
      'securityadmin.sh -f config.yml -t config',
      'securityadmin.sh -f roles_mapping.yml -t rolesmapping',
    ])
    for (const line of commands) {
      expect(line).toContain(` -p ${port} `)
      expect(line).toContain('-cert /etc/dbtls/admin/tls.crt -key /etc/dbtls/admin/tls.key')
    }
  })
})

/** Whatever else Cassandra would take there. */
const hostile = [
  'x"; DROP ROLE cassandra; --',
  '"',
  '\\',
  '$$',
  '/* */',
  '-- x',
  'ä名',
  '"'.repeat(128),
  'x'.repeat(128),
]

describe('Cassandra', () => {
  const cql = (version: string, ...clients: readonly object[]): string[] =>
    (filesOf({ engine: 'Cassandra', version, clients })['accounts.cql'] ?? '').trimEnd().split('\n')
  const statements = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('--'))

  it('has a role for each user, without a password, and its rights on its keyspace', () => {
    const lines = cql(
      '5.0',
      { name: 'a', username: 'app', database: 'my "k"' },
      { name: 'b', username: 'app', database: 'my "k"' },
      { name: 'c', username: 'report', require: 'TLS' },
    )
    expect(statements(lines)).toEqual([
      "CREATE ROLE IF NOT EXISTS 'app' WITH LOGIN = true;",
      "CREATE ROLE IF NOT EXISTS 'report' WITH LOGIN = true;",
      `GRANT SELECT ON KEYSPACE "my ""k""" TO 'app';`,
      `GRANT MODIFY ON KEYSPACE "my ""k""" TO 'app';`,
    ])
    expect(lines.filter((line) => line.includes('ADD IDENTITY'))).toEqual([
      "-- ADD IDENTITY IF NOT EXISTS 'spiffe://...' TO ROLE 'app';",
    ])
  })

  it('says nothing of identities before 5.0, which has none', () => {
    expect(cql('4.1', { name: 'a', username: 'app' }).join('\n')).not.toContain('IDENTITY')
  })

  it.each(hostile)('takes %j for a name, in one string of one line', (username) => {
    const lines = cql('5.0', { name: 'a', username, database: username })
    expect(lines).toHaveLength(cql('5.0', { name: 'a', username: 'app', database: 'k' }).length)
    const name = `"${username.replaceAll('"', '""')}"`
    expect(statements(lines)).toEqual([
      `CREATE ROLE IF NOT EXISTS '${username}' WITH LOGIN = true;`,
      `GRANT SELECT ON KEYSPACE ${name} TO '${username}';`,
      `GRANT MODIFY ON KEYSPACE ${name} TO '${username}';`,
    ])
  })

  it('refuses a role that Cassandra cannot make', () => {
    for (const username of ["o'neil", "x'; DROP ROLE cassandra; --", "'".repeat(128)])
      expect(expanded({ engine: 'Cassandra', topology, clients: [{ name: 'a', username }] }).refusals).toMatchObject([
        { field: 'spec.clients[0].username', problem: expect.stringContaining('single quote') },
      ])
  })
})

describe.each([
  ['Redis', '6.0', '8', '8.6'],
  ['Valkey', '7.2', '9', '9.0'],
] as const)('%s', (engine, oldest, vague, knowing) => {
  const clients = [
    { name: 'a', username: 'app', require: 'Subject' },
    { name: 'b', username: 'report', require: 'X509' },
  ]
  const accounts = (version: string, some: readonly object[] = clients): string[] =>
    (filesOf({ engine, version, clients: some })['accounts.txt'] ?? '').trimEnd().split('\n')
  const channels = engine === 'Redis' ? '' : '&* '

  it('has an ACL user for each client, and leaves passwords as they are', () => {
    expect(accounts(oldest)).toEqual([
      `ACL SETUSER app on ~* ${channels}+@all -@admin`,
      `ACL SETUSER report on ~* ${channels}+@all -@admin`,
    ])
    expect(accounts(vague)[0]).toBe('ACL SETUSER app on ~* &* +@all -@admin')
  })

  it('lets nobody have the password of a user who is known by certificate', () => {
    const [known, other] = accounts(knowing)
    expect(known).toBe('ACL SETUSER app on resetpass ~* &* +@all -@admin')
    expect(other).toBe('ACL SETUSER report on ~* &* +@all -@admin')
    const page = filesOf({ engine, version: knowing, clients, connection: { host: 'h' } })['commands.md'] ?? ''
    const [, ofKnown = '', ofOther = ''] = page.split(/^## /m)
    expect(ofKnown).not.toContain('--askpass')
    expect(ofKnown).toContain('rediss://h:6379')
    expect(ofOther).toContain('--user report --askpass')
    expect(ofOther).toContain('rediss://report@h:6379')
  })

  it('gives no user all rights to whoever knows no password', () => {
    for (const version of [oldest, vague, knowing]) expect(accounts(version).join('\n')).not.toContain('nopass')
  })

  it('never takes rights from the user default, who may be the administrator', () => {
    for (const some of [[], [{ name: 'a', username: 'default' }]])
      expect(filesOf({ engine, clients: some })).not.toHaveProperty(['accounts.txt'])
  })

  it.each([
    ['>secret', '">secret"'],
    ["o'neil", `"o'neil"`],
    ['"x\\', String.raw`"\"x\\"`],
    ['\\n+@all', String.raw`"\\n+@all"`],
    ['ä', '"ä"'],
    [longest, longest],
  ])('takes %s for one word', (username, word) => {
    expect(accounts(vague, [{ name: 'a', username }])).toEqual([`ACL SETUSER ${word} on ~* &* +@all -@admin`])
  })

  it('refuses a username of two words, or with a line break', () => {
    for (const username of ['a on nopass', 'a\nCONFIG SET', 'x'.repeat(128)])
      expect(expanded({ engine, topology, clients: [{ name: 'a', username }] }).refusals).toMatchObject([
        { field: 'spec.clients[0].username' },
      ])
  })
})

describe('Elasticsearch', () => {
  const requests = (...clients: readonly object[]): Readonly<Record<string, unknown>> => {
    const text = filesOf({ engine: 'Elasticsearch', clients })['accounts.console'] ?? ''
    return Object.fromEntries(
      [...text.matchAll(/^PUT (\S+)\n(.*)\n/gm)].map(([, path = '', body = '']) => [path, JSON.parse(body)]),
    )
  }

  it('has a role for each certificate, mapped to its subject in the realm of certificates', () => {
    expect(requests({ name: 'a', username: 'app' }, { name: 'b', username: 'report', require: 'TLS' })).toEqual({
      '/_security/role/orders-a': { indices: [{ names: ['app'], privileges: ['all'] }] },
      '/_security/role_mapping/orders-a': {
        enabled: true,
        roles: ['orders-a'],
        rules: { all: [{ field: { 'realm.name': 'pki1' } }, { field: { dn: 'CN=app' } }] },
      },
    })
    const files = filesOf({ engine: 'Elasticsearch', clients: [{ name: 'a', require: 'TLS' }] })
    expect(files).not.toHaveProperty(['accounts.console'])
    expect(
      parse(filesOf({ engine: 'Elasticsearch', clients: [{ name: 'a' }] })['elasticsearch.yml'] ?? ''),
    ).toHaveProperty(['xpack.security.authc.realms.pki.pki1.order'])
  })

  it('gives rights on no index to a user who is called like none', () => {
    for (const username of ['_all', '-x', '.security', '@', 'A'])
      expect(requests({ name: 'a', username })['/_security/role/orders-a']).toEqual({ indices: [] })
  })

  it.each(['a"b', 'a\\', '*', 'a,b', 'a/b', "o'neil"])('refuses %j, which would mean more than a name', (username) => {
    const { refusals } = expanded({ engine: 'Elasticsearch', topology, clients: [{ name: 'a', username }] })
    expect(refusals).toMatchObject([{ field: 'spec.clients[0].username' }])
  })

  it('writes the subject that the CA makes of it, whatever that holds', () => {
    const policy = { subject: { organizations: 'Match' as const } }
    const subject = distinguishedName({ organizations: ['Ac"me, \\ Inc.'] })
    const { configMap } = expanded(
      { engine: 'Elasticsearch', topology, clients: [{ name: 'app' }] },
      { authority: { subject, selfSigned: true, policy } },
    )
    const [, mapping = ''] =
      /^PUT \/_security\/role_mapping\/orders-app\n(.*)$/m.exec(configMap?.data['accounts.console'] ?? '') ?? []
    expect(JSON.parse(mapping).rules.all).toContainEqual({ field: { dn: String.raw`CN=app,O=Ac\"me\, \\ Inc.` } })
  })
})
