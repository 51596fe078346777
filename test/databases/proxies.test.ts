/**
 * PgBouncer, HAProxy and stunnel with certificates of the operator, in front of PostgreSQL and Redis of a profile, or of a server
 * that knows no TLS: who is let in, what is served after a renewal, and what a pair that is none does.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, Socket, type AddressInfo } from 'node:net'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import type { Sight, Target } from '../../src/database/connect/sight.ts'
import { makeAuthority, makePair, type Pair } from '../../src/database/connect/testing.ts'
import type { Item } from '../../src/resources/secret-items.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { Database } from './harness/database.ts'
import { haproxy } from './harness/haproxy.ts'
import type { Product } from './harness/install.ts'
import { pgbouncer } from './harness/pgbouncer.ts'
import { ProfileWorld } from './harness/profile.ts'
import { Proxy, type ProxyProgram, type Upstream } from './harness/proxy.ts'
import { rootsOf, Standalone } from './harness/standalone.ts'
import { stunnelClient, stunnelServer } from './harness/stunnel.ts'

const reaper = new Reaper()
const name = 'proxy.data.svc'
const pem: Item[] = [
  { key: 'tls.crt', content: 'CertificateChain' },
  { key: 'tls.key', content: 'PrivateKey', encoding: 'PKCS8' },
  { key: 'ca.crt', content: 'TrustBundle' },
]
const combined = (content: 'ChainThenKey' | 'KeyThenChain'): Item[] => [
  ...pem,
  { key: 'tls.pem', content, encoding: 'PKCS8' },
]

const disposables = new AsyncDisposableStack()
afterAll(() => disposables.disposeAsync())

/** A profile with the client `app`, and the server started from it; undefined where it cannot be had here. */
const behind = async (product: Product, engine: string): Promise<{ world: ProfileWorld; server?: Database }> => {
  const port = await freePort()
  const world = disposables.use(
    await ProfileWorld.start({
      spec: {
        ...{ engine, topology: { services: ['orders'] }, connection: { host: 'orders.data.svc', port } },
        clients: [{ name: 'app', username: 'app', require: 'Subject' }],
      },
      reaper,
    }),
  )
  const { volume, files } = world.server
  const server = await Database.start(product, volume, reaper, { port, config: files })
  return server === undefined ? { world } : { world, server: disposables.use(server) }
}

interface Scenario {
  readonly world: ProfileWorld
  /** Of the proxy, for its clients. */
  readonly certificate: Standalone
  readonly proxy: Proxy
  readonly dialect: Target['dialect']
}

const stage = async (
  world: ProfileWorld,
  program: ProxyProgram,
  items: readonly Item[],
  upstream: Upstream,
  dialect: Target['dialect'],
): Promise<Scenario | undefined> => {
  const slug = program.name.toLowerCase().replaceAll(' ', '-')
  const certificate = await Standalone.issue(world, slug, { role: 'Server', dnsNames: [name], items: [...items] })
  const answers = async (port: number): Promise<boolean> =>
    (await probe({ address: '127.0.0.1', port, dialect }, { clock: systemClock() })).outcome !== 'Failed'
  const proxy = await Proxy.start(program, { volume: certificate.volume, upstream }, answers, reaper)
  if (proxy === undefined) return undefined
  console.log(`${program.name}: ${proxy.version}`)
  return { world, certificate, proxy: disposables.use(proxy), dialect }
}

const target = ({ proxy, certificate, dialect }: Scenario): Target => ({
  ...{ address: '127.0.0.1', port: proxy.place.port, dialect, serverName: name, roots: rootsOf(certificate.volume) },
})
const ownPair = ({ world }: Scenario) => {
  const { volume } = world.client('app')
  return { chain: readFileSync(volume.path('tls.crt'), 'utf8'), key: readFileSync(volume.path('tls.key'), 'utf8') }
}
const look = (scenario: Scenario, certificate?: Pick<Pair, 'chain' | 'key'>, changes: Partial<Target> = {}) =>
  probe({ ...target(scenario), ...changes }, { clock: systemClock(), totalMs: 60_000, certificate })

