/** One API request: credentials, retries, time limits, errors, and who is told about it. Knows no verb's meaning. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../runtime/clock.ts'
import { ApiError } from '../errors.ts'
import type { Resource } from '../port.ts'
import type { ClusterConfig } from './cluster-config.ts'
import type { Target } from './paths.ts'
import { pathOf } from './paths.ts'
import { parseRetryAfter, statusError } from './status.ts'
import type { Call, StreamAnswer } from './transport.ts'
import { Transport } from './transport.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'apply' | 'delete'

/** One HTTP request that ended, or a watch that began. */
export interface RequestObservation {
  readonly verb: Verb
  /** Plural, with the subresource: `secrets`, `databasecertificates/status`. */
  readonly resource: string
  /** The HTTP status, or `<error>` as client-go's metric has it. */
  readonly code: string
  readonly method: Call['method']
  readonly host: string
  readonly seconds: number
}

export interface KubernetesClusterOptions {
  readonly config: ClusterConfig
  readonly clock: Clock
  /** Of this program; becomes the user agent `dbtls/<version>`. */
  readonly version: string
  /** Connections for requests; watches have their own. */
  readonly maxSockets?: number
  /** For a get or a write; below the lease's duration, so that a stalled server does not outlast leadership. */
  readonly timeoutMs?: number
  /** For a page of a list and for the beginning of a watch. */
  readonly listTimeoutMs?: number
  readonly onRequest?: (observation: RequestObservation) => void
}

/** Reads answered 429 are sent again this often, each after the server's Retry-After; callers back off beyond that. */
const maxReadRetries = 2
const maxRetryAfterMs = 5_000

export interface Request {
  readonly verb: Verb
  readonly method: Call['method']
  readonly resource: Resource
  readonly target: Target
  readonly query?: Parameters<typeof pathOf>[2]
  readonly accept?: string
  readonly contentType?: string
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

export class Requester {
  readonly #options: KubernetesClusterOptions
  readonly #transport: Transport

  constructor(options: KubernetesClusterOptions) {
    this.#options = options
    this.#transport = new Transport({
      config: options.config,
      clock: options.clock,
      maxSockets: options.maxSockets ?? 64,
    })
  }

  close(): void {
    this.#transport.close()
  }

  /** Sends, and answers the parsed body; rejects with ApiError. */
  async call<A>(request: Request): Promise<A> {
    const retries = request.method === 'GET' ? maxReadRetries : 0
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#authorized(request, (call) => this.#transport.send(call))
      if (answer.status >= 200 && answer.status < 300) return parseAnswer(request, answer.status, answer.body) as A
      const error = failure(request, answer.status, answer.headers, answer.body, this.#options.clock.now())
      if (error.status !== 429 || attempt >= retries || (error.retryAfterMs ?? 0) > maxRetryAfterMs) throw error
      await sleepOrAbort(this.#options.clock, error.retryAfterMs ?? 1000, request)
    }
  }

  async open(request: Request): Promise<StreamAnswer> {
    const answer = await this.#authorized(request, (call) => this.#transport.open(call))
    if (answer.status === 200) return answer
    const body = await readBody(answer.response)
    throw failure(request, answer.status, answer.headers, body, this.#options.clock.now())
  }

  /** A 401 or a certificate that does not verify: credentials and CA are read again, and the request is sent once more. */
  async #authorized<A extends { readonly status: number }>(
    request: Request,
    send: (call: Call) => Promise<A>,
  ): Promise<A> {
    const first = await this.#attempt(request, send).catch((error: unknown) => {
      if (error instanceof ApiError && error.reason === 'TLS') return error
      throw error
    })
    if (!(first instanceof ApiError) && first.status !== 401) return first
    if (!(first instanceof ApiError) && 'response' in first) (first as unknown as StreamAnswer).response.resume()
    await credentials(request, () => this.#options.config.refresh())
    return this.#attempt(request, send)
  }

  async #attempt<A extends { readonly status: number }>(
    request: Request,
    send: (call: Call) => Promise<A>,
  ): Promise<A> {
    const { clock, config, onRequest } = this.#options
    const call = await this.#callOf(request)
    const start = clock.monotonic()
    let code = '<error>'
    try {
      const answer = await send(call)
      code = String(answer.status)
      return answer
    } finally {
      onRequest?.({
        verb: request.verb,
        resource: nameOf(request),
        code,
        method: request.method,
        host: config.server.host,
        seconds: (clock.monotonic() - start) / 1000,
      })
    }
  }

  async #callOf(request: Request): Promise<Call> {
    const { config, version, timeoutMs = 8_000, listTimeoutMs = 30_000 } = this.#options
    const headers: Record<string, string> = {
      accept: request.accept ?? 'application/json',
      'user-agent': `dbtls/${version}`,
    }
    await credentials(request, () => config.authorize(headers))
    if (request.body !== undefined) headers['content-type'] = request.contentType ?? 'application/json'
    return {
      method: request.method,
      path: safePath(request),
      headers,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: request.signal,
      what: describe(request),
      timeoutMs: request.verb === 'list' || request.verb === 'watch' ? listTimeoutMs : timeoutMs,
    }
  }
}

