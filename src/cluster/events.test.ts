import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fields } from '../runtime/log.ts'
import { createLogger } from '../runtime/log.ts'
import { ManualClock } from '../runtime/manual-clock.ts'
import { EmbeddedCluster } from './embedded/cluster.ts'
import { ApiError } from './errors.ts'
import type { ClusterEventsOptions, Occurrence } from './events.ts'
import { ClusterEvents, cutBytes } from './events.ts'
import type { Event } from './kinds.ts'
import { events } from './kinds.ts'
import type { Cluster } from './port.ts'

const minute = 60_000

const happened = (changes: Partial<Occurrence> = {}, name = 'orders'): Occurrence => ({
  regarding: {
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { namespace: 'data', name, uid: `uid-of-${name}`, resourceVersion: '7' },
  },
  type: 'Normal',
  reason: 'Issued',
  action: 'Issue',
  note: 'a certificate was issued',
  ...changes,
})

/** What the server does instead of answering. */
type Trouble = (verb: 'create' | 'apply', nth: number) => 'refuse' | 'lose' | 'hang' | ApiError | undefined

const setUp = (trouble: Trouble = () => undefined, options: Partial<ClusterEventsOptions> = {}) => {
  const clock = new ManualClock()
  const inner = new EmbeddedCluster({ kinds: [{ resource: events }], clock })
  const calls: string[] = []
  const lines: string[] = []
  const send = async <T>(verb: 'create' | 'apply', work: () => Promise<T>): Promise<T> => {
    calls.push(verb)
    const what = trouble(verb, calls.length)
    if (what === 'hang') return new Promise(() => undefined)
    if (what === 'refuse') throw new ApiError({ status: 0, reason: 'Network', message: 'connection refused' })
    if (what instanceof ApiError) throw what
    const answer = await work()
    if (what === 'lose') throw new ApiError({ status: 0, reason: 'Network', message: 'reset', ambiguous: true })
    return answer
  }
  const unused = (): never => {
    throw new Error('the recorder needs no other verb')
  }
  const cluster: Cluster = {
    create: (resource, object, write) => send('create', () => inner.create(resource, object, write)),
    apply: (resource, object, write) => send('apply', () => inner.apply(resource, object, write)),
    get: unused,
    list: unused,
    watch: unused,
    update: unused,
    updateStatus: unused,
    delete: unused,
  }
  const log = createLogger({ level: 'debug', destination: { write: (line) => lines.push(line) }, clock })
  const recorder = new ClusterEvents({ cluster, clock, log, reportingInstance: 'pod-1', ...options })
  const stored = async (): Promise<readonly Event[]> => (await inner.list(events)).items
  const entries = (): Fields[] => lines.map((line) => JSON.parse(line) as Fields)
  return { clock, inner, calls, recorder, stored, entries, lines }
}

describe('an event', () => {
  it('has all that the API asks for, beside the object it is about', async () => {
    const { clock, recorder, stored } = setUp()
    recorder.record(happened())
    await clock.advance(0)
    const [event, ...others] = await stored()
    expect(others).toEqual([])
    expect(event).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: 'data', name: expect.stringMatching(/^orders\.[0-9a-f]{16}$/) as string },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'dbtls.dev/operator',
      reportingInstance: 'pod-1',
      action: 'Issue',
      reason: 'Issued',
      type: 'Normal',
      note: 'a certificate was issued',
      regarding: { kind: 'DatabaseCertificate', namespace: 'data', name: 'orders', uid: 'uid-of-orders' },
    })
    expect(event).not.toHaveProperty('series')
  })

  it('about a cluster-scoped object goes into the namespace default', async () => {
    const { clock, recorder, stored } = setUp()
    recorder.record(happened({ regarding: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'data' } } }))
    await clock.advance(0)
    const [event] = await stored()
    expect(event?.metadata.namespace).toBe('default')
    expect(event?.regarding).toEqual({ apiVersion: 'v1', kind: 'Namespace', name: 'data' })
  })

  it.each(['a'.repeat(253), `${'a'.repeat(229)}-${'b'.repeat(20)}`, `${'a'.repeat(228)}-.${'b'.repeat(20)}`])(
    'has a name that is a DNS subdomain, also for the long name %s',
    async (name) => {
      const { clock, recorder, stored } = setUp()
      recorder.record(happened({}, name))
      await clock.advance(0)
      const [event] = await stored()
      expect(event?.metadata.name.length).toBeLessThanOrEqual(253)
      expect(event?.metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    },
  )

  it('never carries a secret, neither to the server nor into the log', async () => {
    const canary = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canary'
    const forbidden = new ApiError({ status: 403, reason: 'Forbidden', message: 'no' })
    for (const trouble of [() => undefined, () => forbidden]) {
      const { clock, recorder, stored, lines } = setUp(trouble)
      recorder.record(
        happened({
          note: `cannot read -----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY----- with password=hunter22`,
        }),
      )
      await clock.advance(0)
      const text = JSON.stringify(await stored()) + lines.join('')
      expect(text).not.toContain(canary)
      expect(text).not.toContain('hunter22')
    }
  })

  it('has a note of 1,024 bytes at most, and no broken character', async () => {
    const { clock, recorder, stored } = setUp()
    recorder.record(happened({ note: `${'x'.repeat(1_020)}😀😀` }))
    await clock.advance(0)
    const [event] = await stored()
    expect(Buffer.byteLength(event?.note ?? '')).toBeLessThanOrEqual(1_024)
    expect(event?.note).toBe(`${'x'.repeat(1_020)}…`)
  })

  it('cutBytes keeps whole characters, as many as there is room for', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 })
    fc.assert(
      fc.property(text, fc.integer({ min: 3, max: 80 }), (whole, limit) => {
        const cut = cutBytes(whole, limit)
        if (Buffer.byteLength(whole) <= limit) {
          expect(cut).toBe(whole)
          return
        }
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit)
        expect(Buffer.byteLength(cut)).toBeGreaterThan(limit - 4)
        expect(whole.startsWith(cut.slice(0, -1))).toBe(true)
        expect(Buffer.from(cut).toString()).toBe(cut)
      }),
      { numRuns: 500 },
    )
  })
})

