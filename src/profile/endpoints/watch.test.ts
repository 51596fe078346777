import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  opensslServer,
  type Pair,
  pemOf,
  readExactly,
  serve,
  startTls,
} from '../../database/connect/testing.ts'
import { parseCertificate } from '../../pki/certificates/parse.ts'
import type { Authority } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { silentLogger } from '../../runtime/log.ts'
import type { Look } from './seen.ts'
import { strangerTo } from './offers.ts'
import { localRules, Permission } from './permitted.ts'
import type { Plan, PlannedEndpoint } from './plan.ts'
import { EndpointWatch, type WatchOptions } from './watch.ts'

let ca: Authority
let other: Authority
let first: Pair
let second: Pair
let client: Pair
let folder: string
beforeAll(async () => {
  ca = await makeAuthority('Orders CA')
  other = await makeAuthority('Orders CA')
  first = await makePair(ca, 'Server', ['localhost', '127.0.0.1'])
  second = await makePair(ca, 'Server', ['localhost', '127.0.0.1'])
  client = await makePair(ca, 'Client', ['app'])
  folder = mkdtempSync(join(tmpdir(), 'dbtls-watch-'))
  writeFileSync(join(folder, 'tls.crt'), first.chain)
  writeFileSync(join(folder, 'tls.key'), first.key)
  writeFileSync(join(folder, 'ca.crt'), pemOf(ca))
  writeFileSync(join(folder, 'other.crt'), pemOf(other))
})
afterAll(() => rmSync(folder, { recursive: true }))

const factsOf = (der: Uint8Array) => {
  const { fingerprint, serialNumber } = parseCertificate(der)
  return { fingerprint, serialNumber }
}
const endpointAt = (
  port: number,
  pair: Pair | undefined = first,
  more: Partial<PlannedEndpoint> = {},
): PlannedEndpoint => ({
  ...{ address: `127.0.0.1:${port}`, host: '127.0.0.1', port, dialect: 'plain', serverName: '127.0.0.1' },
  wish: {
    ...{ managed: false, facesClients: true, engine: 'Redis' },
    expected: pair === undefined ? [] : [{ certificate: 'orders-server', ...factsOf(pair.der) }],
  },
  ...more,
})
const planOf = (endpoints: readonly PlannedEndpoint[], more: Partial<Plan> = {}): Plan => ({
  ...{ namespace: 'data', clusterDomain: 'cluster.local', intervalMs: 100, endpoints, leftOut: 0, client: undefined },
  ...more,
})
const app = () => ({
  ...{ name: 'app', key: 'data/orders-app', fingerprint: factsOf(client.der).fingerprint },
  authority: parseCertificate(ca.certificate).fingerprint,
})

const watching = (options: Partial<WatchOptions> = {}) => {
  const clock = systemClock()
  const told = { changed: 0, looks: [] as Look[], reads: 0 }
  const watch = new EndpointWatch({
    ...{ clock, log: silentLogger(), random: () => 0.5, permits: new Permission(localRules) },
    read: () => {
      told.reads += 1
      const random = (size: number): Uint8Array => randomBytes(size)
      const stranger = () => strangerTo({ leaf: client.der }, { crypto: webcrypto, random, now: clock.now() })
      return Promise.resolve({ own: client, stranger })
    },
    changed: () => (told.changed += 1),
    offers: () => Promise.reject(new Error('nothing is replaced')),
    looked: (_, look) => told.looks.push(look),
    ...options,
  })
  const roots = [ca.certificate]
  return {
    told,
    watch,
    follow: (plan: Plan, profile = 'data/orders') => watch.follow(profile, { plan, roots }),
    /** The look at the only endpoint, once it satisfies. */
    seen: (satisfies: (look: Look) => boolean = () => true) =>
      until(() => watch.looks('data/orders')?.find(({ look }) => satisfies(look))?.look),
    [Symbol.asyncDispose]: () => watch.stop(),
  }
}

const until = async <T>(look: () => T | undefined | false): Promise<T> => {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await sleep(10)
  }
  throw new Error('timed out')
}

const tlsServer = (pair: () => Pair) =>
  serve((socket) => startTls(socket, { options: { cert: pair().chain, key: pair().key } }))
const required = ['-cert', 'tls.crt', '-key', 'tls.key', '-verify_return_error', '-Verify', '1']
const optional = ['-cert', 'tls.crt', '-key', 'tls.key', '-verify_return_error', '-verify', '1']

