/** A server that takes the statement, cannot use the files it was given, and says so in its log alone: the profile has to say it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import { findCondition } from '../../src/resources/conditions.ts'
import { secrets } from '../../src/resources/core.ts'
import { type DatabaseTLSProfile, databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'
import { ProfileWorld } from './harness/profile.ts'
import type { SecretVolume } from './harness/secret-volume.ts'

type Contents = Readonly<Record<string, Buffer>>

interface Spoilt {
  readonly what: string
  readonly write: (volume: SecretVolume, former: Contents, renewed: Contents) => void
  /** Of the server's log, and of nothing else. */
  readonly logged: RegExp
}

const spoilt: readonly Spoilt[] = [
  {
    what: 'a key that does not belong to the certificate',
    write: (volume, former, renewed) => volume.write({ ...renewed, 'tls.key': former['tls.key'] ?? '' }),
    logged: /could not load private key file "[^"]*tls\.key": (x509 certificate routines::)?key values mismatch/,
  },
  {
    what: 'a key that everybody may read',
    write: (volume, _, renewed) => volume.write(renewed, 0o644),
    logged: /private key file "[^"]*" has group or world access/,
  },
]

const reaper = new Reaper()
const products: readonly Product[] = ['PostgreSQL 15', 'PostgreSQL 18']

describe.each(products)('%s', (product) => {
  let opened: { readonly world: ProfileWorld; readonly database: Database } | undefined
  beforeAll(async () => {
    const port = await freePort()
    const world = await ProfileWorld.start({
      ...{ reaper, asksServers: true, volumeDelayMs: 1000 },
      spec: {
        ...{ engine: 'PostgreSQL', version: product.replace(/\D+/, ''), clients: [{ name: 'admin' }] },
        topology: { services: ['orders'] },
        reload: { strategy: 'SQL', client: 'admin', endpoints: [`127.0.0.1:${port}`] },
        probe: { interval: '2s', endpoints: [`127.0.0.1:${port}`] },
      },
    })
    const database = await Database.start(product, world.server.volume, reaper, { port })
    if (database === undefined) return world[Symbol.asyncDispose]()
    opened = { world, database }
    await database.statement('CREATE ROLE admin LOGIN; GRANT EXECUTE ON FUNCTION pg_reload_conf() TO admin')
  }, 600_000)
  afterAll(async () => {
    await opened?.world[Symbol.asyncDispose]()
    await opened?.database[Symbol.asyncDispose]()
  })

  const contents = async ({ cluster }: ProfileWorld): Promise<Contents> => {
    const { data = {} } = await cluster.get(secrets, { namespace: 'data', name: 'orders-server-tls' })
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]))
  }
  const served = async (database: Database): Promise<string | undefined> =>
    (await probe(database.target(), { clock: systemClock(), totalMs: 60_000 })).served?.serialNumber
  const statusWhere = (
    { cluster }: ProfileWorld,
    what: string,
    holds: (status: NonNullable<DatabaseTLSProfile['status']>) => boolean,
  ) =>
    eventually(
      what,
      async () => {
        const { status } = await cluster.get(databaseTLSProfiles, { namespace: 'data', name: 'orders' })
        return status !== undefined && holds(status) && status
      },
      { timeoutMs: 120_000 },
    )
  const isGood = ({ conditions, reload }: NonNullable<DatabaseTLSProfile['status']>): boolean =>
    ['Ready', 'Serving'].every((type) => findCondition(conditions, type)?.status === 'True') &&
    reload?.pending === undefined

  it.for(spoilt)('is said to keep its certificate in silence, and since when: $what', async (one, context) => {
    if (opened === undefined) return context.skip(`${product} cannot be had here`)
    const { world, database } = opened
    const address = `127.0.0.1:${database.place.port}`
    await statusWhere(world, 'all to be good', isGood)
    const [former, before] = [await contents(world), await world.serial('server')]
    const from = Math.floor(Date.now() / 1000) * 1000
    await world.renew('server')
    const to = Date.now()
    one.write(database.volume, former, await contents(world))

    const status = await statusWhere(
      world,
      'the profile to say that it keeps the former certificate',
      ({ conditions, reload }) =>
        reload?.pending?.[0]?.reason === 'KeptOld' &&
        findCondition(conditions, 'Ready')?.status === 'False' &&
        findCondition(conditions, 'Serving')?.status === 'False',
    )
    const [pending, ...others] = status.reload?.pending ?? []
    expect(others).toEqual([])
    const { since = '', message = '' } = pending ?? {}
    expect(pending?.name).toBe(address)
    expect(Date.parse(since)).toBeGreaterThanOrEqual(from)
    expect(Date.parse(since)).toBeLessThanOrEqual(to)
    expect(message).toContain(`It shows ${before}, though it took the statement: it keeps what it had.`)
    expect(message).toMatch(/mounts Secret orders-server-tls, that it may read the key .*its log, which alone says why/)
    expect(findCondition(status.conditions, 'Ready')).toMatchObject({
      ...{ reason: 'ReloadFailed', message: expect.stringContaining(`${address} (since ${since}): ${message}`) },
    })
    expect(findCondition(status.conditions, 'Serving')).toMatchObject({
      ...{ reason: 'OldCertificateServed', message: expect.stringContaining(since) },
    })
    expect(database.logs()).toMatch(one.logged)
    expect(await served(database), 'clients notice nothing').toBe(before)

    await world.deliver()
    await statusWhere(world, 'all to be good again', isGood)
    expect(await served(database)).toBe(await world.serial('server'))
  })
})
