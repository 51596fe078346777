import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Clock } from '../runtime/clock.ts'
import type { Health, Verdict } from '../runtime/health.ts'
import { describeVerdict } from '../runtime/health.ts'
import type { Logger } from '../runtime/log.ts'
import type { Registry } from '../runtime/metrics.ts'

export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Answers a GET or HEAD of `path` (without its query), or undefined where there is nothing. */
export type Handler = (path: string, request: IncomingMessage) => Reply | undefined | Promise<Reply | undefined>

export interface ListeningServer {
  /** `host:port`, with the port that was really taken. */
  readonly address: string
  /** Takes no more connections, and drops those that are open after `graceMs` (default 1 s). */
  close(graceMs?: number): Promise<void>
}

/**
 * `:9090` (all interfaces), `127.0.0.1:0` (any free port), `[::1]:9090`, `localhost:9090`.
 * @throws RangeError for anything else.
 */
export const parseAddress = (address: string): { readonly host: string | undefined; readonly port: number } => {
  const found = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]]*)):(\d{1,5})$/.exec(address)
  const port = Number(found?.[3])
  if (!found || port > 65_535)
    throw new RangeError(`"${address}" is not an address to listen on; write ":9090" or "127.0.0.1:9090"`)
  return { host: found[1] ?? (found[2] === '' ? undefined : found[2]), port }
}

const plainText = 'text/plain; charset=utf-8'
const text = (status: number, body: string, headers: Record<string, string> = {}): Reply => ({
  status,
  contentType: plainText,
  body,
  headers,
})

const send = (request: IncomingMessage, response: ServerResponse, reply: Reply): void => {
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
    'x-content-type-options': 'nosniff',
    ...reply.headers,
  })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

const answer = async (request: IncomingMessage, handler: Handler, log: Logger): Promise<Reply> => {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return text(405, 'method not allowed\n', { allow: 'GET, HEAD' })
  const [path = '/'] = (request.url ?? '/').split('?', 1)
  try {
    return (await handler(path, request)) ?? text(404, 'not found\n')
  } catch (error) {
    log.error('an HTTP request failed', { path, error })
    return text(500, 'internal error\n')
  }
}

/** Slow and greedy clients are cut off: headers of 8 KiB within 5 s, a request within 10 s, 256 connections. */
const boundedServer = (handler: Handler, log: Logger): Server => {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      // Bodies are of no interest; unread they would block the connection, and requestTimeout ends those without end.
      request.resume()
      void answer(request, handler, log).then((reply) => send(request, response, reply))
    },
  )
  server.maxConnections = 256
  server.maxRequestsPerSocket = 1000
  server.setTimeout(30_000)
  return server
}

const close = async (server: Server, clock: Clock, graceMs: number): Promise<void> => {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = clock.setTimer(graceMs, () => server.closeAllConnections())
  await closed
  timer.cancel()
}

/** Listens, and rejects where the address is malformed, taken or forbidden. */
export const listen = async (options: {
  readonly address: string
  readonly handler: Handler
  readonly log: Logger
  readonly clock: Clock
}): Promise<ListeningServer> => {
  const { host, port } = parseAddress(options.address)
  const server = boundedServer(options.handler, options.log)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => options.log.error('the HTTP server failed', { error }))
  const bound = server.address()
  const at = bound !== null && typeof bound === 'object' ? bound : { address: '', port, family: '' }
  return {
    address: `${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`,
    close: (graceMs = 1000) => close(server, options.clock, graceMs),
  }
}

const verdictReply = (verdict: Verdict): Reply => text(verdict.ok ? 200 : 503, describeVerdict(verdict))

/** `/metrics`, `/healthz` (live) and `/readyz`. */
export const operationsHandler =
  (health: Health, registry: Registry): Handler =>
  async (path) => {
    switch (path) {
      case '/metrics':
        return { status: 200, contentType: registry.contentType, body: await registry.metrics() }
      case '/healthz':
        return verdictReply(health.live())
      case '/readyz':
        return verdictReply(health.ready())
      default:
        return undefined
    }
  }
