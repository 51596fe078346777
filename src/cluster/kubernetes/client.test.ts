import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ApiError } from '../errors.ts'
import type { KubeObject } from '../port.ts'
import { KubernetesCluster } from './client.ts'
import type { ClusterConfig } from './cluster-config.ts'
import type { Responder } from './fake-server.ts'
import { FakeServer, hang, json, plain, reset, stream } from './fake-server.ts'
import type { RequestObservation } from './requester.ts'

const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true } as const
const key = { namespace: 'data', name: 'a' }
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { ...key } }
const answer = { metadata: { ...key, resourceVersion: '7', managedFields: [{ manager: 'x' }] }, data: {} }
const write = { fieldManager: 'test' }

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const setUp = async (
  responders: Responder[],
  more: { clock?: Clock; timeoutMs?: number; config?: Partial<ClusterConfig> } = {},
) => {
  const server = new FakeServer(...responders)
  const url = await server.start()
  const observed: RequestObservation[] = []
  const { clock = systemClock(), timeoutMs, config } = more
  const cluster = new KubernetesCluster({
    clock,
    version: '1.2.3',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    onRequest: (observation) => void observed.push(observation),
    config: {
      server: url,
      namespace: 'default',
      tls: {},
      authorize: async (headers) => void (headers.authorization = 'Bearer t'),
      refresh: async () => undefined,
      ...config,
    },
  })
  stops.push(async () => {
    cluster.close()
    await server.stop()
  })
  return { server, cluster, observed }
}

const failure = async (promise: Promise<unknown>): Promise<ApiError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: ApiError) => error,
  )

describe('a request', () => {
  test('carries credentials and user agent, and its answer comes without managedFields and with its kind', async () => {
    const { server, cluster, observed } = await setUp([json(200, answer)])
    const object = await cluster.get(secrets, key)
    expect(object).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata: { ...key, resourceVersion: '7' }, data: {} })
    expect(server.seen[0]).toMatchObject({
      url: '/api/v1/namespaces/data/secrets/a',
      headers: { authorization: 'Bearer t', 'user-agent': 'dbtls/1.2.3', accept: 'application/json' },
    })
    expect(observed).toMatchObject([{ verb: 'get', resource: 'secrets', code: '200', method: 'GET' }])
  })

  test('uses one connection again and again', async () => {
    const { server, cluster } = await setUp([json(200, answer)])
    for (let i = 0; i < 20; i += 1) await cluster.get(secrets, key)
    expect(server.connections).toBe(1)
  })

  test('asks for metadata alone where that is enough', async () => {
    const { server, cluster } = await setUp([
      json(200, { metadata: { resourceVersion: '9', continue: 'next' }, items: [answer] }),
    ])
    const list = await cluster.list(secrets, { namespace: 'data', metadataOnly: true, limit: 1 })
    expect(server.seen[0]?.headers.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')
    expect(list).toMatchObject({ resourceVersion: '9', continue: 'next', items: [{ kind: 'Secret' }] })
  })

  test.each([
    ['create', 'POST', '/api/v1/namespaces/data/secrets?fieldManager=test', 'application/json'],
    ['update', 'PUT', '/api/v1/namespaces/data/secrets/a?fieldManager=test', 'application/json'],
    ['updateStatus', 'PUT', '/api/v1/namespaces/data/secrets/a/status?fieldManager=test', 'application/json'],
    ['apply', 'PATCH', '/api/v1/namespaces/data/secrets/a?fieldManager=test', 'application/apply-patch+yaml'],
  ] as const)('to %s is a %s of %s', async (verb, method, url, contentType) => {
    const { server, cluster } = await setUp([json(200, answer)])
    await cluster[verb](secrets, secret, write)
    expect(server.seen[0]).toMatchObject({ method, url, headers: { 'content-type': contentType } })
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual(secret)
  })

  test('to delete names its preconditions', async () => {
    const { server, cluster } = await setUp([json(200, { kind: 'Status' })])
    await cluster.delete(secrets, key, { uid: 'u', resourceVersion: '7' })
    expect(JSON.parse(server.seen[0]?.body ?? '')).toMatchObject({ preconditions: { uid: 'u', resourceVersion: '7' } })
  })

  test('keeps the path of a server behind a prefix', async () => {
    const { server, cluster } = await setUp([json(200, answer)])
    const prefixed = new KubernetesCluster({
      clock: systemClock(),
      version: '0',
      config: {
        server: new URL(`http://127.0.0.1:${(await serverPort(cluster, server)) ?? ''}/k8s/clusters/c-1/`),
        namespace: '',
        tls: {},
        authorize: async () => undefined,
        refresh: async () => undefined,
      },
    })
    await prefixed.get(secrets, key)
    prefixed.close()
    expect(server.seen.at(-1)?.url).toBe('/k8s/clusters/c-1/api/v1/namespaces/data/secrets/a')
  })
})

