/** MySQL and MariaDB block an address that breaks off too many connections in a row; a probe must not be the one that does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/database/connect/probe.ts'
import { proveTrust } from '../../src/database/connect/prove.ts'
import { makeAuthority, makePair, type Pair, pemOf } from '../../src/database/connect/testing.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Authority } from '../../src/pki/testing.ts'
import { Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import type { Product } from './harness/install.ts'

// What comes from 127.0.0.1 is not counted.
const options = { clock: systemClock(), totalMs: 60_000, localAddress: '127.0.0.2' }
const reaper = new Reaper()
const products: readonly Product[] = ['MariaDB 10.11', 'MariaDB 11.8', 'MySQL 9']

describe.each(products)('%s that bears ten broken connections', (product) => {
  let database: Database | undefined
  let ca: Authority
  let ours: Pair
  let stranger: Pair
  beforeAll(async () => {
    ca = await makeAuthority('Orders CA')
    const server = await makePair(ca, 'Server', ['db.test'])
    ours = await makePair(ca, 'Client')
    stranger = await makePair(await makeAuthority('Orders CA'), 'Client')
    const files = { 'tls.crt': server.chain, 'tls.key': server.key, 'ca.crt': pemOf(ca) }
    database = await Database.start(product, files, reaper, { args: ['--max-connect-errors=10'] })
    // Without an account that could come from there, the address is turned away before anything is counted.
    await database?.statement("CREATE USER app@'%'")
  }, 600_000)
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]()
  })

  it('never blocks who only looks, and says so when refused offers make it block', async (context) => {
    if (database === undefined) return context.skip(`${product} cannot be had here`)
    const target = database.target({ serverName: 'db.test', roots: [ca.certificate] })
    for (let turn = 0; turn < 40; turn += 1) {
      const certificate = turn % 2 === 0 ? undefined : ours
      expect(await probe(target, { ...options, certificate })).toMatchObject({ outcome: 'Accepted' })
    }
    const refused = (): Promise<{ fault?: { reason: string } }> => probe(target, { ...options, certificate: stranger })
    for (let turn = 0; turn < 10; turn += 1) expect(await refused()).toMatchObject({ outcome: 'Refused', alert: 48 })
    const { fault } = await refused()
    expect(fault).toMatchObject({ reason: 'Blocked', message: expect.stringContaining('error 1129') as string })
    const offers = { Current: ours, Stranger: stranger, Next: ours }
    const proof = await proveTrust(target, offers, options)
    expect(proof).toMatchObject({ verdict: 'Unreachable', reason: 'Blocked' })
  })
})
