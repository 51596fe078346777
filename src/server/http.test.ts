import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../runtime/clock.ts'
import { Health } from '../runtime/health.ts'
import { createLogger, silentLogger } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { Answered, Handler, ListeningServer, ListenOptions } from './http.ts'
import { listen, operationsHandler, parseAddress } from './http.ts'

const clock = systemClock()
const open: ListeningServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close(0)))
})

const serve = async (handler: Handler, log = silentLogger(), more: Partial<ListenOptions> = {}): Promise<string> => {
  const server = await listen({ address: '127.0.0.1:0', handler, log, clock, ...more })
  open.push(server)
  return server.address
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

const ask = (address: string, path: string, method = 'GET', body = ''): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      `http://${address}${path}`,
      { method, agent: false, headers: { 'content-length': body.length } },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })

/** What the server answers to these raw bytes before it closes the connection. */
const raw = (address: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { host, port } = parseAddress(address)
    const socket = connect({ host: host ?? 'localhost', port }, () => socket.write(bytes))
    let seen = ''
    socket.on('data', (part) => (seen += part.toString()))
    socket.on('close', () => resolve(seen))
    socket.on('error', reject)
  })

describe('parseAddress', () => {
  it.each([
    [':9090', undefined, 9090],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['localhost:80', 'localhost', 80],
    ['[::1]:65535', '::1', 65_535],
  ])('%s', (address, host, port) => expect(parseAddress(address)).toEqual({ host, port }))

  it.each(['', '9090', ':', ':65536', ':-1', '::1:80', 'http://x:80', 'a b:80', '[::1]'])('refuses "%s"', (address) => {
    expect(() => parseAddress(address)).toThrow(RangeError)
  })
})

describe('operations server', () => {
  const start = async () => {
    const health = new Health()
    const { registry, ...metrics } = createMetrics()
    const address = await serve(operationsHandler(health, registry))
    return { health, metrics, address }
  }

  it('serves metrics in the text format', async () => {
    const { metrics, address } = await start()
    metrics.leaderElection('dbtls').leading(true)
    const answer = await ask(address, '/metrics')
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': expect.stringContaining('text/plain') } })
    expect(answer.body).toContain('leader_election_master_status{name="dbtls"} 1\n')
  })

  it('answers health with 200 or 503 and says what is wrong', async () => {
    const { health, address } = await start()
    expect(await ask(address, '/healthz')).toMatchObject({ status: 200, body: 'check passed\n' })
    health.addReady('caches', () => 'not filled yet')
    expect((await ask(address, '/healthz')).status).toBe(200)
    const ready = await ask(address, '/readyz?verbose')
    expect(ready).toMatchObject({ status: 503, body: '[-]caches failed: not filled yet\ncheck failed\n' })
  })

  it('answers HEAD with the headers alone', async () => {
    const { address } = await start()
    const [get, head] = [await ask(address, '/healthz'), await ask(address, '/healthz', 'HEAD')]
    expect(head).toMatchObject({ status: 200, body: '' })
    expect(head.headers['content-length']).toBe(String(get.body.length))
  })

  it.each(['/', '/nothing', '/metrics/', '/__proto__', '/..%2f..%2fetc/passwd'])('%s is not found', async (path) => {
    const { address } = await start()
    expect((await ask(address, path)).status).toBe(404)
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s is not allowed', async (method) => {
    const { address } = await start()
    const answer = await ask(address, '/metrics', method, 'x'.repeat(100_000))
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })
})