describe('the watch of endpoints', () => {
  it('asks again and again, and tells only what is new', async () => {
    let pair = first
    await using server = await tlsServer(() => pair)
    await using running = watching()
    const { told, seen } = running
    running.follow(planOf([endpointAt(server.port)]))
    const look = await seen()
    expect(look).toMatchObject({ client: 'NotNeeded', visits: [{ problems: [], served: factsOf(first.der) }] })
    await until(() => told.looks.length > 5)
    expect([told.changed, told.reads]).toEqual([1, 0])
    pair = second
    await seen(({ visits }) => visits[0]?.served?.serialNumber === factsOf(second.der).serialNumber)
    expect(told.changed).toBe(2)
    await running.watch.stop()
    const connections = server.connections.length
    await sleep(400)
    expect([server.connections.length, running.watch.open]).toEqual([connections, 0])
  })
  it('forgets what was seen when another certificate should be served, and asks soon and often', async () => {
    let pair = first
    await using server = await tlsServer(() => pair)
    await using running = watching()
    const slowly = { intervalMs: 3_600_000 }
    running.follow(planOf([endpointAt(server.port)], slowly))
    running.watch.follow('data/other', { plan: planOf([endpointAt(server.port)], slowly), roots: [] })
    await until(() => running.told.looks.length > 1)
    running.follow(planOf([endpointAt(server.port, second)], slowly))
    expect(running.watch.looks('data/orders')).toBeUndefined()
    expect(running.watch.looks('data/other')).toHaveLength(1)
    expect((await running.seen()).visits[0]?.served).toMatchObject(factsOf(first.der))
    pair = second
    // Within seconds, although its interval is an hour.
    await running.seen(({ visits }) => visits[0]?.served?.serialNumber === factsOf(second.der).serialNumber)
    expect(running.told.looks).toHaveLength(4)
  })
  it('asks nobody who is not in the plan any more', async () => {
    await using server = await tlsServer(() => first)
    await using running = watching()
    running.follow(planOf([endpointAt(server.port)]))
    await running.seen()
    running.follow(planOf([]))
    expect([running.watch.looks('data/orders'), [...running.watch.all()]]).toEqual([[], []])
    running.follow(planOf([endpointAt(server.port)]))
    await running.seen()
    running.watch.forget('data/orders')
    expect([running.watch.looks('data/orders'), [...running.watch.all()]]).toEqual([undefined, []])
    await until(() => running.watch.open === 0)
    const connections = server.connections.length
    await sleep(400)
    expect(server.connections.length).toBe(connections)
  })
  it('is held up by no server that takes connections and says nothing', async () => {
    await using silent = await serve(() => undefined)
    await using server = await tlsServer(() => first)
    await using running = watching({ mostOpen: 9 })
    const dead = Array.from({ length: 8 }, (_, index) => ({ ...endpointAt(silent.port), address: `dead-${index}` }))
    running.follow(planOf(dead), 'data/dead')
    running.follow(planOf([endpointAt(server.port)]))
    await until(() => running.told.looks.filter(({ visits }) => visits[0]?.served !== undefined).length > 20)
    expect(running.watch.open).toBeLessThanOrEqual(9)
  })
  it('asks nobody it may not', async () => {
    await using server = await tlsServer(() => first)
    await using running = watching({ permits: new Permission({ ...localRules, allow: [] }) })
    running.follow(planOf([endpointAt(server.port)]))
    expect(await running.seen()).toMatchObject({ visits: [{ refusal: expect.stringContaining('loopback') as string }] })
    running.follow(planOf([{ ...endpointAt(server.port), host: 'nobody.invalid', address: 'x' }]))
    expect(await running.seen()).toMatchObject({ nameFault: expect.any(String) as string, visits: [] })
    expect(server.connections).toHaveLength(0)
  })
  it('asks every address behind a name', async () => {
    await using server = await tlsServer(() => first)
    let addresses = ['127.0.0.2', '169.254.1.1', '127.0.0.1']
    // As a name server turns them round.
    const lookup = () => {
      addresses = [...addresses.slice(1), ...addresses.slice(0, 1)]
      return Promise.resolve(addresses)
    }
    await using running = watching({ lookup })
    running.follow(planOf([{ ...endpointAt(server.port), host: 'localhost', serverName: 'localhost' }]))
    expect((await running.seen()).visits).toMatchObject([
      { address: '127.0.0.1', served: factsOf(first.der) },
      { address: '127.0.0.2', fault: 'ConnectFailed' },
      { address: '169.254.1.1', refusal: expect.any(String) as string },
    ])
    await until(() => running.told.looks.length > 4)
    expect(running.told.changed).toBe(1)
  })
  it('goes on when the client cannot be read', async () => {
    await using server = await opensslServer(folder, [...required, '-CAfile', 'ca.crt'])
    await using running = watching({ read: () => Promise.resolve(undefined) })
    running.follow(planOf([endpointAt(server.port)], { client: app() }))
    expect(await running.seen()).toMatchObject({
      client: 'Unreadable',
      visits: [{ refused: true, sent: false, served: {} }],
    })
  })
})

