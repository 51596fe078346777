/** Cassandra as a profile has it: between nodes, towards clients, and what becomes of a pair that does not belong together. */
import { join } from 'node:path'
import { auth, Client, type errors } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight, Target } from '../../src/database/connect/sight.ts'
import { makeAuthority, makePair, pemOf } from '../../src/database/connect/testing.ts'
import { certificatesOf } from '../../src/pki/encoding/pem.ts'
import { expanded } from '../../src/profile/profile.fixture.ts'
import { secrets } from '../../src/resources/core.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { cassandraPorts, cassandraTools, cassandraVersion, installCassandra, startNode } from './harness/cassandra.ts'
import { inTheClear } from './harness/clear.ts'
import { ClientLoops } from './harness/client-loop.ts'
import { ConfigFolder, fencedBlocks } from './harness/config-folder.ts'
import { ProfileWorld } from './harness/profile.ts'
import type { Server } from './harness/server.ts'

const cassandra = await installCassandra()
const options = { clock: systemClock(), totalMs: 60_000 }
const reaper = new Reaper()
/** What SpiffeCertificateValidator takes for an identity. */
const identity = 'spiffe://orders.example/client/app'

type Contents = Readonly<Record<string, Buffer>>
/** OPTIONS of CQL 5; the magic number that begins a connection between nodes. */
const optionsRequest = Buffer.from('050000000500000000', 'hex')
const messagingPreamble = Buffer.from('ca552dfa', 'hex')

const pairOf = (files: Contents): ClientCertificate => ({
  chain: files['tls.crt']?.toString() ?? '',
  key: files['tls.key']?.toString() ?? '',
})

