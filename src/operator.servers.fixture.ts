/** A live server of the profile `orders`, which serves and trusts what it was given when it was started last. */
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Cluster } from './cluster/port.ts'
import { opensslServer, serve } from './database/connect/testing.ts'
import { getSecret, leafOf, text } from './testing.ts'

export interface ProfileServer extends AsyncDisposable {
  /** Of 127.0.0.1; the same after a restart. */
  readonly port: number
  /** Reads its files, and answers with the serial number of what it serves from now on. It is started the first time. */
  restart(): Promise<string>
}

/** It refuses clients of a CA that it does not trust. `folder`: for its files. */
export const profileServer = async (cluster: Cluster, folder: string): Promise<ProfileServer> => {
  let running: Awaited<ReturnType<typeof opensslServer>> | undefined
  const front = await serve((socket: Socket) => {
    if (running === undefined) return socket.destroy()
    const behind = connect(running.port, '127.0.0.1')
    behind.on('error', () => socket.destroy())
    socket.on('close', () => behind.destroy())
    return socket.pipe(behind).pipe(socket)
  })
  const restart = async (): Promise<string> => {
    const secret = await getSecret(cluster, 'orders-server-tls')
    for (const key of ['tls.crt', 'tls.key', 'ca.crt']) writeFileSync(join(folder, key), text(secret, key))
    await running?.[Symbol.asyncDispose]()
    const files = ['-cert_chain', 'tls.crt', '-cert', 'tls.crt', '-key', 'tls.key', '-CAfile', 'ca.crt']
    running = await opensslServer(folder, [...files, '-Verify', '3', '-verify_return_error'])
    return leafOf(secret).serialNumber
  }
  return {
    ...{ port: front.port, restart },
    [Symbol.asyncDispose]: async () => {
      await running?.[Symbol.asyncDispose]()
      await front[Symbol.asyncDispose]()
    },
  }
}
