/** The statements by which real servers read their files again, run by the operator's own drivers as accounts that may do nothing else. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import { makeAuthority, makePair, type Pair, pemOf } from '../../src/database/connect/testing.ts'
import { execute, type StatementDialect } from '../../src/database/reload/execute.ts'
import type { Account, Order } from '../../src/database/reload/order.ts'
import { ReloadError } from '../../src/database/reload/reload-error.ts'
import type { Authority } from '../../src/pki/testing.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'

const reaper = new Reaper()
const clock = systemClock()
const password = "p'w%40 \\x"

interface Case {
  readonly product: Product
  readonly dialect: StatementDialect
  readonly statements: (database: Database) => readonly string[]
  /** Makes `reloader`, who may do it, and `nobody`, who may not; both with the password. */
  readonly accounts: (database: Database) => Promise<void>
  /** What it says of a pair that does not belong together; undefined: nothing. */
  readonly mismatch: RegExp | undefined
}

const literal = `'${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
const mysqlLike = (right: string) => async (database: Database) => {
  for (const user of ['reloader', 'nobody'])
    await database.statement(`CREATE USER ${user}@'%' IDENTIFIED BY ${literal} REQUIRE X509`)
  await database.statement(`GRANT ${right} ON *.* TO reloader@'%'`)
}

const postgresqlAccounts = async ({ place }: Database): Promise<void> => {
  const client = new pg.Client({ host: place.folder, port: place.port, user: 'postgres', database: 'postgres' })
  await client.connect()
  for (const user of ['reloader', 'nobody'])
    await client.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password.replaceAll("'", "''")}'`)
  await client.query('GRANT EXECUTE ON FUNCTION pg_reload_conf() TO reloader')
  const lines = 'local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n'
  writeFileSync(join(place.folder, 'data', 'pg_hba.conf'), lines)
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}

const redisAccounts = async ({ place }: Database): Promise<void> => {
  const client = createClient({ socket: { path: join(place.folder, 'socket'), tls: false } })
  await client.connect()
  await client.sendCommand(['ACL', 'SETUSER', 'reloader', 'on', `>${password}`, '+config|set'])
  await client.sendCommand(['ACL', 'SETUSER', 'nobody', 'on', `>${password}`, '+ping'])
  client.destroy()
}

const configSet = ({ volume }: Database): string =>
  `CONFIG SET tls-cert-file ${volume.path('tls.crt')} tls-key-file ${volume.path('tls.key')} tls-ca-cert-file ${volume.path('ca.crt')}`

const flush: Omit<Case, 'product' | 'mismatch'> = {
  dialect: 'mysql',
  statements: () => ['FLUSH SSL'],
  accounts: mysqlLike('RELOAD'),
}
const postgresql: Omit<Case, 'product'> = {
  ...{ dialect: 'postgresql' as const, statements: () => ['SELECT pg_reload_conf()'] },
  ...{ accounts: postgresqlAccounts, mismatch: undefined },
}
const redis: Omit<Case, 'product'> = {
  ...{ dialect: 'redis' as const, statements: (database: Database) => [configSet(database)] },
  ...{ accounts: redisAccounts, mismatch: /Unable to update TLS configuration/ },
}
const cases: readonly Case[] = [
  { product: 'MariaDB 10.11', ...flush, mismatch: /Failed to refresh SSL, error: Unable to get private key/ },
  { product: 'MariaDB 11.8', ...flush, mismatch: /Failed to refresh SSL, error: Unable to get private key/ },
  {
    product: 'MySQL 9',
    ...{ dialect: 'mysql', statements: () => ['ALTER INSTANCE RELOAD TLS'], accounts: mysqlLike('CONNECTION_ADMIN') },
    mismatch: /Unable to get private key/,
  },
  { product: 'PostgreSQL 15', ...postgresql },
  { product: 'PostgreSQL 18', ...postgresql },
  { product: 'Redis 8', ...redis },
  { product: 'Valkey 8', ...redis },
]

interface Refused {
  readonly account?: Account
  readonly changes?: Partial<Order>
  readonly roots?: string
  readonly certificate?: string
}

let ca: Authority
let next: Authority
let stranger: Authority
let pairs: readonly [Pair, Pair, Pair]
let client: Pair
let foreign: Pair
beforeAll(async () => {
  ;[ca, next, stranger] = [await makeAuthority('Orders CA'), await makeAuthority('Orders CA'), await makeAuthority('X')]
  const names = ['db.test', 'localhost', '127.0.0.1']
  pairs = [
    await makePair(ca, 'Server', names),
    await makePair(ca, 'Server', names),
    await makePair(next, 'Server', names),
  ]
  client = await makePair(ca, 'Client')
  foreign = await makePair(stranger, 'Client')
})

const filesOf = (pair: Pair, authorities: readonly Authority[], key = pair.key) => ({
  ...{ 'tls.crt': pair.chain, 'tls.key': key, 'ca.crt': authorities.map(pemOf).join('') },
})
const fingerprintOf = ({ der }: Pair): string => createHash('sha256').update(der).digest('hex')

