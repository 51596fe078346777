/** A profile with reload.strategy SQL: the operator has real servers take up renewed certificates by itself, and says what keeps it from that. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import { certificatesOf } from '../../src/pki/encoding/pem.ts'
import { findCondition } from '../../src/resources/conditions.ts'
import { type DatabaseTLSProfile, databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'
import { ProfileWorld } from './harness/profile.ts'

const reaper = new Reaper()
const clock = systemClock()

interface Case {
  readonly product: Product
  readonly engine: string
  /** Makes the account `admin`. */
  readonly prepare: (database: Database) => Promise<void>
  /** Keeps the account from reloading, and lets it again. */
  readonly spoil: (world: ProfileWorld, database: Database) => Promise<void>
  readonly mend: (world: ProfileWorld, database: Database) => Promise<void>
  /** What Ready says meanwhile. */
  readonly says: RegExp
}

const account = (password: string) => ({
  ...{ apiVersion: 'v1', kind: 'Secret' },
  metadata: { name: 'orders-admin', annotations: { 'dbtls.dev/reload-credentials': 'orders' } },
  stringData: { username: 'admin', password },
})
const wrongPassword = {
  spoil: (world: ProfileWorld) => world.apply(account('wrong')),
  mend: (world: ProfileWorld) => world.apply(account('geheim')),
  says: /Nobody may log in as "admin" with the password given.*Correct username and password/,
}

const asPostgres = async ({ place }: Database, ...statements: readonly string[]): Promise<void> => {
  const client = new pg.Client({ host: place.folder, port: place.port, user: 'postgres', database: 'postgres' })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

const cases: readonly Case[] = [
  {
    ...{ product: 'MySQL 9', engine: 'MySQL', ...wrongPassword },
    prepare: async (database) => {
      await database.statement("CREATE USER admin@'%' IDENTIFIED BY 'geheim' REQUIRE X509")
      await database.statement("GRANT CONNECTION_ADMIN ON *.* TO admin@'%'")
    },
  },
  {
    ...{ product: 'MariaDB 11.8', engine: 'MariaDB', ...wrongPassword },
    prepare: async (database) => {
      await database.statement("CREATE USER admin@'%' IDENTIFIED BY 'geheim' REQUIRE X509")
      await database.statement("GRANT RELOAD ON *.* TO admin@'%'")
    },
  },
  {
    // Its account is known by the certificate of the client alone.
    ...{ product: 'PostgreSQL 18', engine: 'PostgreSQL' },
    prepare: (database) =>
      asPostgres(database, 'CREATE ROLE admin LOGIN', 'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO admin'),
    spoil: (_, database) => asPostgres(database, 'REVOKE EXECUTE ON FUNCTION pg_reload_conf() FROM admin'),
    mend: (_, database) => asPostgres(database, 'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO admin'),
    says: /permission denied for function pg_reload_conf.*GRANT EXECUTE ON FUNCTION/,
  },
  {
    ...{ product: 'Valkey 8', engine: 'Valkey', ...wrongPassword },
    prepare: async ({ place }) => {
      const client = createClient({ socket: { path: join(place.folder, 'socket'), tls: false } })
      await client.connect()
      await client.sendCommand(['ACL', 'SETUSER', 'admin', 'on', '>geheim', '+config|set'])
      client.destroy()
    },
  },
]

describe.each(cases)('$product', ({ product, engine, prepare, spoil, mend, says }) => {
  let opened: { readonly world: ProfileWorld; readonly database: Database } | undefined
  beforeAll(async () => {
    const port = await freePort()
    const world = await ProfileWorld.start({
      ...{ reaper, asksServers: true, objects: [account('geheim')] },
      spec: {
        ...{ engine, topology: { services: ['orders'] }, clients: [{ name: 'admin' }] },
        reload: {
          ...{ strategy: 'SQL', client: 'admin', endpoints: [`127.0.0.1:${port}`] },
          ...(engine === 'PostgreSQL' ? {} : { credentialsSecretRef: { name: 'orders-admin' } }),
        },
        probe: { interval: '2s', endpoints: [`127.0.0.1:${port}`] },
      },
    })
    const database = await Database.start(product, world.server.volume, reaper, { port })
    if (database === undefined) return world[Symbol.asyncDispose]()
    opened = { world, database }
    await prepare(database)
  }, 600_000)
  afterAll(async () => {
    await opened?.world[Symbol.asyncDispose]()
    await opened?.database[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (world: ProfileWorld, database: Database) => Promise<void>): void =>
    it(name, async (context) => {
      if (opened === undefined) return context.skip(`${product} cannot be had here`)
      await test(opened.world, opened.database)
    })
  const clientOf = (world: ProfileWorld, database: Database) => {
    const read = (key: string): string => readFileSync(world.client('admin').volume.path(key), 'utf8')
    const target = database.target({ serverName: 'orders.data.svc', roots: certificatesOf(read('ca.crt')) })
    return { target, certificate: { chain: read('tls.crt'), key: read('tls.key') } }
  }
  const served = async (world: ProfileWorld, database: Database): Promise<string | undefined> => {
    const { target, certificate } = clientOf(world, database)
    return (await probe(target, { clock, certificate, totalMs: 60_000 })).served?.serialNumber
  }
  const profileOf = ({ cluster }: ProfileWorld): Promise<DatabaseTLSProfile> =>
    cluster.get(databaseTLSProfiles, { namespace: 'data', name: 'orders' })
  const readyIs = (world: ProfileWorld, status: 'True' | 'False', words: RegExp) =>
    eventually(
      `Ready to be ${status} and say ${String(words)}`,
      async () => {
        const { status: seen } = await profileOf(world)
        const ready = findCondition(seen?.conditions, 'Ready')
        return ready?.status === status && words.test(ready.message) && seen?.reload
      },
      { timeoutMs: 120_000 },
    )

  live('is told of a renewed certificate until it serves it, and refuses nobody meanwhile', async (world, database) => {
    const former = await served(world, database)
    expect(former).toBe(await world.serial('server'))
    await using loop = new ClientLoop(() => clientOf(world, database))
    await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 2))
    await world.renew('server')
    const renewed = await world.serial('server')
    const { pending } = await eventually('the operator to have told it in vain', async () => {
      const reload = (await profileOf(world)).status?.reload
      return reload?.pending?.[0]?.message.includes('may not have come') === true && reload
    })
    expect(pending).toMatchObject([{ name: `127.0.0.1:${database.place.port}`, reason: 'Waiting' }])
    expect(findCondition((await profileOf(world)).status?.conditions, 'Ready')?.status, 'all is delivered').toBe('True')
    expect(await served(world, database), 'its files are those of before').toBe(former)
    await world.deliver()
    await eventually('the renewed certificate', async () => (await served(world, database)) === renewed, {
      timeoutMs: 120_000,
    })
    await eventually(
      'status to say no more',
      async () => (await profileOf(world)).status?.reload?.pending === undefined,
      {
        timeoutMs: 120_000,
      },
    )
    const before = loop.accepted
    await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
    expect(await loop.stop()).toMatchObject({ refused: [] })
  })

  live('says what keeps the account from it, and goes on when that is mended', async (world, database) => {
    await spoil(world, database)
    await world.renew('server')
    await world.deliver()
    const reload = await readyIs(world, 'False', says)
    expect(JSON.stringify(reload)).not.toMatch(/wrong|geheim/)
    await mend(world, database)
    await readyIs(world, 'True', /delivered/)
    const renewed = await world.serial('server')
    await eventually('the renewed certificate', async () => (await served(world, database)) === renewed, {
      timeoutMs: 120_000,
    })
  })
})
