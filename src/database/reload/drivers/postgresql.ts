/** PostgreSQL, by pg. */

import pg from 'pg'
import { type Driver, DialledSocket, type Order, tlsOptions, unlessAborted } from '../order.ts'
import { ReloadError } from '../reload-error.ts'

export const execute: Driver = async (order, signal) => {
  const client = new pg.Client(configOf(order))
  const failed = new Promise<never>((_, reject) => client.on('error', reject))
  const run = async (): Promise<void> => {
    await client.connect()
    for (const statement of order.statements) {
      const { rows } = await client.query<Record<string, unknown>>(statement)
      // pg_reload_conf() says false where the signal could not be sent, and nothing of what came of it.
      if (rows.some((row) => Object.values(row).includes(false)))
        throw new ReloadError('StatementFailed', 'the server could not signal its postmaster')
    }
  }
  try {
    await unlessAborted(Promise.race([run(), failed]), signal)
  } finally {
    failed.catch(() => undefined)
    // It waits for the server's answer otherwise, of a server that may give none.
    ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
  }
}

/** Every setting that pg would else take from the operator's own environment. */
const configOf = (order: Order): pg.ClientConfig => ({
  host: order.serverName,
  port: order.port,
  stream: () => new DialledSocket(order),
  user: order.account.username ?? '',
  // Not undefined, for which it would look into a file.
  password: order.account.password ?? '',
  database: order.account.database ?? 'postgres',
  ssl: tlsOptions(order),
  application_name: 'dbtls',
  options: '',
})