/** What every proxy does, whatever stands behind it. `closes`: how connections end that meet it while it reloads. */
const proveFront = (given: () => Scenario | undefined, closes?: RegExp): void => {
  it('lets in who shows a certificate of the CA, and shows its own under its name', async (context) => {
    const scenario = given()
    if (scenario === undefined) return context.skip('it cannot be had here')
    const seen = await look(scenario, ownPair(scenario))
    expect(seen).toMatchObject({ outcome: 'Accepted', requested: true, offered: true, problems: [] })
    expect(seen.served?.serialNumber).toBe(await scenario.certificate.serial())
    const elsewhere = await look(scenario, ownPair(scenario), { serverName: 'other.data.svc' })
    expect(elsewhere.problems).toEqual([expect.stringContaining('it is not for other.data.svc')])
    const { certificate } = await makeAuthority('ca of somebody else')
    const distrusted = await look(scenario, ownPair(scenario), { roots: [certificate] })
    expect(distrusted.problems?.length).toBe(1)
  })

  it('refuses who shows none, or one of another CA of the same name', async (context) => {
    const scenario = given()
    if (scenario === undefined) return context.skip('it cannot be had here')
    const refused = (seen: Sight) => ({ outcome: seen.outcome, alert: seen.alert })
    expect(refused(await look(scenario))).toEqual({ outcome: 'Refused', alert: 116 })
    const stranger = await makePair(await makeAuthority('Orders CA'), 'Client')
    const { outcome, alert } = refused(await look(scenario, stranger))
    expect(outcome).toBe('Refused')
    // unknown_ca, or where a CA of the name is known and the signature is not its own: decrypt_error, bad_certificate.
    expect([42, 48, 51]).toContain(alert)
  })

  it('serves a renewed certificate after a reload, and refuses nobody meanwhile', async (context) => {
    const scenario = given()
    if (scenario === undefined) return context.skip('it cannot be had here')
    const { certificate, proxy } = scenario
    const former = await certificate.serial()
    await using loop = new ClientLoop(() => ({ target: target(scenario), certificate: ownPair(scenario) }))
    await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 0))
    await certificate.renew()
    const serial = await certificate.serial()
    expect(serial).not.toBe(former)
    await certificate.deliver()
    expect((await look(scenario, ownPair(scenario))).served?.serialNumber, 'delivered is not loaded').toBe(former)
    await proxy.reload()
    await eventually('the new certificate to be served', async () => {
      return (await look(scenario, ownPair(scenario))).served?.serialNumber === serial
    })
    const before = loop.accepted
    await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
    const { accepted, refused } = await loop.stop()
    expect(refused.filter((one) => closes?.test(one) !== true)).toEqual([])
    expect(accepted).toBeGreaterThan(4)
  })
}

/** A key that is not the certificate's keeps the former pair in use; `says` is what tells of it. */
const proveMismatch = (given: () => Scenario | undefined, says: 'answer' | RegExp): void => {
  it('keeps what it has when the files on disk are no pair', async (context) => {
    const scenario = given()
    if (scenario === undefined) return context.skip('it cannot be had here')
    const { certificate, proxy } = scenario
    const serial = await certificate.serial()
    await certificate.renew()
    const files = await certificate.files()
    const { key } = await makePair(await makeAuthority('Orders CA'), 'Server', [name])
    const { 'tls.crt': renewed = '' } = files
    certificate.volume.write({ ...files, 'tls.key': key, 'tls.pem': `${renewed.toString()}${key}` })
    if (says === 'answer')
      await expect(proxy.reload()).rejects.toThrow('inconsistencies between private key and certificate')
    else {
      await proxy.reload()
      await eventually('it to say so', () => Promise.resolve(says.test(proxy.logs())))
    }
    const seen = await look(scenario, ownPair(scenario))
    expect(seen).toMatchObject({ outcome: 'Accepted', problems: [], served: { serialNumber: serial } })
    await certificate.deliver()
    await proxy.reload()
    const wanted = await certificate.serial()
    await eventually('the pair to be served', async () => {
      return (await look(scenario, ownPair(scenario))).served?.serialNumber === wanted
    })
  })
}

describe('PgBouncer', () => {
  let scenario: Scenario | undefined
  beforeAll(async () => {
    const { world, server } = await behind('PostgreSQL 18', 'PostgreSQL')
    if (server === undefined) return
    await server.statement('CREATE ROLE app LOGIN')
    const { volume } = world.client('app')
    const upstream = { port: server.place.port, name: 'orders.data.svc', volume }
    scenario = await stage(world, pgbouncer, pem, upstream, 'postgresql')
  })

  proveFront(() => scenario)
  proveMismatch(() => scenario, /keeping old configuration/)

  /** Under the name, at the address. */
  const client = (of: Scenario, ssl: object | undefined): pg.Client =>
    new pg.Client({
      ...{ host: name, port: of.proxy.place.port, user: 'app', database: 'postgres' },
      ...(ssl === undefined ? {} : { ssl }),
      stream: () => {
        const socket = new Socket()
        const open = socket.connect.bind(socket) as (port: number, host: string) => Socket
        return Object.assign(socket, { connect: (port: number) => open(port, '127.0.0.1') })
      },
    })

  it('takes the common name for the user, and is one to PostgreSQL with a certificate of its own', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    const { chain, key } = ownPair(scenario)
    const ca = readFileSync(scenario.certificate.volume.path('ca.crt'), 'utf8')
    const connection = client(scenario, { ca, cert: chain, key })
    await connection.connect()
    const { rows } = await connection.query<{ name: string; dn: string }>(
      'SELECT current_user AS name, client_dn AS dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    )
    await connection.end()
    expect(rows).toEqual([{ name: 'app', dn: '/CN=app' }])
  })

  it('refuses a plain connection, and a certificate of another user', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    await expect(client(scenario, undefined).connect()).rejects.toThrow('SSL required')
    const other = await Standalone.issue(scenario.world, 'other', {
      ...{ role: 'Client', subject: { commonName: 'other' }, items: pem },
    })
    const file = (key: string): string => readFileSync(other.volume.path(key), 'utf8')
    const connection = client(scenario, { ca: file('ca.crt'), cert: file('tls.crt'), key: file('tls.key') })
    await expect(connection.connect()).rejects.toThrow(
      /certificate authentication failed|TLS certificate name mismatch/,
    )
  })
})

