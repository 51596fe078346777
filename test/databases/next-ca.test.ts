/** Real servers, while the CA of their clients is replaced: what the operator's watch says of their trust before and after each reload. */
import { randomBytes, webcrypto } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair, type Pair, pemOf } from '../../src/database/connect/testing.ts'
import { parseCertificate } from '../../src/pki/certificates/parse.ts'
import type { Authority } from '../../src/pki/testing.ts'
import { signOffers, templateOf } from '../../src/profile/endpoints/offers.ts'
import { localRules, Permission } from '../../src/profile/endpoints/permitted.ts'
import type { PlannedEndpoint } from '../../src/profile/endpoints/plan.ts'
import { EndpointWatch } from '../../src/profile/endpoints/watch.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/log.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'

let current: Authority
let next: Authority
let server: Pair
let client: Pair
beforeAll(async () => {
  // Of one name, so that nothing but the signature tells them apart.
  current = await makeAuthority('Orders CA')
  next = await makeAuthority('Orders CA')
  server = await makePair(current, 'Server', ['db.test', 'localhost', '127.0.0.1'])
  client = await makePair(current, 'Client', ['app'])
})

const reaper = new Reaper()
const clock = systemClock()
const fingerprintOf = ({ certificate }: Authority): string => parseCertificate(certificate).fingerprint
const filesOf = (...authorities: readonly Authority[]) => ({
  ...{ 'tls.crt': server.chain, 'tls.key': server.key, 'ca.crt': authorities.map(pemOf).join('') },
})

const watching = (database: Database) => {
  const { address, port, dialect } = database.target()
  const endpoint: PlannedEndpoint = {
    ...{ address: `${address}:${port}`, host: address, port, dialect, serverName: 'db.test' },
    wish: { managed: true, facesClients: true, engine: database.product, expected: [] },
    clientAuthority: 'data/ca',
    proof: {
      authority: 'data/ca',
      from: fingerprintOf(current),
      to: fingerprintOf(next),
      templates: ['data/orders-app'],
    },
  }
  const means = { crypto: webcrypto, random: (size: number) => randomBytes(size) }
  const watch = new EndpointWatch({
    ...{ clock, log: silentLogger(), random: Math.random, permits: new Permission(localRules) },
    ...{ read: () => Promise.resolve(undefined), changed: () => undefined, looked: () => undefined },
    offers: async () => {
      const issuers = { current: { ...current, chain: [] }, next: { ...next, chain: [] } }
      return signOffers(issuers, await templateOf(client.der, means), { ...means, now: clock.now() })
    },
  })
  const plan = { ...{ namespace: 'data', clusterDomain: 'cluster.local', intervalMs: 2000 }, leftOut: 0 }
  watch.follow('data/orders', {
    plan: { ...plan, endpoints: [endpoint], client: undefined },
    roots: [current.certificate],
  })
  const trust = () => watch.seen('data/orders')[0]?.look.trust
  return {
    is: (state: string) =>
      eventually(`the state ${state}`, () => Promise.resolve(trust()?.state === state && trust()), {
        timeoutMs: 120_000,
      }),
    [Symbol.asyncDispose]: () => watch.stop(),
  }
}

const products: readonly Product[] = ['MySQL 9', 'MariaDB 11.8', 'PostgreSQL 18', 'Redis 8', 'Valkey 8', 'etcd']

describe.each(products)('%s', (product) => {
  let database: Database | undefined
  beforeAll(async () => {
    database = await Database.start(product, filesOf(current), reaper)
  }, 600_000)
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]()
  })

  it('proves that it trusts the next CA when it has loaded it, and not before, and no longer when that is taken back', async (context) => {
    if (database === undefined) return context.skip(`${product} cannot be had here`)
    const [from, to] = [fingerprintOf(current), fingerprintOf(next)]
    await using running = watching(database)
    expect(await running.is('Refused')).toMatchObject({ trusts: [from] })
    database.volume.write(filesOf(current, next))
    {
      await using again = watching(database)
      expect(await again.is('Refused'), 'delivered is not loaded').toMatchObject({ trusts: [from] })
    }
    await database.reload()
    expect(await running.is('Trusted')).toEqual({ state: 'Trusted', trusts: [from, to] })
    database.volume.write(filesOf(current))
    await database.reload()
    expect(await running.is('Refused')).toMatchObject({ trusts: [from] })
  })
})

describe('Valkey 8 that', () => {
  it.for([
    ['asks clients for nothing', 'no', 'NotRequested'],
    ['asks them, and lets in who shows nothing', 'optional', 'Refused'],
  ] as const)('%s is told of as that', async ([, verifies, state], context) => {
    const database = await Database.start('Valkey 8', filesOf(current), reaper, {
      args: ['--tls-auth-clients', verifies],
    })
    if (database === undefined) return context.skip('Valkey 8 cannot be had here')
    await using open = database
    await using running = watching(open)
    await running.is(state)
  })
})
