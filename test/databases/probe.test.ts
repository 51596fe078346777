/** What a probe says of real servers, and what they trust before and after a CA is added. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Offers, proveTrust, type ProofOptions } from '../../src/database/connect/prove.ts'
import { probe } from '../../src/database/connect/probe.ts'
import { makeAuthority, makeOffers, makePair, type Pair, pemOf } from '../../src/database/connect/testing.ts'
import type { Authority } from '../../src/pki/testing.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'

let ca: Authority
let next: Authority
let pairs: readonly [Pair, Pair]
let offers: Offers
beforeAll(async () => {
  // All three of one name, so that nothing but the signature tells them apart.
  ca = await makeAuthority('Orders CA')
  next = await makeAuthority('Orders CA')
  const names = ['db.test', 'localhost', '127.0.0.1']
  pairs = [await makePair(ca, 'Server', names), await makePair(ca, 'Server', names)]
  offers = await makeOffers(ca, next)
})

const reaper = new Reaper()
const clock = systemClock()
const options: ProofOptions = { clock, totalMs: 60_000, rules: { inARow: 5, overMs: 200 } }
const products: readonly Product[] = [
  'MariaDB 10.11',
  'MariaDB 11.8',
  'MySQL 9',
  'PostgreSQL 15',
  'PostgreSQL 18',
  'Redis 8',
  'Valkey 8',
  'etcd',
]

describe.each(products)('%s', (product) => {
  let database: Database | undefined
  const files = (pair: Pair, ...authorities: Authority[]) => ({
    ...{ 'tls.crt': pair.chain, 'tls.key': pair.key, 'ca.crt': authorities.map(pemOf).join('') },
  })
  beforeAll(async () => {
    database = await Database.start(product, files(pairs[0], ca), reaper)
  }, 600_000)
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]()
  })
  const target = (running: Database) => running.target({ serverName: 'db.test', roots: [ca.certificate] })

  it('is seen as it is, and its CA is changed without a refused connection', async (context) => {
    if (database === undefined) return context.skip(`${product} cannot be had here`)
    const running = database
    console.log(`${product}: ${running.place.installation.manifest}`)
    for (const tlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = await probe(target(running), { clock, totalMs: 60_000, tlsVersion, certificate: offers.Current })
      expect(seen).toMatchObject({ outcome: 'Accepted', tlsVersion, requested: true, offered: true, problems: [] })
      expect(Buffer.from(seen.served?.chain[0] ?? [])).toEqual(Buffer.from(pairs[0].der))
      const proof = await proveTrust(target(running), offers, { ...options, tlsVersion })
      expect(proof).toMatchObject({ verdict: 'NotTrusted', reason: 'Refused', refusals: 1 })
    }
    await using loop = new ClientLoop(() => ({ target: target(running), certificate: offers.Current }))
    await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 0))
    running.volume.write(files(pairs[1], ca, next))
    const unread = await proveTrust(target(running), offers, options)
    expect(unread, 'delivered is not loaded').toMatchObject({ verdict: 'NotTrusted' })
    await running.reload()
    const proof = await eventually('the next CA to be trusted', async () => {
      const found = await proveTrust(target(running), offers, options)
      return found.verdict === 'Trusted' && found
    })
    expect(proof.sight.served?.fingerprint).toBe(createHash('sha256').update(pairs[1].der).digest('hex'))
    const before = loop.accepted
    await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
    const { accepted, refused } = await loop.stop()
    if (!running.restarts) expect(refused).toEqual([])
    expect(accepted).toBeGreaterThan(4)
  })

  it('refuses who shows nothing, or is let in by its accounts', async (context) => {
    if (database === undefined) return context.skip(`${product} cannot be had here`)
    const seen = await probe(target(database), { clock, totalMs: 60_000 })
    // Where accounts decide, it is not in TLS that a client without a certificate is turned away.
    const inTls = ['redis', 'http'].includes(database.target().dialect)
    expect(seen).toMatchObject({ outcome: inTls ? 'Refused' : 'Accepted', requested: true, offered: false })
    expect(seen.alert).toBe(inTls ? 116 : undefined)
    const wrong = await probe({ ...target(database), serverName: 'other.test' }, { clock, totalMs: 60_000 })
    expect(wrong.problems).toEqual([expect.stringContaining('it is not for other.test')])
  })
})
