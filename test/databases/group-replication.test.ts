/** Two members of a MySQL group, each with a certificate of its own, from what the profile says of Group Replication. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair } from '../../src/database/connect/testing.ts'
import { eventually, freePort, Reaper } from '../controlplane/harness/process.ts'
import { fencedBlocks } from './harness/config-folder.ts'
import { Database } from './harness/database.ts'
import { look, type Member, query as ask, serialOf } from './harness/members.ts'
import { ProfileWorld } from './harness/profile.ts'

const reaper = new Reaper()

const query = (database: Database, sql: string): Promise<string> => ask('/usr/bin/mysql', database, sql)

/** Whom a member copies from when it comes to the group, who has to show a certificate. */
const recovery = [
  'SET SQL_LOG_BIN = 0',
  "CREATE USER copier@'%' IDENTIFIED BY 'a word of tests' REQUIRE X509",
  "GRANT REPLICATION SLAVE, BACKUP_ADMIN, CONNECTION_ADMIN ON *.* TO copier@'%'",
  'SET SQL_LOG_BIN = 1',
  "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'copier', SOURCE_PASSWORD = 'a word of tests' FOR CHANNEL 'group_replication_recovery'",
].join(';\n')

describe('Group Replication with MySQL 9', () => {
  let world: ProfileWorld
  const members: Member[] = []

  const start = async (ordinal: number, groupPorts: readonly number[]): Promise<Database | undefined> => {
    const pod = world.pod(`server-${ordinal}`)
    const port = await freePort()
    const groupPort = groupPorts[ordinal] ?? 0
    const args = [
      ...['--log-bin=binlog', `--server-id=${ordinal + 1}`, '--gtid-mode=ON', '--enforce-gtid-consistency=ON'],
      ...['--performance-schema=ON', '--report-host=localhost', `--report-port=${port}`],
      ...['--plugin-load-add=group_replication.so', '--group-replication-start-on-boot=OFF'],
      ...['--group-replication-group-name=c9a1e8f2-5f3b-4b4e-9a52-0d2f6c1b7e11'],
      `--group-replication-local-address=localhost:${groupPort}`,
      `--group-replication-group-seeds=${groupPorts.map((one) => `localhost:${one}`).join(',')}`,
    ]
    const database = await Database.start('MySQL 9', pod.volume, reaper, { port, config: pod.files, args })
    if (database === undefined) return undefined
    members[ordinal] = { database, groupPort }
    await database.statement(recovery)
    return database
  }

  beforeAll(async () => {
    world = await ProfileWorld.start({
      reaper,
      spec: {
        ...{ engine: 'MySQL', version: '9', components: [{ name: 'group-replication' }] },
        topology: { services: ['orders'], statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
      },
    })
    const ports = [await freePort(), await freePort()]
    const [first, second] = await Promise.all([start(0, ports), start(1, ports)])
    if (first === undefined) return
    const bootstrap = (value: string): string => `SET GLOBAL group_replication_bootstrap_group = ${value}`
    await first.statement([bootstrap('ON'), 'START GROUP_REPLICATION', bootstrap('OFF')].join('; '))
    await first.statement('CREATE DATABASE orders; CREATE TABLE orders.lines (id INT PRIMARY KEY)')
    await first.statement('INSERT INTO orders.lines VALUES (1)')
    await second?.statement('START GROUP_REPLICATION')
  }, 600_000)
  afterAll(async () => {
    for (const { database } of members.toReversed()) await database[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (first: Member, second: Member) => Promise<void>): void =>
    it(name, async (context) => {
      const [first, second] = members
      if (first === undefined || second === undefined) return context.skip('MySQL 9 cannot be had here')
      await test(first, second)
    })

  const online = async ({ database }: Member): Promise<string> =>
    query(database, "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'")
  const areTwo = (member: Member): Promise<unknown> =>
    eventually('the group to be two', async () => (await online(member)) === '2', { timeoutMs: 120_000 })

  live('is one group over TLS, whose members copy from each other', async (first, second) => {
    await areTwo(first)
    expect(await serialOf(first)).toBe(await world.serial('server-0'))
    expect(await serialOf(second)).toBe(await world.serial('server-1'))
    await first.database.statement('INSERT INTO orders.lines VALUES (2)')
    // The first row by recovery, the second by the group.
    await eventually(
      'the rows to arrive',
      async () => (await query(second.database, 'SELECT COUNT(*) FROM orders.lines')) === '2',
    )
  })

  live('asks members for a certificate, and takes none of an unknown CA', async (first) => {
    // The handshake is all that is seen here: in it XCom does not insist.
    expect(await look(first)).toMatchObject({ outcome: 'Accepted', requested: true, offered: false })
    const stranger = await makePair(await makeAuthority('Orders CA'), 'Peer', ['orders-1.orders'])
    expect(await look(first, stranger)).toMatchObject({ outcome: 'Refused', offered: true })
  })

  live(
    'goes over to another CA as each member is told, and starts its group anew, as commands.md says',
    async (first, second) => {
      const page = world.server.files['commands.md'] ?? ''
      const [reload = '', anew = ''] = fencedBlocks(page, 'sql').slice(-2)
      expect(world.expansion.reload).toMatchObject({ authority: 'Restart', statements: [reload.replace(';', '')] })
      for (const stage of ['Both', 'NextSigns'] as const) {
        await world.trust(stage)
        await world.deliver()
        for (const [member, name] of [
          [second, 'server-1'],
          [first, 'server-0'],
        ] as const) {
          const former = await serialOf(member)
          await member.database.statement(reload)
          expect(await serialOf(member), 'the statement reaches clients alone').toBe(former)
          await member.database.statement(anew)
          await areTwo(member)
          expect(await serialOf(member)).toBe(await world.serial(name))
        }
      }
    },
  )
})
