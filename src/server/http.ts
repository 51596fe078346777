import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { Clock } from '../runtime/clock.ts'
import type { Health, Verdict } from '../runtime/health.ts'
import { describeVerdict } from '../runtime/health.ts'
import type { Logger } from '../runtime/log.ts'
import type { Registry } from '../runtime/metrics.ts'
import { entityTag, isUnchanged } from './conditional.ts'
import { clientOf, RateLimiter, type RateLimits } from './rate-limit.ts'

export interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Set where the bytes have validators: an entity tag, and the ms of their last change where that is known. */
  readonly cacheable?: { readonly lastModified?: number | undefined }
  /** What was asked for, as one of a few names: a label of metrics. */
  readonly route?: string
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
export const textReply = (status: number, body: string, headers: Record<string, string> = {}): Reply => ({
  status,
  contentType: plainText,
  body,
  headers,
})

/** Above this nothing that is served here has an address. */
const longestTarget = 2048
/** A body is of no interest; who sends more of it than this is cut off. */
const mostBodyBytes = 1024 * 1024

/** One answer that was sent, or begun. */
export interface Answered {
  /** As the handler named it. */
  readonly route: string | undefined
  readonly method: string
  readonly status: number
  readonly tookMs: number
}

export interface ListenOptions {
  readonly address: string
  readonly handler: Handler
  readonly log: Logger
  readonly clock: Clock
  /** Absent: as many as come. For ports that strangers reach. */
  readonly limits?: RateLimits | undefined
  readonly onAnswered?: ((answered: Answered) => void) | undefined
}

const send = (request: IncomingMessage, response: ServerResponse, reply: Reply): void => {
  const bytes = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
  const tag = reply.status === 200 && reply.cacheable !== undefined ? entityTag(bytes) : undefined
  const headers = {
    'x-content-type-options': 'nosniff',
    ...(tag === undefined ? {} : { etag: tag }),
    ...(reply.cacheable?.lastModified === undefined
      ? {}
      : { 'last-modified': new Date(reply.cacheable.lastModified).toUTCString() }),
    ...reply.headers,
  }
  if (tag !== undefined && isUnchanged(request.headers, tag, reply.cacheable?.lastModified)) {
    response.writeHead(304, headers).end()
    return
  }
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': bytes.length,
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

const answer = async (
  request: IncomingMessage,
  { handler, log, clock }: ListenOptions,
  limiter: RateLimiter | undefined,
): Promise<Reply> => {
  const waitMs = limiter?.admit(request.socket.remoteAddress ?? '', clock.monotonic()) ?? 0
  if (waitMs > 0)
    return textReply(429, 'too many requests\n', { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) })
  const target = request.url ?? '/'
  if (target.length > longestTarget) return textReply(414, 'the address is too long\n')
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return textReply(405, 'method not allowed\n', { allow: 'GET, HEAD' })
  const [path = '/'] = target.split('?', 1)
  try {
    return (await handler(path, request)) ?? textReply(404, 'not found\n')
  } catch (error) {
    log.error('an HTTP request failed', { path, error })
    return textReply(500, 'internal error\n')
  }
}

/** Bodies are read and dropped: unread they would block the connection, and requestTimeout ends those without end. */
const dropBody = (request: IncomingMessage): void => {
  let bytes = 0
  request.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes > mostBodyBytes) request.socket.destroy()
  })
}

const respond = async (
  request: IncomingMessage,
  response: ServerResponse,
  options: ListenOptions,
  limiter: RateLimiter | undefined,
): Promise<void> => {
  const { clock, log, onAnswered } = options
  const startedAt = clock.monotonic()
  // Whoever reads an answer a byte at a time holds its memory and a connection.
  const deadline = clock.setTimer(longestAnswerMs, () => request.socket.destroy())
  response.once('close', () => deadline.cancel())
  dropBody(request)
  const reply = await answer(request, options, limiter)
  try {
    send(request, response, reply)
  } catch (error) {
    log.error('an HTTP answer could not be sent', { path: request.url, error })
    request.socket.destroy()
  }
  const { method = '' } = request
  onAnswered?.({ route: reply.route, method, status: response.statusCode, tookMs: clock.monotonic() - startedAt })
}

/** From the end of the request's headers to the last byte of the answer. */
const longestAnswerMs = 60_000
const mostConnections = 256
const mostConnectionsOfOne = 64

/** Lets no client take all the connections there are. */
const boundConnections = (server: Server): void => {
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const client = clientOf(socket.remoteAddress ?? '')
    const count = (open.get(client) ?? 0) + 1
    if (count > mostConnectionsOfOne) {
      socket.destroy()
      return
    }
    open.set(client, count)
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1
      if (left > 0) open.set(client, left)
      else open.delete(client)
    })
  })
}

/** Slow and greedy clients are cut off: headers of 8 KiB within 5 s, a request within 10 s, an answer within 60 s. */
const boundedServer = (options: ListenOptions): Server => {
  const limiter = options.limits === undefined ? undefined : new RateLimiter(options.limits)
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void respond(request, response, options, limiter),
  )
  server.maxConnections = mostConnections
  server.maxRequestsPerSocket = 1000
  server.setTimeout(30_000)
  if (limiter !== undefined) boundConnections(server)
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
export const listen = async (options: ListenOptions): Promise<ListeningServer> => {
  const { host, port } = parseAddress(options.address)
  const server = boundedServer(options)
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

const verdictReply = (verdict: Verdict): Reply => textReply(verdict.ok ? 200 : 503, describeVerdict(verdict))

/** `/metrics`, `/healthz` (live) and `/readyz`; `pages` answers what is none of these. */
export const operationsHandler =
  (health: Health, registry: Registry, pages: Handler = () => undefined): Handler =>
  async (path, request) => {
    switch (path) {
      case '/metrics':
        return { status: 200, contentType: registry.contentType, body: await registry.metrics() }
      case '/healthz':
        return verdictReply(health.live())
      case '/readyz':
        return verdictReply(health.ready())
      default:
        return pages(path, request)
    }
  }