const nameOf = ({ resource, target }: Request): string =>
  target.subresource === undefined ? resource.plural : `${resource.plural}/${target.subresource}`

const describe = (request: Request): string => {
  const { namespace, name } = request.target
  const key = [namespace, name].filter((part) => part !== undefined).join('/')
  return `${request.verb} ${nameOf(request)}${key === '' ? '' : ` ${key}`}`
}

const safePath = (request: Request): string => {
  try {
    return pathOf(request.resource, request.target, request.query)
  } catch (error) {
    throw new ApiError({ status: 400, reason: 'BadRequest', message: `${describe(request)}: ${String(error)}` })
  }
}

const isSecret = (request: Request): boolean => request.resource.group === '' && request.resource.plural === 'secrets'

const parseAnswer = (request: Request, status: number, body: Buffer): object => {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null) return parsed
  } catch {
    // Falls through: the parser's message would quote the body.
  }
  throw new ApiError({
    status: 0,
    reason: 'BadAnswer',
    message: `${describe(request)}: the server answered ${status} with something that is not JSON; is it an API server?`,
    ambiguous: request.method !== 'GET',
  })
}

const failure = (
  request: Request,
  status: number,
  headers: IncomingMessage['headers'],
  body: Buffer,
  now: number,
): ApiError => {
  let parsed: unknown
  if (headers['content-type']?.includes('json')) {
    try {
      parsed = JSON.parse(body.toString('utf8'))
    } catch {
      parsed = undefined
    }
  }
  return statusError(parsed, {
    fallbackStatus: status,
    what: describe(request),
    retryAfterMs: parseRetryAfter(headers['retry-after'], now),
    // A 5xx may come from a proxy, or from a server that lost etcd after it had sent the write there.
    ambiguous: request.method !== 'GET' && status >= 500,
    secret: isSecret(request),
  })
}

const credentials = async (request: Request, act: () => Promise<void>): Promise<void> => {
  try {
    await act()
  } catch (error) {
    const message = `${describe(request)}: ${error instanceof Error ? error.message : 'no credentials'}`
    throw new ApiError({ status: 401, reason: 'Unauthorized', message, cause: error })
  }
}

const sleepOrAbort = async (clock: Clock, ms: number, request: Request): Promise<void> => {
  try {
    await clock.sleep(ms, request.signal)
  } catch (cause) {
    throw new ApiError({ status: 0, reason: 'Aborted', message: `${describe(request)}: given up by the caller`, cause })
  }
}

/** The body of a refused watch: small, and not worth more than a second error. */
const readBody = async (response: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > 64 * 1024) break
      chunks.push(chunk)
    }
  } catch {
    // What has come so far must do.
  } finally {
    response.destroy()
  }
  return Buffer.concat(chunks)
}