describe('the client certificate', () => {
  it('is read for a server that wants one, and only for it', async () => {
    await using server = await opensslServer(folder, [...required, '-CAfile', 'ca.crt'])
    await using plain = await tlsServer(() => first)
    await using running = watching()
    running.follow(planOf([endpointAt(plain.port)], { client: app() }))
    expect(await running.seen()).toMatchObject({ trust: { state: 'NotRequested' }, client: 'NotNeeded' })
    expect(running.told.reads).toBe(0)
    running.follow(planOf([endpointAt(server.port)], { client: app() }))
    const { authority } = app()
    const asked = await running.seen()
    expect(asked).toMatchObject({
      trust: { state: 'Trusted', trusts: [authority] },
      client: 'Shown',
      visits: [{ refused: false }],
    })
    const changed = running.told.changed
    await until(() => running.told.looks.length > 6)
    expect(running.told.changed).toBe(changed)
    // From then on it is shown at once: one read for each look.
    expect(running.told.reads).toBe(running.told.looks.filter(({ client: shown }) => shown === 'Shown').length)
  })
  it('is missed where the profile has none', async () => {
    await using server = await opensslServer(folder, [...required, '-CAfile', 'ca.crt'])
    await using running = watching()
    running.follow(planOf([endpointAt(server.port)]))
    expect(await running.seen()).toMatchObject({ client: 'None', visits: [{ refused: true, sent: false }] })
    expect(running.told.reads).toBe(0)
  })
  it.each([
    ['Trusted', ['-CAfile', 'ca.crt'], optional],
    ['Refused', ['-CAfile', 'other.crt'], optional],
    ['Refused', ['-CAfile', 'other.crt'], required],
    ['Anybody', [], ['-cert', 'tls.crt', '-key', 'tls.key', '-Verify', '1']],
  ])('tells that a server is of the kind %s', async (state, authorities, args) => {
    await using server = await opensslServer(folder, [...args, ...authorities])
    await using running = watching()
    running.follow(planOf([endpointAt(server.port)], { client: app() }))
    const look = await running.seen()
    expect(look.trust?.state).toBe(state)
    expect(look.visits).toMatchObject([{ sent: true, refused: state === 'Refused', served: factsOf(first.der) }])
    // Known from now on: nobody is refused, and nothing is read, for knowing it again.
    const { reads } = running.told
    await until(() => running.told.looks.length > 4)
    if (args === optional) expect(running.told.reads).toBe(reads)
    expect(running.watch.looks('data/orders')?.[0]?.look.trust?.state).toBe(state)
  })
  it('is shown again soon where a restart came between', async () => {
    await using server = await opensslServer(folder, [...optional, '-CAfile', 'ca.crt'])
    let connections = 0
    // The first look is a whole one, and what is shown then meets a server that hangs up in the middle.
    await using front = await serve((socket) => {
      connections += 1
      const behind = connect(server.port, '127.0.0.1')
      behind.on('error', () => socket.destroy())
      socket.on('close', () => behind.destroy())
      if (connections > 1 && connections < 4) socket.destroy()
      else socket.pipe(behind).pipe(socket)
    })
    await using running = watching()
    running.follow(planOf([endpointAt(front.port)], { client: app() }))
    await running.seen(({ trust }) => trust?.state === 'Unknown')
    await running.seen(({ trust }) => trust?.state === 'Trusted')
  })
  it('costs a MySQL server one refusal in all', async () => {
    let connections = 0
    const refused: boolean[] = []
    await using server = await serve(async (socket) => {
      connections += 1
      socket.write(mysqlGreeting())
      if ((await readExactly(socket, 36).catch(() => undefined)) === undefined) return
      const options = { cert: first.chain, key: first.key, ca: pemOf(ca), requestCert: true, rejectUnauthorized: false }
      startTls(socket, {
        options,
        onSecure: (tls) => {
          // A socket without its own tls.Server says nothing of what it verified.
          const isStranger =
            tls.getPeerX509Certificate()?.verify(new X509Certificate(ca.certificate).publicKey) === false
          refused.push(isStranger)
          if (isStranger) tls.destroy()
          else tls.once('data', () => tls.write(mysqlError(1045, 'no', 3)))
        },
      })
    })
    await using running = watching()
    running.follow(planOf([endpointAt(server.port, first, { dialect: 'mysql' })], { client: app() }))
    expect((await running.seen()).trust?.state).toBe('Trusted')
    await until(() => running.told.looks.length > 5)
    expect(refused.filter(Boolean)).toHaveLength(1)
    // A bare look, one of each offer, and a bare look each time.
    expect(connections - running.told.looks.length).toBeLessThanOrEqual(4)
  })
})