const serverPort = async (cluster: KubernetesCluster, server: FakeServer): Promise<string | undefined> => {
  await cluster.get(secrets, key)
  return server.seen[0]?.headers.host?.split(':')[1]
}

const status = (code: number, reason?: string, message = 'm') => json(code, { kind: 'Status', code, reason, message })

describe('an answer that is no success', () => {
  test.each<[string, Responder, Partial<ApiError>]>([
    ['404', status(404, 'NotFound'), { status: 404, reason: 'NotFound', ambiguous: false }],
    ['409', status(409, 'Conflict'), { status: 409, reason: 'Conflict', ambiguous: false }],
    ['500 without a reason', status(500), { status: 500, reason: 'InternalError', ambiguous: true }],
    ['502 in HTML', plain(502, '<html>hunter2</html>'), { status: 502, reason: 'BadGateway', ambiguous: true }],
    ['503 without a body', plain(503, ''), { status: 503, reason: 'ServiceUnavailable', ambiguous: true }],
    ['504', status(504, 'Timeout'), { status: 504, reason: 'Timeout', ambiguous: true }],
    ['a reset', reset, { status: 0, reason: 'Network', ambiguous: true }],
    ['200 that is not JSON', plain(200, 'hunter2'), { status: 0, reason: 'BadAnswer', ambiguous: true }],
    ['a redirect', plain(302, ''), { status: 302, ambiguous: false }],
    [
      'the in-flight limit',
      plain(429, 'Too many requests, please try again later.', { 'retry-after': '1' }),
      { status: 429, reason: 'TooManyRequests', retryAfterMs: 1000, ambiguous: false },
    ],
  ])('of a write: %s', async (_, responder, expected) => {
    const { server, cluster } = await setUp([responder])
    const error = await failure(cluster.apply(secrets, secret, write))
    expect(error).toMatchObject({ name: 'ApiError', ...expected })
    expect(`${error.message} ${error.stack}`).not.toContain('hunter2')
    expect(server.seen).toHaveLength(1)
  })

  test('of a read is never ambiguous', async () => {
    const { cluster } = await setUp([reset])
    expect(await failure(cluster.get(secrets, key))).toMatchObject({ status: 0, ambiguous: false })
  })

  test('429 is tried again for reads, after the time the server names, and not without end', async () => {
    const clock = new ManualClock()
    const busy = plain(429, 'Too many requests', { 'retry-after': '2' })
    const { server, cluster } = await setUp([busy, json(200, answer), busy], { clock })
    const first = cluster.get(secrets, key)
    while (server.seen.length < 1 || clock.timers === 0 || (clock.untilNextTimer() ?? 0) > 2000) await realTurn()
    await clock.advance(1999)
    expect(server.seen).toHaveLength(1)
    await clock.advance(1)
    await first
    const second = failure(cluster.get(secrets, key))
    while (server.seen.length < 5) {
      await realTurn()
      if ((clock.untilNextTimer() ?? 9999) <= 2000) await clock.advance(2000)
    }
    expect((await second).status).toBe(429)
    expect(server.seen).toHaveLength(5)
  })

  test('401 makes the credentials be read again, once', async () => {
    let token = 'old'
    const config = {
      authorize: async (headers: Record<string, string>) => void (headers.authorization = `Bearer ${token}`),
      refresh: async () => void (token = 'new'),
    }
    const { server, cluster } = await setUp([status(401, 'Unauthorized'), json(200, answer)], { config })
    await cluster.apply(secrets, secret, write)
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new'])
    server.responders.splice(0, 9, status(401, 'Unauthorized'))
    expect(await failure(cluster.get(secrets, key))).toMatchObject({ status: 401 })
    expect(server.seen).toHaveLength(4)
  })

  test('nothing that listens: the write was not sent', async () => {
    const { server, cluster, observed } = await setUp([hang])
    await server.stop()
    expect(await failure(cluster.apply(secrets, secret, write))).toMatchObject({ status: 0, ambiguous: false })
    expect(observed).toMatchObject([{ code: '<error>' }])
  })

  test('silence ends at the time limit', async () => {
    const { cluster } = await setUp([hang], { timeoutMs: 30 })
    const error = await failure(cluster.apply(secrets, secret, write))
    expect(error).toMatchObject({ status: 0, reason: 'ClientTimeout', ambiguous: true })
  })

  test('the caller gives up', async () => {
    const { cluster } = await setUp([hang])
    const controller = new AbortController()
    const pending = failure(cluster.get(secrets, key, { signal: controller.signal }))
    setImmediate(() => controller.abort())
    expect(await pending).toMatchObject({ status: 0, reason: 'Aborted' })
  })

  test('no credentials', async () => {
    const config = { authorize: () => Promise.reject(new Error('cannot read /token: ENOENT')) }
    const { server, cluster } = await setUp([hang], { config })
    expect(await failure(cluster.get(secrets, key))).toMatchObject({ status: 401, reason: 'Unauthorized' })
    expect(server.seen).toHaveLength(0)
  })
})

