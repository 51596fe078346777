/** HTTP to one API server: connections, time limits, what went wrong. Knows no resource. */
import * as http from 'node:http'
import * as https from 'node:https'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../../runtime/clock.ts'
import { ApiError } from '../errors.ts'
import type { ClusterConfig, TlsMaterial } from './cluster-config.ts'

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** For messages: `apply secrets data/orders`. */
  readonly what: string
  /** Until the answer is complete, or, for a stream, until it begins; ms. */
  readonly timeoutMs: number
  /** Streams have connections of their own, so that watches never hold back a write. */
  readonly stream?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

export interface StreamAnswer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly response: http.IncomingMessage
}

export interface TransportOptions {
  readonly config: ClusterConfig
  readonly clock: Clock
  readonly maxSockets: number
}

/** Below the 90 s after which kube-apiserver closes an idle connection: we close first and never write into a closed one. */
const idleSocketMs = 30_000
/** A page of 500 objects of 1 MiB is far beyond what this program asks for. */
const maxBodyBytes = 256 * 1024 * 1024

interface Agents {
  readonly tls: TlsMaterial
  readonly requests: http.Agent
  readonly streams: http.Agent
}

/** Codes of errors that come before the first byte of the request is on its way. */
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])

/** Certificate verification by node:tls: the server's certificate, or the CA we know, has been replaced. */
export const isTlsFailure = (code: string | undefined): boolean =>
  code !== undefined &&
  (code.startsWith('ERR_TLS_') ||
    code.startsWith('CERT_') ||
    code.startsWith('UNABLE_TO_') ||
    code.startsWith('SELF_SIGNED_') ||
    code.startsWith('DEPTH_ZERO_') ||
    code.startsWith('ERR_SSL_'))

export class Transport {
  readonly #options: TransportOptions
  #agents: Agents

  constructor(options: TransportOptions) {
    this.#options = options
    this.#agents = this.#connectWith(options.config.tls)
  }

  /** Rejects with ApiError of status 0; every HTTP status is an answer. */
  send(call: Call): Promise<Answer> {
    return this.#request(call, (response, settle) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBodyBytes) response.destroy(new Error('the answer is larger than 256 MiB'))
      })
      response.on('end', () => {
        const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
        settle.done({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
      response.on('error', (error) => settle.failed(error))
      response.on('close', () => {
        if (!response.complete) settle.failed(new Error('the connection was closed inside the answer'))
      })
    })
  }

  /** As `send`, for an answer whose body is read as it comes. The caller destroys the response. */
  open(call: Call): Promise<StreamAnswer> {
    return this.#request({ ...call, stream: true }, (response, settle) => {
      settle.done({ status: response.statusCode ?? 0, headers: response.headers, response })
    })
  }

  close(): void {
    this.#agents.requests.destroy()
    this.#agents.streams.destroy()
  }

  #request<A>(call: Call, onResponse: (response: http.IncomingMessage, settle: Settle<A>) => void): Promise<A> {
    return new Promise((resolve, reject) => {
      if (call.signal?.aborted) return reject(aborted(call, false))
      let sent = false
      const request = this.#start(call)
      const onAbort = (): void => settle.failedWith(aborted(call, sent))
      const timer = this.#options.clock.setTimer(call.timeoutMs, () => settle.failedWith(timedOut(call, sent)))
      let settled = false
      const finish = (): boolean => {
        if (settled) return false
        settled = true
        timer.cancel()
        call.signal?.removeEventListener('abort', onAbort)
        return true
      }
      const settle: Settle<A> & { failedWith(error: ApiError): void } = {
        done: (answer) => {
          if (finish()) resolve(answer)
        },
        failed: (error) => {
          // The end of every answer is followed by a close: no error is made that nobody gets.
          if (!settled) settle.failedWith(networkError(call, error, sent))
        },
        failedWith: (error) => {
          if (!finish()) return
          reject(error)
          request.destroy()
        },
      }
      call.signal?.addEventListener('abort', onAbort, { once: true })
      request.on('socket', (socket) => {
        if (!socket.connecting) sent = true
        else
          socket.once(
            this.#options.config.server.protocol === 'https:' ? 'secureConnect' : 'connect',
            () => (sent = true),
          )
      })
      request.on('error', (error) => settle.failed(error))
      request.on('response', (response) => onResponse(response, settle))
      request.end(call.body)
    })
  }

  #start(call: Call): http.ClientRequest {
    const { config } = this.#options
    if (config.tls !== this.#agents.tls) this.#reconnect(config.tls)
    const { server } = config
    const secure = server.protocol === 'https:'
    return (secure ? https : http).request({
      host: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port === '' ? (secure ? 443 : 80) : server.port,
      method: call.method,
      path: server.pathname === '/' ? call.path : server.pathname.replace(/\/$/, '') + call.path,
      headers: {
        ...call.headers,
        ...(call.body === undefined ? {} : { 'content-length': Buffer.byteLength(call.body) }),
      },
      agent: call.stream === true ? this.#agents.streams : this.#agents.requests,
    })
  }

  #reconnect(tls: TlsMaterial): void {
    const former = this.#agents
    try {
      this.#agents = this.#connectWith(tls)
    } catch {
      // A file that is being replaced may be half there; the former certificates serve until the next refresh.
      this.#agents = { ...former, tls }
      return
    }
    // Idle connections go; requests and watches under way end by themselves.
    for (const agent of [former.requests, former.streams])
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }

  #connectWith(tls: TlsMaterial): Agents {
    const { config, maxSockets } = this.#options
    const proxyEnv = config.proxy && { HTTPS_PROXY: config.proxy.href, HTTP_PROXY: config.proxy.href }
    const common = { keepAlive: true, timeout: idleSocketMs, ...(proxyEnv ? { proxyEnv } : {}) }
    if (config.server.protocol !== 'https:')
      return {
        tls,
        requests: new http.Agent({ ...common, maxSockets }),
        streams: new http.Agent({ ...common, maxSockets: Infinity }),
      }
    const { ca, cert, key, ...rest } = tls
    // One context for all connections; as agent options the PEM would become part of every request's pool key.
    const secureContext = createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    })
    return {
      tls,
      requests: new https.Agent({ ...common, ...rest, secureContext, maxSockets }),
      streams: new https.Agent({ ...common, ...rest, secureContext, maxSockets: Infinity }),
    }
  }
}

interface Settle<A> {
  done(answer: A): void
  failed(error: Error): void
}

const isWrite = (call: Call): boolean => call.method !== 'GET'

const aborted = (call: Call, sent: boolean): ApiError =>
  new ApiError({
    status: 0,
    reason: 'Aborted',
    message: `${call.what}: given up by the caller`,
    ambiguous: sent && isWrite(call),
  })

const timedOut = (call: Call, sent: boolean): ApiError =>
  new ApiError({
    status: 0,
    reason: 'ClientTimeout',
    message: `${call.what}: no answer within ${call.timeoutMs} ms`,
    ambiguous: sent && isWrite(call),
  })

const networkError = (call: Call, error: NodeJS.ErrnoException, sent: boolean): ApiError => {
  const { code } = error
  const tls = isTlsFailure(code)
  return new ApiError({
    status: 0,
    reason: tls ? 'TLS' : 'Network',
    message: `${call.what}: ${code === undefined ? error.message : `${error.message} (${code})`}`,
    ambiguous: sent && isWrite(call) && !tls && !neverSent.has(code ?? ''),
    cause: error,
  })
}
