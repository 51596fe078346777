/** MySQL, MariaDB and TiDB, by mysql2. */

import mysql from 'mysql2'
import { dial, type Driver, tlsOptions, unlessAborted } from '../order.ts'

export const execute: Driver = async (order, signal) => {
  const { username = '', password = '' } = order.account
  const connection = mysql.createConnection({
    host: order.serverName,
    port: order.port,
    stream: () => dial(order),
    user: username,
    password,
    // The name is checked only with this, and against `host`.
    ssl: { ...tlsOptions(order), ca: [...order.roots], verifyIdentity: true },
    // No code is made from what a server says.
    disableEval: true,
  })
  const failed = new Promise<never>((_, reject) => connection.on('error', reject))
  try {
    const run = (async () => {
      await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())))
      for (const statement of order.statements)
        await new Promise<void>((resolve, reject) =>
          connection.query(statement, (error) => (error ? reject(error) : resolve())),
        )
    })()
    await unlessAborted(Promise.race([run, failed]), signal)
  } finally {
    // Late errors of a connection that nobody waits for.
    failed.catch(() => undefined)
    connection.on('error', () => undefined)
    connection.destroy()
  }
}