describe('HAProxy', () => {
  let scenario: Scenario | undefined
  beforeAll(async () => {
    const { world, server } = await behind('Redis 8', 'Redis')
    if (server === undefined) return
    const { volume } = await Standalone.issue(world, 'haproxy-to-redis', {
      ...{ role: 'Client', subject: { commonName: 'app' }, items: combined('ChainThenKey') },
    })
    const upstream = { port: server.place.port, name: 'orders.data.svc', volume }
    scenario = await stage(world, haproxy, combined('ChainThenKey'), upstream, 'redis')
  })

  proveFront(() => scenario)
  proveMismatch(() => scenario, 'answer')

  it('carries what a client of Redis says to Redis, with TLS on both sides', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    const { chain, key } = ownPair(scenario)
    const ca = readFileSync(scenario.certificate.volume.path('ca.crt'), 'utf8')
    const { port } = scenario.proxy.place
    const socket = { tls: true, host: '127.0.0.1', port, servername: name, ca, cert: chain, key } as const
    const client = createClient({ socket: { ...socket, reconnectStrategy: false } })
    client.on('error', () => undefined)
    await client.connect()
    await client.set('order', '1')
    expect(await client.get('order')).toBe('1')
    await client.close()
  })

  it('hangs up on who speaks plainly', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    expect(await answerTo(scenario.proxy.place.port, 'PING\r\n')).not.toContain('PONG')
  })
})

/** What comes back on a plain connection until it ends, or a whole line is there. */
const answerTo = (port: number, text: string): Promise<string> =>
  new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      if (answer.includes('\n')) socket.destroy()
    })
    // A reset ends it as well.
    socket.on('error', () => undefined).on('close', () => resolve(answer))
  })

describe('stunnel', () => {
  let scenario: Scenario | undefined
  /** A stunnel that takes plain connections and speaks to the other for them; `expecting` is the name it looks for. */
  const inFront = async (of: Scenario, expecting: string): Promise<Proxy | undefined> => {
    const { volume } = await Standalone.issue(of.world, `client-${expecting.replaceAll('.', '-')}`, {
      ...{ role: 'Client', subject: { commonName: 'app' }, items: combined('KeyThenChain') },
    })
    const upstream = { port: of.proxy.place.port, name: expecting }
    const listens = (port: number): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true))
        socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
      })
    const proxy = await Proxy.start(stunnelClient, { volume, upstream }, listens, reaper)
    return proxy === undefined ? undefined : disposables.use(proxy)
  }

  beforeAll(async () => {
    const echo = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    disposables.defer(() => void echo.close())
    const world = disposables.use(
      await ProfileWorld.start({
        spec: { engine: 'Redis', topology: { services: ['orders'] }, clients: [{ name: 'app' }] },
        reaper,
      }),
    )
    const upstream = { port: (echo.address() as AddressInfo).port, name: 'echo' }
    scenario = await stage(world, stunnelServer, combined('KeyThenChain'), upstream, 'plain')
  })

  // It closes its port and opens it again: of connections in a tight loop one in seventeen met that, at twelve reloads a second.
  proveFront(
    () => scenario,
    /^Failed the (?:connection was not made \(ECONN(?:REFUSED|RESET)\)|server hung up in the handshake)$/,
  )
  proveMismatch(() => scenario, /Failed to reload the configuration file/)

  it('carries what a stunnel in front of a client says, when the name is the one it looks for', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    const right = await inFront(scenario, name)
    const wrong = await inFront(scenario, 'other.data.svc')
    if (right === undefined || wrong === undefined) return context.skip('it cannot be had here')
    expect(await answerTo(right.place.port, 'hello\n')).toBe('hello\n')
    expect(await answerTo(wrong.place.port, 'hello\n')).toBe('')
    expect(wrong.logs()).toMatch(/Subject checks failed/)
  })

  it('says nothing to who speaks plainly', async (context) => {
    if (scenario === undefined) return context.skip('it cannot be had here')
    expect(await answerTo(scenario.proxy.place.port, 'hello\n')).not.toContain('hello')
  })
})
