/** Seven databases of one CA under the load of fresh connections: that refusals are seen where there are some, and that renewals cost none. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair, pemOf } from '../../src/database/connect/testing.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { renew, serialsOf } from './rotation/certificates.ts'
import { everyEngine } from './rotation/engines.ts'
import { withRevisions } from './rotation/etcd-members.ts'
import { Fleet, type Member } from './rotation/fleet.ts'
import { servedBy } from './rotation/looks.ts'
import { applyTo, type EmbeddedSite, embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()
const databases = everyEngine('orders-ca')

describe('databases of one CA under the load of fresh connections', () => {
  let site: EmbeddedSite
  let fleet: Fleet
  beforeAll(async () => {
    site = await embeddedSite({ around: withRevisions })
    const spec = { source: { selfSigned: {} }, subject: { commonName: 'Orders CA' } }
    const metadata = { name: 'orders-ca' }
    await applyTo(site, { apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority', metadata, spec })
    fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000 })
    if (fleet.missing.length > 0) console.log(`not to be had here: ${fleet.missing.join(', ')}`)
  }, 600_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  const names = (): readonly string[] => fleet.members.map(({ name }) => name)

  it('refuse nobody while every certificate is renewed, once each', async () => {
    const since = Date.now()
    await renew(site)
    const serials = await serialsOf(site)
    for (const member of fleet.members)
      await eventually(
        `${member.name} to serve what was renewed`,
        async () => {
          const served = await servedBy(member)
          return served.every((serial) => serial === serials.get(`${member.name}-server`))
        },
        { timeoutMs: 180_000 },
      )
    await fleet.load.goOn(20)
    const until = Date.now()
    console.log(account('renewals', fleet.load, [{ name: 'renewed', since }], until))
    for (const { name } of fleet.members) expect(fleet.load.tally(name, since, until).refused, name).toEqual([])
  })

  it('are seen to refuse everybody who comes with a certificate of a CA that they have not heard of', async () => {
    const since = Date.now()
    for (const { app } of fleet.members) {
      const next = await makeAuthority('Orders CA')
      const { chain, key } = await makePair(next, 'Client')
      app.override((files) => ({ ...files, 'tls.crt': chain, 'tls.key': key }))
    }
    await fleet.load.refused(names(), since)
    for (const { app } of fleet.members) app.restore()
    await fleet.load.goOn(20)
    console.log(account('unknown clients', fleet.load, [{ name: 'exchanged', since }], Date.now()))
  })

  it('are seen to be refused by everybody where they alone are given another CA', async () => {
    const since = Date.now()
    // Kafka refuses by itself what it does not trust, and serves the former certificate.
    const exchanged = fleet.members.filter(({ name }) => name !== 'kafka')
    await Promise.all(exchanged.map(exchange))
    await fleet.load.refused(
      exchanged.map(({ name }) => name),
      since,
    )
    await Promise.all(exchanged.map(putBack))
    await fleet.load.goOn(20)
    console.log(account('unknown servers', fleet.load, [{ name: 'exchanged', since }], Date.now()))
  })
})

const exchange = async ({ name, host, running }: Member): Promise<void> => {
  const next = await makeAuthority('Orders CA')
  const { chain, key } = await makePair(next, 'Peer', [name, host, 'localhost', '127.0.0.1'])
  const others = { 'tls.crt': chain, 'tls.key': key, 'tls.pem': key + chain, 'ca.crt': pemOf(next) }
  for (const pod of running.pods) pod.override((files) => ({ ...files, ...others }))
  await running.reload()
}

const putBack = async ({ running }: Member): Promise<void> => {
  for (const pod of running.pods) pod.restore()
  await running.reload()
}
