/**
 * Servers for the probes to ask, in a process of their own: half of them greet as MySQL does, half begin TLS at once. Argument: how
 * many; the first line of standard output: Servers. It ends with its standard input.
 */
import {
  makeAuthority,
  makePair,
  mysqlError,
  mysqlGreeting,
  readExactly,
  serve,
  startTls,
} from '../../src/database/connect/testing.ts'
import type { PlannedEndpoint } from '../../src/profile/endpoints/plan.ts'

export interface Servers {
  /** Base64 of the DER. */
  readonly root: string
  readonly served: string
  readonly listening: readonly Pick<PlannedEndpoint, 'port' | 'dialect'>[]
}

const count = Number(process.argv[2])
const authority = await makeAuthority('Bench CA')
const { chain: cert, key, der } = await makePair(authority, 'Server', ['localhost', '127.0.0.1'])
const options = { cert, key }
const listening: Servers['listening'][number][] = []
for (let index = 0; index < count; index += 1) {
  const dialect = index % 2 === 0 ? 'mysql' : 'plain'
  const { port } = await serve(async (socket) => {
    if (dialect === 'plain') return void startTls(socket, { options })
    socket.write(mysqlGreeting())
    if ((await readExactly(socket, 36).catch(() => undefined)) === undefined) return
    startTls(socket, { options, onSecure: (tls) => tls.once('data', () => tls.write(mysqlError(1045, 'no', 3))) })
  })
  listening.push({ port, dialect })
}
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const servers: Servers = { root: base64(authority.certificate), served: base64(der), listening }
process.stdout.write(`${JSON.stringify(servers)}\n`)
process.stdin.resume().once('end', () => process.exit(0))
