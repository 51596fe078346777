/** A complete rotation of the CA of seven databases under the load of fresh connections: none is refused, and the former CA is gone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { type Phase, WatchedAuthority } from './rotation/authority.ts'
import { serialsOf } from './rotation/certificates.ts'
import { everyEngine } from './rotation/engines.ts'
import { withRevisions } from './rotation/etcd-members.ts'
import { Fleet } from './rotation/fleet.ts'
import { JavaLoad } from './rotation/java.ts'
import { pairOf } from './rotation/looks.ts'
import { placesThatHold, remainsAt } from './rotation/remains.ts'
import { type EmbeddedSite, embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()
const databases = everyEngine('orders-ca')
/** Connections of each client in one rotation at least; a connection to those two is dear. */
const leastOf = (name: string): number => (name === 'kafka' || name === 'cassandra' ? 500 : 2000)
const straight: readonly Phase[] = ['Prepared', 'TrustBoth', 'Signing', 'DropSoak', 'Dropped', 'Idle']

describe('the rotation of the CA of seven databases', () => {
  let site: EmbeddedSite
  let authority: WatchedAuthority
  let fleet: Fleet
  let java: JavaLoad | undefined
  beforeAll(async () => {
    site = await embeddedSite({ around: withRevisions })
    authority = await WatchedAuthority.create(site, { name: 'orders-ca' })
    fleet = await Fleet.start({ site, reaper, databases, delayMs: 3000 })
    if (fleet.missing.length > 0) console.log(`not to be had here: ${fleet.missing.join(', ')}`)
    java = await JavaLoad.start(fleet, reaper)
  }, 600_000)
  afterAll(async () => {
    await java?.[Symbol.asyncDispose]()
    await fleet?.[Symbol.asyncDispose]()
    await authority?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  it('refuses nobody from the first phase to the last, and leaves nothing of the former CA', async () => {
    const former = await authority.certificate()
    const serials = await serialsOf(site)
    const pairs = new Map(fleet.members.map(({ name, app }) => [name, pairOf(app)]))
    const since = Date.now()
    // Held in each phase until its part of the connections was opened in it.
    for (const phase of ['TrustBoth', 'Signing', 'DropSoak'] as const) {
      await authority[phase === 'TrustBoth' ? 'trigger' : 'ask']({ holdAt: phase })
      await authority.until(phase)
      await opened(since, { TrustBoth: 0.3, Signing: 0.7, DropSoak: 0.95 }[phase])
    }
    await authority.ask({ holdAt: '' })
    await authority.finished()
    await opened(since, 1)
    await fleet.load.goOn(20)
    const until = Date.now()
    const phases = authority.phases(since)
    console.log(account('NewKey', fleet.load, phases, until))
    expect(phases.map(({ name }) => name).filter((name) => name !== 'Dropped' && name !== 'Prepared')).toEqual(
      straight.filter((name) => name !== 'Dropped' && name !== 'Prepared'),
    )
    for (const name of fleet.load.names) expect(fleet.load.tally(name, since, until).refused, name).toEqual([])
    for (const { name } of fleet.members)
      expect(fleet.load.tally(name, since, until).taken, name).toBeGreaterThanOrEqual(leastOf(name))
    for (const [name, serial] of await serialsOf(site)) expect(serial, name).not.toBe(serials.get(name))
    expect((await authority.certificate()).fingerprint256).not.toBe(former.fingerprint256)
    await eventually('the former CA to be in no file', async () => {
      const places = await placesThatHold(fleet, former)
      if (places.length > 0) throw new Error(places.join('\n'))
      return true
    })
    for (const member of fleet.members)
      await eventually(
        `nothing of the former CA to be left at ${member.name}`,
        async () => {
          const remains = await remainsAt(member, former, pairs.get(member.name) ?? pairOf(member.app))
          if (remains.length > 0) throw new Error(remains.join('\n'))
          return true
        },
        { timeoutMs: 120_000 },
      )
  }, 1_800_000)

  /** Until this part of the connections was opened. */
  const opened = async (since: number, part: number): Promise<void> => {
    for (const { name } of fleet.members)
      await eventually(
        `client ${name} to have connected`,
        () => Promise.resolve(fleet.load.tally(name, since).taken >= leastOf(name) * part),
        { timeoutMs: 600_000 },
      )
  }
})