describe('apply with createOnly', () => {
  test('sends a resourceVersion that no object has, and no uid', async () => {
    const { server, cluster } = await setUp([json(201, answer)])
    const object = { ...secret, metadata: { ...key, uid: 'u', resourceVersion: '99' } }
    await cluster.apply(secrets, object, { ...write, createOnly: true, force: true })
    expect((JSON.parse(server.seen[0]?.body ?? '') as KubeObject).metadata).toEqual({ ...key, resourceVersion: '1' })
  })

  test.each([
    ['Operation cannot be fulfilled on secrets "a": the object has been modified', 'AlreadyExists'],
    ['Operation cannot be fulfilled on resourcequotas "q": the object has been modified', 'Conflict'],
  ])('turns 409 "%s" into %s', async (message, reason) => {
    const { cluster } = await setUp([status(409, 'Conflict', message)])
    const error = await failure(cluster.apply(secrets, secret, { ...write, createOnly: true }))
    expect(error).toMatchObject({ status: 409, reason })
  })
})

describe('a watch', () => {
  const event = (type: string, version: string) => ({
    type,
    object: { metadata: { ...key, resourceVersion: version } },
  })
  const watch = async (cluster: KubernetesCluster, signal?: AbortSignal) => {
    const types: string[] = []
    try {
      for await (const { type } of cluster.watch(secrets, { resourceVersion: '5', ...(signal ? { signal } : {}) }))
        types.push(type)
      return { types, error: undefined }
    } catch (error) {
      return { types, error: error as ApiError }
    }
  }

  test('gives events and ends when the server ends it', async () => {
    const { server, cluster } = await setUp([stream([event('ADDED', '6'), event('DELETED', '7')], true)])
    expect(await watch(cluster)).toEqual({ types: ['ADDED', 'DELETED'], error: undefined })
    expect(server.seen[0]?.url).toBe('/api/v1/secrets?watch=true&allowWatchBookmarks=true&resourceVersion=5')
  })

  test.each<[string, Responder, Partial<ApiError>]>([
    ['410 as HTTP status', status(410, 'Expired'), { status: 410 }],
    ['410 in the stream', stream([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }]), { status: 410 }],
    ['429', plain(429, 'busy', { 'retry-after': '1' }), { status: 429, retryAfterMs: 1000 }],
    ['HTML', plain(502, '<html>'), { status: 502 }],
    ['a line cut off', stream(['{"type":"ADD'], true), { reason: 'WatchBroken' }],
    ['a reset', reset, { status: 0, reason: 'Network' }],
  ])('fails with %s', async (_, responder, expected) => {
    const { cluster } = await setUp([responder])
    expect((await watch(cluster)).error).toMatchObject({ name: 'ApiError', ...expected })
  })

  test('stops when told to, and closes its connection', async () => {
    const { server, cluster } = await setUp([stream([event('ADDED', '6')])])
    const controller = new AbortController()
    const pending = watch(cluster, controller.signal)
    while (server.seen.length === 0) await realTurn()
    setTimeout(() => controller.abort(), 5)
    expect((await pending).error).toMatchObject({ reason: 'Aborted' })
  })

  test('does not hold back requests', async () => {
    const { server, cluster } = await setUp([stream([event('ADDED', '6')])])
    const controller = new AbortController()
    const watches = Array.from({ length: 80 }, () => watch(cluster, controller.signal))
    while (server.seen.length < 80) await realTurn()
    server.responders.splice(0, 1, json(200, answer))
    await cluster.get(secrets, key)
    controller.abort()
    await Promise.all(watches)
  })
})

const realTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
