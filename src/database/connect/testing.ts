/** What the tests of this room share: CAs, certificates as PEM, and servers in this process. Not imported by the program. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createTcpServer, type AddressInfo, isIP, type Server, type Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'
import { issueCertificate } from '../../pki/certificates/certificate.ts'
import { distinguishedName } from '../../pki/names/names.ts'
import { encodePem } from '../../pki/encoding/pem.ts'
import { leafPlan, type Role, usagesOf } from '../../pki/certificates/plans.ts'
import type { Offers } from './prove.ts'
import { type Authority, generate, makeRoot, p256, randomSerial } from '../../pki/testing.ts'

export interface Pair {
  /** PEM. */
  readonly chain: string
  readonly key: string
  readonly der: Uint8Array
}

export const makeAuthority = (commonName: string): Promise<Authority> => makeRoot({ commonName, now: Date.now() })

export const pemOf = (authority: Authority): string => encodePem('CERTIFICATE', authority.certificate)

export const makePair = async (authority: Authority, role: Role, names: readonly string[] = []): Promise<Pair> => {
  const key = await generate()
  const plan = leafPlan({
    signer: authority.signer,
    subject: distinguishedName({ commonName: names[0] ?? 'app' }),
    names: names.map((value) => ({ type: isIP(value) === 0 ? ('DNS' as const) : ('IP' as const), value })),
    ...usagesOf(role, [], p256),
    spki: key.spki,
    duration: 3_600_000,
    now: Date.now(),
    serialNumber: randomSerial(),
  })
  const { der } = await issueCertificate(plan, authority.signer)
  return { chain: encodePem('CERTIFICATE', der), key: encodePem('PRIVATE KEY', key.pkcs8), der }
}

/** Client certificates of two CAs named `Orders CA`, and of a third of that name that no server knows. */
export const makeOffers = async (current: Authority, next: Authority): Promise<Offers> => ({
  Current: await makePair(current, 'Client'),
  Stranger: await makePair(await makeAuthority('Orders CA'), 'Client'),
  Next: await makePair(next, 'Client'),
})

export interface TestServer extends AsyncDisposable {
  readonly port: number
  /** Connections it has seen. */
  readonly connections: readonly Socket[]
}

/** Listens on 127.0.0.1 and hands every connection to `serve`; at the end of the scope everything is closed. */
export const serve = async (
  handler: (socket: Socket) => unknown,
  host = '127.0.0.1',
  port = 0,
): Promise<TestServer> => {
  const connections: Socket[] = []
  const server: Server = createTcpServer((socket) => {
    connections.push(socket)
    socket.on('error', () => undefined)
    handler(socket)
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of connections) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export interface TlsSide {
  readonly options: TLSSocketOptions
  /** Called with the secured connection. */
  readonly onSecure?: (tls: TLSSocket) => void
}

/** Goes on with TLS as the server. `first`: bytes that were read already. */
export const startTls = (socket: Socket, { options, onSecure }: TlsSide): TLSSocket => {
  const tls = new TLSSocket(socket, { ...options, isServer: true })
  tls.on('error', () => undefined)
  tls.on('secure', () => onSecure?.(tls))
  return tls
}

/**
 * `openssl s_server`, which judges client certificates inside the handshake as databases do (a server on Node does it
 * afterwards). It answers HTTP.
 */
export const opensslServer = async (
  folder: string,
  args: readonly string[],
): Promise<AsyncDisposable & { readonly port: number }> => {
  const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-www', ...args], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit')
  let said = ''
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const found = /^ACCEPT .*:([0-9]+)$/m.exec(said)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    void ended.then(() => reject(new Error(`openssl s_server ended: ${said}`)))
  })
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The first bytes of a MySQL server. */
export const mysqlGreeting = (
  options: { readonly capabilities?: number; readonly plugin?: string; readonly version?: number } = {},
): Buffer => {
  const { capabilities = 0xdfff_ffff, plugin = 'caching_sha2_password', version = 10 } = options
  const body = Buffer.concat([
    Buffer.of(version),
    Buffer.from('9.7.4\0'),
    Buffer.of(1, 0, 0, 0),
    Buffer.from('abcdefgh\0'),
    Buffer.of(capabilities & 0xff, (capabilities >>> 8) & 0xff, 45, 2, 0),
    Buffer.of((capabilities >>> 16) & 0xff, (capabilities >>> 24) & 0xff, 21),
    Buffer.alloc(10),
    Buffer.from('ijklmnopqrst\0'),
    Buffer.from(`${plugin}\0`),
  ])
  return mysqlPacket(0, body)
}

export const mysqlPacket = (sequence: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(body.length & 0xff, (body.length >> 8) & 0xff, body.length >> 16, sequence), body])

export const mysqlError = (code: number, text: string, sequence = 0): Buffer =>
  mysqlPacket(sequence, Buffer.concat([Buffer.of(0xff, code & 0xff, code >> 8), Buffer.from(text)]))

/** Reads exactly `length` bytes and leaves the rest to TLS. */
export const readExactly = (socket: Socket, length: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      const bytes = socket.read(length) as Buffer | null
      if (bytes === null) return
      socket.off('readable', look)
      resolve(bytes)
    }
    socket.on('readable', look)
    socket.once('close', () => reject(new Error('the client hung up')))
    look()
  })
