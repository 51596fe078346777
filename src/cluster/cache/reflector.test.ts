import { afterEach, describe, expect, test } from 'vitest'
import { Backoff } from '../../runtime/backoff.ts'
import { silentLogger } from '../../runtime/log.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import type { KubeObject } from '../port.ts'
import type { ReflectorEvent, ReflectorOptions } from './reflector.ts'
import { Reflector } from './reflector.ts'
import type { ListAnswer } from './scripted-cluster.ts'
import { failure, ScriptedCluster, thing, things } from './scripted-cluster.ts'

const page = (resourceVersion: string, names: readonly string[], next?: string): ListAnswer => ({
  resourceVersion,
  items: names.map((name) => thing(name, '1')),
  ...(next === undefined ? {} : { continue: next }),
})

const brief = (event: ReflectorEvent<KubeObject>): string => {
  if ('object' in event) return `${event.type} ${event.object.metadata.name}`
  return 'resourceVersion' in event ? `${event.type} ${event.resourceVersion}` : event.type
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const start = async (cluster: ScriptedCluster, options: Partial<ReflectorOptions<KubeObject>> = {}) => {
  const clock = new ManualClock()
  const events: string[] = []
  const controller = new AbortController()
  const reflector = new Reflector<KubeObject>({
    cluster: cluster.port,
    resource: things,
    emit: (event) => void events.push(brief(event)),
    clock,
    random: () => 0,
    backoff: new Backoff({ clock, random: () => 0 }),
    log: silentLogger(),
    streaming: false,
    ...options,
  })
  const done = reflector.run(controller.signal)
  const stop = async (): Promise<void> => {
    controller.abort()
    await done
  }
  stops.push(stop)
  const turn = (ms = 0): Promise<void> => clock.advance(ms)
  await turn()
  return { events, told: () => events.splice(0), turn, stop, clock }
}

const listed = ['Init', 'InitApply a', 'InitDone 5']

describe('listing', () => {
  test('reads page by page, then watches from the version of the list', async () => {
    const cluster = new ScriptedCluster(page('5', ['a', 'b'], 'more'), page('5', ['c']))
    const { told } = await start(cluster, { pageSize: 2, namespace: 'data', labelSelector: 'x=y' })
    expect(told()).toEqual(['Init', 'InitApply a', 'InitApply b', 'InitApply c', 'InitDone 5'])
    expect(cluster.lists).toMatchObject([
      { limit: 2, namespace: 'data', labelSelector: 'x=y' },
      { limit: 2, continue: 'more' },
    ])
    expect(cluster.watch.options).toMatchObject({ resourceVersion: '5', namespace: 'data', labelSelector: 'x=y' })
  })

  test('asks for the same page again after an error, with growing pauses', async () => {
    const cluster = new ScriptedCluster(
      page('5', ['a'], 'more'),
      failure(500, 'x'),
      failure(0, 'Network'),
      page('5', ['b']),
    )
    const { told, turn } = await start(cluster)
    expect(cluster.lists).toHaveLength(2)
    await turn(800)
    expect(cluster.lists).toHaveLength(3)
    await turn(1599)
    expect(cluster.lists).toHaveLength(3)
    await turn(1)
    expect(told()).toEqual(['Init', 'InitApply a', 'InitApply b', 'InitDone 5'])
  })

  test.each([failure(410, 'Expired'), failure(504, 'Timeout', { causes: [{ reason: 'ResourceVersionTooLarge' }] })])(
    'begins again when the continue token is worthless: $reason',
    async (error) => {
      const cluster = new ScriptedCluster(page('5', ['a'], 'more'), error, page('9', ['b']))
      const { told, turn } = await start(cluster)
      await turn(800)
      expect(told()).toEqual(['Init', 'InitApply a', 'Init', 'InitApply b', 'InitDone 9'])
    },
  )

  test('waits as long as the server asks', async () => {
    const cluster = new ScriptedCluster(failure(429, 'TooManyRequests', { retryAfterMs: 7000 }), page('5', ['a']))
    const { turn } = await start(cluster)
    await turn(6999)
    expect(cluster.lists).toHaveLength(1)
    await turn(1)
    expect(cluster.lists).toHaveLength(2)
  })
})

describe('WatchList', () => {
  test('takes the first state from the stream and goes on with it', async () => {
    const cluster = new ScriptedCluster()
    const { told, turn } = await start(cluster, { streaming: true })
    expect(cluster.watch.options).toMatchObject({ sendInitialEvents: true })
    cluster.watch.event('ADDED', 'a', '1')
    cluster.watch.event('ADDED', 'b', '2')
    cluster.watch.event('DELETED', 'b', '6')
    cluster.watch.bookmark('6', true)
    cluster.watch.event('MODIFIED', 'a', '7')
    await turn()
    expect(told()).toEqual(['Init', 'InitApply a', 'InitApply b', 'Delete b', 'InitDone 6', 'Apply a'])
    expect(cluster.watches).toHaveLength(1)
  })

  test.each([
    ['422', (cluster: ScriptedCluster) => cluster.watch.fail(failure(422, 'Invalid'))],
    ['400', (cluster: ScriptedCluster) => cluster.watch.fail(failure(400, 'BadRequest'))],
    ['a bookmark without the mark', (cluster: ScriptedCluster) => cluster.watch.bookmark('3')],
  ])('gives way to pages where it is not served: %s', async (_, answer) => {
    const cluster = new ScriptedCluster(page('5', ['a']))
    const { told, turn } = await start(cluster, { streaming: true })
    answer(cluster)
    await turn(800)
    expect(told()).toEqual(['Init', ...listed])
    cluster.watch.fail(failure(410, 'Expired'))
    await turn(2000)
    expect(cluster.lists).toHaveLength(2)
  })

  test('gives way to pages when the server says nothing', async () => {
    const cluster = new ScriptedCluster(page('5', ['a']))
    const { told, turn } = await start(cluster, { streaming: true })
    await turn(30_800)
    expect(told()).toEqual(['Init', ...listed])
    expect(cluster.watches[0]?.closed).toBe(true)
  })

  test('is asked for again when the stream breaks before the end of the first state', async () => {
    const cluster = new ScriptedCluster()
    const { told, turn } = await start(cluster, { streaming: true })
    cluster.watch.event('ADDED', 'a', '1')
    cluster.watch.end()
    await turn(800)
    expect(cluster.watches).toHaveLength(2)
    expect(told()).toEqual(['Init', 'InitApply a', 'Init'])
  })
})

describe('watching', () => {
  const watching = async (options: Partial<ReflectorOptions<KubeObject>> = {}) => {
    const cluster = new ScriptedCluster(page('5', ['a']))
    const run = await start(cluster, options)
    run.told()
    return { cluster, ...run }
  }

  test('resumes at once, at the last event or bookmark, after a clean close', async () => {
    const { cluster, told, turn } = await watching()
    cluster.watch.event('MODIFIED', 'a', '7')
    cluster.watch.bookmark('12')
    cluster.watch.end()
    await turn()
    expect(cluster.watches.map(({ options }) => options.resourceVersion)).toEqual(['5', '12'])
    expect(told()).toEqual(['Apply a', 'Bookmark 12'])
    expect(cluster.lists).toHaveLength(1)
  })

  test('does not run in circles with a server that closes each watch at once', async () => {
    const { cluster, turn } = await watching()
    for (let i = 0; i < 20; i += 1) {
      cluster.watch.end()
      await turn()
    }
    expect(cluster.watches.length).toBeLessThan(4)
  })

  test.each([
    failure(500, 'InternalError'),
    failure(0, 'Network'),
    failure(0, 'WatchBroken'),
    failure(401, 'Unauthorized'),
    failure(403, 'Forbidden'),
  ])('resumes after a pause, without a list, after $status $reason', async (error) => {
    const { cluster, turn } = await watching()
    cluster.watch.event('MODIFIED', 'a', '7')
    cluster.watch.fail(error)
    await turn(799)
    expect(cluster.watches).toHaveLength(1)
    await turn(1)
    expect(cluster.watch.options.resourceVersion).toBe('7')
    expect(cluster.lists).toHaveLength(1)
  })

  test.each([
    failure(410, 'Expired'),
    failure(504, 'Timeout', { causes: [{ reason: 'ResourceVersionTooLarge' }] }),
    failure(400, 'BadRequest'),
  ])('lists again after $status $reason', async (error) => {
    const { cluster, told, turn } = await watching()
    cluster.watch.fail(error)
    await turn(800)
    expect(told()).toEqual(listed)
    expect(cluster.lists).toHaveLength(2)
  })

  test('lists again when the stream has been silent for too long, and not before', async () => {
    const { cluster, told, turn } = await watching({ silenceMs: 150_000 })
    await turn(149_000)
    cluster.watch.bookmark('6')
    await turn(149_000)
    expect(told()).toEqual(['Bookmark 6'])
    await turn(2000)
    expect(told()).toEqual(listed)
    expect(cluster.watches[0]?.closed).toBe(true)
  })

  test('stops while it lists, waits or watches, tells nothing more and leaves no timer', async () => {
    const { cluster, stop, clock, events } = await watching()
    cluster.watch.event('MODIFIED', 'a', '7')
    await stop()
    expect([clock.timers, cluster.watches.length, events]).toEqual([0, 1, []])
    const waiting = await start(new ScriptedCluster(failure(500, 'x')))
    await waiting.stop()
    expect(waiting.clock.timers).toBe(0)
  })

  test('keeps nothing of a thousand broken streams', async () => {
    const { cluster, turn, clock } = await watching()
    for (let i = 0; i < 1000; i += 1) {
      cluster.watch.bookmark(String(10 + i))
      cluster.watch.fail(failure(0, 'Network'))
      await turn(30_000)
    }
    expect(cluster.watches).toHaveLength(1001)
    expect(cluster.watches.filter(({ closed }) => !closed)).toHaveLength(1)
    expect(clock.timers).toBeLessThanOrEqual(1)
  })
})
