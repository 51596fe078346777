/**
 * Two members of a Galera group, each with certificates of its own, from what the profile says of them. The second comes without
 * data (wsrep_sst_method=skip): transfers of whole copies need scripts of an installation.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair } from '../../src/database/connect/testing.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { Database } from './harness/database.ts'
import { installGalera } from './harness/install.ts'
import { look, type Member, query as ask, serialOf } from './harness/members.ts'
import { ProfileWorld } from './harness/profile.ts'

const reaper = new Reaper()

const query = (database: Database, sql: string): Promise<string> => ask('/usr/bin/mariadb', database, sql)

const statusOf = async (database: Database, name: string): Promise<string> =>
  (await query(database, `SHOW STATUS LIKE '${name}'`)).split('\t')[1] ?? ''

interface Start {
  readonly library: string
  /** Of the group, and of transfers to a member that comes back. */
  readonly ports: readonly number[]
  readonly more: readonly string[]
}

describe('Galera with MariaDB 11.8', () => {
  let world: ProfileWorld
  const members: Member[] = []
  let missing = false

  const start = async (ordinal: number, { library, ports, more }: Start): Promise<void> => {
    const pod = world.pod(`server-${ordinal}`)
    const [groupPort = 0, transferPort = 0] = ports
    // As the comment above the line asks: other options go into the same one.
    const own = `;gmcast.listen_addr=ssl://127.0.0.1:${groupPort};ist.recv_addr=127.0.0.1:${transferPort}"`
    const config = {
      ...pod.files,
      'server.cnf': (pod.files['server.cnf'] ?? '').replace(/(wsrep_provider_options=.*)"$/m, `$1${own}`),
    }
    const args = [
      ...['--wsrep-on=ON', `--wsrep-provider=${library}`, '--wsrep-cluster-name=orders', '--binlog-format=ROW'],
      ...['--innodb-autoinc-lock-mode=2', '--wsrep-sst-method=skip', `--wsrep-node-address=127.0.0.1:${groupPort}`],
      ...[`--wsrep-node-name=orders-${ordinal}`, ...more],
    ]
    const database = await Database.start('MariaDB 11.8', pod.volume, reaper, { config, args })
    if (database === undefined) missing = true
    else members.push({ database, groupPort })
  }

  beforeAll(async () => {
    world = await ProfileWorld.start({
      reaper,
      spec: {
        ...{ engine: 'MariaDB', version: '11.8', components: [{ name: 'galera' }] },
        topology: { services: ['orders'], statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
      },
    })
    const library = await installGalera()
    missing = library === undefined
    if (library === undefined) return
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
    await start(0, { library, ports: ports.slice(0, 2), more: ['--wsrep-cluster-address=gcomm://'] })
    const [first] = members
    if (first === undefined) return
    const more = [`--wsrep-cluster-address=gcomm://127.0.0.1:${first.groupPort}`]
    await start(1, { library, ports: ports.slice(2), more })
  }, 600_000)
  afterAll(async () => {
    for (const { database } of members.toReversed()) await database[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (first: Member, second: Member) => Promise<void>): void =>
    it(name, async (context) => {
      const [first, second] = members
      if (missing || first === undefined || second === undefined) return context.skip('Galera cannot be had here')
      await test(first, second)
    })

  const areTwo = ({ database }: Member): Promise<unknown> =>
    eventually('the group to be two', async () => (await statusOf(database, 'wsrep_cluster_size')) === '2')

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
