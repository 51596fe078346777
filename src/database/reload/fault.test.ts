import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultOf } from './fault.ts'
import type { Order } from './order.ts'
import { ReloadError } from './reload-error.ts'

const order = (password: string, key = 'the key of it'): Order => ({
  ...{ address: '10.0.0.1', port: 3306, serverName: 'db.test', roots: [], statements: [] },
  account: { username: 'reloader', password, certificate: { chain: 'chain', key } },
})
const failure = (message: string, fields: object = {}): Error => Object.assign(new Error(message), fields)

describe('what a driver throws', () => {
  it.each([
    ['refused', failure('connect ECONNREFUSED 10.0.0.1:3306', { code: 'ECONNREFUSED', errno: -111 }), 'Unreachable'],
    ['timed out', failure('connect ETIMEDOUT', { code: 'ETIMEDOUT', errno: -110 }), 'TimedOut'],
    ['reset', failure('read ECONNRESET', { code: 'ECONNRESET', errno: -104 }), 'Closed'],
    ['tried at several addresses', new AggregateError([failure('x', { code: 'EHOSTUNREACH' })], ''), 'Unreachable'],
    ['wrapped', failure('outer', { cause: failure('inner', { code: 'CERT_HAS_EXPIRED' }) }), 'ServerNotVerified'],
    [
      'of OpenSSL, under the code of mysql2',
      failure('certificate has expired', { code: 'HANDSHAKE_SSL_ERROR' }),
      'ServerNotVerified',
    ],
    [
      'an alert',
      failure('error:0A000412:SSL routines::sslv3 alert bad certificate:…:SSL alert number 42'),
      'CertificateRefused',
    ],
    ['an alert of the protocol', failure('…:SSL alert number 70'), 'WrongProtocol'],
    [
      'MySQL 1045',
      failure("Access denied for user 'a'@'b'", { code: 'ER_ACCESS_DENIED_ERROR', errno: 1045 }),
      'LoginRefused',
    ],
    [
      'MySQL 3888',
      failure('Unable to get private key', { code: 'ER_TLS_LIBRARY_ERROR_INTERNAL', errno: 3888 }),
      'StatementFailed',
    ],
    ['PostgreSQL 28000', failure('no pg_hba.conf entry for host', { code: '28000' }), 'LoginRefused'],
    ['PostgreSQL 3D000', failure('database "x" does not exist', { code: '3D000' }), 'LoginRefused'],
    ['PostgreSQL 57P03', failure('the database system is starting up', { code: '57P03' }), 'Busy'],
    ['Redis while it loads', failure('LOADING Redis is loading the dataset in memory'), 'Busy'],
    ['Redis without a password', failure('NOAUTH Authentication required.'), 'LoginRefused'],
    ['Redis', failure('ERR CONFIG SET failed'), 'StatementFailed'],
    ['no error at all', 'a text', 'WrongProtocol'],
    ['an error of the program', new TypeError('x is not a function'), 'WrongProtocol'],
  ] as const)('%s', (_, thrown, reason) => {
    const fault = faultOf(thrown, order('p'))
    expect(fault).toBeInstanceOf(ReloadError)
    expect(fault.reason).toBe(reason)
    expect(fault.message).not.toMatch(/\.$/)
  })
  it('is passed on where it is a ReloadError', () => {
    const error = new ReloadError('StatementFailed', 'x')
    expect(faultOf(error, order('p'))).toBe(error)
  })
  it('does not go round in a circle of causes', () => {
    const error = failure('round')
    Object.assign(error, { cause: error })
    expect(faultOf(error, order('p')).reason).toBe('WrongProtocol')
  })
  it('names neither password nor key, in whatever form it quotes them', () => {
    const secret = fc
      .string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 40 })
      .filter((text) => text.trim().length >= 8)
    const forms = [
      (text: string): string => text,
      (text: string): string => encodeURIComponent(text),
      (text: string): string => JSON.stringify(text),
      (text: string): string => Buffer.from(text).toString('base64'),
    ]
    fc.assert(
      fc.property(secret, fc.constantFrom(...forms), fc.boolean(), (text, form, isKey) => {
        const given = isKey ? order('another password', text) : order(text)
        const { message } = faultOf(failure(`ERR near <<${form(text)}>>`), given)
        expect(message.slice(message.indexOf('<<'))).not.toContain(text)
        expect(message).toContain('[redacted]')
      }),
    )
  })
  it('is one line, and not long', () => {
    const { message } = faultOf(failure(`ERR a\nb\u202Ec\u0007${'x'.repeat(5000)}`), order('p'))
    expect(message).toMatch(/^[\x20-\x7e…]+$/)
    expect(message.length).toBeLessThan(400)
  })
})
