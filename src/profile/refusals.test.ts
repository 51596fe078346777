/** Bad input: what is refused names field and cure, costs nothing else, and is written into no file. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import type { DatabaseTLSProfile } from '../resources/database-tls-profile.ts'
import { expand } from './expand.ts'
import type { Expansion, Known } from './expansion.ts'
import { sentence } from './findings.ts'
import { authority, engines, exampleOf, expanded, profileOf, storedOf, topology } from './profile.fixture.ts'

const label = 'a'.repeat(63)
const client = (more: object) => ({ engine: 'MySQL', topology, clients: [{ name: 'app', ...more }] })

describe('each refusal names field and cure', () => {
  it.each<[string, object, string, RegExp, Known?]>([
    ['a version that is none', { engine: 'MySQL', topology, version: 'latest' }, 'spec.version', /no version/],
    ['an old version', { engine: 'MySQL', topology, version: '5.6' }, 'spec.version', /MySQL 5.6 is not known/],
    ['a version to come', { engine: 'PostgreSQL', topology, version: '99' }, 'spec.version', /not known/],
    ['Cassandra without PEM', { engine: 'Cassandra', topology, version: '4.0' }, 'spec.version', /4.0 is not known/],
    ['no names at all', { engine: 'MySQL' }, 'spec.topology', /names no server/],
    [
      'a component without names',
      { engine: 'TiDB', topology, components: [{ name: 'pd' }] },
      'spec.components[0]',
      /names no server/,
    ],
    [
      'a host that is none',
      { engine: 'MySQL', topology, connection: { host: 'db:3306' } },
      'spec.connection.host',
      /":"/,
    ],
    ['no host of a managed server', { engine: 'External' }, 'spec.connection.host', /known by it alone/],
    [
      'a cluster domain that is none',
      { engine: 'MySQL', topology: { services: ['a'], clusterDomain: 'a b' } },
      'spec.topology.clusterDomain',
      /space/,
    ],
    [
      'a pod name too long',
      { engine: 'MySQL', topology: { statefulSet: { name: label } } },
      'spec.topology.statefulSet.name',
      /63/,
    ],
    [
      'too many pods',
      { engine: 'MySQL', topology: { statefulSet: { name: 'a', replicas: 999 } } },
      'spec.topology.statefulSet.replicas',
      /999/,
    ],
    [
      'too many pods of a component',
      { engine: 'TiDB', topology, components: [{ name: 'pd', statefulSet: { name: 'a', replicas: 999 } }] },
      'spec.components[0].statefulSet.replicas',
      /999/,
    ],
    [
      'a certificate for each of more pods than anybody has',
      {
        engine: 'MySQL',
        topology: { ...topology, certificatePer: 'Pod' },
        components: [1, 2, 3].map((at) => ({ name: `c${at}`, statefulSet: { name: `c${at}`, replicas: 999 } })),
      },
      'spec.topology.certificatePer',
      /3000 pods/,
    ],
    [
      'a key in the wrong form for Kafka',
      { engine: 'Kafka', topology, server: { privateKey: { encoding: 'SEC1' } } },
      'spec.server.privateKey',
      /PKCS #8/,
    ],
    [
      'a key in the wrong form for OpenSearch',
      { engine: 'OpenSearch', topology, server: { privateKey: { algorithm: 'RSA', encoding: 'PKCS1' } } },
      'spec.server.privateKey',
      /PKCS #8/,
    ],
    [
      'a key in the wrong form for Cassandra',
      { engine: 'Cassandra', topology, server: { privateKey: { encoding: 'SEC1' } } },
      'spec.server.privateKey',
      /PKCS #8/,
    ],
    [
      'Galera under an intermediate',
      { engine: 'MariaDB', topology, components: [{ name: 'galera' }] },
      'spec.authorityRef',
      /MDEV-35812/,
      { authority: { ...authority, selfSigned: false } },
    ],
    [
      'a policy that allows nothing',
      { engine: 'MySQL', topology },
      'spec.topology',
      /allows none/,
      { authority: { ...authority, policy: { allowedDNSNames: [], allowedIPRanges: [] } } },
    ],
    [
      'a CA for clients of a group',
      { engine: 'MySQL', topology, components: [{ name: 'group-replication' }], clientAuthorityRef: { name: 'x' } },
      'spec.clientAuthorityRef',
      /one file/,
    ],
    ['a line break in a username', client({ username: 'a\nb' }), 'spec.clients[0].username', /control character/],
    ['a NUL in a username', client({ username: 'a\0b' }), 'spec.clients[0].username', /control character/],
    ['half a character', client({ username: '\ud800' }), 'spec.clients[0].username', /Unicode/],
    ['an empty username', client({ username: '' }), 'spec.clients[0].username', /empty/],
    ['blanks around a username', client({ username: ' app' }), 'spec.clients[0].username', /blank/],
    [
      'a host that TiDB takes for another one',
      { engine: 'TiDB', topology, clients: [{ name: 'app', host: '@%' }] },
      'spec.clients[0].host',
      /drops the "@"/,
    ],
    ['a line break in a host', client({ host: '%\n' }), 'spec.clients[0].host', /control character/],
    ['a line break in a database', client({ database: 'a\nb' }), 'spec.clients[0].database', /control character/],
    [
      'a line break in the database of all',
      { ...client({}), connection: { database: 'a\rb' } },
      'spec.connection.database',
      /control character/,
    ],
    ['a user too long for MySQL', client({ username: 'u'.repeat(33) }), 'spec.clients[0].username', /32/],
    ['a user beyond the basic plane', client({ username: '\u{1f4a9}' }), 'spec.clients[0].username', /U\+FFFF/],
    [
      'a role too long for PostgreSQL',
      { ...client({ username: 'ä'.repeat(32) }), engine: 'PostgreSQL' },
      'spec.clients[0].username',
      /63 bytes/,
    ],
    [
      'a role that is a regular expression',
      { ...client({ username: '/.*' }), engine: 'PostgreSQL' },
      'spec.clients[0].username',
      /regular expression/,
    ],
    [
      'a database that is a regular expression',
      { ...client({ database: '/.*' }), engine: 'PostgreSQL' },
      'spec.clients[0].database',
      /regular expression/,
    ],
    [
      'the user node',
      { ...client({ username: 'node' }), engine: 'CockroachDB' },
      'spec.clients[0].username',
      /servers themselves/,
    ],
    [
      'a user that is no file name',
      { ...client({ username: 'A/b' }), engine: 'CockroachDB' },
      'spec.clients[0].username',
      /common name/,
    ],
    [
      'a user that is no element',
      { ...client({ username: 'a.b' }), engine: 'ClickHouse' },
      'spec.clients[0].username',
      /common name/,
    ],
    [
      'a user that Kafka would cut',
      { ...client({ username: 'a,b' }), engine: 'Kafka' },
      'spec.clients[0].username',
      /common name/,
    ],
    [
      'a user too long for a common name',
      { ...client({ username: 'u'.repeat(65) }), engine: 'Etcd' },
      'spec.clients[0].username',
      /64/,
    ],
    ['an issuer for Redis', { ...client({ require: 'Issuer' }), engine: 'Redis' }, 'spec.clients[0].require', /one CA/],
    [
      'plain connections to CockroachDB',
      { ...client({ require: 'None' }), engine: 'CockroachDB' },
      'spec.clients[0].require',
      /TLS connections alone/,
    ],
    [
      'no certificate for etcd',
      { ...client({ require: 'TLS' }), engine: 'Etcd' },
      'spec.clients[0].require',
      /every client/,
    ],
    [
      'a subject that a managed server is not shown',
      { engine: 'External', connection: { host: 'db.example.com' }, clients: [{ name: 'app', require: 'Subject' }] },
      'spec.clients[0].require',
      /shown no certificate/,
    ],
    [
      'a reload of a managed server',
      { engine: 'External', connection: { host: 'db.example.com' }, reload: { strategy: 'Rollout' } },
      'spec.reload.strategy',
      /nothing to reload/,
    ],
    [
      'SQL where there is no statement',
      { engine: 'Kafka', topology, reload: { strategy: 'SQL', credentialsSecretRef: { name: 'a' } } },
      'spec.reload.strategy',
      /no statement/,
    ],
    [
      'SQL before MySQL 8.0.16',
      { engine: 'MySQL', version: '5.7', topology, reload: { strategy: 'SQL', credentialsSecretRef: { name: 'a' } } },
      'spec.reload.strategy',
      /no statement/,
    ],
    [
      'a client with the Secret of the server',
      client({ secretName: 'orders-server-tls' }),
      'spec.clients[0].secretName',
      /one of server/,
    ],
    [
      'a client with the name of the server',
      { engine: 'MySQL', topology, clients: [{ name: 'server' }] },
      'spec.clients[0].name',
      /one of server/,
    ],
    [
      'a client with the name of a component',
      { engine: 'MariaDB', topology, components: [{ name: 'galera' }], clients: [{ name: 'galera' }] },
      'spec.clients[0].name',
      /one of galera/,
    ],
    [
      'an issuer whose text is uncertain',
      client({ require: 'Issuer' }),
      'spec.clients[0].require',
      /OpenSSL/,
      { authority: { subject: Uint8Array.from(Buffer.from('300f310d300b06035504030c04612f622b', 'hex')) } },
    ],
  ])('%s', (_, spec, field, problem, known = { authority }) => {
    // Admission refuses some of them already.
    const { refusals } = expand(storedOf(spec), known)
    const found = refusals.find((one) => one.field === field)
    expect(refusals.map(sentence)).not.toEqual([])
    expect(found, JSON.stringify(refusals)).toBeDefined()
    expect(found?.problem).toMatch(problem)
    expect(found?.cure).not.toBe('')
    // What the API server would have refused has a field of its own there; nobody else is blamed.
    expect(refusals.every((one) => one.field.startsWith('spec.') || one.field.startsWith('metadata.'))).toBe(true)
  })

  it.each(['MongoDB', 'OpenSearch', 'Kafka'])('a name too long for %s', (engine) => {
    const profile = profileOf({ engine, topology }, { name: 'n'.repeat(70) })
    const { refusals } = expand(profile, { authority })
    expect(refusals.map(({ field }) => field)).toContain('metadata.name')
    for (const { field, cure } of refusals)
      expect([field, cure]).toEqual(['metadata.name', expect.stringMatching(/short/)])
  })

  it('names that are too long put together', () => {
    const profile = profileOf(
      { engine: 'MySQL', topology, clients: [{ name: label, username: 'app' }] },
      { name: 'n'.repeat(246) },
    )
    const { refusals, certificates } = expand(profile, { authority })
    expect(certificates).toEqual([])
    expect(refusals.map(({ field }) => field)).toEqual([
      'spec.server.secretName',
      'spec.clients[0].name',
      'spec.config.configMapName',
    ])
  })

  it.each(engines)(
    'a database that no file of %s could hold, where there is no client or none that is not refused',
    (engine) => {
      const { clients: _, ...example } = exampleOf(engine)
      for (const clients of [[], [{ name: 'app', require: engine === 'Etcd' ? 'X509' : 'TLS' }]])
        for (const database of ['a\n```\n# evil', 'a\0', '\ud800', ' a', '']) {
          const connection = { ...(example['connection'] as object), database }
          const { refusals, configMap } = expanded({ ...example, connection, clients })
          expect(refusals.map(({ field }) => field)).toEqual(['spec.connection.database'])
          expect(JSON.stringify(configMap?.data)).not.toContain('evil')
        }
    },
  )

  it.each([
    ['Kafka', 'orders'],
    ['TiDB', 'TiDB'],
    ['CockroachDB', 'node'],
  ])('a client of %s that would be taken for a server', (engine, username) => {
    const { refusals, certificates } = expanded({ engine, topology, clients: [{ name: 'app', username }] })
    expect(refusals).toMatchObject([{ field: 'spec.clients[0].username', cure: 'choose another username' }])
    expect(certificates.filter(({ part }) => part === 'client')).toEqual([])
  })

  it.each(['MySQL', 'MariaDB', 'TiDB', 'MongoDB', 'Cassandra', 'ZooKeeper'])(
    'a client of %s whose certificate would be that of another user',
    (engine) => {
      // The second one's user is no common name, so its own name would be.
      const both = [
        { name: 'x', username: 'app' },
        { name: 'app', username: 'wéird!' },
      ]
      for (const clients of [both, both.toReversed()]) {
        const { refusals, certificates } = expanded({ engine, topology, clients })
        expect(refusals).toMatchObject([
          { field: 'spec.clients[1].username', problem: expect.stringContaining('"app"') },
        ])
        expect(certificates.filter(({ part }) => part === 'client')).toHaveLength(1)
      }
      // One user of two clients is meant.
      const { refusals } = expanded({ engine, topology, clients: [both[0], { name: 'y', username: 'app' }] })
      expect(refusals).toEqual([])
    },
  )

  it.each(['MySQL', 'MariaDB', 'TiDB', 'PostgreSQL'])('two demands of one account of %s', (engine) => {
    const two = (more: object) =>
      expanded({
        engine,
        topology,
        clients: [
          { name: 'a', username: 'app', require: 'Subject' },
          { name: 'b', username: 'app', require: 'None', ...more },
        ],
      })
    const { refusals, configMap } = two({})
    expect(refusals).toMatchObject([{ field: 'spec.clients[1].require', cure: expect.stringContaining('set Subject') }])
    expect(Object.values(configMap?.data ?? {}).join('\n')).not.toMatch(/REQUIRE NONE|^host all "app"/m)
    for (const more of [{ require: 'Subject' }, { username: 'other' }]) expect(two(more).refusals).toEqual([])
    if (engine !== 'PostgreSQL') expect(two({ host: '10.0.0.%' }).refusals).toEqual([])
  })

  it('a username that etcdctl would take for an option', () => {
    const { refusals } = expanded({
      engine: 'Etcd',
      topology,
      clients: [{ name: 'a', username: '--new-user-password=x' }],
    })
    expect(refusals).toMatchObject([{ field: 'spec.clients[0].username', problem: expect.stringContaining('"-"') }])
  })

  it('what no schema has looked at', () => {
    const profile = profileOf({ engine: 'MySQL', topology })
    const broken = { ...profile, spec: { ...profile.spec, mountPath: '/a\nb' } } as DatabaseTLSProfile
    const expansion = expand(broken, { authority })
    expect(expansion.refusals).toMatchObject([{ field: 'spec.mountPath' }])
    expect(expansion.configMap).toBeUndefined()
    expect(expansion.certificates).toHaveLength(1)
  })
})

describe('what looks odd and is not refused', () => {
  it('a username that begins with a dash, which cqlsh is told as one word with its option', () => {
    const { refusals, configMap } = expanded({
      engine: 'Cassandra',
      topology,
      clients: [{ name: 'a', username: '-e' }],
    })
    expect(refusals).toEqual([])
    expect(configMap?.data['commands.md']).toMatch(/^cqlsh .* --username=-e$/m)
  })
  it('two clients of ClickHouse that are one user, who stands there once', () => {
    const clients = ['a', 'b'].map((name) => ({ name, username: 'app' }))
    const { configMap } = expanded({ engine: 'ClickHouse', topology, clients })
    expect(configMap?.data['users.xml']?.match(/<app>/g)).toHaveLength(1)
  })
})

describe('what is refused costs nothing else', () => {
  it('one client in vain leaves the others', () => {
    const expansion = expanded({
      engine: 'MySQL',
      topology,
      clients: [{ name: 'bad', username: 'a\nb' }, { name: 'good' }],
    })
    expect(expansion.certificates.map(({ name }) => name)).toEqual(['orders-server', 'orders-good'])
    expect(expansion.configMap?.data['accounts.sql']).toContain("'good'@'%'")
  })

  it('a version that is not known leaves the certificates', () => {
    const expansion = expanded({ engine: 'MySQL', topology, version: '99', clients: [{ name: 'app' }] })
    expect(expansion.certificates).toHaveLength(2)
    expect(expansion.configMap).toBeUndefined()
  })
})

describe('names never collide', () => {
  const name = fc.constantFrom('server', 'app', 'galera', 'server-0', 'tls', 'server-ca', 'a')
  const secretName = fc.option(
    fc.constantFrom('orders-server-tls', 'orders-server-tls-0', 'orders-app-tls', 'orders-galera-tls', 'x'),
    { nil: undefined },
  )
  const some = fc.record({
    clients: fc.uniqueArray(fc.record({ name, secretName }), { selector: (one) => one.name, maxLength: 7 }),
    components: fc.uniqueArray(name, { maxLength: 4 }),
    certificatePer: fc.constantFrom('Cluster', 'Pod'),
    secretName,
    configMapName: fc.constantFrom('orders-server-ca', 'orders-client-ca', 'orders-tls-config'),
  })

  it('and whoever comes second is told so', () => {
    fc.assert(
      fc.property(some, ({ clients, components, certificatePer, configMapName, ...server }) => {
        const wanted = clients.map(({ secretName: given, ...one }) =>
          given === undefined ? one : { ...one, secretName: given },
        )
        const expansion = expanded({
          engine: 'MariaDB',
          topology: { ...topology, certificatePer },
          server: server.secretName === undefined ? {} : server,
          clients: wanted,
          components: components.map((one) => ({ name: one, services: [one] })),
          clientAuthorityRef: { name: 'clients-ca' },
          config: { configMapName },
        })
        const distinct = (names: readonly string[]) => expect(new Set(names).size).toBe(names.length)
        distinct(expansion.certificates.map((one) => one.name))
        distinct(expansion.certificates.map((one) => one.spec.secret.name))
        distinct([
          ...expansion.trust.map((one) => one.name),
          ...(expansion.configMap === undefined ? [] : [expansion.configMap.name]),
        ])
        const pods = certificatePer === 'Pod' ? 3 : 1
        const asked =
          pods +
          clients.length +
          components.length +
          (certificatePer === 'Pod' && components.includes('galera') ? 2 : 0)
        if (expansion.certificates.length < asked) expect(expansion.refusals).not.toEqual([])
      }),
    )
  })
})

describe('text of users changes no file but where it stands', () => {
  const nasty = fc.oneof(
    fc.constantFrom(
      "o'neil",
      '"',
      '`',
      "x'; DROP USER root; --",
      String.raw`a\ `.trim() + String.raw`\x`,
      '$(id)',
      '${x}',
      'a#b',
      'a:b@c/d?e=f&g',
      '```',
      '<x>&',
      '*/',
      '-- x',
      'x'.repeat(32),
      '%',
      'ä€',
      'all',
      '__proto__',
      'constructor',
      '\u2028',
      '|',
      '=',
      '/x',
    ),
    fc.string({
      unit: fc.constantFrom("'", '"', '`', '\\', '#', ' ', 'a', 'ä', '/', '@', '$', '{', '\n', '\0', ';', '&'),
      minLength: 1,
      maxLength: 60,
    }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
  )
  const shape = ({ configMap }: Expansion) =>
    Object.fromEntries(
      Object.entries(configMap?.data ?? {})
        .filter(([key]) => !key.startsWith('report.'))
        .map(([key, text]) => [key, text.split(/\r\n|[\n\r\u0085\u2028\u2029]/).length]),
    )
  const keysOf = (value: unknown): unknown =>
    typeof value !== 'object' || value === null
      ? typeof value
      : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, keysOf(one)]))

  it.each(engines)('%s', (engine) => {
    const certified = ['Etcd', 'External'].includes(engine) ? {} : { require: 'X509' }
    const of = (more: object) =>
      expanded({ ...exampleOf(engine), clients: [{ name: 'app', database: 'd', java: true, ...certified, ...more }] })
    const plain = of({ username: 'app', host: 'h' })
    fc.assert(
      fc.property(nasty, nasty, nasty, (username, database, host) => {
        const expansion = of({ username, database: database.slice(0, 128), host })
        if (expansion.refusals.length > 0) {
          for (const { field, cure } of expansion.refusals) {
            expect(field).toMatch(/^spec\.clients\[0\]\.(username|database|host)$/)
            expect(cure).not.toBe('')
          }
          return
        }
        expect(shape(expansion)).toEqual(shape(plain))
        for (const [key, text] of Object.entries(expansion.configMap?.data ?? {}).filter(([name]) =>
          /ya?ml$/.test(name),
        ))
          expect(keysOf(parseYaml(text))).toEqual(keysOf(parseYaml(plain.configMap?.data[key] ?? '')))
        for (const uri of (expansion.configMap?.data['commands.md'] ?? '').match(
          /(mongodb|rediss|postgresql):\/\/[^\s'`]*/g,
        ) ?? []) {
          const parsed = new URL(uri)
          if (parsed.username !== '') expect(decodeURIComponent(parsed.username)).toBe(username)
          expect(parsed.hostname).toBe('orders.example.com')
        }
      }),
      { numRuns: 300 },
    )
  })
})
