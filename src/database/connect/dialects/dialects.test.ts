import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FaultError } from '../fault.ts'
import { mysqlError, mysqlGreeting, mysqlPacket } from '../testing.ts'
import { WireError } from '../wire.ts'
import type { Dialect, Greeted } from './dialect.ts'
import { dialects } from './table.ts'

const names = Object.keys(dialects) as (keyof typeof dialects)[]
const table: Readonly<Record<string, Dialect>> = dialects

const postgresError = (fields: string): Buffer => {
  const body = Buffer.from(fields)
  const head = Buffer.from('E\0\0\0\0')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const preambleOf = (name: keyof typeof dialects) => {
  const { preamble } = table[name] ?? {}
  if (preamble === undefined) throw new Error(`${name} has no preamble`)
  return preamble
}
const questionOf = (name: keyof typeof dialects) => {
  const { question } = table[name] ?? {}
  if (question === undefined) throw new Error(`${name} has no question`)
  return question
}
const faultOf = (name: keyof typeof dialects, said: Uint8Array): unknown => {
  try {
    return preambleOf(name).read(said)
  } catch (error) {
    if (error instanceof FaultError) return [error.reason, error.message]
    if (error instanceof WireError) return ['WireError', error.message]
    throw error
  }
}

describe('the greeting of MySQL', () => {
  it('is answered with an SSLRequest of the flags that both know', () => {
    const greeting = mysqlGreeting()
    const greeted = preambleOf('mysql').read(greeting)
    expect(greeted).toEqual({
      length: greeting.length,
      reply: Buffer.from(`2000000100aa0800000000012d${'00'.repeat(23)}`, 'hex'),
      memory: '567808 caching_sha2_password',
    } satisfies Greeted)
  })
  it('names no login method to a server that has none to choose from', () => {
    const greeted = preambleOf('mysql').read(mysqlGreeting({ capabilities: 0x0000_aa00 }))
    expect(greeted?.memory).toBe(String(0xaa00))
    const login = questionOf('mysql').ask({ user: 'probe', serverName: '', memory: greeted?.memory })
    expect(Buffer.from(login.subarray(36)).toString()).toBe('probe\0\0')
  })
  it('is waited for byte by byte', () => {
    const greeting = mysqlGreeting()
    for (let length = 0; length < greeting.length; length += 1)
      expect(preambleOf('mysql').read(greeting.subarray(0, length))).toBeUndefined()
  })
  it.each<[string, Buffer, string, RegExp]>([
    [
      'a blocked host',
      mysqlError(1129, "Host '10.0.0.1' is blocked because"),
      'Blocked',
      /1129: Host '10\.0\.0\.1' is/,
    ],
    ['a host that is not allowed', mysqlError(1130, '#HY000Host not allowed'), 'Blocked', /1130: Host not allowed/],
    ['a full server', mysqlError(1040, '#08004Too many connections'), 'Busy', /1040: Too many connections/],
    ['another error', mysqlError(1105, 'bad\x1b[31m\nthing'), 'ServerError', /1105: bad \[31m thing/],
    ['a server without TLS', mysqlGreeting({ capabilities: 0xffff_f7ff }), 'TLSOff', /offers no TLS/],
    ['an old protocol', mysqlGreeting({ version: 9 }), 'WireError', /version 9 /],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'), 'WireError', /no MySQL greeting/],
    ['a packet that announces 16 MB', Buffer.from('ffffff000a', 'hex'), 'WireError', /16777215 bytes/],
    ['an empty packet', Buffer.from('00000000', 'hex'), 'WireError', /0 bytes/],
    ['a greeting that is cut', mysqlPacket(0, Buffer.from('\n9.7.4\0abc')), 'WireError', /announced/],
    ['a login method of bytes', mysqlGreeting({ plugin: 'a b\x01' }), 'WireError', /login method/],
  ])('reports %s', (_, said, reason, message) => {
    expect(faultOf('mysql', said)).toEqual([reason, expect.stringMatching(message)])
  })
})

describe('the answer of PostgreSQL to an SSLRequest', () => {
  it.each<[string, Buffer, unknown]>([
    ['yes', Buffer.from('S'), { length: 1 }],
    ['yes and more in the clear', Buffer.from('Smore'), { length: 1 }],
    ['nothing yet', Buffer.alloc(0), undefined],
    ['half an error', postgresError('SFATAL\0').subarray(0, 8), undefined],
    ['no', Buffer.from('N'), ['TLSOff', expect.stringContaining('ssl = off')]],
    ['HTTP', Buffer.from('HTTP/1.1 400'), ['WireError', expect.stringContaining('as PostgreSQL does')]],
    [
      'too many clients',
      postgresError('SFATAL\0C53300\0Msorry, too many clients already\0\0'),
      ['Busy', 'the server says error 53300: sorry, too many clients already'],
    ],
    [
      'starting up',
      postgresError('SFATAL\0C57P03\0Mthe database system is starting up\0\0'),
      ['Busy', 'the server says error 57P03: the database system is starting up'],
    ],
    ['another error', postgresError('C28000\0Mno\0\0'), ['ServerError', 'the server says error 28000: no']],
    ['a huge error', Buffer.from('E\xff\xff\xff\xff', 'latin1'), ['WireError', expect.stringContaining('4294967295')]],
  ])('%s', (_, said, expected) => {
    expect(faultOf('postgresql', said)).toEqual(expected)
  })
})

describe('questions and their answers', () => {
  it.each<[keyof typeof dialects, string, Buffer, string, boolean]>([
    ['mysql', 'a denied login', mysqlError(1045, '#28000Access denied', 2), 'error 1045', true],
    ['mysql', 'a login', mysqlPacket(2, Buffer.alloc(7)), 'login accepted', true],
    ['mysql', 'a question back', mysqlPacket(2, Buffer.of(0xfe, 1)), 'login goes on', true],
    ['postgresql', 'a login wanted', Buffer.from('520000000800000005', 'hex'), 'asks for a login', true],
    ['postgresql', 'an error', postgresError('C28000\0Mno\0\0'), 'error 28000', true],
    ['postgresql-direct', 'another version', Buffer.from('760000000800000000', 'hex'), 'answers', true],
    ['redis', 'pong', Buffer.from('+PONG\r\n'), '+PONG', true],
    ['redis', 'a login wanted', Buffer.from('-NOAUTH Authentication required.\r\n'), '-NOAUTH', true],
    ['redis', 'something else', Buffer.from('hello\r\n'), 'hello', false],
    ['kafka', 'versions', Buffer.from('0000000a00000007000000000000', 'hex'), 'ApiVersions, error 0', true],
    ['cassandra', 'supported', Buffer.from('840000000600000000', 'hex'), 'SUPPORTED', true],
    ['cassandra', 'an error', Buffer.from('840000000000000000', 'hex'), 'opcode 0', true],
    ['http', 'yes', Buffer.from('HTTP/1.1 200 OK\r\n'), 'HTTP 200', true],
    ['http', 'what nginx says to strangers', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'HTTP 400', false],
    ['zookeeper', 'its state', Buffer.from('Zookeeper version: 3.9.4\n'), 'Zookeeper version', true],
    ['mongodb', 'hello', Buffer.from(`${'00'.repeat(8)}07000000dd07000000000000`, 'hex'), 'answers hello', true],
  ])('%s: %s', (name, _, said, words, proves) => {
    expect(questionOf(name).read(said)).toMatchObject({ words, proves })
  })
  it('MySQL is told goodbye after a login, and is always asked', () => {
    const { question } = dialects.mysql
    expect(question?.read(mysqlPacket(2, Buffer.alloc(7)))?.farewell).toEqual(Buffer.from('0100000001', 'hex'))
    expect(question?.always).toBe(true)
  })
  it('are what the protocols say', () => {
    const asked = { user: 'probe', serverName: 'db.svc', memory: '567808 mysql_native_password' }
    const hex = (name: keyof typeof dialects): string => Buffer.from(questionOf(name).ask(asked)).toString('hex')
    const startup = Buffer.from('\0\0\0\x26\0\x03\0\0user\0probe\0database\0postgres\0\0', 'latin1')
    expect(hex('postgresql')).toBe(startup.toString('hex'))
    expect(startup.readInt32BE(0)).toBe(startup.length)
    expect(Buffer.from(hex('redis'), 'hex').toString()).toBe('PING\r\n')
    expect(hex('kafka')).toBe('0000000a0012000000000007ffff')
    expect(hex('cassandra')).toBe('040000000500000000')
    expect(Buffer.from(hex('http'), 'hex').toString()).toMatch(/^GET \/version HTTP\/1\.1\r\nHost: db\.svc\r\n/)
    expect(Buffer.from(hex('mysql'), 'hex').subarray(36).toString()).toBe('probe\0\0mysql_native_password\0')
    const hello = Buffer.from(hex('mongodb'), 'hex')
    expect([hello.readInt32LE(0), hello.readInt32LE(12), hello.readInt32LE(21)]).toEqual([
      hello.length,
      2013,
      hello.length - 21,
    ])
  })
})

describe('whatever a server says', () => {
  const said = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc
      .tuple(
        fc.constantFrom('E', 'S', 'N', 'R', '+', 'HTTP/1.1 ', '\x0a\x00\x00\x00\x0a', '\x40\0\0\0\xff'),
        fc.uint8Array(),
      )
      .map(([start, rest]) => Buffer.concat([Buffer.from(start, 'latin1'), rest])),
    fc
      .tuple(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(10, 0xff, 0, 0xfe))
      .map(([rest, first]) => mysqlPacket(0, Buffer.concat([Buffer.of(first), rest]))),
    fc.tuple(fc.nat(120), fc.uint8Array({ minLength: 1, maxLength: 4 })).map(([at, bytes]) => {
      const greeting = mysqlGreeting()
      greeting.set(bytes, Math.min(at, greeting.length - bytes.length))
      return greeting
    }),
  )
  it.each(names)('%s reads it, wants more or refuses it in words', (name) => {
    const { preamble, question } = table[name] ?? {}
    const readers = [preamble, question].filter((part) => part !== undefined)
    fc.assert(
      fc.property(said, (bytes) => {
        for (const reader of readers) {
          try {
            const read = reader.read(bytes)
            if (read !== undefined && 'length' in read) expect(read.length).toBeLessThanOrEqual(bytes.length)
            if (read !== undefined && 'words' in read) expect(read.words).toMatch(/^[ -~]{0,200}$/)
          } catch (error) {
            if (!(error instanceof FaultError) && !(error instanceof WireError)) throw error
            // oxlint-disable-next-line no-control-regex -- nothing but these may reach a terminal or a status
            expect(error.message).toMatch(/^[^\x00-\x1f\x7f]{1,400}$/)
          }
        }
      }),
      { numRuns: 400 },
    )
  })
})