describe('listen', () => {
  it('a handler that fails answers 500 without telling why, and the log says it', async () => {
    const lines: string[] = []
    const log = createLogger({ destination: { write: (line) => lines.push(line) } })
    const address = await serve(() => Promise.reject(new Error('internals')), log)
    const answer = await ask(address, '/x')
    expect(answer).toMatchObject({ status: 500, body: 'internal error\n' })
    expect(lines.join('')).toContain('internals')
  })

  it('hands the path without its query to the handler, and sends bytes as they are', async () => {
    const bytes = Uint8Array.of(0x30, 0x00, 0xff)
    const address = await serve((path) =>
      path === '/ca/a/b.crt' ? { status: 200, contentType: 'application/pkix-cert', body: bytes } : undefined,
    )
    const answer = await ask(address, '/ca/a/b.crt?x=1')
    expect(answer.headers).toMatchObject({ 'content-length': '3', 'x-content-type-options': 'nosniff' })
  })

  it('refuses headers that are too large and requests that are none', async () => {
    const address = await serve(() => ({ status: 200, contentType: 'text/plain', body: 'ok' }))
    expect(await raw(address, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431/,
    )
    expect(await raw(address, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/)
    expect(await raw(address, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
  })

  it('refuses an address that is too long, a body without end, and words that are no methods', async () => {
    const address = await serve(() => ({ status: 200, contentType: 'text/plain', body: 'ok' }))
    expect((await ask(address, `/${'a'.repeat(3000)}`)).status).toBe(414)
    expect(await raw(address, 'get / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
    const endless = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n${'x'.repeat(2_000_000)}`
    const cut = raw(address, endless).catch((error: NodeJS.ErrnoException) => error.code)
    expect(await cut).toMatch(/^(HTTP\/1.1 405|ECONNRESET|EPIPE)/)
  })

  it('gives bytes validators where the handler says so, and nothing to who has them', async () => {
    const lastModified = Date.UTC(2026, 5, 1)
    const reply = { status: 200, contentType: 'text/plain', body: 'ok', headers: { vary: 'accept' } }
    const address = await serve((path) => (path === '/plain' ? reply : { ...reply, cacheable: { lastModified } }))
    expect((await ask(address, '/plain')).headers).not.toHaveProperty('etag')
    const first = await fetch(`http://${address}/`)
    const etag = first.headers.get('etag') ?? ''
    expect(first.headers.get('last-modified')).toBe('Mon, 01 Jun 2026 00:00:00 GMT')
    for (const method of ['GET', 'HEAD']) {
      const again = await fetch(`http://${address}/`, { method, headers: { 'if-none-match': `"x", W/${etag}` } })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
      expect(again.headers.get('vary')).toBe('accept')
    }
    expect((await fetch(`http://${address}/`, { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
  })

  it('answers 429 with the seconds to wait, and tells what it answered', async () => {
    const answered: Answered[] = []
    const rate = { perSecond: 0.1, burst: 2 }
    const address = await serve(
      () => ({ status: 200, contentType: 'text/plain', body: 'ok', route: 'ok' }),
      silentLogger(),
      { limits: { perClient: rate, total: rate, clients: 10 }, onAnswered: (one) => answered.push(one) },
    )
    const statuses = [await ask(address, '/'), await ask(address, '/', 'HEAD'), await ask(address, '/')]
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(Number(statuses[2]?.headers['retry-after'])).toBeGreaterThan(1)
    expect(answered.map(({ route, method, status }) => [route, method, status])).toEqual([
      ['ok', 'GET', 200],
      ['ok', 'HEAD', 200],
      [undefined, 'GET', 429],
    ])
  })

  it('gives one client no more than its share of the connections', async () => {
    const rate = { perSecond: 1000, burst: 1000 }
    const limits = { perClient: rate, total: rate, clients: 10 }
    const address = await serve(() => ({ status: 200, contentType: 'text/plain', body: 'ok' }), silentLogger(), {
      limits,
    })
    const { host, port } = parseAddress(address)
    let closed = 0
    const sockets = Array.from({ length: 70 }, () =>
      connect({ host: host ?? 'localhost', port })
        .on('error', () => undefined)
        .on('close', () => (closed += 1)),
    )
    await expect.poll(() => closed).toBe(6)
    for (const socket of sockets) socket.destroy()
    await expect.poll(async () => (await ask(address, '/').catch(() => undefined))?.status).toBe(200)
  })

  it('rejects when the address is taken or malformed', async () => {
    const address = await serve(() => undefined)
    const again = { handler: () => undefined, log: silentLogger(), clock }
    await expect(listen({ ...again, address })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(listen({ ...again, address: 'nowhere' })).rejects.toThrow(RangeError)
  })

  it('close does not wait for a client that never finishes', async () => {
    const server = await listen({ address: '127.0.0.1:0', handler: () => undefined, log: silentLogger(), clock })
    const slow = raw(server.address, 'GET / HTTP/1.1\r\nHost: x\r\n')
    await ask(server.address, '/')
    await server.close(10)
    await slow.catch(() => undefined)
    await expect(ask(server.address, '/')).rejects.toThrow('ECONNREFUSED')
  })
})