describe.each(cases)('$product', ({ product, dialect, statements, accounts, mismatch }) => {
  let started: Database | undefined
  beforeAll(async () => {
    started = await Database.start(product, filesOf(pairs[0], [ca]), reaper)
    if (started !== undefined) await accounts(started)
  }, 600_000)
  afterAll(async () => {
    await started?.[Symbol.asyncDispose]()
  })
  const reloader: Account = { username: 'reloader', password }
  const orderOf = (database: Database, account: Account, changes: Partial<Order> = {}): Order => ({
    ...{ address: '127.0.0.1', port: database.place.port, serverName: 'db.test', roots: [pemOf(ca), pemOf(next)] },
    ...{ account: { certificate: client, ...account }, statements: statements(database) },
    ...changes,
  })
  const told = (database: Database, account: Account = reloader, changes: Partial<Order> = {}) =>
    execute(dialect, orderOf(database, account, changes), { clock, totalMs: 60_000 })
  const refusal = async (work: Promise<void>): Promise<ReloadError> => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof ReloadError)) throw new Error('no ReloadError', { cause: error })
    expect(JSON.stringify([error.message, error.cause, error.stack])).not.toContain(
      JSON.stringify(password).slice(1, -1),
    )
    expect(error.cause).toBeUndefined()
    return error
  }
  const target = (database: Database) =>
    database.target({ serverName: 'db.test', roots: [ca.certificate, next.certificate] })
  const served = async (database: Database): Promise<string | undefined> =>
    (await probe(target(database), { clock, certificate: client })).served?.fingerprint

  it('serves a renewed pair and trusts a further CA after the statement, and refuses nobody meanwhile', async (context) => {
    if (started === undefined) return context.skip(`${product} cannot be had here`)
    const database = started
    console.log(`${product}: ${database.place.installation.manifest}`)
    await using loop = new ClientLoop(() => ({ target: target(database), certificate: client }))
    await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 0))
    database.volume.write(filesOf(pairs[1], [ca, next]))
    expect(await served(database), 'delivered is not loaded').toBe(fingerprintOf(pairs[0]))
    await told(database)
    await eventually('the renewed certificate', async () => (await served(database)) === fingerprintOf(pairs[1]))
    database.volume.write(filesOf(pairs[2], [ca, next]))
    await told(database)
    await eventually('the one of the next CA', async () => (await served(database)) === fingerprintOf(pairs[2]))
    const before = loop.accepted
    await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
    expect((await loop.stop()).refused).toEqual([])
  })

  it('keeps what it has where the pair does not belong together, and says so where it can', async (context) => {
    if (started === undefined) return context.skip(`${product} cannot be had here`)
    const before = await served(started)
    started.volume.write(filesOf(pairs[0], [ca, next], pairs[1].key))
    if (mismatch === undefined) await told(started)
    else
      expect(await refusal(told(started))).toMatchObject({
        reason: 'StatementFailed',
        message: expect.stringMatching(mismatch),
      })
    if (mismatch === undefined)
      await eventually('the log to say so', () =>
        Promise.resolve(started?.logs().includes('SSL configuration was not reloaded')),
      )
    expect(await served(started)).toBe(before)
    started.volume.write(filesOf(pairs[0], [ca, next]))
    await told(started)
    await eventually('the mended pair', async () => started && (await served(started)) === fingerprintOf(pairs[0]))
  })

  it.each([
    ['a wrong password', { account: { username: 'reloader', password: 'wrong' } }, /^LoginRefused/],
    ['an unknown account', { account: { username: 'ghost', password } }, /^LoginRefused/],
    ['no password', { account: { username: 'reloader' } }, /^LoginRefused/],
    ['an account that may not', { account: { username: 'nobody', password } }, /^PrivilegeMissing/],
    ['another name', { changes: { serverName: 'other.test' } }, /^ServerNotVerified.*not for other\.test/],
    ['an address it is not for', { changes: { serverName: '127.0.0.9' } }, /^ServerNotVerified.*not for 127\.0\.0\.9/],
    ['another CA', { roots: 'stranger' }, /^ServerNotVerified/],
    ['no CA', { changes: { roots: [] } }, /^ServerNotVerified/],
    ['a certificate of another CA', { certificate: 'foreign' }, /^(CertificateRefused|Closed|LoginRefused)/],
    ['no certificate', { certificate: 'none' }, /^(CertificateRefused|LoginRefused)/],
    ['nobody there', { changes: { port: 1 } }, /^Unreachable/],
    [
      'a statement it does not know',
      { changes: { statements: ['NONSENSE 1'] } },
      /^(StatementFailed|PrivilegeMissing)/,
    ],
  ] as const)('tells %s', async (_, how, expected) => {
    if (started === undefined) return
    const { account = reloader, changes = {}, roots, certificate } = how as Refused
    const shown = certificate === undefined ? {} : { certificate: certificate === 'foreign' ? foreign : undefined }
    const trusted = roots === undefined ? {} : { roots: [pemOf(stranger)] }
    const { reason, message } = await refusal(told(started, { ...account, ...shown }, { ...changes, ...trusted }))
    console.log(`${product}: ${reason}: ${message}`)
    expect(`${reason}: ${message}`).toMatch(expected)
  })
})
