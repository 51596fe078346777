/**
 * A port of a box on this machine's loopback. A Unix socket is a file, which no network namespace hides: one half listens on it within
 * the box's network, the other one, in the test process, on 127.0.0.1.
 *
 *   node test/kind/cluster/forward.ts SOCKET PORT      the half in the box
 */
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, NetConnectOpts, Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { ManagedProcess, Reaper, eventually } from '../../controlplane/harness/process.ts'
import type { Box } from './box.ts'

const relay = (to: NetConnectOpts): Server =>
  createServer((from) => {
    const target = connect(to)
    from.pipe(target).pipe(from)
    // Either end may break; the other one has to hear of it.
    from.on('error', () => target.destroy())
    target.on('error', () => from.destroy())
  })

export interface Forward {
  /** On 127.0.0.1. */
  readonly port: number
  close(): Promise<void>
}

export const forward = async (box: Box, port: number): Promise<Forward> => {
  const socket = `${box.folder}/forward-${port}`
  const inBox = new ManagedProcess(new Reaper(), {
    name: 'forward',
    command: 'nsenter',
    args: [...box.network, '--', process.execPath, fileURLToPath(import.meta.url), socket, String(port)],
    logFile: `${box.folder}/forward.log`,
  })
  await eventually('the forwarded port', () => Promise.resolve(existsSync(socket)))
  const server = relay({ path: socket })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // Open connections must not keep a finished test run alive.
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close()
      await inBox.kill()
    },
  }
}

if (import.meta.main) {
  const [path, port] = process.argv.slice(2)
  relay({ host: '127.0.0.1', port: Number(port) }).listen(path)
}
