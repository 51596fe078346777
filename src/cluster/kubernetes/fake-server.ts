/** For tests: an HTTP server that answers as it is told, in the place of an API server. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Responder = (response: ServerResponse, seen: Seen) => void

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Responder =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

export const plain =
  (status: number, body: string, headers: Record<string, string> = {}): Responder =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(body)

export const reset: Responder = (response) => void response.socket?.resetAndDestroy()

export const hang: Responder = () => undefined

/** Lines of a watch; the connection stays open unless `end`. */
export const stream =
  (lines: readonly unknown[], end = false): Responder =>
  (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const line of lines) response.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)
    if (end) response.end()
  }

export class FakeServer {
  readonly seen: Seen[] = []
  /** Taken from the front; the last one serves all further requests. */
  readonly responders: Responder[]
  connections = 0
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  constructor(...responders: Responder[]) {
    this.responders = responders
    this.#server.on('connection', () => (this.connections += 1))
  }

  async start(): Promise<URL> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve))
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => void this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') }
    this.seen.push(seen)
    const responder = this.responders.length > 1 ? this.responders.shift() : this.responders[0]
    responder?.(response, seen)
  }
}
