/** Members of a group of MySQL or MariaDB: the port of their own connections, and what is served there. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { probe } from '../../../src/database/connect/probe.ts'
import type { ClientCertificate, Sight } from '../../../src/database/connect/sight.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { must } from '../../controlplane/harness/process.ts'
import type { Database } from './database.ts'

export interface Member {
  readonly database: Database
  /** Of the group's own connections. */
  readonly groupPort: number
}

/** What `client`, such as `/usr/bin/mysql`, prints of a query over the socket. */
export const query = async (client: string, { place }: Database, sql: string): Promise<string> => {
  const [command, ...args] = place.installation.start(client)
  const options = ['--no-defaults', `--socket=${join(place.folder, 'socket')}`, '--user=root', '--skip-column-names']
  return (await must(command, [...args, ...options], { stdin: sql })).stdout.trim()
}

/** One handshake on the port of the group. */
export const look = ({ database, groupPort }: Member, certificate?: ClientCertificate): Promise<Sight> =>
  probe(database.target({ port: groupPort, dialect: 'plain' }), { clock: systemClock(), totalMs: 60_000, certificate })

export const serialOf = async (member: Member): Promise<string | undefined> => {
  const [leaf] = (await look(member)).served?.chain ?? []
  return leaf === undefined ? undefined : new X509Certificate(leaf).serialNumber
}
