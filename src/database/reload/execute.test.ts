import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { Authority } from '../../pki/testing.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  type Pair,
  pemOf,
  readExactly,
  serve,
  startTls,
} from '../connect/testing.ts'
import { execute, type StatementDialect, takesStatements } from './execute.ts'
import type { Account, Order } from './order.ts'
import { ReloadError } from './reload-error.ts'
import { mongoServer } from './testing.ts'

const clock = systemClock()
const password = 'sehr geheim%/"'
let made: Promise<{ ca: Authority; server: Pair; client: Pair }> | undefined
const material = () =>
  (made ??= (async () => {
    const ca = await makeAuthority('Orders CA')
    return {
      ...{ ca, client: await makePair(ca, 'Client') },
      server: await makePair(ca, 'Server', ['db.test', 'localhost']),
    }
  })())

const orderOf = async (port: number, changes: Partial<Order> = {}): Promise<Order> => ({
  ...{ address: '127.0.0.1', port, serverName: 'db.test', roots: [pemOf((await material()).ca)] },
  ...{ account: { username: 'reloader', password }, statements: ['SELECT 1'] },
  ...changes,
})

const refusal = async (work: Promise<void>): Promise<ReloadError> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ReloadError)) throw new Error('no ReloadError', { cause: error })
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain('geheim')
  expect(error.cause).toBeUndefined()
  return error
}

const dialects: readonly StatementDialect[] = ['mysql', 'postgresql', 'redis', 'mongodb']

/** What each driver would wait for the end of: a message that is announced as being huge. */
const endless: Readonly<Record<StatementDialect, Buffer>> = {
  mysql: Buffer.of(0xff, 0xff, 0xff, 2),
  postgresql: Buffer.of(0x53, 0x7f, 0xff, 0xff, 0xff),
  redis: Buffer.from('$2000000000\r\n'),
  mongodb: Buffer.of(0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0),
}

/** A server that is verified, and goes on and on. */
const talker = async (dialect: StatementDialect) => {
  const { server: pair } = await material()
  const said = { bytes: 0 }
  const server = await serve(async (socket) => {
    if (dialect === 'mysql') {
      socket.write(mysqlGreeting())
      await readExactly(socket, 36)
    }
    if (dialect === 'postgresql') {
      await readExactly(socket, 8)
      socket.write('S')
    }
    const onSecure = (tls: TLSSocket): void => {
      const talk = (): void => {
        while (!tls.destroyed && said.bytes < 512e6) {
          said.bytes += 1e6
          if (!tls.write(Buffer.alloc(1e6))) return void tls.once('drain', talk)
        }
      }
      tls.write(endless[dialect])
      talk()
    }
    startTls(socket, { options: { cert: pair.chain, key: pair.key }, onSecure })
  })
  return Object.assign(server, { said })
}

describe.each(dialects)('a server of %s', (dialect) => {
  it('that does not stop talking is left, and not listened to at length', async () => {
    await using server = await talker(dialect)
    const { reason, message } = await refusal(execute(dialect, await orderOf(server.port), { clock, totalMs: 60_000 }))
    expect([reason, message]).toEqual(['WrongProtocol', 'the server said more than 1 MiB'])
    expect(server.said.bytes).toBeLessThan(256e6)
  })
  it('that says nothing is given up when its time is over', async () => {
    const manual = new ManualClock()
    await using server = await serve(() => undefined)
    const told = refusal(execute(dialect, await orderOf(server.port), { clock: manual, totalMs: 2000 }))
    while (server.connections.length === 0) await new Promise((resolve) => void setTimeout(resolve, 5))
    await manual.advance(2000)
    expect(await told).toMatchObject({ reason: 'TimedOut', message: expect.stringContaining('2 s') })
    expect(server.connections.length).toBe(1)
  })
  it('is left when its order is called off', async () => {
    const abort = new AbortController()
    await using server = await serve(() => abort.abort())
    const told = execute(dialect, await orderOf(server.port), { clock, signal: abort.signal })
    expect(await refusal(told)).toMatchObject({ reason: 'Aborted' })
  })
  it('is not even asked when that came before', async () => {
    await using server = await serve(() => undefined)
    const told = execute(dialect, await orderOf(server.port), { clock, signal: AbortSignal.abort() })
    expect(await refusal(told)).toMatchObject({ reason: 'Aborted' })
    expect(server.connections).toEqual([])
  })
  it('that hangs up is told', async () => {
    await using server = await serve((socket) => socket.destroy())
    const told = execute(dialect, await orderOf(server.port), { clock, totalMs: 60_000 })
    expect((await refusal(told)).reason).toMatch(/^(Closed|WrongProtocol)$/)
  })
  it('that is another kind of server is told, and learns no password', async () => {
    const heard: Buffer[] = []
    await using server = await serve((socket) => {
      socket.on('data', (chunk: Buffer) => void heard.push(chunk))
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nno no no no no no no no no no no no')
    })
    const told = execute(dialect, await orderOf(server.port), { clock, totalMs: 60_000 })
    expect((await refusal(told)).reason).toMatch(/^(Closed|WrongProtocol|StatementFailed|TimedOut)$/)
    expect(Buffer.concat(heard).toString('latin1')).not.toContain('geheim')
  })
})