describe('repeats', () => {
  it('fold into one series, counted, and are written at most once a minute', async () => {
    const { clock, recorder, stored, calls } = setUp()
    for (let n = 0; n < 120; n += 1) {
      recorder.record(happened())
      await clock.advance(1_000)
    }
    await clock.advance(minute)
    const all = await stored()
    expect(all).toHaveLength(1)
    expect(all[0]?.series).toEqual({ count: 120, lastObservedTime: '2026-01-01T00:01:59.000000Z' })
    expect(all[0]?.eventTime).toBe('2026-01-01T00:00:00.000000Z')
    expect(calls.length).toBeLessThanOrEqual(4)
  })

  it.each<[string, Occurrence]>([
    ['object', happened({}, 'billing')],
    ['reason', happened({ reason: 'Renewed' })],
    ['type', happened({ type: 'Warning' })],
    ['action', happened({ action: 'Encode' })],
    ['note', happened({ note: 'another sentence' })],
  ])('of another %s are another event', async (_, other) => {
    const { clock, recorder, stored } = setUp()
    recorder.record(happened())
    recorder.record(other)
    await clock.advance(2 * minute)
    expect((await stored()).map(({ series }) => series)).toEqual([undefined, undefined])
  })

  it('that were counted are written before a thousand others push their event out of memory', async () => {
    const { recorder, stored } = setUp()
    recorder.record(happened({}, 'first'))
    recorder.record(happened({}, 'second'))
    await recorder.flush()
    for (const name of ['first', 'second', 'first']) recorder.record(happened({}, name))
    for (let n = 0; n < 999; n += 1) recorder.record(happened({}, `orders-${n}`))
    // Second was quiet longest and goes; first is still counted on.
    recorder.record(happened({}, 'first'))
    await recorder.flush()
    const counts = (await stored()).flatMap(({ regarding, series }) =>
      series ? [[regarding?.name, series.count]] : [],
    )
    expect(Object.fromEntries(counts)).toEqual({ first: 4, second: 2 })
    expect(recorder.dropped).toBe(0)
  })

  it('after a long silence begin a new event', async () => {
    const { clock, recorder, stored } = setUp()
    recorder.record(happened())
    await clock.advance(6 * minute + 1)
    recorder.record(happened())
    await clock.advance(2 * minute)
    expect(await stored()).toHaveLength(2)
  })

  it('of an event that the server has dropped meanwhile make it anew', async () => {
    const { clock, inner, recorder, stored } = setUp()
    recorder.record(happened())
    await clock.advance(0)
    const [{ metadata } = { metadata: { name: '' } }] = await stored()
    await inner.delete(events, metadata)
    recorder.record(happened())
    await clock.advance(2 * minute)
    expect(await stored()).toMatchObject([{ metadata: { name: metadata.name }, series: { count: 2 } }])
  })

  it('keep the fields that others have written', async () => {
    const { clock, inner, recorder, stored } = setUp()
    recorder.record(happened())
    await clock.advance(0)
    const [event] = await stored()
    if (event)
      await inner.update(
        events,
        { ...event, metadata: { ...event.metadata, labels: { a: 'b' } } },
        { fieldManager: 'x' },
      )
    recorder.record(happened())
    await clock.advance(2 * minute)
    expect(await stored()).toMatchObject([{ metadata: { labels: { a: 'b' } }, series: { count: 2 } }])
  })
})

