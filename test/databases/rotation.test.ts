/**
 * Complete rotations of the CA of seven databases under the load of fresh connections: nobody is refused, and the former CA is gone.
 * A few databases at a time, so that what is seen is the rotation and not a crowded machine.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { account } from './rotation/account.ts'
import { WatchedAuthority } from './rotation/authority.ts'
import { renew, serialsOf } from './rotation/certificates.ts'
import { databasesOf, type EngineName } from './rotation/engines.ts'
import { withRevisions } from './rotation/etcd-members.ts'
import { Fleet } from './rotation/fleet.ts'
import { JavaLoad } from './rotation/java.ts'
import { pairOf } from './rotation/looks.ts'
import { atNoServer, inNoFile, placesThatHold } from './rotation/remains.ts'
import { type EmbeddedSite, embeddedSite } from './rotation/site.ts'

const reaper = new Reaper()
const fleets: readonly (readonly EngineName[])[] = [
  ['MySQL', 'MariaDB', 'Valkey'],
  ['PostgreSQL', 'etcd'],
  ['Kafka', 'Cassandra'],
]

/** Connections of each client in one rotation at least; a connection to those two is dear. */
const leastOf = (name: string): number => (name === 'kafka' || name === 'cassandra' ? 500 : 2000)
/** Of a Java application, beside another client of the same database. */
const leastOfJava = 200
/** The part of them that is to be seen before the rotation may go on from the phase. */
const parts = { TrustBoth: 0.3, Signing: 0.7, DropSoak: 0.95 } as const

describe.each(fleets.map((names) => ({ title: names.join(', '), names })))(
  'the rotation of the CA of $title',
  ({ names }) => {
    let site: EmbeddedSite
    let authority: WatchedAuthority
    let fleet: Fleet
    let java: JavaLoad | undefined
    beforeAll(async () => {
      site = await embeddedSite({ around: withRevisions })
      authority = await WatchedAuthority.create(site, { name: 'orders-ca' })
      fleet = await Fleet.start({ site, reaper, databases: databasesOf(names, 'orders-ca'), delayMs: 3000 })
      if (fleet.missing.length > 0) console.log(`not to be had here: ${fleet.missing.join(', ')}`)
      java = await JavaLoad.start(fleet, reaper)
    }, 600_000)
    afterAll(async () => {
      await java?.[Symbol.asyncDispose]()
      await fleet?.[Symbol.asyncDispose]()
      await authority?.[Symbol.asyncDispose]()
      await site?.[Symbol.asyncDispose]()
    })

    it('refuses nobody from the first phase to the last, and leaves nothing of the former CA', async (context) => {
      if (fleet.members.length === 0) return context.skip('none of them can be had here')
      const former = await authority.certificate()
      expect(await placesThatHold(fleet, former)).not.toEqual([])
      const serials = await serialsOf(site)
      const pairs = new Map(fleet.members.map(({ name, app }) => [name, pairOf(app)]))
      const since = Date.now()
      await rotate(since).finally(() =>
        console.log(account(`NewKey: ${names.join(', ')}`, fleet.load, authority.phases(since), Date.now())),
      )
      const until = Date.now()
      const phases = authority.phases(since)
      // The two others may be over between two looks.
      const seen = phases.map(({ name }) => name).filter((name) => name !== 'Prepared' && name !== 'Dropped')
      expect(seen).toEqual(['TrustBoth', 'Signing', 'DropSoak', 'Idle'])
      for (const name of fleet.load.names) expect(fleet.load.tally(name, since, until).refused, name).toEqual([])
      for (const [name, serial] of await serialsOf(site)) expect(serial, name).not.toBe(serials.get(name))
      expect((await authority.certificate()).fingerprint256).not.toBe(former.fingerprint256)
      await inNoFile(fleet, former)
      await atNoServer(fleet.members, former, ({ name }) => pairs.get(name))
    }, 1_800_000)

    /** Held in each phase until its part of the connections was opened in it. */
    const rotate = async (since: number): Promise<void> => {
      for (const phase of ['TrustBoth', 'Signing', 'DropSoak'] as const) {
        await authority[phase === 'TrustBoth' ? 'trigger' : 'ask']({ holdAt: phase })
        await authority.until(phase)
        await opened(since, parts[phase])
      }
      await authority.ask({ holdAt: '' })
      if (fleet.members.some(({ name }) => name === 'cassandra')) await showLoaded('cassandra')
      await authority.finished()
      await fleet.load.goOn(20)
      await opened(since, 1)
    }

    /**
     * Cassandra looks at its files every ten minutes, and is held to have read what it shows by nothing before that: whom it trusts no
     * longer cannot be asked. One that shows a certificate that came after the bundle has read both.
     */
    const showLoaded = async (name: string): Promise<void> => {
      await authority.until('Dropped')
      const { cluster, namespace } = site
      await eventually(`${name} to be waited for`, async () => {
        const { status } = await cluster.get(databaseTLSProfiles, { namespace, name })
        return (status?.reload?.authorities ?? []).some(({ delivered }) => delivered !== undefined)
      })
      await renew(site, `${name}-server`)
    }

    /** Until this part of the connections was opened. */
    const opened = async (since: number, part: number): Promise<void> => {
      const least = [
        ...fleet.members.map(({ name }) => [name, leastOf(name)] as const),
        ...(java?.names ?? []).map((name) => [name, leastOfJava] as const),
      ]
      for (const [name, all] of least) await fleet.load.opened(name, all * part, since)
    }
  },
)
