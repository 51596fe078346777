import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket, TLSSocketOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { formatDistinguishedName } from '../../pki/names/names.ts'
import { type Authority, opensslVersion } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { probe } from './probe.ts'
import type { ProbeOptions, Sight, Target } from './sight.ts'
import type { Served } from './served.ts'
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  mysqlPacket,
  opensslServer,
  type Pair,
  pemOf,
  readExactly,
  serve,
  startTls,
} from './testing.ts'

let ca: Authority
let other: Authority
let server: Pair
let client: Pair
let stranger: Pair
beforeAll(async () => {
  ca = await makeAuthority('Orders CA')
  other = await makeAuthority('Orders CA')
  server = await makePair(ca, 'Server', ['db.test', '127.0.0.1', '::1'])
  client = await makePair(ca, 'Client')
  stranger = await makePair(other, 'Client')
})

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TLSWrap').length
afterEach(async () => {
  // What the server of a test holds is closed by the end of its scope; a probe's own sockets are gone before.
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sockets()).toBe(0)
})

const clock = systemClock()
const look = (port: number, target: Partial<Target> = {}, options: Partial<ProbeOptions> = {}): Promise<Sight> =>
  probe(
    { address: '127.0.0.1', port, dialect: 'plain', serverName: 'db.test', roots: [ca.certificate], ...target },
    { clock, totalMs: 60_000, connectMs: 60_000, ...options },
  )

type Asks = 'never' | 'optional' | 'required'
const optionsOf = (asks: Asks, version?: 'TLSv1.2' | 'TLSv1.3'): TLSSocketOptions => ({
  cert: server.chain,
  key: server.key,
  ca: pemOf(ca),
  requestCert: asks !== 'never',
  rejectUnauthorized: false,
  ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
})
const tlsServer = (asks: Asks, version?: 'TLSv1.2' | 'TLSv1.3') =>
  serve((socket) => startTls(socket, { options: optionsOf(asks, version) }))

describe('what a server serves', () => {
  it('is read once, and judged each time', async () => {
    await using listening = await tlsServer('never')
    const known = { ...(await look(listening.port)).served, subject: 'CN=as it was read' } as Served
    const again = await look(listening.port, { roots: [other.certificate], serverName: 'wrong.test' }, { known })
    expect(again.served?.subject).toBe('CN=as it was read')
    expect(again.problems).toEqual([expect.stringContaining('trusted CA'), expect.stringContaining('wrong.test')])
    const chain = [client.der]
    expect((await look(listening.port, {}, { known: { ...known, chain } })).served?.subject).toBe('CN=db.test')
  })
  it('is judged by the CAs of each look, also where a list of them is used again', async () => {
    await using listening = await tlsServer('never')
    const [right, wrong] = [[ca.certificate], [other.certificate]]
    for (const roots of [right, wrong, right, wrong])
      expect((await look(listening.port, { roots })).problems).toHaveLength(roots === right ? 0 : 1)
    const { certificate, ...without } = { certificate: client }
    for (const options of [{ certificate }, without, { certificate }])
      expect((await look(listening.port, { roots: right }, options)).problems).toEqual([])
  })
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is told in %s', async (version) => {
    await using listening = await tlsServer('never', version)
    const seen = await look(listening.port)
    expect(seen).toMatchObject({ outcome: 'Accepted', tlsVersion: version, problems: [], requested: false })
    expect(seen.served).toMatchObject({
      serialNumber: expect.stringMatching(/^[0-9A-F]{32}$/) as string,
      subject: 'CN=db.test',
      issuer: 'CN=Orders CA,O=Acme',
      names: ['DNS:db.test', 'IP:127.0.0.1', 'IP:::1'],
    })
    expect(seen.served?.chain[0]).toEqual(Buffer.from(server.der))
  })
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is told also by a server that refuses us in %s', async (version) => {
    await using listening = await serve((socket) => {
      startTls(socket, { options: { ...optionsOf('required', version), rejectUnauthorized: true } }).on('secure', () =>
        socket.destroy(),
      )
    })
    const seen = await look(listening.port)
    expect(seen).toMatchObject({ outcome: 'Refused', requested: true, offered: false, problems: [] })
    expect(seen.served?.subject).toBe('CN=db.test')
  })
  it('is reached over IPv6', async () => {
    await using listening = await serve((socket) => startTls(socket, { options: optionsOf('never') }), '::1')
    expect(await look(listening.port, { address: '::1', serverName: '::1' })).toMatchObject({ problems: [] })
  })
  it.each<[string, Partial<Target>, RegExp]>([
    ['another CA of the same name', { roots: [] }, /no trusted CA leads to it: it was signed by "CN=Orders CA,O=Acme"/],
    ['another name', { serverName: 'other.test' }, /it is not for other\.test but for DNS:db\.test/],
    ['another address', { serverName: '127.0.0.2' }, /it is not for 127\.0\.0\.2 but/],
  ])('is refused for %s', async (_, target, sentence) => {
    await using listening = await tlsServer('never')
    const { problems } = await look(listening.port, target)
    expect(problems).toEqual([expect.stringMatching(sentence)])
  })
  it('is refused for a forged CA of the same name', async () => {
    await using listening = await tlsServer('never')
    const { problems } = await look(listening.port, { roots: [other.certificate] })
    expect(problems).toHaveLength(1)
  })
})

