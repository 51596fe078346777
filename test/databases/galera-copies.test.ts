/**
 * Members of a Galera group that come without data and are copied whole by mariadb-backup (`wsrep_sst_method=mariabackup`), as the
 * section `[sst]` of the profile says. Each side reads section and files anew for each copy.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeAuthority, makePair, type Pair, pemOf } from '../../src/database/connect/testing.ts'
import type { Authority } from '../../src/pki/testing.ts'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { installGalera, installTransfer, startMember, statusOf } from './harness/galera.ts'
import { type Member, query, serialOf } from './harness/members.ts'
import { ProfileWorld } from './harness/profile.ts'
import { SecretVolume } from './harness/secret-volume.ts'

const reaper = new Reaper()

const rows = ({ database }: Member): Promise<string> =>
  query('/usr/bin/mariadb', database, 'SELECT GROUP_CONCAT(id ORDER BY id) FROM orders.lines')

describe('a copy to a new member of Galera with MariaDB 11.8', () => {
  let world: ProfileWorld
  let stranger: Authority
  let library: string | undefined
  let founder: Member | undefined
  let tools = ''
  let volumes = 0

  beforeAll(async () => {
    stranger = await makeAuthority('Orders CA')
    world = await ProfileWorld.start({
      reaper,
      spec: {
        ...{ engine: 'MariaDB', version: '11.8', components: [{ name: 'galera' }] },
        topology: { services: ['orders'], statefulSet: { name: 'orders', replicas: 2 }, certificatePer: 'Pod' },
      },
    })
    library = await installGalera()
    tools = join(world.folder, 'tools')
    if (library === undefined || !(await installTransfer(tools))) return
    const first = await startMember({ reaper, pod: world.pod('server-0'), library, ordinal: 0, tools })
    if (first === undefined) return
    founder = first
    await eventually('the group to be ready', async () => (await statusOf(first, 'wsrep_ready')) === 'ON')
    await first.database.statement('CREATE DATABASE orders; CREATE TABLE orders.lines (id INT PRIMARY KEY)')
    await first.database.statement('INSERT INTO orders.lines VALUES (1), (2)')
  }, 600_000)
  afterAll(async () => {
    await founder?.database[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (donor: Member) => Promise<void>): void =>
    it(name, async (context) => {
      if (founder === undefined) return context.skip('Galera or mariadb-backup cannot be had here')
      await test(founder)
    })

  const serverCnf = (pod: string): string => world.pod(pod).files['server.cnf'] ?? ''

  /** A second member joins, which rejects with the end of its log where it gets no copy. */
  const joins = async (first: Member, own = serverCnf('server-1')): Promise<Member> => {
    const init = {
      reaper,
      pod: world.pod('server-1'),
      library: library ?? '',
      ordinal: 1,
      first,
      tools,
      serverCnf: own,
    }
    const member = await startMember(init)
    if (member === undefined) throw new Error('MariaDB was to be had a moment ago')
    return member
  }

  /** This pair in copies alone; the group goes on with its own. It trusts both CAs, so that the other side decides. */
  const copiesWith = (config: string, { chain, key }: Pair): string => {
    const trust = `${pemOf(world.authority.former)}${pemOf(stranger)}`
    volumes += 1
    const folder = join(world.folder, `other-${volumes}`)
    const volume = new SecretVolume(folder, { 'tls.crt': chain, 'tls.key': key, 'ca.crt': trust })
    return config.replace(
      /^(tca|tcert|tkey)=.*\/(.*)$/gm,
      (_, name: string, file: string) => `${name}=${volume.path(file)}`,
    )
  }

  /** A member of this server.cnf gets no copy, and the donor goes on: the end of the log of the one that gave up. */
  const fails = async (donor: Member, own?: string): Promise<string> => {
    const reason: unknown = await joins(donor, own).then(
      () => 'it was copied',
      (error: unknown) => error,
    )
    await eventually(
      'the donor to be done',
      async () => (await statusOf(donor, 'wsrep_local_state_comment')) === 'Synced',
    )
    return String(reason)
  }

  /** What the donor says of a member of this server.cnf. */
  const refusedBy = async (donor: Member, own: string): Promise<string> => {
    const before = donor.database.logs().length
    expect(await fails(donor, own)).toContain('it ended')
    return donor.database.logs().slice(before)
  }

  /** What a member of the profile's server.cnf says of a donor of this one. */
  const refusedFrom = async (donor: Member, config: string): Promise<string> => {
    const path = join(donor.database.place.config ?? '', 'server.cnf')
    writeFileSync(path, config)
    try {
      return await fails(donor)
    } finally {
      writeFileSync(path, serverCnf('server-0'))
    }
  }

  live('goes over TLS with the certificates of both, and brings the data', async (donor) => {
    const second = await joins(donor)
    expect(await rows(second)).toBe('1,2')
    const pair = (pod: string): string => {
      const { folder } = world.pod(pod)
      return `cert='${folder}/galera/tls.crt',key='${folder}/galera/tls.key',cafile='${folder}/galera/ca.crt'`
    }
    expect(donor.database.logs()).toMatch(new RegExp(`socat -u stdio openssl-connect:.*${pair('server-0')}`))
    expect(second.database.logs()).toMatch(new RegExp(`socat -u openssl-listen:.*${pair('server-1')}`))
    await second.database[Symbol.asyncDispose]()
  })

  live('is not sent to a member of an unknown CA, nor to one whose certificate lacks its address', async (donor) => {
    const unknown = copiesWith(serverCnf('server-1'), await makePair(stranger, 'Peer', ['localhost']))
    expect(await refusedBy(donor, unknown)).toContain('certificate verify failed')
    const elsewhere = await makePair(world.authority.former, 'Peer', ['orders-1.orders'])
    expect(await refusedBy(donor, copiesWith(serverCnf('server-1'), elsewhere))).toMatch(
      /certificate is valid but its commonName does not match hostname/,
    )
  })

  live('is not taken from a donor of an unknown CA, nor in the clear', async (donor) => {
    const unknown = copiesWith(serverCnf('server-0'), await makePair(stranger, 'Peer', ['localhost']))
    expect(await refusedFrom(donor, unknown)).toContain('certificate verify failed')
    expect(await refusedFrom(donor, serverCnf('server-0').replace('encrypt=3\n', ''))).toContain('wrong version number')
  })

  live('goes on with another CA, with nothing but the statements of the profile', async (donor) => {
    for (const stage of ['Both', 'NextSigns', 'Next'] as const) {
      await world.trust(stage)
      await world.deliver()
      for (const statement of world.expansion.reload?.statements ?? []) await donor.database.statement(statement)
      await eventually(
        'the new one to be served',
        async () => (await serialOf(donor)) === (await world.serial('galera-0')),
      )
    }
    await using second = (await joins(donor)).database
    expect(await query('/usr/bin/mariadb', second, 'SELECT COUNT(*) FROM orders.lines')).toBe('2')
  })
})