describe('trouble', () => {
  const error = (status: number, reason: string): ApiError => new ApiError({ status, reason, message: reason })

  it.each<[string, Trouble, number]>([
    ['an answer that is lost', (_, nth) => (nth === 1 ? 'lose' : undefined), 1],
    ['a refused connection', (_, nth) => (nth <= 2 ? 'refuse' : undefined), 1],
    [
      'a server that is overloaded for a moment',
      (_, nth) => (nth === 1 ? error(429, 'TooManyRequests') : undefined),
      1,
    ],
    ['a server that stays away', () => 'refuse', 0],
    ['a server that forbids', () => error(403, 'Forbidden'), 0],
    ['a namespace that ends', () => error(404, 'NotFound'), 0],
    ['a server that finds the event invalid', () => error(422, 'Invalid'), 0],
  ])('%s never throws and never writes an event twice', async (_, trouble, expected) => {
    const { clock, recorder, stored, calls } = setUp(trouble)
    expect(() => recorder.record(happened())).not.toThrow()
    await clock.advance(10 * minute)
    expect(await stored()).toHaveLength(expected)
    expect(recorder.dropped).toBe(1 - expected)
    expect(calls.length).toBeLessThanOrEqual(3)
  })

  it('a count that the server refuses is not tried for ever', async () => {
    const { clock, recorder, calls } = setUp((verb) => (verb === 'apply' ? error(403, 'Forbidden') : undefined))
    recorder.record(happened())
    recorder.record(happened())
    await clock.advance(60 * minute)
    expect(calls).toEqual(['create', 'apply'])
  })

  it('events beyond the bound are dropped and counted, the others written', async () => {
    const { recorder, stored } = setUp(undefined, { maxQueue: 10 })
    for (let n = 0; n < 30; n += 1) recorder.record(happened({}, `cert-${n}`))
    await recorder.flush()
    // One is on its way and does not wait any more.
    expect(await stored()).toHaveLength(11)
    expect(recorder.dropped).toBe(19)
  })

  it('one talkative object does not drown the others', async () => {
    const { recorder, stored } = setUp()
    for (let n = 0; n < 200; n += 1) recorder.record(happened({ note: `try ${n}` }))
    recorder.record(happened({}, 'billing'))
    await recorder.flush()
    const names = (await stored()).map(({ regarding }) => regarding.name)
    expect(names.filter((name) => name === 'orders')).toHaveLength(25)
    expect(names.filter((name) => name === 'billing')).toHaveLength(1)
  })

  it('nothing is written, and no timer is left, when nothing happens', async () => {
    const { clock, recorder, calls } = setUp()
    for (let n = 0; n < 20; n += 1) recorder.record(happened({}, `cert-${n}`))
    await clock.advance(20 * minute)
    expect(calls).toHaveLength(20)
    expect(clock.timers).toBe(0)
  })
})

describe('stop', () => {
  it('writes what waits, counts too, and takes nothing more', async () => {
    const { clock, recorder, stored } = setUp()
    for (let n = 0; n < 50; n += 1) recorder.record(happened({}, `cert-${n}`))
    recorder.record(happened({}, 'cert-0'))
    await recorder.stop()
    recorder.record(happened({}, 'late'))
    await clock.advance(10 * minute)
    const all = await stored()
    expect(all).toHaveLength(50)
    expect(all.find(({ regarding }) => regarding.name === 'cert-0')?.series?.count).toBe(2)
    expect(clock.timers).toBe(0)
  })

  it('gives up after its time on a server that hangs, and counts what was lost', async () => {
    const { clock, recorder } = setUp(() => 'hang')
    recorder.record(happened())
    let stopped = false
    const done = recorder.stop(3_000).then(() => (stopped = true))
    await clock.advance(2_999)
    expect(stopped).toBe(false)
    await clock.advance(2)
    await done
    expect(clock.timers).toBe(0)
  })

  it('ends at once where nothing was recorded', async () => {
    const { clock, recorder, calls } = setUp()
    await recorder.stop()
    expect(calls).toEqual([])
    expect(clock.timers).toBe(0)
  })
})

describe('events while there is work', () => {
  it('tell when they happened, not when they were sent', async () => {
    const { clock, recorder, stored } = setUp(() => undefined, { busy: () => true })
    for (let n = 0; n < 3; n += 1) recorder.record(happened({}, `orders-${n}`))
    await clock.advance(5_000)
    expect((await stored()).map(({ eventTime }) => eventTime)).toEqual(Array(3).fill('2026-01-01T00:00:00.000000Z'))
  })

  it('come two a second, and all at once when the work is done or the recorder stops', async () => {
    const rest = { busy: true }
    const { clock, recorder, stored } = setUp(() => undefined, { busy: () => rest.busy })
    for (let n = 0; n < 40; n += 1) recorder.record(happened({}, `orders-${n}`))
    await clock.advance(5_000)
    expect([(await stored()).length, recorder.waiting]).toEqual([10, 29])
    rest.busy = false
    await clock.advance(100)
    for (let turn = 0; turn < 40; turn += 1) await clock.advance(0)
    expect([(await stored()).length, recorder.waiting]).toEqual([40, 0])
    rest.busy = true
    for (let n = 40; n < 60; n += 1) recorder.record(happened({}, `orders-${n}`))
    await recorder.stop()
    expect((await stored()).length).toBe(60)
  })
})