describe.skipIf(cassandra === undefined)(`Cassandra ${cassandraVersion}`, () => {
  let world: ProfileWorld
  let node: Server
  let start: (more: string, isHasty?: boolean) => Promise<Server>
  let ports: Awaited<ReturnType<typeof cassandraPorts>>
  let app: ConfigFolder
  let secret: Contents
  /** Of the CA that was before. */
  let replaced: Contents
  beforeAll(async () => {
    if (cassandra === undefined) return
    ports = await cassandraPorts()
    const spec = {
      engine: 'Cassandra',
      topology: { services: ['orders'] },
      connection: { host: 'localhost', port: ports.port },
      clients: [{ name: 'app', java: true }],
    }
    world = await ProfileWorld.start({ spec, reaper })
    const folder = join(world.folder, 'node')
    const tools = cassandraTools(cassandra, join(world.folder, 'tools'), folder, ports.jmxPort)
    app = new ConfigFolder(join(world.folder, 'app-config'), world.client('app').files, tools)
    secret = await secretOf('orders-app-tls')
    const configuration = world.server.files['cassandra.yaml'] ?? ''
    start = (more, isHasty = false) => startNode({ ...ports, cassandra, folder, configuration, more, isHasty, reaper })
    node = await start('authenticator: PasswordAuthenticator\n')
  })
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })

  const secretOf = async (name: string): Promise<Contents> => {
    const { data = {} } = await world.cluster.get(secrets, { namespace: 'data', name })
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  }
  const target = (port = ports.port): Target => ({
    ...{ address: '127.0.0.1', port, dialect: 'cassandra', serverName: 'localhost' },
    roots: certificatesOf(secret['ca.crt']?.toString() ?? ''),
  })
  const look = (certificate: ClientCertificate | undefined = pairOf(secret)): Promise<Sight> =>
    probe(target(), { ...options, certificate })
  const serves = (serial: string): Promise<Sight> =>
    eventually(`it to serve ${serial}`, async () => {
      const sight = await look()
      return sight.outcome === 'Accepted' && sight.served?.serialNumber === serial && sight
    })
  const driver = (
    files: Contents,
    ssl: object = {},
    [user, password]: readonly [string, string] = ['app', 'secret'],
  ): Client =>
    new Client({
      ...{ contactPoints: [`127.0.0.1:${ports.port}`], protocolOptions: { port: ports.port } },
      ...{ localDataCenter: 'datacenter1', authProvider: new auth.PlainTextAuthProvider(user, password) },
      sslOptions: {
        ca: files['ca.crt'],
        cert: files['tls.crt'],
        key: files['tls.key'],
        rejectUnauthorized: true,
        ...ssl,
      },
    })
  /** Who it is to the server. */
  const whoami = async (client: Client): Promise<string> => {
    try {
      const { rows } = await client.execute('SELECT username FROM system_views.clients')
      return String(rows[0]?.['username'])
    } finally {
      await client.shutdown()
    }
  }
  /** Of the only host that was tried. */
  const refusal = async (client: Client): Promise<string> => {
    try {
      await client.connect()
      return ''
    } catch (error) {
      return Object.values((error as errors.NoHostAvailableError).innerErrors ?? {})
        .map((one) => String(one))
        .join()
    } finally {
      await client.shutdown()
    }
  }
  const page = (): string => world.client('app').files['commands.md'] ?? ''
  const select = `-e "SELECT username, ssl_enabled FROM system_views.clients"`
  const reload = async (): Promise<void> => {
    const line = fencedBlocks(page(), 'sh').find((one) => one.startsWith('nodetool')) ?? ''
    await app.must(line)
  }

  it('lets in cqlsh and drivers of Java and Node with the files of the profile', async () => {
    const [cqlsh = ''] = fencedBlocks(page(), 'sh')
    const administrator = cqlsh.replace('--username=app', '--username=cassandra -p cassandra')
    await eventually(
      'the administrator to be there',
      async () => (await app.shell(`${administrator} -f accounts.cql`)).code === 0,
    )
    const secretly = `ALTER ROLE app WITH PASSWORD = 'secret'; ADD IDENTITY '${identity}' TO ROLE 'app'`
    await app.must(`${administrator} -e "${secretly}"`)
    const wild = ['x"; DROP ROLE app; --', 'a "b" \\', '$$', 'x'.repeat(128)]
    const clients = wild.map((username, at) => ({ name: `wild-${at}`, username }))
    const profile = { engine: 'Cassandra', topology: { services: ['orders'] }, clients }
    app.write('wild.cql', expanded(profile).configMap?.data['accounts.cql'] ?? '')
    await app.must(`${administrator} -f wild.cql`)
    // cqlsh shows a backslash as two.
    const roles = (await app.must(`${administrator} -e "SELECT role FROM system_auth.roles"`)).replaceAll('\\\\', '\\')
    for (const role of ['app', ...wild]) expect(roles.split('\n').map((line) => line.trim())).toContain(role)
    expect(await app.must(`${cqlsh} -p secret ${select}`)).toMatch(/app \|\s+True/)
    app.write('application.conf', fencedBlocks(page(), 'hocon')[0] ?? '')
    const java = `cql-java localhost ${ports.port} app secret "SELECT username FROM system_views.clients"`
    expect(await app.must(`KEYSTORE_PASSWORD=${secret['keystore-password']?.toString()} ${java}`)).toBe('app\n')
    expect(await whoami(driver(secret))).toBe('app')
    for (const tlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const sight = await probe(target(), { ...options, tlsVersion, certificate: pairOf(secret) })
      expect(sight).toMatchObject({ outcome: 'Accepted', tlsVersion, offered: true, problems: [] })
    }
  })

  it('refuses who comes in the clear, without a certificate, or with one of another CA, and is refused', async () => {
    const stranger = await makeAuthority('Orders CA')
    const wrong = await makePair(stranger, 'Client')
    // certificate_required; internal_error, which is what netty makes of a chain that leads nowhere.
    const [bare, foreign] = [116, 80].map((alert) => ({ outcome: 'Refused', alert, requested: true }))
    expect(await probe(target(), options)).toMatchObject({ ...bare, offered: false })
    expect(await look(wrong)).toMatchObject({ ...foreign, offered: true })
    const between: Target = { ...target(ports.storagePort), dialect: 'plain' }
    expect(await probe(between, options)).toMatchObject({ ...bare, offered: false })
    expect(await probe(between, { ...options, certificate: wrong })).toMatchObject({ ...foreign, offered: true })
    expect(node.logs()).toMatch(/InboundConnectionInitiator Listening .* encryption: encrypted/)
    expect(await refusal(driver(secret, { servername: 'other.test' }))).toContain('Host: other.test')
    expect(await refusal(driver({ ...secret, 'ca.crt': Buffer.from(pemOf(stranger)) }))).toContain(
      'unable to verify the first certificate',
    )
    const { protocolOptions, contactPoints } = { protocolOptions: { port: ports.port }, contactPoints: ['127.0.0.1'] }
    const plain = new Client({ contactPoints, protocolOptions, localDataCenter: 'datacenter1' })
    expect(await refusal(plain)).toBe('Error: read ECONNRESET')
    expect(await inTheClear(ports.port, optionsRequest), 'not a byte').toBe('')
    expect(await inTheClear(ports.storagePort, messagingPreamble), 'not a byte').toBe('')
  })

  it('takes up renewed files by the command of commands.md, and never half of a pair, while clients go on', async () => {
    await using clients = await ClientLoops.start(() => ({ target: target(), certificate: pairOf(secret) }))
    const former = await world.serial('server')
    await world.renew('server')
    await world.deliver()
    expect((await look()).served?.serialNumber, 'delivered is not loaded').toBe(former)
    await reload()
    await serves(await world.serial('server'))
    // The volume changes while it reads.
    const reading = reload()
    for (let turn = 0; turn < 5; turn += 1) {
      await world.renew('server')
      await world.deliver()
    }
    await reading
    await reload()
    await serves(await world.serial('server'))
    await clients.goOn()
    expect(await clients.stop()).toEqual([])
  })

  it('follows another CA of the same name in three steps that no client notices', async () => {
    replaced = secret
    await using clients = await ClientLoops.start(() => ({ target: target(), certificate: pairOf(secret) }))
    for (const stage of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(stage)
      const renewed = await secretOf('orders-app-tls')
      // What signs clients next is trusted since the stage before.
      expect(await look(pairOf(renewed))).toMatchObject({ outcome: 'Accepted' })
      secret = renewed
      await world.deliver()
      await reload()
      await serves(await world.serial('server'))
    }
    await clients.goOn()
    expect(await clients.stop()).toEqual([])
    expect(await look(pairOf(replaced))).toMatchObject({ outcome: 'Refused', alert: 80, offered: true })
  })

  /** Brings a new certificate into the volume, with the key of the last one. */
  const renewHalf = async (): Promise<void> => {
    const before = await secretOf('orders-server-tls')
    await world.renew('server')
    const next = await secretOf('orders-server-tls')
    const mixed = `${before['tls.key']?.toString()}${next['tls.crt']?.toString()}`
    world.server.volume.write({ ...next, 'tls.pem': mixed })
  }

  it('serves nobody where key and certificate do not belong together, says nothing, and the probe does', async () => {
    await renewHalf()
    await reload()
    const sight = await eventually('it to be read', async () => {
      const seen = await look()
      return seen.outcome !== 'Accepted' && seen
    })
    expect(sight, 'internal_error').toMatchObject({ alert: 80 })
    await world.deliver()
    await reload()
    await serves(await world.serial('server'))
  })

  it('reads renewed files and CAs by itself, and half of a pair as well', async () => {
    await node[Symbol.asyncDispose]()
    node = await start('authenticator: PasswordAuthenticator\n', true)
    await using clients = await ClientLoops.start(() => ({ target: target(), certificate: pairOf(secret) }))
    expect(await look(pairOf(replaced))).toMatchObject({ outcome: 'Refused', alert: 80, offered: true })
    await world.renew('server')
    await world.deliver()
    await serves(await world.serial('server'))
    // The CA that went comes back into its truststore.
    await world.trust('NextSigns')
    await world.deliver()
    await eventually('it to trust both', async () => (await look(pairOf(replaced))).outcome === 'Accepted')
    await clients.goOn()
    expect(await clients.stop()).toEqual([])
    await renewHalf()
    await eventually('it to be read', async () => (await look()).alert === 80)
    await world.deliver()
    await serves(await world.serial('server'))
  })

  it('knows a client by the identity in its certificate where it is told to', async () => {
    const object = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata: { name: 'identified' } }
    const spec = {
      authorityRef: { name: 'orders-ca' },
      role: 'Client',
      uris: [identity],
      secret: { name: 'identified-tls' },
    }
    await world.apply({ ...object, spec: { ...spec, subject: { commonName: 'anybody' } } })
    const files = await eventually('its Secret', () => secretOf('identified-tls'))
    await node[Symbol.asyncDispose]()
    node = await start(
      'authenticator:\n  class_name: org.apache.cassandra.auth.MutualTlsAuthenticator\n  parameters:\n    validator_class_name: org.apache.cassandra.auth.SpiffeCertificateValidator\n',
    )
    const nobody = ['nobody', 'nothing'] as const
    expect(await eventually('it to let the client in', () => whoami(driver(files, {}, nobody)))).toBe('app')
    expect(await refusal(driver(secret, {}, nobody))).toMatch(
      /Unable to extract Spiffe|Bad credentials|not authorized|AuthenticationError/i,
    )
  })
})