describe('a server without TLS', () => {
  it.each([
    ['mysql', (): Buffer => mysqlGreeting({ capabilities: 0xdfff_f7ff }), /^TLSOff: .*no password was sent/],
    ['mysql', (): Buffer => mysqlError(1040, '#08004Too many connections'), /^Busy: .*Too many connections/],
    ['mysql', (): Buffer => mysqlError(1129, "#HY000Host '10.0.0.1' is blocked"), /^Busy: .*is blocked/],
  ] as const)('of %s is not logged in to', async (dialect, greeting, expected) => {
    await using server = await serve((socket) => socket.write(greeting()))
    const { reason, message } = await refusal(execute(dialect, await orderOf(server.port), { clock, totalMs: 60_000 }))
    expect(`${reason}: ${message}`).toMatch(expected)
  })
  it('of PostgreSQL is not logged in to', async () => {
    const heard: Buffer[] = []
    await using server = await serve((socket) => {
      socket.on('data', (chunk: Buffer) => {
        heard.push(chunk)
        socket.write('N')
      })
    })
    const told = execute('postgresql', await orderOf(server.port), { clock, totalMs: 60_000 })
    expect(await refusal(told)).toMatchObject({ reason: 'TLSOff' })
    expect(Buffer.concat(heard).length).toBe(8)
  })
})

describe('MongoDB', () => {
  const rotate = { statements: ['{ "rotateCertificates": 1 }'] }
  const told = async (port: number, account: Account, changes: Partial<Order> = {}): Promise<void> => {
    const { client } = await material()
    const order = await orderOf(port, { ...rotate, account: { certificate: client, ...account }, ...changes })
    await execute('mongodb', order, { clock, totalMs: 60_000 })
  }
  const refuse = (name: string, error: object) => (command: Readonly<Record<string, unknown>>) =>
    name in command ? { ok: 0, ...error } : undefined

  it('is told by whom the certificate says, on one connection to the server that was meant', async () => {
    const { ca, server: pair } = await material()
    await using server = await mongoServer(ca, pair)
    await told(server.port, {})
    const given = server.commands.filter(
      (command) => !('hello' in command || 'ismaster' in command || 'ping' in command),
    )
    expect(given.map((command) => [Object.keys(command)[0], command['$db']])).toContainEqual([
      'rotateCertificates',
      'admin',
    ])
    const login = server.commands.find((command) => 'authenticate' in command || 'speculativeAuthenticate' in command)
    expect(JSON.stringify(login)).toContain('MONGODB-X509')
  })
  it.each([
    [
      'a wrong password',
      { password },
      refuse('saslStart', { code: 18, errmsg: `Authentication failed. ${password}` }),
      /^LoginRefused/,
    ],
    ['an unknown subject', {}, refuse('authenticate', { code: 11, errmsg: 'no such user' }), /^LoginRefused/],
    [
      'a missing right',
      {},
      refuse('rotateCertificates', { code: 13, errmsg: 'not authorized on admin' }),
      /^PrivilegeMissing/,
    ],
    [
      'a pair that does not belong together',
      {},
      refuse('rotateCertificates', { code: 140, errmsg: `Can not set up PEM key file.` }),
      /^StatementFailed: the server says: Can not set up PEM key file/,
    ],
  ] as const)('tells of %s', async (_, account, answer, expected) => {
    const { ca, server: pair } = await material()
    await using server = await mongoServer(ca, pair, answer)
    const { reason, message } = await refusal(told(server.port, { username: 'reloader', ...account }))
    expect(`${reason}: ${message}`).toMatch(expected)
  })
  it.each([
    ['another name', { serverName: 'other.test' }, /^ServerNotVerified: .*not for other\.test/],
    ['an address that it is not for', { serverName: '127.0.0.1' }, /^ServerNotVerified: .*not for 127\.0\.0\.1/],
    ['no CA', { roots: [] }, /^ServerNotVerified: /],
  ] as const)('is not trusted with %s', async (_, changes, expected) => {
    const { ca, server: pair } = await material()
    await using server = await mongoServer(ca, pair)
    const { reason, message } = await refusal(told(server.port, { password }, changes))
    expect(`${reason}: ${message}`).toMatch(expected)
    expect(server.commands).toEqual([])
  })
})

describe('statements', () => {
  it.each([
    ['mysql', true],
    ['redis', true],
    ['http', false],
    ['__proto__', false],
    ['toString', false],
  ])('in %s: %s', (dialect, expected) => {
    expect(takesStatements(dialect)).toBe(expected)
  })
})
