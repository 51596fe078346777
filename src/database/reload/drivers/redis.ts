/** Redis and Valkey, by node-redis. */

import { isIP } from 'node:net'
import { createClient } from 'redis'
import { type Driver, tlsOptions, unlessAborted } from '../order.ts'

export const execute: Driver = async (order, signal) => {
  const { address, port, serverName, account } = order
  const client = createClient({
    ...(account.username === undefined ? {} : { username: account.username }),
    ...(account.password === undefined ? {} : { password: account.password }),
    socket: {
      host: address,
      port,
      tls: true,
      ...tlsOptions(order),
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      reconnectStrategy: false,
    },
    // An account that may do nothing but CONFIG SET is enough.
    RESP: 2,
    disableClientInfo: true,
  })
  const failed = new Promise<never>((_, reject) => client.on('error', reject))
  const run = async (): Promise<void> => {
    await client.connect()
    for (const statement of order.statements) await client.sendCommand(statement.split(' '))
  }
  try {
    await unlessAborted(Promise.race([run(), failed]), signal)
  } finally {
    failed.catch(() => undefined)
    client.destroy()
  }
}
