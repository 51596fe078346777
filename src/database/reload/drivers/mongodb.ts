/** MongoDB, by its own driver: the one server that was dialled, whatever else its replica set consists of. */

import { isIP } from 'node:net'
import mongodb from 'mongodb'
import { type Driver, type Order, tlsOptions, unlessAborted } from '../order.ts'

export const execute: Driver = async (order, signal) => {
  const { address, port, serverName } = order
  const host = isIP(address) === 6 ? `[${address}]` : address
  // It knows no minVersion; Node's own default is the same.
  const { minVersion: _unknown, ...tls } = tlsOptions(order)
  const client = new mongodb.MongoClient(`mongodb://${host}:${port}/`, {
    directConnection: true,
    tls: true,
    ...tls,
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...loginOf(order),
    appName: 'dbtls',
    maxPoolSize: 1,
    retryReads: false,
    retryWrites: false,
  })
  // It would look for the server again and again, for half a minute.
  const failed = new Promise<never>((_, reject) => client.on('serverHeartbeatFailed', (event) => reject(event.failure)))
  const run = async (): Promise<void> => {
    await client.connect()
    for (const statement of order.statements) await client.db('admin').command(JSON.parse(statement) as object)
  }
  try {
    await unlessAborted(Promise.race([run(), failed]), signal)
  } finally {
    failed.catch(() => undefined)
    await client.close(true)
  }
}

/** With a password by name; else the certificate's subject is the user. */
const loginOf = ({ account: { username, password, certificate } }: Order): mongodb.MongoClientOptions => {
  if (password !== undefined) return { auth: { username: username ?? '', password }, authSource: 'admin' }
  return certificate === undefined ? {} : { authMechanism: 'MONGODB-X509', authSource: '$external' }
}