describe('a client certificate', () => {
  const versions = ['TLSv1.2', 'TLSv1.3'] as const
  const cells = versions.flatMap((version) =>
    (['never', 'optional', 'required'] as const).flatMap((asks) =>
      (['ours', 'none', 'stranger'] as const).map((offer) => [version, asks, offer] as const),
    ),
  )
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-connect-'))
  beforeAll(() => {
    writeFileSync(join(folder, 'server.pem'), server.chain + server.key)
    writeFileSync(join(folder, 'ca.pem'), pemOf(ca))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const verifying = { never: [], optional: ['-verify', '1'], required: ['-Verify', '1'] } as const
  const judge = (asks: Asks, version: 'TLSv1.2' | 'TLSv1.3', ...more: string[]) =>
    opensslServer(folder, [
      ...['-cert', 'server.pem', '-CAfile', 'ca.pem', version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'],
      ...(asks === 'never' ? [] : [...verifying[asks], '-verify_return_error']),
      ...more,
    ])
  describe.skipIf(opensslVersion === undefined)('before a judge that is not of this hand', () => {
    it.each(cells)('%s, %s, %s', async (version, asks, offer) => {
      await using listening = await judge(asks, version)
      const certificate = { ours: client, none: undefined, stranger }[offer]
      const seen = await look(listening.port, {}, { certificate, graceMs: 60_000 })
      const asked = asks !== 'never'
      const alert = !asked || offer === 'ours' ? undefined : { none: missing(asks, version), stranger: 48 }[offer]
      expect(seen).toMatchObject({
        ...{ outcome: alert === undefined ? 'Accepted' : 'Refused', problems: [], tlsVersion: version },
        ...{ requested: asked, offered: asked && offer !== 'none', resumed: false },
      })
      expect(seen.alert).toBe(alert)
    })
    const missing = (asks: Asks, version: string): number | undefined => {
      if (asks !== 'required') return undefined
      return version === 'TLSv1.3' ? 116 : 40
    }
    it('is asked where there is no ticket, and silence proves nothing', async () => {
      await using listening = await judge('required', 'TLSv1.3', '-num_tickets', '0')
      const options = { certificate: client, graceMs: 50 }
      expect(await look(listening.port, { dialect: 'http' }, options)).toMatchObject({
        ...{ outcome: 'Accepted', answer: 'HTTP 200' },
      })
      expect(await look(listening.port, {}, options)).toMatchObject({ outcome: 'Unclear', requested: true })
      const refused = await look(listening.port, { dialect: 'http' }, { certificate: stranger, graceMs: 60_000 })
      expect(refused).toMatchObject({ outcome: 'Refused', alert: 48 })
    })
  })
  it.each(versions)('tells the CAs that the server names, in %s', async (version) => {
    await using listening = await tlsServer('optional', version)
    const seen = await look(listening.port, {}, { certificate: client })
    expect(seen.acceptableIssuers.map(formatDistinguishedName)).toEqual(['CN=Orders CA,O=Acme'])
  })
})

describe('MySQL', () => {
  const mysqlServer = (answer: (tls: TLSSocket, login: Buffer) => void, asks: Asks = 'optional') =>
    serve(async (socket) => {
      socket.write(mysqlGreeting())
      const request = await readExactly(socket, 36).catch(() => undefined)
      if (request === undefined) return
      startTls(socket, { options: optionsOf(asks), onSecure: (tls) => tls.once('data', (login) => answer(tls, login)) })
    })
  it('is asked to log in, so that it does not count a broken handshake', async () => {
    const logins: string[] = []
    await using listening = await mysqlServer((tls, login) => {
      logins.push(login.toString('latin1'))
      tls.write(mysqlError(1045, '#28000Access denied', 3))
    })
    const seen = await look(listening.port, { dialect: 'mysql', user: 'somebody' }, { certificate: client })
    expect(seen).toMatchObject({ outcome: 'Accepted', answer: 'error 1045', offered: true, problems: [] })
    expect(logins).toEqual([expect.stringContaining('somebody\0\0caching_sha2_password\0')])
  })
  it('is told goodbye when it lets us in', async () => {
    const said: Buffer[] = []
    await using listening = await mysqlServer((tls) => {
      tls.on('data', (bytes) => said.push(bytes))
      tls.write(mysqlPacket(3, Buffer.alloc(7)))
    })
    expect(await look(listening.port, { dialect: 'mysql' })).toMatchObject({ answer: 'login accepted' })
    expect(Buffer.concat(said)).toEqual(Buffer.of(1, 0, 0, 0, 1))
  })
  it.each<[string, Buffer, string]>([
    ['has blocked us', mysqlError(1129, "Host 'x' is blocked because of many connection errors"), 'Blocked'],
    ['is full', mysqlError(1040, 'Too many connections'), 'Busy'],
    ['has no TLS', mysqlGreeting({ capabilities: 0xffff_f7ff }), 'TLSOff'],
    ['is something else', Buffer.from('220 mail.test ESMTP\r\n'), 'WrongProtocol'],
    ['says more in the clear', Buffer.concat([mysqlGreeting(), Buffer.of(1)]), 'WrongProtocol'],
    [
      'floods',
      Buffer.concat([mysqlPacket(0, Buffer.alloc(4092)).subarray(0, 10), Buffer.alloc(60_000)]),
      'WrongProtocol',
    ],
  ])('that %s is reported', async (_, said, reason) => {
    await using listening = await serve((socket) => socket.write(said))
    expect(await look(listening.port, { dialect: 'mysql' })).toMatchObject({ outcome: 'Failed', fault: { reason } })
  })
})

describe('PostgreSQL', () => {
  it('is asked for TLS, and asked again where it sends no ticket', async () => {
    const heard: Buffer[] = []
    await using listening = await serve(async (socket) => {
      heard.push(await readExactly(socket, 8))
      socket.write('S')
      const options = { ...optionsOf('optional', 'TLSv1.3'), secureOptions: 0x4000 }
      startTls(socket, {
        options,
        onSecure: (tls) =>
          tls.once('data', (startup) => {
            heard.push(startup)
            tls.write(Buffer.from('52000000170000000a534352414d2d5348412d3235360000', 'hex'))
          }),
      })
    })
    const seen = await look(listening.port, { dialect: 'postgresql' }, { certificate: client, graceMs: 50 })
    expect(seen).toMatchObject({ outcome: 'Accepted', offered: true, problems: [] })
    expect(heard[0]?.toString('hex')).toBe('0000000804d2162f')
  })
  it('is spoken to with ALPN where TLS begins at once', async () => {
    const protocols: (string | false | null)[] = []
    await using listening = await serve((socket) => {
      const options = { ...optionsOf('never'), ALPNProtocols: ['postgresql'] }
      startTls(socket, { options, onSecure: (tls) => protocols.push(tls.alpnProtocol) })
    })
    expect(await look(listening.port, { dialect: 'postgresql-direct' })).toMatchObject({ outcome: 'Accepted' })
    expect(protocols).toEqual(['postgresql'])
  })
  it.each([
    ['N', 'TLSOff'],
    ['H', 'WrongProtocol'],
    ['Sx', 'WrongProtocol'],
  ])('answers %j: %s', async (said, reason) => {
    await using listening = await serve((socket) => socket.write(said))
    expect(await look(listening.port, { dialect: 'postgresql' })).toMatchObject({ fault: { reason } })
  })
})

describe('a server that is none', () => {
  it('nobody listens', async () => {
    const { port, ...listening } = await serve(() => undefined)
    await listening[Symbol.asyncDispose]()
    expect(await look(port)).toMatchObject({ outcome: 'Failed', fault: { reason: 'ConnectFailed' } })
  })
  it.each(['plain', 'mysql', 'postgresql'] as const)('%s: accepts and says nothing', async (dialect) => {
    await using listening = await serve(() => undefined)
    const seen = await look(listening.port, { dialect }, { totalMs: 150 })
    expect(seen).toMatchObject({ outcome: 'Failed', fault: { reason: 'NoAnswer' } })
  })
  it.each(['plain', 'mysql', 'postgresql'] as const)('%s: hangs up at once', async (dialect) => {
    await using listening = await serve((socket) => socket.destroy())
    const { fault } = await look(listening.port, { dialect })
    expect(['Closed', 'ConnectFailed']).toContain(fault?.reason)
  })
  it('speaks another protocol where TLS begins at once', async () => {
    await using listening = await serve((socket) => socket.write('220 mail.test ESMTP Postfix\r\n'))
    expect(await look(listening.port)).toMatchObject({ fault: { reason: 'WrongProtocol' } })
  })
  it('knows old TLS alone', async () => {
    await using listening = await serve((socket) => {
      // A fatal alert, protocol_version.
      socket.once('data', () => socket.end(Buffer.of(21, 3, 1, 0, 2, 2, 70)))
    })
    const seen = await look(listening.port)
    expect(seen).toMatchObject({ alert: 70, fault: { reason: 'HandshakeFailed' } })
    expect(seen.fault?.message).toContain('neither TLS 1.2 nor 1.3')
  })
  it('drips one byte at a time', async () => {
    const greeting = mysqlGreeting()
    await using listening = await serve((socket) => {
      let at = 0
      const drip = setInterval(() => socket.write(greeting.subarray(at, ++at)), 5)
      socket.on('close', () => clearInterval(drip))
    })
    const seen = await look(listening.port, { dialect: 'mysql' }, { totalMs: 200 })
    expect(seen).toMatchObject({ outcome: 'Failed', fault: { reason: 'NoAnswer' } })
  })
  it('hangs up after each byte of its flight', async () => {
    const flight = await firstFlight()
    for (let length = 0; length < flight.length; length += 7) {
      await using listening = await serve((socket) => {
        socket.once('data', () => socket.end(flight.subarray(0, length)))
      })
      const seen = await look(listening.port, {}, { tlsVersion: 'TLSv1.2' })
      expect(['Failed', 'Refused']).toContain(seen.outcome)
      expect(seen.outcome === 'Refused').toBe(seen.served !== undefined)
    }
  })
  /** What a server of TLS 1.2 sends first, recorded. */
  const firstFlight = async (): Promise<Buffer> => {
    const recorded: Buffer[] = []
    await using behind = await tlsServer('required', 'TLSv1.2')
    await using listening = await serve(async (socket: Socket) => {
      const up = connect(behind.port, '127.0.0.1')
      up.on('error', () => undefined)
      up.on('data', (bytes) => {
        recorded.push(bytes)
        socket.write(bytes)
      })
      socket.on('data', (bytes) => up.write(bytes))
      socket.on('close', () => up.destroy())
    })
    await look(listening.port, {}, { tlsVersion: 'TLSv1.2' })
    const [first] = recorded
    if (first === undefined) throw new Error('the server sent nothing')
    return first
  }
})

describe('a probe that is called off', () => {
  it.each<[string, (socket: Socket) => unknown]>([
    ['before TLS', () => undefined],
    ['in the handshake', (socket) => socket.write(mysqlGreeting())],
  ])('%s leaves nothing behind', async (_, handler) => {
    await using listening = await serve(handler)
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 50)
    const seen = await look(listening.port, { dialect: 'mysql' }, { signal: abort.signal })
    expect(seen).toMatchObject({ outcome: 'Failed', fault: { reason: 'Aborted' } })
  })
  it('before it began', async () => {
    await using listening = await serve(() => undefined)
    const seen = await look(listening.port, {}, { signal: AbortSignal.abort() })
    expect(seen.fault?.reason).toBe('Aborted')
  })
})
