/**
 * A server and its client in a process of their own: fresh connections with mutual TLS at a steady pace, each timed until the
 * client has read the server's word that it was let in. Both take up new files without a restart. Speaks over the channel of `fork`.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createServer, type TLSSocket } from 'node:tls'

/** PEM. */
export interface Side {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

export type Order =
  | { readonly do: 'use'; readonly server: Side; readonly client: Side; readonly name: string }
  /** Answers with what was measured since the last time. */
  | { readonly do: 'tell' }

export interface Told {
  readonly connections: number
  readonly refused: number
  /** ms */
  readonly median: number
  readonly worst: number
}

const paceMs = 10

let current: Extract<Order, { do: 'use' }> | undefined
let times: number[] = []
let refused = 0

const server = createServer({ requestCert: true, rejectUnauthorized: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.end('in')
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const isLetIn = (socket: TLSSocket): Promise<boolean> =>
  new Promise((resolve) => {
    socket.once('data', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })

process.on('message', (order: Order) => {
  if (order.do === 'use') {
    server.setSecureContext(order.server)
    current = order
    return
  }
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const told: Told = { connections: times.length, refused, median, worst: sorted.at(-1) ?? Number.NaN }
  ;[times, refused] = [[], 0]
  process.send?.(told)
})
process.once('disconnect', () => process.exit(0))

for (;;) {
  await sleep(paceMs)
  if (current === undefined) continue
  const { client, name } = current
  const began = performance.now()
  const socket = connect({ host: '127.0.0.1', port, servername: name, ...client })
  const letIn = await isLetIn(socket)
  socket.destroy()
  times.push(performance.now() - began)
  if (!letIn) refused += 1
}
