/**
 * Two members of a Galera group, each with certificates of its own, from what the profile says of them. The second comes without
 * data (wsrep_sst_method=skip); galera-copies.test.ts has whole copies.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair } from '../../src/database/connect/testing.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { installGalera, startMember, statusOf } from './harness/galera.ts'
import { look, type Member, serialOf } from './harness/members.ts'
import { ProfileWorld } from './harness/profile.ts'

const reaper = new Reaper()

describe('Galera with MariaDB 11.8', () => {
  let world: ProfileWorld
  const members: Member[] = []

  beforeAll(async () => {
    world = await ProfileWorld.start({
      reaper,
      spec: {
        ...{ engine: 'MariaDB', version: '11.8', components: [{ name: 'galera' }] },
        topology: { services: ['orders'], statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
      },
    })
    const library = await installGalera()
    if (library === undefined) return
    const first = await startMember({ reaper, pod: world.pod('server-0'), library, ordinal: 0 })
    if (first === undefined) return
    members.push(first)
    const second = await startMember({ reaper, pod: world.pod('server-1'), library, ordinal: 1, first })
    if (second !== undefined) members.push(second)
  }, 600_000)
  afterAll(async () => {
    for (const { database } of members.toReversed()) await database[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (first: Member, second: Member) => Promise<void>): void =>
    it(name, async (context) => {
      const [first, second] = members
      if (first === undefined || second === undefined) return context.skip('Galera cannot be had here')
      await test(first, second)
    })

  const areTwo = (member: Member): Promise<unknown> =>
    eventually('the group to be two', async () => (await statusOf(member, 'wsrep_cluster_size')) === '2')

  live('is one group over TLS, each member with its own certificate', async (first, second) => {
    await areTwo(first)
    expect(first.database.logs()).toMatch(/connection established to \S+ ssl:/)
    expect(await serialOf(first)).toBe(await world.serial('galera-0'))
    expect(await serialOf(second)).toBe(await world.serial('galera-1'))
  })

  live('takes no member that shows nothing, or a certificate of an unknown CA', async (first) => {
    expect(await look(first)).toMatchObject({ outcome: 'Refused', alert: 116, requested: true })
    const stranger = await makePair(await makeAuthority('Orders CA'), 'Peer', ['orders-2.orders'])
    expect(await look(first, stranger)).toMatchObject({ outcome: 'Refused', alert: 48, offered: true })
  })

  live('goes over to another CA with the statements of the profile', async (first, second) => {
    for (const stage of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(stage)
      await world.deliver()
      for (const statement of world.expansion.reload?.statements ?? []) await first.database.statement(statement)
      await eventually(
        'the new one to be served',
        async () => (await serialOf(first)) === (await world.serial('galera-0')),
      )
    }
    // It leaves and comes back, which only a handshake with the certificates of today lets it do.
    await second.database.restart()
    await areTwo(first)
    expect(await serialOf(second)).toBe(await world.serial('galera-1'))
  })
})
